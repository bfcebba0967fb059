//! Selectors that named what leaves, made to name what stays.

use std::collections::HashSet;

use super::sets::Sets;
use crate::kube::Object;
use crate::kube::network::NAMESPACE_NAME;
use crate::kube::object::namespaces_agree;
use crate::kube::selector::{self, SelectorAt};
use crate::milvus::role::Role;
use crate::rewrite::{Change, Rewrite, Scene, remove, replace};
use crate::value::Value;
use crate::yaml::PatchOp;

/// Labels before and after, as far as selectors can tell them apart: those of pods, or of Services for what chooses
/// Services.
pub struct Labels<'a> {
    /// Those of what leaves, with its role.
    pub leaving: Sets<'a, Role>,
    /// Those of what stays or comes.
    pub staying: Sets<'a, ()>,
    /// Those of mixcoord, which legacy coordinators become.
    pub mixcoord: Option<&'a Value>,
}

impl Labels<'_> {
    /// The role of the first that leaves of what a selector chooses.
    pub fn leaves(&self, s: &Value, plain: bool) -> Option<Role> {
        self.leaving.chosen(s, plain).copied()
    }

    /// Whether it chooses anything that stays.
    pub fn stays(&self, s: &Value, plain: bool) -> bool {
        self.staying.chosen(s, plain).is_some()
    }

    /// The role that leaves and is meant by the label `key: value`, where nothing that stays carries it.
    fn role_of(&self, key: &str, value: &str) -> Option<Role> {
        match self.staying.carrying(key, value) {
            Some(()) => None,
            None => self.leaving.carrying(key, value).copied(),
        }
    }

    /// What mixcoord carries under a key by which a legacy coordinator was meant.
    fn of_mixcoord(&self, key: &str) -> Value {
        let own = self
            .mixcoord
            .and_then(|labels| labels.get(key))
            .filter(|v| v.is_string());
        own.cloned().unwrap_or_else(|| Role::MixCoord.as_str().into())
    }
}

/// Takes the names of what leaves out of the `In` lists of a selector; legacy coordinators become mixcoord.
pub fn mend(object: &Object, at: &SelectorAt, labels: &Labels, out: &mut Rewrite) {
    let patch = relist(object, at, labels, true);
    if !patch.is_empty() {
        out.changes.push(Change::patch(
            object,
            patch,
            "it named components that leave beside others that stay",
        ));
    }
}

/// Points the selectors of a NetworkPolicy that mean a legacy coordinator at mixcoord.
pub fn point_at_mixcoord(scene: &Scene, object: &Object, pods: &Labels, out: &mut Rewrite) {
    let mut patch = Vec::new();
    for at in selector::pod_selectors("NetworkPolicy", &object.value) {
        if chooses_here(
            &object.value,
            &object.reference.namespace,
            &at,
            &scene.release.namespace,
        ) {
            patch.extend(relist(object, &at, pods, false));
        }
    }
    if !patch.is_empty() {
        out.changes.push(Change::patch(
            object,
            patch,
            "it chose a coordinator that is part of mixcoord now",
        ));
    }
}

/// Whether a selector of a NetworkPolicy chooses among the pods of a namespace: its own where it names none, the one
/// that a `namespaceSelector` beside it names. One that chooses namespaces by other labels counts in its own alone.
pub fn chooses_here(policy: &Value, own: &str, at: &SelectorAt, namespace: &str) -> bool {
    let agrees = namespaces_agree(own, namespace);
    let beside = at.pointer.strip_suffix("/podSelector").unwrap_or_default();
    let Some(chosen) = policy
        .pointer(&format!("{beside}/namespaceSelector"))
        .filter(|s| s.is_object())
    else {
        return agrees;
    };
    let place = SelectorAt {
        pointer: String::new(),
        plain: false,
    };
    let names: Vec<&str> = selector::demanded(chosen, &place)
        .into_iter()
        .filter(|(_, key, _)| *key == NAMESPACE_NAME)
        .map(|(_, _, value)| value)
        .collect();
    if names.is_empty() {
        return agrees;
    }
    namespace.is_empty() || names.contains(&namespace)
}

/// The operations that make a selector name mixcoord instead of legacy coordinators. In `In` lists each name comes
/// once; with `drop_indexnode`, indexnode leaves them too.
fn relist(object: &Object, at: &SelectorAt, labels: &Labels, drop_indexnode: bool) -> Vec<PatchOp> {
    let mut patch = Vec::new();
    let mut lists: Vec<String> = Vec::new();
    // Those of one list come one after the other.
    let mut listed = |expression: &str| {
        if lists.last().is_none_or(|last| last != expression) {
            lists.push(expression.to_owned());
        }
    };
    // Another release's policy may name the same component: only a selector that chooses ours is ours to change.
    if labels.leaves(&object.value[at], at.plain).is_none() {
        return patch;
    }
    for (pointer, key, value) in selector::demanded(&object.value, at) {
        let Some(role) = labels.role_of(key, value) else {
            continue;
        };
        match pointer.rsplit_once("/values/") {
            Some((expression, _)) => listed(expression),
            None if role.is_legacy_coordinator() => patch.push(replace(pointer, labels.of_mixcoord(key))),
            None => {}
        }
    }
    for expression in lists {
        patch.extend(relisted(object, &expression, labels, drop_indexnode));
    }
    patch
}

/// The operations on one `In` list.
fn relisted(object: &Object, expression: &str, labels: &Labels, drop_indexnode: bool) -> Vec<PatchOp> {
    let at = |field: &str| object.value.pointer(&format!("{expression}/{field}"));
    let key = at("key").and_then(Value::as_str).unwrap_or("");
    let old = at("values").and_then(Value::as_array).cloned().unwrap_or_default();
    let words: HashSet<&str> = old.iter().filter_map(Value::as_str).collect();
    let holds = |value: &Value| value.as_str().is_some_and(|word| words.contains(word));
    let mut kept: HashSet<String> = HashSet::new();
    let mut ops = Vec::new();
    for (i, value) in old.iter().enumerate() {
        let role = value.as_str().and_then(|v| labels.role_of(key, v));
        let becomes = match role {
            Some(role) if role.is_legacy_coordinator() => Some(labels.of_mixcoord(key)),
            Some(_) if drop_indexnode => None,
            _ => Some(value.clone()),
        };
        let path = format!("{expression}/values/{i}");
        match becomes {
            Some(new) if new != *value && holds(&new) => ops.push(remove(path)),
            Some(new) => match new.as_str() {
                Some(word) if !kept.insert(word.to_owned()) => ops.push(remove(path)),
                _ if new != *value => ops.push(replace(path, new)),
                _ => {}
            },
            None => ops.push(remove(path)),
        }
    }
    // From the end, so that an index still means what it did when the operation was written.
    ops.reverse();
    ops
}

impl std::ops::Index<&SelectorAt> for Value {
    type Output = Value;

    fn index(&self, at: &SelectorAt) -> &Value {
        self.pointer(&at.pointer).unwrap_or(&Value::Null)
    }
}

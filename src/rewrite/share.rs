//! What several workloads have in common, once the marks of their roles are taken out.

use std::borrow::Cow;

use foldhash::{HashMap, HashSet};

use crate::value::{Map, Value};

/// Stands for the workload's own name.
pub const NAME: &str = "\u{0}name";
/// Stands for the role's word in labels and container names.
pub const ROLE: &str = "\u{0}role";
/// Stands for the words behind `run`.
pub const ARGS: &str = "\u{0}args";

/// The probes of a container.
pub const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// The fields that start a container.
pub const START: [&str; 2] = ["command", "args"];

/// Whether a field is one thing: half a probe is none.
fn is_whole(field: &str) -> bool {
    PROBES.contains(&field) || ["lifecycle", "seccompProfile", "appArmorProfile"].contains(&field)
}

/// What all values share: equal values; maps key by key; lists of named things by name, in the first's order. `None`
/// where nothing is shared.
pub fn share(values: &[&Value]) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    if rest.iter().all(|v| v == first) {
        return Some((*first).clone());
    }
    match first {
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, _) in map {
                let each: Option<Vec<&Value>> = values.iter().map(|v| v.entry(key)).collect();
                // Of what is different in each, not even the empty map is shared; but the chart always writes resources.
                let each = each.filter(|each| !is_whole(key) || each.iter().all(|v| *v == each[0]));
                let shared = each.and_then(|each| Some((share(&each)?, each[0])));
                if let Some((shared, first)) = shared
                    && (!shared.says_nothing() || first.says_nothing() || key == "resources")
                {
                    out.insert(key.clone(), shared);
                }
            }
            Some(Value::Object(out))
        }
        Value::Array(list) => share_lists(list, values),
        _ => None,
    }
}

/// What lists of things share; `None` where the first has one that is no map. Things are told apart by name, else by all they
/// say. Each list is gone through once.
fn share_lists(list: &[Value], values: &[&Value]) -> Option<Value> {
    if list.iter().any(|item| !item.is_object()) {
        return None;
    }
    let mut named: HashSet<Identity> = HashSet::default();
    // Of several with one name only the first is found by it.
    let ids: Vec<Option<Identity>> = list
        .iter()
        .map(|item| identity(item).filter(|id| named.insert(id.clone())))
        .collect();
    let by_text = ids.iter().any(Option::is_none);
    let places: Vec<(HashMap<Identity, &Value>, HashSet<String>)> = values
        .iter()
        .map(|v| {
            let texts = v.as_array().into_iter().flatten().filter(|_| by_text).map(common_text);
            (by_identity(v), texts.collect())
        })
        .collect();
    let mut out = Vec::new();
    for (item, id) in list.iter().zip(&ids) {
        let Some(id) = id else {
            let text = common_text(item);
            if places.iter().all(|(_, texts)| texts.contains(&text)) {
                out.push(item.clone());
            }
            continue;
        };
        let each: Option<Vec<&Value>> = places.iter().map(|(of, _)| of.get(id).copied()).collect();
        match each {
            Some(each) if each.iter().all(|v| *v == each[0]) => out.push(item.clone()),
            // The container that runs Milvus is the sum of its fields; any other, a volume or a variable is one thing.
            Some(each) if each.iter().any(|v| runs_milvus(v)) => out.extend(share(&each)),
            _ => {}
        }
    }
    Some(Value::Array(out))
}

/// Whether a container runs Milvus, by its marks.
fn runs_milvus(container: &Value) -> bool {
    container["name"] == ROLE || container.as_object().is_some_and(starts)
}

/// Whether any of the words that start a container are where a role's word goes.
pub fn starts(container: &Map) -> bool {
    let fields = START.into_iter().filter_map(|field| container.get(field)?.as_array());
    let mut words = fields.flatten().filter_map(Value::as_str);
    words.any(|word| word.contains(ARGS))
}

/// The field by which an item is told apart, and what it says.
type Identity<'v> = (&'static str, Cow<'v, str>);

/// How Kubernetes tells the items of a list apart: mounts by path, most things by name.
pub fn identity(item: &Value) -> Option<Identity<'_>> {
    ["mountPath", "name", "containerPort"]
        .into_iter()
        .find_map(|key| match item.entry(key) {
            Some(Value::String(s)) => Some((key, s.into())),
            Some(Value::Number(n)) => Some((key, n.to_string().into())),
            _ => None,
        })
}

/// The items of a list by what tells them apart, the first of those that are told alike.
fn by_identity(list: &Value) -> HashMap<Identity<'_>, &Value> {
    let mut of = HashMap::default();
    for item in list.as_array().into_iter().flatten() {
        if let Some(id) = identity(item) {
            of.entry(id).or_insert(item);
        }
    }
    of
}

/// A text that equal values have in common and others have not, by which they are found: maps are equal in any order.
pub fn common_text(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

/// A value as people read it: its marks in words.
pub fn in_words(value: &Value) -> Value {
    let mut value = value.clone();
    replace_strings(&mut value, &|s| {
        let words = || {
            s.replace(NAME, "<name>")
                .replace(ROLE, "<role>")
                .replace(ARGS, "<role>")
        };
        s.contains('\u{0}').then(|| vec![words()])
    });
    value
}

/// Replaces every string that satisfies `matches` anywhere in a value.
pub fn replace_strings(value: &mut Value, replace: &impl Fn(&str) -> Option<Vec<String>>) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|v| replace_strings(v, replace)),
        Value::Array(list) => {
            let mut out = Vec::with_capacity(list.len());
            for mut item in std::mem::take(list) {
                match item.as_str().and_then(replace) {
                    Some(words) => out.extend(words.into_iter().map(Value::from)),
                    None => {
                        replace_strings(&mut item, replace);
                        out.push(item);
                    }
                }
            }
            *list = out;
        }
        Value::String(s) => {
            if let Some(words) = replace(s) {
                *s = words.join(" ").into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn named_lists_are_compared_by_name_in_the_first_order() {
        let a = json!({"volumes": [{"name": "x", "emptyDir": {}}, {"name": "y", "secret": 1}, {"name": "z", "emptyDir": {}}]});
        let b = json!({"volumes": [{"name": "z", "emptyDir": {}}, {"name": "y", "secret": 2}, {"name": "x", "emptyDir": {}}]});
        assert_eq!(
            share(&[&a, &b]).unwrap(),
            json!({"volumes": [{"name": "x", "emptyDir": {}}, {"name": "z", "emptyDir": {}}]})
        );
    }

    #[test]
    fn of_items_with_one_name_the_first_counts_and_others_where_all_have_them() {
        let item = |name: &str, secret: u8| json!({"name": name, "secret": secret});
        let a = json!([item("x", 1), item("x", 2), item("y", 1)]);
        let b = json!([item("y", 2), item("x", 1), item("y", 1), {}]);
        assert_eq!(share(&[&a, &b]).unwrap(), json!([item("x", 1)]));
        assert_eq!(share(&[&b, &a]).unwrap(), json!([item("x", 1), item("y", 1)]));
        // What is no list has nothing, and words are no list of things.
        assert_eq!(share(&[&a, &json!(1)]), Some(json!([])));
        assert_eq!(share(&[&json!(["a", "b"]), &json!(["a"])]), None);
    }

    #[test]
    fn things_without_a_name_are_shared_where_all_say_the_same() {
        let secret = |name: &str| json!({"secretRef": {"name": name}});
        let any = json!({"operator": "Exists", "effect": "NoSchedule"});
        let same = |key: &str, effect: &str| json!({"key": key, "value": "a", "effect": effect});
        let a = json!({"envFrom": [secret("a"), secret("b")], "tolerations": [any, same("d", "NoSchedule")]});
        let b = json!({"envFrom": [secret("c"), secret("a")], "tolerations": [same("d", "NoSchedule"), same("d", "NoExecute"), any]});
        let both = json!({"envFrom": [secret("a")], "tolerations": [any, same("d", "NoSchedule")]});
        assert_eq!(share(&[&a, &b]), Some(both));
        let turned = json!({"envFrom": [secret("a")], "tolerations": [same("d", "NoSchedule"), any]});
        assert_eq!(share(&[&b, &a]), Some(turned));
    }

    #[test]
    fn mounts_are_told_apart_by_path_and_ports_by_number() {
        let of = |item: Value| identity(&item).map(|(field, text)| (field, text.into_owned()));
        let mount = json!({"name": "a", "mountPath": "/b"});
        assert_eq!(of(mount), Some(("mountPath", "/b".to_owned())));
        assert_eq!(
            of(json!({"containerPort": 9091})),
            Some(("containerPort", "9091".to_owned()))
        );
        assert_eq!(of(json!({"name": true, "containerPort": null})), None);
    }

    #[test]
    fn probes_and_other_containers_are_one_thing() {
        let probe = |port: u16| json!({"tcpSocket": {"port": port}, "periodSeconds": 5});
        let side = |tag: &str| json!({"name": "side", "image": format!("s:{tag}"), "args": ["x"]});
        let milvus = |port: u16| json!({"name": ROLE, "image": "m:1", "livenessProbe": probe(port), "tty": true});
        let a = json!([milvus(1), side("1")]);
        let b = json!([milvus(2), side("2")]);
        assert_eq!(
            share(&[&a, &b]).unwrap(),
            json!([{"name": ROLE, "image": "m:1", "tty": true}])
        );
        assert_eq!(share(&[&a, &a.clone()]), Some(a));
    }

    #[test]
    fn equal_values_have_a_text_in_common() {
        let text = |value: Value| common_text(&value);
        assert_eq!(
            text(json!({"a": {"b": 1, "c": 2}})),
            text(json!({"a": {"c": 2, "b": 1}}))
        );
        let others = [
            json!("1"),
            json!(1),
            json!([1]),
            json!([1, 2]),
            json!([2, 1]),
            json!(null),
            json!("null"),
        ];
        let texts: std::collections::HashSet<String> = others.iter().map(common_text).collect();
        assert_eq!(texts.len(), others.len());
    }

    #[test]
    fn containers_are_shared_field_by_field() {
        let a = json!([{"name": ROLE, "image": "m:1", "env": [{"name": "A", "value": "1"}], "tty": true}]);
        let b = json!([{"name": ROLE, "image": "m:1", "env": [{"name": "A", "value": "2"}]}]);
        assert_eq!(share(&[&a, &b]).unwrap(), json!([{"name": ROLE, "image": "m:1"}]));
    }

    #[test]
    fn what_differs_is_left_out() {
        assert_eq!(share(&[&json!(1), &json!(2)]), None);
        assert_eq!(
            share(&[&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 3})]),
            Some(json!({"b": 2}))
        );
        assert_eq!(share(&[&json!(null), &json!([1])]), None);
        let limits = |what: &str| json!({"resources": {"limits": {what: 1}}, "emptyDir": {}});
        assert_eq!(
            share(&[&limits("cpu"), &limits("memory")]),
            Some(json!({"resources": {}, "emptyDir": {}}))
        );
    }
}

//! Two values as one tree: what is the same, what differs, and where.

use std::collections::HashMap;

use super::list;
use super::pair::merged;
use super::server;
use crate::kube::object::escape;
use crate::kube::quantity::Quantity;
use crate::value::{Map, Value};
use crate::yaml;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The kind of the object.
    pub kind: &'a str,
    /// Whether each side was read from a server.
    pub live: (bool, bool),
}

/// Two values, or one where the other side has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// They mean the same, however they are written.
    Same {
        /// As the earlier side writes it.
        before: Value,
        /// As the later side does, which is shown for both.
        after: Value,
    },
    /// Bookkeeping of one side: not shown, and left in place by a patch.
    Kept {
        /// Where it stands before.
        before: Option<Value>,
    },
    /// They differ as a whole.
    Changed {
        /// Before.
        before: Option<Value>,
        /// After.
        after: Option<Value>,
    },
    /// Maps, key by key, in the order of the later side.
    Map {
        /// The values of both.
        entries: Vec<(String, Node)>,
        /// Whether the later side has no such map.
        gone: bool,
    },
    /// Lists.
    List {
        /// The items of both.
        items: Vec<Item>,
        /// Whether those of both sides stand in another order, and that means something.
        moved: bool,
    },
    /// Texts that hold YAML, compared as such.
    Text {
        /// The earlier text.
        before: String,
        /// The later text.
        after: String,
        /// What is in them.
        inner: Box<Node>,
    },
}

/// An item of two lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The name by which both were found.
    pub label: Option<String>,
    /// Its index before.
    pub before_at: Option<usize>,
    /// Its index after.
    pub after_at: Option<usize>,
    /// Its values.
    pub node: Node,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// JSON pointer in the later side, in the earlier one for what left; `#` leads into a text.
    pub path: String,
    /// The same in words: `spec.template.spec.containers[proxy].image`.
    pub at: String,
    /// The value before; `None` where it comes.
    pub before: Option<Value>,
    /// The value after; `None` where it leaves.
    pub after: Option<Value>,
    /// Whether the items of a list stand in another order; the values are the names then.
    pub moved: bool,
}

/// Compares two values of an object, from its root.
pub fn compare(scope: &Scope, before: Option<&Value>, after: Option<&Value>) -> Node {
    let mut walk = Walk {
        scope: *scope,
        path: vec![],
        embedded: false,
    };
    walk.compare(before, after, (None, None))
}

struct Walk<'a> {
    scope: Scope<'a>,
    /// The keys that lead here, without list items.
    path: Vec<String>,
    /// Whether this is the inside of a text: none of Kubernetes' conventions hold there.
    embedded: bool,
}

type Maps<'v> = (Option<&'v Map>, Option<&'v Map>);

impl Walk<'_> {
    fn compare(&mut self, before: Option<&Value>, after: Option<&Value>, parents: Maps) -> Node {
        let said = |v: Option<&Value>| v.is_some_and(|v| !v.is_null());
        if !self.embedded {
            match (said(before), said(after)) {
                (false, false) => return self.kept(before),
                (true, false) => return self.one_sided(before, before, None, parents.0),
                (false, true) => return self.one_sided(before, None, after, parents.1),
                (true, true) => {}
            }
        }
        let (Some(b), Some(a)) = (before, after) else {
            return Node::Changed {
                before: before.cloned(),
                after: after.cloned(),
            };
        };
        match (b, a) {
            _ if b == a => self.same(b, a),
            (Value::Object(b), Value::Object(a)) => self.maps(b, a, false),
            (Value::Array(b), Value::Array(a)) => self.lists(b, a),
            (Value::String(x), Value::String(y)) => self.texts(x, y),
            _ if self.is_quantity() && equal_quantities(b, a) => self.same(b, a),
            _ => Node::Changed {
                before: Some(b.clone()),
                after: Some(a.clone()),
            },
        }
    }

    fn same(&self, before: &Value, after: &Value) -> Node {
        Node::Same {
            before: before.clone(),
            after: after.clone(),
        }
    }

    fn kept(&self, before: Option<&Value>) -> Node {
        Node::Kept {
            before: before.cloned(),
        }
    }

    /// A value that one side alone has; `stands` is what the earlier side has there, null included.
    fn one_sided(
        &mut self,
        stands: Option<&Value>,
        before: Option<&Value>,
        after: Option<&Value>,
        parent: Option<&Map>,
    ) -> Node {
        let (live, other_live) = match before {
            Some(_) => self.scope.live,
            None => (self.scope.live.1, self.scope.live.0),
        };
        let Some(value) = before.or(after) else {
            return self.kept(stands);
        };
        // Objects are one where one of them leaves its namespace to the client.
        let namespace = matches!(&self.path[..], [metadata, key] if metadata == "metadata" && key == "namespace");
        let dropped = other_live && server::is_dropped(&self.path, value);
        if namespace || dropped || server::is_nothing(self.scope.kind, &self.path, value, parent, live) {
            return self.kept(stands);
        }
        // Among them stands bookkeeping, which neither comes nor leaves.
        if let (Some("annotations" | "labels"), Value::Object(map)) = (self.path.last().map(String::as_str), value) {
            let empty = Map::new();
            return match before {
                Some(_) => self.maps(map, &empty, true),
                None => self.maps(&empty, map, false),
            };
        }
        let asked = server::asked_for(self.scope.kind, &mut self.path, value, live);
        match before {
            Some(_) => Node::Changed {
                before: Some(asked),
                after: None,
            },
            None => Node::Changed {
                before: None,
                after: Some(asked),
            },
        }
    }

    fn maps(&mut self, before: &Map, after: &Map, gone: bool) -> Node {
        let places: HashMap<&str, usize> = before.keys().enumerate().map(|(i, key)| (&key[..], i)).collect();
        let partners: Vec<Option<usize>> = after.keys().map(|key| places.get(&key[..]).copied()).collect();
        let (b, a): (Vec<_>, Vec<_>) = (before.iter().collect(), after.iter().collect());
        let mut entries = Vec::new();
        for (x, y) in merged(b.len(), &partners) {
            let key = y.map(|i| a[i].0).or_else(|| x.map(|i| b[i].0)).expect("one of both");
            self.path.push(key.to_string());
            let values = (x.map(|i| b[i].1), y.map(|i| a[i].1));
            let node = self.compare(values.0, values.1, (Some(before), Some(after)));
            self.path.pop();
            entries.push((key.to_string(), node));
        }
        match entries.iter().any(|(_, n)| n.differs()) {
            true => Node::Map { entries, gone },
            false => Node::Same {
                before: Value::Object(before.clone()),
                after: Value::Object(after.clone()),
            },
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) -> Node {
        let key = self.path.last().cloned().unwrap_or_default();
        let aligned = list::align(&key, before, after, !self.embedded);
        let mut items = Vec::new();
        for ((x, y), label) in aligned.pairs.into_iter().zip(aligned.labels) {
            let (b, a) = (x.map(|i| &before[i]), y.map(|i| &after[i]));
            let node = match (b, a) {
                (Some(b), Some(a)) if b == a => self.same(b, a),
                // An item that is null is there.
                (Some(b), Some(a)) if !b.is_null() && !a.is_null() => self.compare(Some(b), Some(a), (None, None)),
                _ => Node::Changed {
                    before: b.cloned(),
                    after: a.cloned(),
                },
            };
            items.push(Item {
                label,
                before_at: x,
                after_at: y,
                node,
            });
        }
        match aligned.moved || items.iter().any(|i| i.node.differs()) {
            true => Node::List {
                items,
                moved: aligned.moved,
            },
            false => Node::Same {
                before: before.into(),
                after: after.into(),
            },
        }
    }

    fn texts(&mut self, before: &str, after: &str) -> Node {
        let (b, a) = (Value::from(before), Value::from(after));
        let block = before.contains('\n') || after.contains('\n');
        // Versions of Helm differ in the line breaks at the end of a block (hosts.md 2.9).
        if (block && before.trim_end_matches('\n') == after.trim_end_matches('\n'))
            || (self.is_quantity() && equal_quantities(&b, &a))
        {
            return self.same(&b, &a);
        }
        if let Some((x, y)) = self
            .is_config()
            .then(|| Some((config(before)?, config(after)?)))
            .flatten()
        {
            self.embedded = true;
            let inner = self.compare(Some(&x), Some(&y), (None, None));
            self.embedded = false;
            return match inner.differs() {
                true => Node::Text {
                    before: before.into(),
                    after: after.into(),
                    inner: Box::new(inner),
                },
                false => self.same(&b, &a),
            };
        }
        Node::Changed {
            before: Some(b),
            after: Some(a),
        }
    }

    /// Whether this is a text of a ConfigMap that holds YAML or JSON.
    fn is_config(&self) -> bool {
        let [data, key] = &self.path[..] else { return false };
        !self.embedded && self.scope.kind == "ConfigMap" && data == "data" && is_config_name(key)
    }

    /// Whether a quantity stands here, such as `500m` or `1Gi`.
    fn is_quantity(&self) -> bool {
        let last = |n: usize| self.path.len().checked_sub(n).map_or("", |i| self.path[i].as_str());
        let among = [
            "limits",
            "requests",
            "capacity",
            "hard",
            "default",
            "defaultRequest",
            "minAllowed",
            "maxAllowed",
        ];
        !self.embedded
            && matches!(self.path.first().map(String::as_str), Some("spec"))
            && (among.contains(&last(2)) || matches!(last(1), "sizeLimit" | "divisor" | "averageValue"))
    }
}

/// Whether a key of a ConfigMap says that its text is YAML or JSON.
pub fn is_config_name(key: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| key.ends_with(end))
}

/// The map a text holds; empty for one of comments alone.
fn config(text: &str) -> Option<Value> {
    match yaml::read(text) {
        Ok(None | Some(Value::Null)) => Some(Value::Object(Map::new())),
        Ok(Some(map @ Value::Object(_))) => Some(map),
        _ => None,
    }
}

fn equal_quantities(before: &Value, after: &Value) -> bool {
    matches!((Quantity::from_value(before), Quantity::from_value(after)), (Ok(b), Ok(a)) if b == a)
}

impl Node {
    /// Whether anything in it differs.
    pub fn differs(&self) -> bool {
        match self {
            Node::Same { .. } | Node::Kept { .. } => false,
            Node::Changed { .. } | Node::Text { .. } => true,
            Node::Map { entries, .. } => entries.iter().any(|(_, n)| n.differs()),
            Node::List { items, moved } => *moved || items.iter().any(|i| i.node.differs()),
        }
    }

    /// The same with a change beside it that no value shows.
    pub fn with_hidden_change(self) -> Node {
        let whole = match self {
            Node::Same {
                after: Value::Object(map),
                ..
            } => map,
            other => return other,
        };
        let mut entries: Vec<(String, Node)> = whole
            .into_iter()
            .map(|(key, v)| {
                (
                    key.into(),
                    Node::Same {
                        before: v.clone(),
                        after: v,
                    },
                )
            })
            .collect();
        let (before, after) = ("***#before".into(), "***#after".into());
        entries.push((
            "(masked)".into(),
            Node::Changed {
                before: Some(before),
                after: Some(after),
            },
        ));
        Node::Map { entries, gone: false }
    }

    /// Everything that differs, in order.
    pub fn changes(&self) -> Vec<Change> {
        let mut out = Vec::new();
        self.collect("", "", &mut out);
        out
    }

    fn collect(&self, path: &str, at: &str, out: &mut Vec<Change>) {
        match self {
            Node::Same { .. } | Node::Kept { .. } => {}
            Node::Changed { before, after } => out.push(Change {
                path: path.into(),
                at: at.into(),
                before: before.clone(),
                after: after.clone(),
                moved: false,
            }),
            Node::Map { entries, .. } => {
                for (key, node) in entries {
                    node.collect(&format!("{path}/{}", escape(key)), &step(at, key), out);
                }
            }
            Node::List { items, moved } => {
                for item in items {
                    let index = item.after_at.or(item.before_at).unwrap_or_default();
                    item.node
                        .collect(&format!("{path}/{index}"), &item_step(at, item, index), out);
                }
                if *moved {
                    out.push(Change {
                        path: path.into(),
                        at: at.into(),
                        before: Some(order(items, |i| i.before_at)),
                        after: Some(order(items, |i| i.after_at)),
                        moved: true,
                    });
                }
            }
            Node::Text { inner, .. } => inner.collect(&format!("{path}#"), &format!("{at}#"), out),
        }
    }
}

/// A path in words, one key further.
pub fn step(at: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    match (at.is_empty() || at.ends_with('#'), plain) {
        (true, true) => format!("{at}{key}"),
        (false, true) => format!("{at}.{key}"),
        (_, false) => format!("{at}[{key}]"),
    }
}

fn item_step(at: &str, item: &Item, index: usize) -> String {
    match &item.label {
        Some(label) => format!("{at}[{label}]"),
        None => format!("{at}[{index}]"),
    }
}

fn order(items: &[Item], index: fn(&Item) -> Option<usize>) -> Value {
    let mut named: Vec<(usize, &str)> = items
        .iter()
        .filter_map(|i| Some((index(i)?, i.label.as_deref()?)))
        .collect();
    named.sort_unstable();
    named.into_iter().map(|(_, label)| label).collect()
}

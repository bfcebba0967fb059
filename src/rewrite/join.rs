//! mixcoord out of the coordinators it takes the place of, where nobody gave the chart's values.

use std::borrow::Cow;

use super::neutral::CONTAINERS;
use super::share::identity;
use super::{Disagreement, Failure, Rewrite};
use crate::kube::quantity::Quantity;
use crate::value::{Map, Text, Value};

/// One coordinator: its role's word and its neutral workload. The first speaks where they disagree (rootcoord).
pub struct Coordinator<'a> {
    /// `rootcoord`, …
    pub role: &'a str,
    /// The workload without the marks of its role.
    pub value: Value,
}

/// Fields that are joined by a rule of their own.
const OWN_RULE: [&str; 5] = [
    "/spec/replicas",
    "/spec/strategy",
    "/metadata/name",
    "/resources",
    "/env",
];

/// Joins the coordinators: what they share is taken over; resources are summed; env is united by name; where they
/// disagree the first one's value is taken and noted. `standby` says whether all of them are active-standby.
pub fn join(coordinators: &[Coordinator], standby: bool, out: &mut Rewrite) -> Option<Value> {
    let mut joined = coordinators.first()?.value.clone();
    let mut notes = Vec::new();
    differences(coordinators, "", &mut notes);
    let container = format!("{CONTAINERS}/0");
    notes.retain(|pointer: &String| {
        let inside = pointer.strip_prefix(&container).unwrap_or(pointer);
        let own = OWN_RULE.iter().any(|rule| {
            let below = inside.strip_prefix(rule);
            below.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && !rest.starts_with("/claims"))
        });
        // The last applied configuration of a live object differs by its nature.
        !own && !pointer.contains("last-applied-configuration")
    });
    for pointer in notes {
        note(coordinators, &pointer, joined.pointer(&pointer).cloned(), out);
    }
    let each = |field: &str| {
        coordinators
            .iter()
            .map(|c| c.value.pointer(&format!("{container}{field}")))
            .collect::<Vec<_>>()
    };
    let resources = sum_resources(&each("/resources"), out);
    let env = unite_env(coordinators, &each("/env"), out);
    let inner = joined.pointer_mut(&container)?.as_object_mut()?;
    inner.insert("resources".into(), resources);
    if env.is_empty() {
        inner.remove("env");
    } else {
        inner.insert("env".into(), Value::Array(env));
    }
    replicas_and_strategy(coordinators, standby, &mut joined, out);
    Some(joined)
}

fn replicas_and_strategy(coordinators: &[Coordinator], standby: bool, joined: &mut Value, out: &mut Rewrite) {
    let counts: Vec<i64> = coordinators
        .iter()
        .map(|c| c.value.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1))
        .collect();
    let most = counts.iter().copied().max().unwrap_or(1);
    // All scaled to zero is a release at rest and stays one; otherwise one, or the most where a standby may wait.
    let replicas = if most == 0 || standby { most } else { 1 };
    if counts.iter().any(|n| *n != replicas) {
        note(coordinators, "/spec/replicas", Some(replicas.into()), out);
    }
    let Some(spec) = joined.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    spec.insert("replicas".into(), replicas.into());
    if standby {
        let strategies: Vec<_> = coordinators.iter().map(|c| c.value.pointer("/spec/strategy")).collect();
        if strategies.iter().any(|s| *s != strategies[0]) {
            note(coordinators, "/spec/strategy", strategies[0].cloned(), out);
        }
    } else {
        spec.insert("strategy".into(), crate::value::json!({"type": "Recreate"}));
    }
}

fn note(coordinators: &[Coordinator], pointer: &str, taken: Option<Value>, out: &mut Rewrite) {
    let values = coordinators
        .iter()
        .map(|c| {
            (
                c.role.to_owned(),
                c.value.pointer(pointer).cloned().unwrap_or(Value::Null),
            )
        })
        .collect();
    out.disagreements.push(Disagreement {
        field: pointer.into(),
        taken: taken.unwrap_or(Value::Null),
        values,
    });
}

/// Pointers of the smallest fields in which the coordinators differ; absent, null and empty are the same.
fn differences(coordinators: &[Coordinator], pointer: &str, found: &mut Vec<String>) {
    let each: Vec<&Value> = coordinators
        .iter()
        .map(|c| c.value.pointer(pointer).unwrap_or(&Value::Null))
        .collect();
    if each.iter().all(|v| *v == each[0] || (is_empty(v) && is_empty(each[0]))) {
        return;
    }
    if each.iter().all(|v| v.is_object()) {
        let mut keys: Vec<&Text> = Vec::new();
        for key in each.iter().flat_map(|v| v.as_object().into_iter().flat_map(Map::keys)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        for key in keys {
            differences(
                coordinators,
                &format!("{pointer}/{}", crate::kube::object::escape(key)),
                found,
            );
        }
    } else if pointer == CONTAINERS
        && each.iter().all(|v| {
            v.as_array()
                .is_some_and(|a| a.len() == each[0].as_array().map_or(0, Vec::len))
        })
    {
        for i in 0..each[0].as_array().map_or(0, Vec::len) {
            differences(coordinators, &format!("{pointer}/{i}"), found);
        }
    } else {
        found.push(pointer.to_owned());
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(m) => m.is_empty(),
        Value::Array(a) => a.is_empty(),
        _ => false,
    }
}

/// Sums requests and limits resource by resource. A limit that one coordinator lacks is no limit of the whole and is
/// left out; a request counts where it is made. `claims` cannot be summed and is left to [`differences`].
pub fn sum_resources(each: &[Option<&Value>], out: &mut Rewrite) -> Value {
    let mut sum = Map::new();
    for section in ["requests", "limits"] {
        let sections: Vec<Option<&Map>> = each
            .iter()
            .map(|r| r.and_then(|r| r.get(section)).and_then(Value::as_object))
            .collect();
        let mut names: Vec<&Text> = Vec::new();
        for name in sections.iter().flatten().flat_map(|s| s.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut total = Map::new();
        for name in names {
            let given: Vec<&Value> = sections
                .iter()
                .filter_map(|s| s.and_then(|s| s.get(name)))
                .filter(|v| !v.is_null())
                .collect();
            if given.is_empty() || (section == "limits" && given.len() < each.len()) {
                continue;
            }
            let parsed: Result<Vec<Quantity>, _> = given.iter().map(|v| Quantity::from_value(v)).collect();
            match parsed {
                Ok(quantities) => {
                    let all = quantities
                        .into_iter()
                        .reduce(|a, b| a + b)
                        .map(|q| q.to_string())
                        .unwrap_or_default();
                    total.insert(name.clone(), Value::from(all));
                }
                Err(e) => out.failures.push(Failure::Unbuilt(format!(
                    "a coordinator's {section}.{name} is no Kubernetes quantity: {e}"
                ))),
            }
        }
        if !total.is_empty() {
            sum.insert(section.into(), Value::Object(total));
        }
    }
    Value::Object(sum)
}

/// All variables by name, in the order they first appear; the first one's value where they differ. The switch of the
/// 2.5 streaming service is not carried on: 2.6 sets it itself (cmd/main.go of 2.6.x).
fn unite_env(coordinators: &[Coordinator], each: &[Option<&Value>], out: &mut Rewrite) -> Vec<Value> {
    let mut united: Vec<Value> = Vec::new();
    let mut differing: Vec<Cow<str>> = Vec::new();
    for var in each.iter().filter_map(|e| e.and_then(Value::as_array)).flatten() {
        let Some((_, name)) = identity(var) else { continue };
        if name == crate::milvus::config::STREAMING_SWITCH {
            continue;
        }
        match united.iter().find(|v| identity(v).is_some_and(|(_, n)| n == name)) {
            Some(same) if same == var => {}
            Some(_) if differing.contains(&name) => {}
            Some(_) => differing.push(name),
            None => united.push(var.clone()),
        }
    }
    for name in differing {
        let of = |list: Option<&Value>| {
            let list = list.and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .find(|v| v.get("name").and_then(Value::as_str) == Some(&name))
                .cloned()
                .unwrap_or(Value::Null)
        };
        let values = coordinators
            .iter()
            .zip(each)
            .map(|(c, e)| (c.role.to_owned(), of(*e)))
            .collect();
        let taken = united
            .iter()
            .find(|v| v.get("name").and_then(Value::as_str) == Some(&name))
            .cloned()
            .unwrap_or(Value::Null);
        out.disagreements.push(Disagreement {
            field: format!("env {name}"),
            taken,
            values,
        });
    }
    united
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn coordinator(role: &'static str, spec: Value, container: Value) -> Coordinator<'static> {
        let mut value = json!({"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": [container]}}}});
        for (k, v) in spec.as_object().unwrap() {
            value["spec"][k] = v.clone();
        }
        Coordinator { role, value }
    }

    #[test]
    fn resources_are_summed_exactly() {
        let r = |cpu: Value, mem: &str| json!({"requests": {"cpu": cpu, "memory": mem}, "limits": {"memory": mem}});
        let (a, b, c, d) = (
            r(json!("250m"), "512Mi"),
            r(json!("100m"), "256Mi"),
            r(json!("0.5"), "1Gi"),
            r(json!(2), "0.5Gi"),
        );
        let sum = sum_resources(&[Some(&a), Some(&b), Some(&c), Some(&d)], &mut Rewrite::default());
        let memory = Quantity::parse("2304Mi").unwrap();
        assert_eq!(Quantity::from_value(&sum["requests"]["memory"]).unwrap(), memory);
        assert_eq!(Quantity::from_value(&sum["limits"]["memory"]).unwrap(), memory);
        assert_eq!(
            Quantity::from_value(&sum["requests"]["cpu"]).unwrap(),
            Quantity::parse("2850m").unwrap()
        );
    }

    #[test]
    fn a_limit_that_one_lacks_is_left_out_a_request_is_not() {
        let a = json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}});
        let b = json!({"limits": {"cpu": "1"}});
        let sum = sum_resources(&[Some(&a), Some(&b)], &mut Rewrite::default());
        assert_eq!(sum, json!({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}));
        assert_eq!(
            sum_resources(&[Some(&a), None], &mut Rewrite::default()),
            json!({"requests": {"cpu": "1"}})
        );
    }

    #[test]
    fn env_is_united_and_the_first_speaks() {
        let mut out = Rewrite::default();
        let root = coordinator("rootcoord", json!({}), json!({"env": [{"name": "A", "value": "1"}]}));
        let data = coordinator(
            "datacoord",
            json!({}),
            json!({"env": [{"name": "B", "value": "x"}, {"name": "A", "value": "2"}]}),
        );
        let joined = join(&[root, data], false, &mut out).unwrap();
        let env = joined.pointer("/spec/template/spec/containers/0/env").unwrap();
        assert_eq!(env, &json!([{"name": "A", "value": "1"}, {"name": "B", "value": "x"}]));
        assert_eq!(
            out.disagreements.iter().map(|d| d.field.as_str()).collect::<Vec<_>>(),
            ["env A"]
        );
    }

    #[test]
    fn what_has_a_rule_of_its_own_is_no_disagreement() {
        let of = |cpu: &str, surge: u8| {
            let spec = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}}});
            (
                spec,
                json!({"resources": {"limits": {"cpu": cpu}, "requests": {"cpu": cpu}}}),
            )
        };
        let ((a, b), (c, d)) = (of("1", 1), of("2", 2));
        let pair = [coordinator("rootcoord", a, b), coordinator("datacoord", c, d)];
        let mut out = Rewrite::default();
        let joined = join(&pair, false, &mut out).unwrap();
        let cpu = joined.pointer("/spec/template/spec/containers/0/resources/limits/cpu");
        assert_eq!(cpu, Some(&json!("3")));
        assert!(out.disagreements.is_empty(), "{:?}", out.disagreements);
    }

    #[test]
    fn standby_keeps_the_most_replicas_without_it_there_is_one() {
        let pair = || {
            [
                coordinator(
                    "rootcoord",
                    json!({"replicas": 2, "strategy": {"type": "RollingUpdate"}}),
                    json!({}),
                ),
                coordinator(
                    "datacoord",
                    json!({"replicas": 3, "strategy": {"type": "RollingUpdate"}}),
                    json!({}),
                ),
            ]
        };
        let joined = join(&pair(), true, &mut Rewrite::default()).unwrap();
        assert_eq!(joined["spec"]["replicas"], 3);
        assert_eq!(joined["spec"]["strategy"]["type"], "RollingUpdate");
        let mut out = Rewrite::default();
        let joined = join(&pair(), false, &mut out).unwrap();
        assert_eq!(joined["spec"]["replicas"], 1);
        assert_eq!(joined["spec"]["strategy"]["type"], "Recreate");
        assert_eq!(out.disagreements[0].field, "/spec/replicas");
    }

    #[test]
    fn fields_that_differ_are_named_and_the_first_one_s_is_taken() {
        let mut out = Rewrite::default();
        let root = coordinator("rootcoord", json!({}), json!({"tty": true}));
        let data = coordinator("datacoord", json!({}), json!({"stdin": true}));
        let joined = join(&[root, data], false, &mut out).unwrap();
        assert_eq!(
            joined.pointer("/spec/template/spec/containers/0").unwrap(),
            &json!({"tty": true, "resources": {}})
        );
        let fields: Vec<_> = out
            .disagreements
            .iter()
            .map(|d| d.field.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(fields, ["tty", "stdin"]);
    }
}

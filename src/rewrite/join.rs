//! mixcoord out of the coordinators it takes the place of, where nobody gave the chart's values.

use std::borrow::Cow;

use foldhash::{HashMap, HashSet};

use super::neutral::CONTAINERS;
use super::share::{common_text, identity, in_words};
use super::{Disagreement, Failure, Had, Rewrite};
use crate::kube::quantity::Quantity;
use crate::value::{Map, Text, Value};

/// One coordinator: its role's word and its neutral workload. The first speaks where they disagree (rootcoord).
pub struct Coordinator<'a> {
    /// `rootcoord`, …
    pub role: &'a str,
    /// The workload without the marks of its role.
    pub value: Value,
}

/// Who has a field: the place among the coordinators and the value, in their order. The others lack it.
type Held<'v> = Vec<(usize, &'v Value)>;

/// Fields that are joined by a rule of their own.
const OWN_RULE: [&str; 5] = [
    "/spec/replicas",
    "/spec/strategy",
    "/metadata/name",
    "/resources",
    "/env",
];

/// Of how many coordinators with one value the roles are kept: a sentence names no more, and fields times coordinators
/// are more than came in.
const NAMED: usize = 10;

/// Joins the coordinators: what they share is taken over; resources are summed; env is united by name; where they
/// disagree the first one's value is taken and noted. `standby` says whether all of them are active-standby.
pub fn join(coordinators: &[Coordinator], standby: bool, out: &mut Rewrite) -> Option<Value> {
    let mut joined = coordinators.first()?.value.clone();
    let mut fields = Vec::new();
    let values: Vec<&Value> = coordinators.iter().map(|c| &c.value).collect();
    differences(&values, "", &mut fields);
    let container = format!("{CONTAINERS}/0");
    fields.retain(|(pointer, _)| {
        let inside = pointer.strip_prefix(&container).unwrap_or(pointer);
        let own = OWN_RULE.iter().any(|rule| {
            let below = inside.strip_prefix(rule);
            below.is_some_and(|rest| (rest.is_empty() || rest.starts_with('/')) && !rest.starts_with("/claims"))
        });
        // The last applied configuration of a live object differs by its nature.
        !own && !pointer.contains("last-applied-configuration")
    });
    for (pointer, held) in fields {
        let taken = joined.pointer(&pointer).cloned();
        note(coordinators, pointer, taken, &held, out);
    }
    let each = |field: &str| {
        coordinators
            .iter()
            .map(|c| c.value.pointer(&format!("{container}{field}")))
            .collect::<Vec<_>>()
    };
    let mut resources = sum_resources(&each("/resources"), out);
    if let (Some(claims), Some(map)) = (each("/resources/claims")[0], resources.as_object_mut()) {
        map.insert("claims".into(), claims.clone());
    }
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
    let held = |pointer: &str| -> Held {
        let each = coordinators.iter().enumerate();
        each.filter_map(|(i, c)| Some((i, c.value.pointer(pointer)?))).collect()
    };
    let counts: Vec<i64> = coordinators
        .iter()
        .map(|c| c.value.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1))
        .collect();
    let most = counts.iter().copied().max().unwrap_or(1);
    // All scaled to zero is a release at rest and stays one; otherwise one, or the most where a standby may wait.
    let replicas = if most == 0 || standby { most } else { 1 };
    if counts.iter().any(|n| *n != replicas) {
        let field = "/spec/replicas";
        note(coordinators, field.into(), Some(replicas.into()), &held(field), out);
    }
    let Some(spec) = joined.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    spec.insert("replicas".into(), replicas.into());
    if standby {
        let field = "/spec/strategy";
        let strategies: Vec<_> = coordinators.iter().map(|c| c.value.pointer(field)).collect();
        if strategies.iter().any(|s| *s != strategies[0]) {
            note(coordinators, field.into(), strategies[0].cloned(), &held(field), out);
        }
    } else {
        spec.insert("strategy".into(), crate::value::json!({"type": "Recreate"}));
    }
}

fn note(coordinators: &[Coordinator], field: String, taken: Option<Value>, held: &Held, out: &mut Rewrite) {
    out.disagreements.push(Disagreement {
        field,
        taken: in_words(&taken.unwrap_or(Value::Null)),
        values: had(coordinators, held),
    });
}

/// The coordinators by what they have, in a time that grows with those who have the field.
fn had(coordinators: &[Coordinator], held: &Held) -> Vec<Had> {
    // The first few with each value, and how many all of them are.
    let mut groups: Vec<(Vec<usize>, usize, &Value)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::default();
    let mut group = |value: &Value| {
        let text = if value.says_nothing() {
            String::new()
        } else {
            common_text(value)
        };
        *places.entry(text).or_insert_with(|| {
            groups.push((Vec::new(), 0, &Value::Null));
            groups.len() - 1
        })
    };
    let of_each: Vec<usize> = held.iter().map(|(_, value)| group(value)).collect();
    let lacking = coordinators.len() - held.len();
    let of_lacking = (lacking > 0).then(|| group(&Value::Null));
    for ((i, value), at) in held.iter().zip(of_each) {
        let (first, count, shown) = &mut groups[at];
        if first.is_empty() {
            *shown = value;
        }
        *count += 1;
        if first.len() < NAMED {
            first.push(*i);
        }
    }
    if let Some(at) = of_lacking {
        let mut having = held.iter().map(|(i, _)| *i).peekable();
        let without = (0..coordinators.len())
            .filter(|i| having.next_if_eq(i).is_none())
            .take(NAMED);
        let without: Vec<usize> = without.collect();
        let (first, count, shown) = &mut groups[at];
        if first.first().is_none_or(|i| without[0] < *i) {
            *shown = &Value::Null;
        }
        *count += lacking;
        first.extend(without);
        first.sort_unstable();
        first.truncate(NAMED);
    }
    groups.sort_by_key(|(first, ..)| first.first().copied());
    let had = groups.into_iter().map(|(first, count, value)| Had {
        value: in_words(value),
        more: count - first.len(),
        roles: first.into_iter().map(|i| coordinators[i].role.to_owned()).collect(),
    });
    had.collect()
}

/// Pointers of the smallest fields in which the coordinators differ; absent, null and empty are the same.
fn differences<'v>(each: &[&'v Value], pointer: &str, found: &mut Vec<(String, Held<'v>)>) {
    if each
        .iter()
        .all(|v| *v == each[0] || (v.says_nothing() && each[0].says_nothing()))
    {
        return;
    }
    let maps: Option<Vec<&Map>> = each.iter().map(|v| v.as_object()).collect();
    let length = each[0].as_array().map_or(0, Vec::len);
    if let Some(maps) = maps {
        for (key, held) in by_key(maps.into_iter().enumerate()) {
            let below = format!("{pointer}/{}", crate::kube::object::escape(key));
            if held.len() == each.len() {
                let values: Vec<&Value> = held.into_iter().map(|(_, value)| value).collect();
                differences(&values, &below, found);
            } else if held.iter().any(|(_, value)| !value.says_nothing()) {
                found.push((below, held));
            }
        }
    } else if pointer == CONTAINERS && each.iter().all(|v| v.as_array().is_some_and(|a| a.len() == length)) {
        for i in 0..length {
            let values: Vec<&Value> = each.iter().map(|v| &v[i]).collect();
            differences(&values, &format!("{pointer}/{i}"), found);
        }
    } else {
        found.push((pointer.to_owned(), each.iter().copied().enumerate().collect()));
    }
}

/// All keys in the order they first appear, each with those who have it: each key is looked for in no map that lacks it.
fn by_key<'v>(maps: impl Iterator<Item = (usize, &'v Map)>) -> Vec<(&'v Text, Held<'v>)> {
    let mut all: Vec<(&Text, Held)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::default();
    for (i, map) in maps {
        for (key, value) in map {
            let at = *places.entry(key).or_insert_with(|| {
                all.push((key, Vec::new()));
                all.len() - 1
            });
            all[at].1.push((i, value));
        }
    }
    all
}

/// Sums requests and limits resource by resource. A limit that one coordinator lacks is no limit of the whole and is
/// left out; a request counts where it is made. `claims` cannot be summed and is left to [`differences`].
pub fn sum_resources<'v>(each: &[Option<&'v Value>], out: &mut Rewrite) -> Value {
    let mut sum = Map::new();
    for section in ["requests", "limits"] {
        let of = |(i, r): (usize, &Option<&'v Value>)| Some((i, (*r)?.get(section)?.as_object()?));
        let sections = each.iter().enumerate().filter_map(of);
        let mut total = Map::new();
        for (name, held) in by_key(sections) {
            let given: Vec<&Value> = held.into_iter().map(|(_, v)| v).filter(|v| !v.is_null()).collect();
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
    let mut united: Vec<&Value> = Vec::new();
    let mut places: HashMap<Cow<str>, usize> = HashMap::default();
    let mut differing: Vec<Cow<str>> = Vec::new();
    let mut told: HashSet<Cow<str>> = HashSet::default();
    let each: Vec<Vec<&Value>> = each.iter().map(|list| in_force(*list)).collect();
    for var in each.iter().flatten().copied() {
        let Some((_, name)) = identity(var) else { continue };
        if name == crate::milvus::config::STREAMING_SWITCH {
            continue;
        }
        match places.get(&name) {
            Some(at) if united[*at] == var => {}
            Some(_) if !told.insert(name.clone()) => {}
            Some(_) => differing.push(name),
            None => {
                places.insert(name, united.len());
                united.push(var);
            }
        }
    }
    let mut held: HashMap<&str, Held> = differing.iter().map(|name| (&**name, Vec::new())).collect();
    let mut taken: HashMap<&str, &Value> = HashMap::default();
    for var in united.iter().filter(|_| !held.is_empty()) {
        taken.extend(
            named(var)
                .filter(|name| !taken.contains_key(name))
                .map(|name| (name, *var)),
        );
    }
    for (i, list) in each.iter().enumerate() {
        for var in list.iter().copied() {
            if let Some(all) = named(var).and_then(|name| held.get_mut(name)) {
                all.push((i, var));
            }
        }
    }
    for name in &differing {
        let taken = taken.get(&**name).copied().cloned();
        note(coordinators, format!("env {name}"), taken, &held[&**name], out);
    }
    united.into_iter().cloned().collect()
}

/// The variables of a container, of several with one name the last: that is what its processes see.
fn in_force(list: Option<&Value>) -> Vec<&Value> {
    let mut known: HashSet<&str> = HashSet::default();
    let all = list.and_then(Value::as_array).into_iter().flatten().rev();
    let mut last: Vec<&Value> = all
        .filter(|var| named(var).is_none_or(|name| known.insert(name)))
        .collect();
    last.reverse();
    last
}

/// The name of a variable.
fn named(var: &Value) -> Option<&str> {
    var.get("name").and_then(Value::as_str)
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
        assert_eq!(fields(&out), ["env A"]);
    }

    fn fields(out: &Rewrite) -> Vec<&str> {
        out.disagreements.iter().map(|d| d.field.as_str()).collect()
    }

    #[test]
    fn a_difference_is_told_once_and_as_a_whole() {
        let mut out = Rewrite::default();
        let of = |role, value: &str| {
            let claims = json!([{"name": value}]);
            let mut one = coordinator(
                role,
                json!({}),
                json!({"env": [{"name": "A", "value": value}], "resources": {"claims": claims}}),
            );
            one.value["spec"]["template"]["spec"]["tolerations"] = json!([{"key": value, "operator": "Exists"}]);
            one
        };
        let all = [of("rootcoord", "a"), of("querycoord", "b"), of("datacoord", "c")];
        join(&all, false, &mut out).unwrap();
        assert_eq!(
            fields(&out),
            [
                "/spec/template/spec/containers/0/resources/claims",
                "/spec/template/spec/tolerations",
                "env A"
            ]
        );
    }

    #[test]
    fn of_a_variable_that_one_has_twice_the_last_counts() {
        let mut out = Rewrite::default();
        let var = |name: &str, value: &str| json!({"name": name, "value": value});
        let env = |list: Vec<Value>| json!({"env": list});
        let root = coordinator(
            "rootcoord",
            json!({}),
            env(vec![var("A", "1"), var("A", "2"), var("B", "1")]),
        );
        let data = coordinator(
            "datacoord",
            json!({}),
            env(vec![var("B", "3"), var("B", "4"), var("B", "5")]),
        );
        let query = coordinator("querycoord", json!({}), json!({}));
        let joined = join(&[root, data, query], false, &mut out).unwrap();
        let taken = joined.pointer("/spec/template/spec/containers/0/env").unwrap();
        assert_eq!(taken, &json!([var("A", "2"), var("B", "1")]));
        let said: Vec<_> = out.disagreements.iter().map(|d| (d.field.as_str(), &d.taken)).collect();
        assert_eq!(said, [("env B", &var("B", "1"))]);
        assert_eq!(
            out.disagreements[0].values,
            [
                has(var("B", "1"), &["rootcoord"]),
                has(var("B", "5"), &["datacoord"]),
                has(Value::Null, &["querycoord"])
            ]
        );
    }

    #[test]
    fn claims_are_the_first_s_and_marks_are_told_in_words() {
        let mut out = Rewrite::default();
        let of = |role, name: &str, claims: Value| {
            coordinator(
                role,
                json!({}),
                json!({"name": name, "resources": {"claims": claims, "limits": {"cpu": 1}}}),
            )
        };
        let gpu = json!([{"name": "gpu"}]);
        let all = [
            of("rootcoord", "main", gpu.clone()),
            of("querycoord", super::super::share::ROLE, gpu.clone()),
        ];
        let joined = join(&all, false, &mut out).unwrap();
        let resources = joined.pointer("/spec/template/spec/containers/0/resources").unwrap();
        assert_eq!(resources, &json!({"limits": {"cpu": "2"}, "claims": gpu}));
        assert_eq!(out.disagreements.len(), 1);
        assert_eq!(out.disagreements[0].taken, "main");
        assert_eq!(out.disagreements[0].values[1], has("<role>".into(), &["querycoord"]));
    }

    fn has(value: Value, roles: &[&str]) -> Had {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Had { value, roles, more: 0 }
    }

    #[test]
    fn those_of_one_value_are_together_and_lacking_is_empty() {
        let mut out = Rewrite::default();
        let of = |role, container| coordinator(role, json!({}), container);
        let all = [
            of("rootcoord", json!({"a": {"x": 1, "y": 2}})),
            of("querycoord", json!({})),
            of("datacoord", json!({"a": {}})),
            of("indexcoord", json!({"a": {"y": 2, "x": 1}})),
        ];
        join(&all, false, &mut out).unwrap();
        let field = &out.disagreements[0];
        assert_eq!(field.field, "/spec/template/spec/containers/0/a");
        assert_eq!(
            field.values,
            [
                has(json!({"x": 1, "y": 2}), &["rootcoord", "indexcoord"]),
                has(Value::Null, &["querycoord", "datacoord"])
            ]
        );
        // Empty in one and absent in the others is no difference, null neither.
        let mut out = Rewrite::default();
        join(
            &[of("rootcoord", json!({})), of("datacoord", json!({"a": {}, "b": null}))],
            false,
            &mut out,
        )
        .unwrap();
        assert_eq!(out.disagreements, []);
    }

    #[test]
    fn of_many_with_one_value_some_are_named() {
        let mut out = Rewrite::default();
        let mut all: Vec<Coordinator> = vec![coordinator("rootcoord", json!({}), json!({"tty": true}))];
        all.extend((0..30).map(|_| coordinator("datacoord", json!({}), json!({}))));
        join(&all, false, &mut out).unwrap();
        let values = &out.disagreements[0].values;
        assert_eq!(values[0], has(json!(true), &["rootcoord"]));
        assert_eq!((values[1].roles.len(), values[1].more), (NAMED, 30 - NAMED));
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
        let mut out = Rewrite::default();
        let joined = join(&pair(), true, &mut out).unwrap();
        assert_eq!(joined["spec"]["replicas"], 3);
        assert_eq!(joined["spec"]["strategy"]["type"], "RollingUpdate");
        assert_eq!(fields(&out), ["/spec/replicas"]);
        let mut unlike = pair();
        unlike[1].value["spec"]["strategy"]["type"] = json!("Recreate");
        let mut out = Rewrite::default();
        let joined = join(&unlike, true, &mut out).unwrap();
        assert_eq!(joined["spec"]["strategy"]["type"], "RollingUpdate");
        assert_eq!(fields(&out), ["/spec/replicas", "/spec/strategy"]);
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

//! A workload with the marks of its role taken out, and put in again for another role.

use std::collections::BTreeMap;
use std::ops::Range;

use foldhash::HashSet;

use super::Scene;
use super::share::{ARGS, NAME, ROLE, common_text, replace_strings};
use crate::host;
use crate::kube::Object;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::value::{Map, Value};

/// Where labels stand in a workload.
const LABELS: [&str; 3] = [
    "/metadata/labels",
    "/spec/selector/matchLabels",
    "/spec/template/metadata/labels",
];

/// Where the containers of a workload that is a Deployment in shape stand.
pub const CONTAINERS: &str = "/spec/template/spec/containers";

/// The label keys that name the role: those whose values are the roles' words in components of several roles, alone or with
/// the same around them (`milvus-proxy`). A release
/// may be called `rootcoord`, and its instance label says so on all of them. Sorted.
pub fn role_keys<'s>(scene: &'s Scene) -> &'s [String] {
    scene.shapes.role_keys.get_or_init(|| found_role_keys(scene))
}

/// What stands around a role's word in labels, with the roles of which that holds.
type Around = BTreeMap<String, Vec<Role>>;

fn found_role_keys(scene: &Scene) -> Vec<String> {
    // By key: the roles by what its values are around their word (`milvus-` and nothing), and those that carry it.
    let mut seen: BTreeMap<&str, (Around, Vec<Role>)> = BTreeMap::new();
    for component in &scene.release.components {
        for pointer in LABELS {
            let labels = scene
                .object(component)
                .value
                .pointer(pointer)
                .and_then(Value::as_object);
            for (key, value) in labels.into_iter().flatten() {
                let (named, carrying) = seen.entry(key).or_default();
                if !carrying.contains(&component.role) {
                    carrying.push(component.role);
                }
                if let Some(around) = value.as_str().and_then(|text| word_out(text, component.role)) {
                    let roles = named.entry(around).or_default();
                    if !roles.contains(&component.role) {
                        roles.push(component.role);
                    }
                }
            }
        }
    }
    seen.retain(|_, (named, carrying)| {
        named.values().any(|roles| roles.len() > 1) || (carrying.len() == 1 && named.contains_key(ROLE))
    });
    seen.into_keys().map(str::to_owned).collect()
}

/// A text with the word of a role taken out (`milvus-proxy`), where it stands alone in it; the last one.
fn word_out(text: &str, role: Role) -> Option<String> {
    let word = role.as_str();
    let at = text.rfind(word)?;
    let (before, behind) = (&text[..at], &text[at + word.len()..]);
    let alone = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    (alone(before.chars().next_back()) && alone(behind.chars().next())).then(|| format!("{before}{ROLE}{behind}"))
}

/// Takes name, role labels, container name, run words and the role's own ports out of a workload. `None` for workloads
/// without a pod template where Deployments have it.
pub fn neutral(object: &Object, component: &Component, role_keys: &[String]) -> Option<Value> {
    let mut value = Value::clone(&object.value);
    let role = component.role.as_str();
    let name = component.name.as_str();
    value.pointer("/spec/template/spec")?;
    for pointer in LABELS {
        if let Some(labels) = value.pointer_mut(pointer) {
            without_role(labels, component.role, role_keys);
        }
    }
    host::without_bookkeeping(&mut value);
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("name".into(), NAME.into());
    }
    let named = |s: &str| (s == name).then(|| vec![NAME.to_owned()]);
    if let Some(annotations) = value.pointer_mut("/spec/template/metadata/annotations") {
        replace_strings(annotations, &named);
    }
    let container = value.pointer_mut(&component.container)?.as_object_mut()?;
    if container.get("name").and_then(Value::as_str) == Some(role) {
        container.insert("name".into(), ROLE.into());
    }
    for field in ["command", "args"] {
        if let Some(Value::Array(words)) = container.get_mut(field) {
            take_run_words_out(words, component);
        }
    }
    if let Some(Value::Array(ports)) = container.get_mut("ports") {
        ports.retain(|p| p.get("name").and_then(Value::as_str) != Some(role));
    }
    // The container that runs Milvus stands first, so that those of several workloads can be compared.
    let index: usize = component.container.rsplit('/').next()?.parse().ok()?;
    if let Some(Value::Array(containers)) = value.pointer_mut(CONTAINERS) {
        let own = containers.remove(index);
        containers.insert(0, own);
    }
    Some(value)
}

/// Takes the word of a role out of labels or a selector.
pub fn without_role(labels: &mut Value, role: Role, role_keys: &[String]) {
    for (key, value) in labels.as_object_mut().into_iter().flatten() {
        let names_role = || role_keys.binary_search_by(|k| k.as_str().cmp(key)).is_ok();
        if let Some(without) = value
            .as_str()
            .and_then(|text| word_out(text, role))
            .filter(|_| names_role())
        {
            *value = without.into();
        }
    }
}

fn take_run_words_out(words: &mut Vec<Value>, component: &Component) {
    let spelled = match component.run.spelled {
        crate::milvus::role::Spelling::Mixture => "mixture",
        crate::milvus::role::Spelling::Argument => component.role.as_str(),
    };
    let at = words.windows(2).position(|w| {
        w[0].as_str() == Some("run") && matches!(w[1].as_str(), Some(x) if x == spelled || x == "embedded")
    });
    if let Some(i) = at {
        let mut rest = words.split_off(i + 2);
        words[i + 1] = ARGS.into();
        if spelled == "mixture" {
            rest.retain(|w| !w.as_str().is_some_and(|w| w.starts_with('-')));
        }
        words.append(&mut rest);
        return;
    }
    for word in words.iter_mut() {
        if let Some(text) = word.as_str()
            && let Some(Range { start, end }) = run_in_line(text, spelled)
        {
            let flags: usize = match spelled {
                "mixture" => text[end..]
                    .split_inclusive(' ')
                    .take_while(|w| w.trim().is_empty() || w.starts_with('-'))
                    .map(str::len)
                    .sum(),
                _ => 0,
            };
            *word = Value::from(format!("{}{ARGS}{}", &text[..start], &text[end + flags..]));
        }
    }
}

/// Where the word of a role stands behind `run` in a line of a shell.
fn run_in_line(text: &str, spelled: &str) -> Option<Range<usize>> {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    text.match_indices("run").find_map(|(at, run)| {
        let behind = &text[at + run.len()..];
        let start = text.len() - behind.trim_start().len();
        let rest = text[start..].strip_prefix(spelled)?;
        let alone = text[..at].chars().next_back().is_none_or(char::is_whitespace) && start > at + run.len();
        (alone && ends(rest)).then_some(start..start + spelled.len())
    })
}

/// The words behind `run` with which the chart starts a role (mixcoord as a mixture of four: both 2.5 and 2.6 run that).
pub fn run_words(role: Role) -> Vec<String> {
    match role {
        Role::MixCoord => ["mixture", "-rootcoord", "-querycoord", "-datacoord", "-indexcoord"]
            .map(str::to_owned)
            .to_vec(),
        other => vec![other.as_str().to_owned()],
    }
}

/// Puts a role's marks into a neutral value.
pub fn filled(neutral: &Value, role: Role, name: &str) -> Value {
    let mut value = neutral.clone();
    let words = run_words(role);
    replace_strings(&mut value, &|s| match s {
        NAME => Some(vec![name.to_owned()]),
        ARGS => Some(words.clone()),
        s if s.contains(ARGS) => Some(vec![s.replace(ARGS, &words.join(" "))]),
        s => s.contains(ROLE).then(|| vec![s.replace(ROLE, role.as_str())]),
    });
    value
}

/// The names of a pod's volumes, those of a StatefulSet's claim templates included.
pub fn volume_names(workload: &Value) -> Vec<Value> {
    let list = |pointer: &str| {
        workload
            .pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    list("/spec/template/spec/volumes")
        .map(|v| v["name"].clone())
        .chain(list("/spec/volumeClaimTemplates").map(|v| v["metadata"]["name"].clone()))
        .collect()
}

/// Takes out the mounts of volumes that were lost on the way: the API server would refuse the pod.
pub fn without_mounts_of(workload: &mut Value, lost: &[Value]) {
    let lost: HashSet<String> = lost.iter().map(common_text).collect();
    if lost.is_empty() {
        return;
    }
    for containers in ["initContainers", "containers"] {
        let list = workload.pointer_mut(&format!("/spec/template/spec/{containers}"));
        for container in list.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
                mounts.retain(|m| !lost.contains(&common_text(&m["name"])));
            }
        }
    }
}

/// A mutable map at a pointer, made where it is missing or null; `None` where something else stands in the way.
pub fn map_at<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Map> {
    let mut v = value;
    for key in path {
        if v.is_null() {
            *v = Value::Object(Map::new());
        }
        v = v.as_object_mut()?.entry(*key).or_insert(Value::Null);
    }
    if v.is_null() {
        *v = Value::Object(Map::new());
    }
    v.as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Input;
    use crate::milvus::release::inventory;
    use crate::rewrite::Topology;
    use crate::stream::Stream;

    fn keys(instance: &str, roles: &[&str]) -> Vec<String> {
        let document = |role: &&str| {
            format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x-{role}, labels: {{app.kubernetes.io/instance: {instance}, component: {role}}}}}\n\
                 spec:\n  selector: {{matchLabels: {{app.kubernetes.io/instance: {instance}}}}}\n  template:\n    spec:\n      containers:\n      \
                 - {{name: {role}, image: 'milvusdb/milvus:v2.6.6', args: [milvus, run, {role}]}}\n"
            )
        };
        let text: String = roles.iter().map(document).collect();
        let stream = Stream::read(text.as_bytes(), Input::Target).unwrap();
        let found = inventory(&stream.objects);
        let scene = Scene {
            stream: &stream,
            release: &found.releases[0],
            topology: Topology::Streaming,
            values: None,
            gone: &[],
            shapes: super::super::Shapes::default(),
            texts: Default::default(),
        };
        role_keys(&scene).to_vec()
    }

    #[test]
    fn a_release_called_like_a_role_has_no_role_label_of_that() {
        assert_eq!(keys("rootcoord", &["rootcoord", "querycoord", "proxy"]), ["component"]);
        assert_eq!(keys("search", &["rootcoord", "querycoord"]), ["component"]);
        assert_eq!(keys("search", &["proxy"]), ["component"]);
    }

    #[test]
    fn a_label_that_one_component_spells_wrongly_is_a_role_label_still() {
        let mut labels = crate::value::json!({"component": "querycoord", "app.kubernetes.io/instance": "querycoord"});
        without_role(&mut labels, Role::QueryCoord, &["component".into()]);
        assert_eq!(labels["component"], ROLE);
        assert_eq!(labels["app.kubernetes.io/instance"], "querycoord");
    }

    #[test]
    fn in_a_line_it_is_the_word_behind_run() {
        for (line, want) in [
            ("milvus run datanode", Some(11..19)),
            ("run\tdatanode;", Some(4..12)),
            (
                "a rundatanode; cp run datanodes; b run datanode-x; milvus run datanode",
                Some(62..70),
            ),
            ("rundatanode", None),
            ("prun datanode", None),
            ("run datanode_x", None),
            ("run proxy", None),
        ] {
            assert_eq!(run_in_line(line, "datanode"), want, "{line}");
        }
    }

    #[test]
    fn a_role_s_word_stands_alone() {
        for (text, want) in [
            ("milvus-proxy", Some(format!("milvus-{ROLE}"))),
            ("proxy.milvus", Some(format!("{ROLE}.milvus"))),
            ("proxy-proxy", Some(format!("proxy-{ROLE}"))),
            ("milvus-proxy2", None),
            ("milvusproxy", None),
            ("reproxy-a", None),
            ("milvus", None),
        ] {
            assert_eq!(word_out(text, Role::Proxy), want, "{text}");
        }
    }

    #[test]
    fn mounts_go_with_their_volumes() {
        let container =
            crate::value::json!({"volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]});
        let mut w = crate::value::json!({"spec": {
            "volumeClaimTemplates": [{"metadata": {"name": "b"}}],
            "template": {"spec": {"volumes": [{"name": "a"}], "containers": [container.clone()], "initContainers": [container]}},
        }});
        assert_eq!(volume_names(&w), ["a", "b"]);
        without_mounts_of(&mut w, &["b".into()]);
        for list in ["containers", "initContainers"] {
            let mounts = w
                .pointer(&format!("/spec/template/spec/{list}/0/volumeMounts"))
                .unwrap();
            assert_eq!(mounts, &crate::value::json!([{"name": "a", "mountPath": "/a"}]));
        }
    }

    #[test]
    fn the_words_of_a_role_are_taken_out_wherever_they_stand() {
        let container =
            |role: &str, start: &str| format!("- {{name: {role}, image: 'milvusdb/milvus:v2.6.6', {start}}}");
        for (role, start, want) in [
            (
                "proxy",
                "args: [milvus, run, proxy, -alias=a]",
                crate::value::json!(["milvus", "run", ARGS, "-alias=a"]),
            ),
            (
                "mixcoord",
                "args: [milvus, run, mixture, -rootcoord, -querycoord, -datacoord, -indexcoord]",
                crate::value::json!(["milvus", "run", ARGS]),
            ),
            (
                "mixcoord",
                "args: [sh, -c, 'exec milvus  run mixture -rootcoord -querycoord  -datacoord -indexcoord && true']",
                crate::value::json!(["sh", "-c", format!("exec milvus  run {ARGS}&& true")]),
            ),
            (
                "mixcoord",
                "args: [sh, -c, 'milvus run mixture -rootcoord -querycoord -datacoord -indexcoord']",
                crate::value::json!(["sh", "-c", format!("milvus run {ARGS}")]),
            ),
            (
                "proxy",
                "args: [sh, -c, 'rerun proxy; milvus run proxy -alias']",
                crate::value::json!(["sh", "-c", format!("rerun proxy; milvus run {ARGS} -alias")]),
            ),
            (
                "datanode",
                "args: [heaptrack, datanode, milvus, run, datanode]",
                crate::value::json!(["heaptrack", "datanode", "milvus", "run", ARGS]),
            ),
        ] {
            let text = format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x-{role}}}\nspec:\n  template:\n    spec:\n      containers:\n      {}\n",
                container(role, start)
            );
            let stream = Stream::read(text.as_bytes(), Input::Target).unwrap();
            let found = inventory(&stream.objects);
            let component = &found.releases[0].components[0];
            let value = neutral(&stream.objects[0], component, &[]).unwrap();
            assert_eq!(value.pointer(&format!("{CONTAINERS}/0/args")), Some(&want), "{start}");
        }
    }
}

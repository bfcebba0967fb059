//! One thing merely different.

use milvus_uplift::host::{FILENAME, Host};
use milvus_uplift::kube::selector;
use milvus_uplift::stage::Stage;
use milvus_uplift::stream::Stream;
use milvus_uplift::value::{Value, json};
use milvus_uplift::yaml;

use super::scenario::{Base, Scenario, comments, edited_all, read};
use super::write::{self, Quotes, Style};

/// A scenario that must come out as it does without the difference.
pub struct Difference {
    /// Of which kind: a row of the table.
    pub kind: &'static str,
    pub what: String,
    pub scenario: Scenario,
    /// The objects that must come out, in any order for those in `added`.
    pub objects: Vec<Value>,
    /// Objects that were added to the input and must come out as they are.
    pub added: Vec<Value>,
}

pub fn differences(base: &Base) -> Vec<Difference> {
    let mut found = Vec::new();
    written(base, &mut found);
    beside(base, &mut found);
    found.extend(namespace(base));
    found
}

/// The same values, written in another way: the manifests, and what is deployed.
fn written(base: &Base, found: &mut Vec<Difference>) {
    let plain = Style::plain();
    let styles = [
        (
            "key order",
            Style {
                reversed: true,
                ..plain
            },
        ),
        (
            "quoting",
            Style {
                quotes: Quotes::Single,
                ..plain
            },
        ),
        (
            "quoting",
            Style {
                quotes: Quotes::Few,
                ..plain
            },
        ),
        (
            "indentation",
            Style {
                indent: 4,
                compact: false,
                ..plain
            },
        ),
        (
            "indentation",
            Style {
                indent: 3,
                compact: true,
                quotes: Quotes::Few,
                ..plain
            },
        ),
        ("indentation", Style { flow: true, ..plain }),
    ];
    let same = |kind, what: &str, scenario| Difference {
        kind,
        what: what.into(),
        scenario,
        objects: base.objects.clone(),
        added: vec![],
    };
    let current = base.scenario.current_text();
    let mut ways = Vec::new();
    for (i, (kind, style)) in styles.into_iter().enumerate() {
        ways.push((kind, Some(style), i, false));
        ways.extend(current.map(|_| (kind, Some(style), i, true)));
    }
    ways.push(("a comment", None, 0, false));
    ways.extend(current.map(|_| ("a comment", None, 0, true)));
    let again = |stream: &Stream, style: Option<Style>| match style {
        Some(style) => rewritten(stream, style),
        None => commented(stream),
    };
    for (kind, style, i, deployed) in base.pick.of_each_kind(ways, |w| w.0) {
        let scenario = match current.filter(|_| deployed) {
            Some(text) => base.scenario.with_current(again(&read(text), style)),
            None => base.scenario.with_target(again(&base.stream, style)),
        };
        let what = format!("{}, style {i}", if deployed { "current" } else { "target" });
        found.push(same(kind, &what, scenario));
    }
}

fn rewritten(stream: &Stream, style: Style) -> String {
    let mut text = stream.text.to_string();
    for document in stream.documents.iter().rev() {
        let body = stream.body(document.index);
        if let Some(value) = yaml::read(body).expect("read before") {
            let new = write::document(&comments(body), &value, style);
            text.replace_range(document.body.clone(), &new);
        }
    }
    text
}

/// A comment behind each separator, before each key of the first level, and at the end.
fn commented(stream: &Stream) -> String {
    let keys = ["apiVersion:", "kind:", "metadata:", "spec:", "data:"];
    let mut text = String::new();
    for line in stream.text.split_inclusive('\n') {
        if keys.iter().any(|k| line.starts_with(k)) {
            text.push_str("# somebody's remark: {{ not a template }} --- & *\n");
        }
        text.push_str(line);
        if line.trim_end() == "---" {
            text.push_str("# one more\n");
        }
    }
    if text.ends_with('\n') {
        text.push_str("# the end\n");
    }
    text
}

/// Objects that are nobody's business here.
fn beside(base: &Base, found: &mut Vec<Difference>) {
    // What is new and not Milvus is stage 0, so to `next` it is no mere difference.
    if base.scenario.options.stage == Stage::Next {
        return;
    }
    let name = base.came.releases.first().map_or("none", |r| r.name.as_str());
    let namespace = base.came.releases.first().map_or("", |r| r.namespace.as_str());
    let nothing: Vec<Value> = vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "remarks"}, "data": {"a": "b"}}),
        workload("Deployment", "shop", name, "web", "nginx:1.27"),
        json!({"apiVersion": "corp.example/v1", "kind": "Thing", "metadata": {"name": "thing"}, "spec": {"selector": {"a": "b"}}}),
    ];
    for object in nothing {
        let what = object["kind"].as_str().expect("a kind").to_owned();
        found.push(with(base, "an unrelated object", what, vec![placed(object, namespace)]));
    }
    let indexer = |instance: &str| {
        let labels = json!({"app.kubernetes.io/name": "catalog", "app.kubernetes.io/instance": instance, "component": "indexnode"});
        vec![
            workload(
                "Deployment",
                "catalog-indexnode",
                instance,
                "indexnode",
                "corp/catalog:2.5.1",
            ),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "catalog-indexnode", "labels": labels},
                "spec": {"selector": labels, "ports": [{"name": "http", "port": 80}]}}),
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "catalog-indexnode", "labels": {"component": "indexnode"}},
                "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "catalog-indexnode"}}}),
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "catalog-indexnode"},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}}}),
        ]
    };
    let kind = "another chart's component: indexnode";
    for instance in [name, "shop"] {
        // What chooses the other chart's pods too serves them too, and stays for them.
        let labels = &indexer(instance)[1]["spec"]["selector"];
        let shared = base.stream.objects.iter().any(|o| {
            selector::pod_selectors(&o.reference.kind, &o.value).iter().any(|s| {
                let chosen = o.value.pointer(&s.pointer).expect("a selector");
                selector::selects(chosen, s.plain, labels)
            })
        });
        if shared {
            continue;
        }
        let objects = indexer(instance).into_iter().map(|o| placed(o, namespace)).collect();
        found.push(with(base, kind, format!("of the instance {instance}"), objects));
    }
}

fn workload(kind: &str, name: &str, instance: &str, component: &str, image: &str) -> Value {
    let labels =
        json!({"app.kubernetes.io/name": "catalog", "app.kubernetes.io/instance": instance, "component": component});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": component, "image": image, "args": ["serve", component]}]}}}})
}

fn placed(mut object: Value, namespace: &str) -> Value {
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

/// The objects behind the stream's own, as the host would hand them over.
fn with(base: &Base, kind: &'static str, what: String, mut added: Vec<Value>) -> Difference {
    let mut text = base.scenario.target.trim_end().to_owned();
    for object in &mut added {
        let template = "shop/templates/all.yaml";
        let source = match base.stream.host {
            Host::Helm4 => {
                object["metadata"]["annotations"] = json!({FILENAME: template});
                String::new()
            }
            Host::Helm3 => format!("# Source: {template}\n"),
            _ => String::new(),
        };
        text.push_str("\n---\n");
        text.push_str(&source);
        text.push_str(write::document("", object, Style::plain()).trim_end());
    }
    text.push('\n');
    Difference {
        kind,
        what,
        scenario: base.scenario.with_target(text),
        objects: base.objects.clone(),
        added,
    }
}

/// Everything in another namespace, in the manifests and in what is deployed. `None` where a namespace is named beside
/// `metadata.namespace`, as in `etcd.vectors.svc`, or where the current state is packed.
fn namespace(base: &Base) -> Option<Difference> {
    let text = base.scenario.current_text()?;
    let current = read(text);
    let mut names: Vec<&str> = base
        .stream
        .objects
        .iter()
        .chain(&current.objects)
        .map(|o| o.reference.namespace.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let named = |text: &str| {
        let said = text
            .lines()
            .filter(|l| !l.trim_start().trim_start_matches('"').starts_with("namespace"));
        said.into_iter()
            .any(|l| names.iter().any(|n| !n.is_empty() && l.contains(n)))
    };
    if names == [""] || named(text) || named(&base.scenario.target) {
        return None;
    }
    let objects = base.objects.iter().map(|o| {
        let mut object = o.clone();
        elsewhere(&mut object);
        object
    });
    Some(Difference {
        kind: "another namespace",
        what: names.join(" "),
        scenario: base
            .scenario
            .with_target(edited_all(&base.stream, elsewhere))
            .with_current(edited_all(&current, elsewhere)),
        objects: objects.collect(),
        added: vec![],
    })
}

fn elsewhere(object: &mut Value) {
    if let Some(Value::String(namespace)) = object.pointer_mut("/metadata/namespace") {
        namespace.push_str("-moved");
    }
}

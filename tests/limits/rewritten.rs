//! What the rewrite looks at, n times: what coordinators have, what workloads share, what chooses what leaves.

use milvus_uplift::finding::Input;
use milvus_uplift::judge::{Current, Judgement, Places, Request, ValuesFile, judge};
use milvus_uplift::milvus::release::inventory;
use milvus_uplift::rewrite::{Scene, Shapes, Topology, rewrite};
use milvus_uplift::stream::Stream;

use crate::shapes::{FROM, TO, many, object};
use crate::{cpu_time, grows};

const COORDINATORS: [&str; 4] = ["rootcoord", "querycoord", "datacoord", "indexcoord"];
const NODES: [&str; 4] = ["querynode", "datanode", "indexnode", "proxy"];

/// Lines of one workload, each below its key.
#[derive(Clone, Default)]
struct Own {
    annotations: String,
    env: String,
    resources: String,
    mounts: String,
    volumes: String,
}

fn workload(name: &str, role: &str, own: &Own) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r-milvus-{name}\n  annotations:\n    all: of\n{}spec:\n  selector:\n    \
         matchLabels: &l\n      app.kubernetes.io/instance: r\n      component: {role}\n  template:\n    metadata:\n      labels: *l\n    spec:\n      \
         containers:\n      - name: {role}\n        image: milvusdb/milvus:{FROM}\n        args: [milvus, run, {role}]\n        resources:\n          \
         requests:\n            memory: 1Gi\n{}        volumeMounts:\n        - {{name: c, mountPath: /milvus/configs/user.yaml, subPath: user.yaml}}\n{}        \
         env:\n        - {{name: A, value: b}}\n{}      volumes:\n      - {{name: c, configMap: {{name: r-milvus}}}}\n{}",
        own.annotations, own.resources, own.mounts, own.env, own.volumes
    )
}

/// A release whose workloads in some roles have something of their own, and objects beside it.
fn release(roles: &[&str], own: impl Fn(&str) -> Own, beside: &str) -> String {
    let config = object("ConfigMap", 0, "data:\n  user.yaml: |\n    mq:\n      type: pulsar\n")
        .replace("name: c0", "name: r-milvus");
    let each = roles.iter().map(|role| workload(role, role, &own(role)));
    config + &each.collect::<String>() + beside
}

/// One with coordinators of which each has something of its own.
fn coordinated(own: impl Fn(&str) -> Own) -> String {
    let plain = |role: &str| match COORDINATORS.contains(&role) {
        true => own(role),
        false => Own::default(),
    };
    release(&[&COORDINATORS[..], &NODES].concat(), plain, "")
}

/// One with a mixcoord, and objects beside it.
fn mixed(own: impl Fn(&str) -> Own, beside: &str) -> String {
    release(&[&["mixcoord"][..], &NODES].concat(), own, beside)
}

fn judged(text: &str, values: &str) -> Judgement {
    let file = |bytes: &str| ValuesFile {
        name: "values.yaml".into(),
        bytes: bytes.into(),
    };
    judge(&Request {
        target: text.replace(FROM, TO).into(),
        current: Current::Manifests(text.into()),
        values: Some(values).filter(|v| !v.is_empty()).map(file).into_iter().collect(),
        places: Places::IfRefused,
        ..Request::default()
    })
}

/// That a release of n things takes a time linear in n, and what is said of it.
fn linear(name: &str, n: usize, text: impl Fn(usize) -> String) {
    beside_values(name, n, |n| (text(n), String::new()));
}

fn beside_values(name: &str, n: usize, texts: impl Fn(usize) -> (String, String)) {
    let apart = "\n# and the values\n";
    let [small, large] = [n, 4 * n].map(|n| {
        let (text, values) = texts(n);
        text + apart + &values
    });
    grows(name, [&small, &large], |text| {
        let (text, values) = text.split_once(apart).expect("both");
        cpu_time(|| drop(judged(text, values)))
    });
}

fn variables(n: usize, name: &str, value: &str) -> String {
    many(n, |i| format!("        - {{name: {name}{i}, value: {value}}}\n"))
}

/// Pods that have nothing to do with a release.
fn pods(n: usize, kind: &str, key: &str) -> String {
    many(n, |i| {
        format!(
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: x{i}\nspec:\n  selector: {{matchLabels: {{{key}: y{i}}}}}\n  template:\n    \
             metadata: {{labels: {{{key}: y{i}}}}}\n    spec:\n      containers: [{{name: c, image: 'busybox:1'}}]\n"
        )
    })
}

fn none(_: &str) -> Own {
    Own::default()
}

const INDEXNODE: &str = "app.kubernetes.io/instance: r, component: indexnode";

#[test]
fn variables_of_coordinators() {
    let own = |env| Own { env, ..Own::default() };
    linear("variables that all have", 1000, |n| {
        coordinated(|_| own(variables(n, "E", "v")))
    });
    linear("variables that differ", 500, |n| {
        coordinated(|role| own(variables(n, "E", role)))
    });
}

#[test]
fn fields_of_coordinators() {
    linear("annotations that differ", 1000, |n| {
        coordinated(|role| Own {
            annotations: many(n, |i| format!("    {role}{i}: v\n")),
            ..Own::default()
        })
    });
    for (name, quantity) in [("resources", "1"), ("no resources", "plenty")] {
        linear(name, 1500, |n| {
            coordinated(|_| Own {
                resources: many(n, |i| format!("            r{i}: {quantity}\n")),
                ..Own::default()
            })
        });
    }
}

/// Fields that the others lack are as many facts as there are coordinators, and nobody reads them.
#[test]
fn fields_of_one_among_many_coordinators() {
    let text = |n: usize| {
        let more = many(n / 8, |i| {
            workload(&format!("datacoord-{i}"), "datacoord", &Own::default())
        });
        let first = Own {
            annotations: many(n, |i| format!("    a{i}: v\n")),
            ..Own::default()
        };
        coordinated(|role| {
            if role == "rootcoord" {
                first.clone()
            } else {
                Own::default()
            }
        }) + &more
    };
    linear("annotations of one", 600, text);
    let said = judged(&text(160), "");
    let finding = said.findings.iter().find(|f| f.code == "MU207").expect("a difference");
    let named = ["datacoord"; 8].join(", ");
    let words = format!("annotations/a7 (v taken; querycoord, {named}, datacoord and 13 more have none)");
    assert!(finding.message.contains(&words), "{}", finding.message);
}

#[test]
fn what_workloads_share() {
    linear("variables that all workloads have", 800, |n| {
        let own = |role: &str| Own {
            env: variables(n, "E", "v") + &format!("        - {{name: X, value: {role}}}\n"),
            ..Own::default()
        };
        mixed(own, "")
    });
    linear("volumes of each", 400, |n| {
        let own = |role: &str| Own {
            mounts: many(n, |i| format!("        - {{name: {role}{i}, mountPath: /m{i}}}\n")),
            volumes: many(n, |i| format!("      - {{name: {role}{i}, emptyDir: {{}}}}\n")),
            ..Own::default()
        };
        mixed(own, "")
    });
}

#[test]
fn images_of_each() {
    linear("images of each", 500, |n| {
        let node = |i: usize| {
            let text = workload(&format!("querynode-{i}"), "querynode", &Own::default());
            text.replace("milvusdb/milvus", &format!("mirror{i}.example.com/milvusdb/milvus"))
        };
        mixed(none, &many(n, node))
    });
}

#[test]
fn what_chooses_beside_what_is_chosen() {
    let service = |i: usize| {
        object(
            "Service",
            i,
            &format!("  labels: {{a: b{i}}}\nspec: {{selector: {{{INDEXNODE}}}}}\n"),
        )
    };
    rewritten("Services beside pods", 1500, |n| {
        mixed(none, &(many(n, service) + &pods(n, "StatefulSet", "x")))
    });
    let rollout = |i: usize| {
        let spec = "spec: {workloadRef: {kind: Deployment, name: r-milvus-indexnode}}\n";
        object("Rollout", i, spec).replace("apiVersion: v1", "apiVersion: argoproj.io/v1alpha1")
    };
    let scaler = |i: usize| {
        let spec = format!("spec: {{scaleTargetRef: {{kind: Rollout, name: c{i}}}}}\n");
        object("HorizontalPodAutoscaler", i, &spec).replace("apiVersion: v1", "apiVersion: autoscaling/v2")
    };
    rewritten("scalers of Rollouts", 2000, |n| {
        mixed(none, &(many(n, rollout) + &many(n, scaler)))
    });
}

/// The rewrite alone: what else is said of selectors is for the rules.
fn rewritten(name: &str, n: usize, text: impl Fn(usize) -> String) {
    let [small, large] = [n, 4 * n].map(|n| text(n).replace(FROM, TO));
    grows(name, [&small, &large], |text| {
        let stream = Stream::read(text.as_bytes(), Input::Target).expect("a stream");
        let found = inventory(&stream.objects);
        let scene = Scene {
            stream: &stream,
            release: &found.releases[0],
            topology: Topology::Streaming,
            values: None,
            gone: &[],
            shapes: Shapes::default(),
            texts: Default::default(),
        };
        cpu_time(|| drop(rewrite(&scene)))
    });
}

#[test]
fn monitors_and_policies() {
    let service = |i: usize| {
        object(
            "Service",
            i,
            &format!("  labels: {{a: b{i}}}\nspec: {{selector: {{{INDEXNODE}}}}}\n"),
        )
    };
    let monitor = |i: usize| {
        let spec = format!("spec: {{selector: {{matchLabels: {{a: b{i}}}}}, endpoints: [{{port: m}}]}}\n");
        object("ServiceMonitor", i, &spec).replace("apiVersion: v1", "apiVersion: monitoring.coreos.com/v1")
    };
    rewritten("monitors beside Services", 1500, |n| {
        mixed(none, &(many(n, service) + &many(n, monitor)))
    });
    rewritten("peers beside pods", 1500, |n| {
        let peer = |i: usize| {
            format!(
                "      - podSelector: {{matchLabels: {{{INDEXNODE}, x: y{i}}}}}\n      - podSelector: {{matchLabels: {{{INDEXNODE}}}}}\n"
            )
        };
        let spec = format!("spec:\n  podSelector: {{}}\n  ingress:\n  - from:\n{}", many(n, peer));
        let policy = object("NetworkPolicy", 0, &spec).replace("apiVersion: v1", "apiVersion: networking.k8s.io/v1");
        mixed(none, &(policy + &pods(n, "StatefulSet", "x")))
    });
}

#[test]
fn long_selectors_beside_pods() {
    linear("values beside pods", 1000, |n| {
        let values = many(n, |i| format!("v{i}, ")) + "indexnode, proxy";
        let budget = object(
            "PodDisruptionBudget",
            0,
            &format!(
                "spec:\n  minAvailable: 1\n  selector:\n    matchExpressions:\n    - {{key: component, operator: In, values: [{values}]}}\n"
            ),
        );
        let budget = budget.replace("apiVersion: v1", "apiVersion: policy/v1");
        mixed(none, &(budget + &pods(n / 2, "StatefulSet", "component")))
    });
}

fn group(i: usize) -> String {
    let env = format!("        - {{name: MILVUS_SERVER_LABEL_RESOURCE_GROUP, value: g{i}}}\n");
    workload(&format!("querynode-{i}"), "querynode", &Own { env, ..Own::default() })
}

#[test]
fn resource_groups_beside_other_workloads() {
    linear("groups beside Deployments", 200, |n| {
        mixed(none, &(many(n / 2, group) + &pods(2 * n, "Deployment", "x")))
    });
}

#[test]
fn values_of_new_components() {
    let of = |key: &str, n: usize, value: &str| {
        format!(
            "{key}:\n  extraEnv:\n{}",
            many(n, |i| format!("  - {{name: E{i}, value: {value}}}\n"))
        )
    };
    beside_values("values that nobody can read", 1500, |n| {
        (mixed(none, ""), of("streamingNode", n, "1"))
    });
    beside_values("values beside variables", 1500, |n| {
        let env = |_: &str| Own {
            env: variables(n, "F", "v"),
            ..Own::default()
        };
        (mixed(env, ""), of("queryNode", n, "v"))
    });
    beside_values("values beside workloads", 60, |n| {
        let node = |i: usize| workload(&format!("querynode-{i}"), "querynode", &Own::default());
        (mixed(none, &many(n, node)), of("queryNode", 40 * n, "v"))
    });
}

#[test]
fn values_that_multiply_by_resource_groups_are_refused() {
    let values = |n| {
        format!(
            "streamingNode:\n  extraEnv:\n{}",
            many(n, |i| format!("  - {{name: E{i}, value: v}}\n"))
        )
    };
    let text = mixed(none, &many(100, group));
    let said = judged(&text, &values(8000));
    let [finding] = &said.findings.iter().filter(|f| f.code == "MU007").collect::<Vec<_>>()[..] else {
        panic!("{:?}", said.findings)
    };
    let words = "the querynodes name 100 resource groups, and a streaming node for each would take 2";
    assert!(finding.message.contains(words), "{}", finding.message);
    assert!(said.refused() && said.output.is_none());
    let few = judged(&text, &values(80));
    assert!(few.findings.iter().all(|f| f.code != "MU007"), "{:?}", few.findings);
    assert_eq!(
        few.text()
            .expect("an output")
            .matches("name: r-milvus-streamingnode-")
            .count(),
        100
    );
}

//! What one workload holds, n times: the words of its container, its variables, its mounts, the addresses it reaches.

use milvus_uplift::judge::{Current, Places, Request, judge};

use crate::shapes::{FROM, TO, many};
use crate::{cpu_time, grows};

/// A release of one workload.
struct Standalone {
    args: String,
    /// Lines of its container.
    container: String,
    /// Lines below the volumes of its pod.
    volumes: String,
    /// Lines below `data` of the ConfigMap.
    data: String,
}

impl Default for Standalone {
    fn default() -> Standalone {
        Standalone {
            args: "[milvus, run, standalone]".into(),
            container: String::new(),
            volumes: "      - {name: c, configMap: {name: r-milvus}}\n".into(),
            data: CONFIG.into(),
        }
    }
}

const CONFIG: &str = "  user.yaml: |\n    mq: {type: pulsar}\n";
const MOUNT: &str = "        - {name: c, mountPath: /milvus/configs/user.yaml, subPath: user.yaml}\n";

impl Standalone {
    fn text(&self) -> String {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: r-milvus\ndata:\n{}\
             ---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r-milvus-standalone\nspec:\n  selector:\n    matchLabels: &l\n      \
             app.kubernetes.io/instance: r\n      component: standalone\n  template:\n    metadata:\n      labels: *l\n    spec:\n      containers:\n      \
             - name: standalone\n        image: milvusdb/milvus:{FROM}\n        args: {}\n{}      volumes:\n{}",
            self.data, self.args, self.container, self.volumes
        )
    }
}

/// Judges an upgrade of what is deployed; the target reaches other endpoints.
fn upgrades(name: &str, small: &str, large: &str) {
    let target = |text: &str| text.replace(FROM, TO).replace("broker", "other");
    grows(name, [small, large], |text| {
        let request = Request {
            target: target(text).into(),
            current: Current::Manifests(text.into()),
            places: Places::IfRefused,
            ..Request::default()
        };
        cpu_time(|| drop(judge(&request)))
    });
}

fn with_args(args: String) -> String {
    let container = format!("        volumeMounts:\n{MOUNT}");
    Standalone {
        args,
        container,
        ..Standalone::default()
    }
    .text()
}

/// What there is most of, how much of it for one unit, and the text.
type Shape = (&'static str, usize, fn(usize) -> String);

#[test]
fn words_of_a_container_are_looked_at_once() {
    let shapes: [Shape; 4] = [
        ("starts", 1000, |n| format!("[{}]", "milvus, run, ".repeat(n))),
        ("starts in a script", 1000, |n| {
            format!("[sh, -c, '{}']", "milvus run ".repeat(n))
        }),
        ("flags of a shell", 4000, |n| {
            format!("[milvus, run, standalone{}]", ", -c".repeat(n))
        }),
        ("flags of a mixture", 2500, |n| {
            format!("[milvus, run, mixture{}]", many(n, |i| format!(", -f{i}")))
        }),
    ];
    for (name, unit, args) in shapes {
        let [small, large] = [unit, 4 * unit].map(|n| with_args(args(n)));
        upgrades(name, &small, &large);
    }
}

#[test]
fn endpoints_are_compared_once() {
    for (name, setting) in [
        ("brokers", "mq: {type: kafka}\n    kafka:\n      brokerList: "),
        ("etcds", "mq: {type: pulsar}\n    etcd:\n      endpoints: "),
    ] {
        let [small, large] = [1000, 4000].map(|n| {
            let endpoints = many(n, |i| format!("broker{i},"));
            Standalone {
                data: format!("  user.yaml: |\n    {setting}{endpoints}all\n"),
                container: format!("        volumeMounts:\n{MOUNT}"),
                ..Standalone::default()
            }
            .text()
        });
        upgrades(name, &small, &large);
    }
}

fn with_env(env: &str) -> String {
    let container = format!("        volumeMounts:\n{MOUNT}        env:\n{env}");
    Standalone {
        container,
        ..Standalone::default()
    }
    .text()
}

/// A name of a length that no server keeps.
fn long(n: usize) -> String {
    "x".repeat(20 * n)
}

#[test]
fn variables_repeat_no_names() {
    let [small, large] = [500, 2000].map(|n| {
        let from = format!("configMapKeyRef: {{name: {}, key: k}}", long(n));
        let first = format!("        - {{name: A, valueFrom: {{{from}}}}}\n");
        with_env(&(first + &many(n, |i| format!("        - {{name: E{i}, value: $(A)}}\n"))))
    });
    upgrades("references to one source", &small, &large);
    let [small, large] = [1000, 4000].map(|n| {
        let env = many(n, |i| format!("        - {{name: E{i}, value: v}}\n"));
        with_env(&env).replace("name: standalone\n", &format!("name: {}\n", long(n)))
    });
    upgrades("variables of a container with a long name", &small, &large);
}

#[test]
fn settings_and_mounts_repeat_no_names() {
    let [small, large] = [500, 2000].map(|n| {
        let key = long(n);
        let settings = many(n, |i| format!("      key{i}: v\n"));
        Standalone {
            data: format!("  {key}: |\n    mq: {{type: pulsar}}\n    more:\n{settings}"),
            container: format!("        volumeMounts:\n{MOUNT}")
                .replace("subPath: user.yaml", &format!("subPath: {key}")),
            ..Standalone::default()
        }
        .text()
    });
    upgrades("settings below a long key", &small, &large);
    let mounts = "        - {name: v, mountPath: /milvus/configs/user.yaml}\n";
    for (name, volume, unit) in [
        (
            "mounts of a ConfigMap with a long name",
            (|n| format!("configMap: {{name: {}}}", long(n))) as fn(usize) -> String,
            500,
        ),
        (
            "mounts of a long key",
            |n| {
                let key = long(n);
                format!("configMap: {{name: r-milvus, items: [{{key: {key}, path: user.yaml}}]}}")
            },
            500,
        ),
        (
            "mounts and items",
            |n| {
                let items = many(n, |i| format!("{{key: user.yaml, path: a{i}}}, "));
                format!("configMap: {{name: r-milvus, items: [{items}{{key: user.yaml, path: user.yaml}}]}}")
            },
            1000,
        ),
    ] {
        let [small, large] = [unit, 4 * unit].map(|n| {
            Standalone {
                container: format!("        volumeMounts:\n{MOUNT}{}", mounts.repeat(n)),
                volumes: format!("{}      - {{name: v, {}}}\n", Standalone::default().volumes, volume(n)),
                ..Standalone::default()
            }
            .text()
        });
        upgrades(name, &small, &large);
    }
}

/// Components of which each has a `user.yaml` of its own beside the `default.yaml` of all.
fn components_beside(settings: usize, components: usize) -> String {
    let defaults = many(settings, |i| format!("      key{i}: v\n"));
    let files = many(components, |i| format!("  user{i}.yaml: 'log: {{level: l{i}}}'\n"));
    let map = format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: r-milvus\ndata:\n  default.yaml: |\n    mq: {{type: pulsar}}\n    more:\n{defaults}{files}"
    );
    let component = |i: usize| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r-milvus-querynode-{i}\nspec:\n  selector:\n    matchLabels: &l\n      \
             app.kubernetes.io/instance: r\n  template:\n    metadata:\n      labels: *l\n    spec:\n      containers:\n      \
             - name: querynode\n        image: milvusdb/milvus:{FROM}\n        args: [milvus, run, querynode]\n        volumeMounts:\n        \
             - {{name: c, mountPath: /milvus/configs/default.yaml, subPath: default.yaml}}\n        \
             - {{name: c, mountPath: /milvus/configs/user.yaml, subPath: user{i}.yaml}}\n      volumes:\n      - {{name: c, configMap: {{name: r-milvus}}}}\n"
        )
    };
    map + &many(components, component)
}

#[test]
fn files_of_a_configuration_are_laid_out_once() {
    let [small, large] = [20, 80].map(|n| components_beside(100 * n, n));
    upgrades("configurations that share one file", &small, &large);
}

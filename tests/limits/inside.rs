//! What a release is made of, n times.

use crate::shapes::{FROM, many, object};

/// A release with a configuration, environment and volumes of its own.
struct Made {
    /// Lines of `user.yaml`.
    config: String,
    /// Lines below `env` of the querynode.
    env: String,
    /// Lines below `volumeMounts` of the same.
    mounts: String,
    /// Lines below `volumes` of its pod.
    volumes: String,
    /// Labels of all workloads, their selectors and pods.
    labels: String,
    /// Objects beside it.
    beside: String,
}

impl Made {
    fn text(&self) -> String {
        let config: String = self.config.lines().map(|line| format!("    {line}\n")).collect();
        let mut text = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: r-milvus\ndata:\n  user.yaml: |\n    mq:\n      type: pulsar\n{config}"
        );
        for role in ["mixcoord", "indexnode", "datanode", "querynode", "proxy"] {
            let own = if role == "querynode" {
                [&self.mounts[..], &self.env, &self.volumes]
            } else {
                [""; 3]
            };
            text += &format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r-milvus-{role}\nspec:\n  selector:\n    matchLabels: &l\n      \
                 app.kubernetes.io/instance: r\n      component: {role}\n{}  template:\n    metadata:\n      labels: *l\n    spec:\n      containers:\n      \
                 - name: {role}\n        image: milvusdb/milvus:{FROM}\n        args: [milvus, run, {role}]\n        volumeMounts:\n        \
                 - {{name: c, mountPath: /milvus/configs/user.yaml, subPath: user.yaml}}\n{}        env:\n        - {{name: A, value: b}}\n{}      \
                 volumes:\n      - {{name: c, configMap: {{name: r-milvus}}}}\n{}",
                self.labels, own[0], own[1], own[2]
            );
        }
        text + &self.beside
    }
}

/// A release with these lines in its `user.yaml`.
pub fn configured(number: usize, config: String) -> String {
    let text = Made { config, ..NOTHING }.text();
    let instance = format!("instance: r{number}\n");
    text.replace("r-milvus", &format!("r{number}-milvus"))
        .replace("instance: r\n", &instance)
}

/// Releases that mount one ConfigMap with so many settings.
pub fn sharing(releases: usize, settings: usize) -> String {
    let config = format!("more:\n{}", many(settings, |i| format!("  key{i}: value\n")));
    many(releases, |i| {
        let one = configured(i, String::new()).replace(
            &format!("configMap: {{name: r{i}-milvus}}"),
            "configMap: {name: r0-milvus}",
        );
        match i {
            0 => configured(0, config.clone()),
            _ => one
                .split_once("---\napiVersion: apps/v1")
                .map(|(_, rest)| format!("---\napiVersion: apps/v1{rest}"))
                .unwrap_or_default(),
        }
    })
}

const NOTHING: Made = Made {
    config: String::new(),
    env: String::new(),
    mounts: String::new(),
    volumes: String::new(),
    labels: String::new(),
    beside: String::new(),
};

const ALL: &str = "app.kubernetes.io/instance: r";

/// What there is most of, how much of it for one unit, and the stream.
#[allow(clippy::type_complexity)]
pub fn shapes() -> Vec<(&'static str, usize, Box<dyn Fn(usize) -> String>)> {
    let config = |config: String| Made { config, ..NOTHING }.text();
    let env = |env: String| Made { env, ..NOTHING }.text();
    let beside = |beside: String| Made { beside, ..NOTHING }.text();
    let mounted = |volumes: String, beside: String| {
        Made {
            volumes,
            beside,
            ..NOTHING
        }
        .text()
    };
    let budget = |expressions: String| {
        let spec = format!("spec:\n  minAvailable: 1\n  selector:\n    matchExpressions:\n{expressions}");
        format!("---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: b\n{spec}")
    };
    vec![
        (
            "settings",
            2000,
            Box::new(move |n| config(many(n, |i| format!("key{i}: v\n")))),
        ),
        (
            "settings that the target ignores",
            500,
            Box::new(move |n| config(format!("natsmq:\n{}", many(n, |i| format!("  key{i}: v\n"))))),
        ),
        (
            "variables",
            1000,
            Box::new(move |n| env(many(n, |i| format!("        - {{name: E{i}, value: v}}\n")))),
        ),
        (
            "variables that name each other",
            1000,
            Box::new(move |n| {
                env(many(n, |i| {
                    format!("        - {{name: E{}, value: $(E{i})x}}\n", i + 1)
                }))
            }),
        ),
        (
            "variables that double",
            1000,
            Box::new(move |n| {
                env(many(n, |i| {
                    format!("        - {{name: E{}, value: $(E{i})$(E{i})x}}\n", i + 1)
                }))
            }),
        ),
        (
            "references that nothing ends",
            20_000,
            Box::new(move |n| env(format!("        - {{name: E0, value: '{}'}}\n", "$(".repeat(n)))),
        ),
        (
            "variables from elsewhere",
            1000,
            Box::new(move |n| {
                let from = "valueFrom: {secretKeyRef: {name: s, key: k}}";
                env(many(n, |i| {
                    format!("        - {{name: E{i}, {from}}}\n        - {{name: E{i}, {from}}}\n")
                }))
            }),
        ),
        (
            "files of the configuration",
            800,
            Box::new(move |n| {
                let mount =
                    |i| format!("        - {{name: c, mountPath: /milvus/configs/{i}.yaml, subPath: {i}.yaml}}\n");
                Made {
                    mounts: many(n, mount),
                    ..NOTHING
                }
                .text()
            }),
        ),
        (
            "labels",
            400,
            Box::new(move |n| {
                let labels = many(n, |i| format!("      l{i}: querynode\n"));
                Made { labels, ..NOTHING }.text()
            }),
        ),
        (
            "Services of all",
            800,
            Box::new(move |n| {
                beside(many(n, |i| {
                    object("Service", i, &format!("spec: {{selector: {{{ALL}}}}}\n"))
                }))
            }),
        ),
        (
            "policies of all",
            800,
            Box::new(move |n| {
                let spec = format!(
                    "spec: {{podSelector: {{matchLabels: {{{ALL}}}}}, ingress: [{{ports: [{{port: 9091}}]}}]}}\n"
                );
                let one =
                    |i| object("NetworkPolicy", i, &spec).replace("apiVersion: v1", "apiVersion: networking.k8s.io/v1");
                beside(many(n, one))
            }),
        ),
        (
            "claims",
            800,
            Box::new(move |n| {
                let volume = |i| format!("      - {{name: v{i}, persistentVolumeClaim: {{claimName: c{i}}}}}\n");
                mounted(
                    many(n, volume),
                    many(n, |i| object("PersistentVolumeClaim", i, "spec: {}\n")),
                )
            }),
        ),
        (
            "Secrets",
            800,
            Box::new(move |n| {
                let volume = |i| format!("      - {{name: v{i}, secret: {{secretName: c{i}}}}}\n");
                mounted(many(n, volume), many(n, |i| object("Secret", i, "")))
            }),
        ),
        (
            "values of a selector",
            1500,
            Box::new(move |n| {
                let values = many(n, |i| format!("v{i}, "));
                beside(budget(format!(
                    "    - {{key: component, operator: In, values: [{values}indexnode, proxy]}}\n"
                )))
            }),
        ),
        (
            "lists of a selector",
            500,
            Box::new(move |n| {
                beside(budget(
                    "    - {key: component, operator: In, values: [indexnode, proxy]}\n".repeat(n),
                ))
            }),
        ),
    ]
}

//! MU503: settings of indexnode that datanode does not have.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::alike::{self, Alike};
use super::case::Case;
use super::mu501_datanode_undersized::leaving;
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::kube::workload;
use crate::milvus::capacity::{self, Disk, LOCAL_PATH, Replicas, disk, resource};
use crate::milvus::role::Role;
use crate::report::mask;
use crate::rewrite::values::truthy;
use crate::value::{Map, Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU503",
    name: "indexnode-settings-lost",
    severity: Severity::Warn,
    says: "disk, scheduling or environment of indexnode are not on datanode, which takes its work over",
    page: include_str!("../../docs/rules/MU503.md"),
    check: Check::Release(check),
};

/// Variables that belong to indexnode's own start, not to its work.
const OWN_ENV: [&str; 2] = [crate::milvus::config::STREAMING_SWITCH, "LD_LIBRARY_PATH"];

/// What is lost, in words, and the values that bring it back.
#[derive(Default)]
struct Lost {
    said: Vec<String>,
    values: Map,
    /// What the chart has no value for.
    notes: Vec<String>,
}

impl Lost {
    fn add(&mut self, said: String, key: &str, value: Value) {
        self.said.push(said);
        self.values.insert(key.into(), value);
    }
}

/// One side of the comparison: a workload's template and its Milvus container.
#[derive(Clone, Copy)]
struct Node<'a> {
    template: &'a Value,
    container: &'a Value,
}

impl Node<'_> {
    fn spec(&self, field: &str) -> &Value {
        self.template
            .pointer("/spec")
            .and_then(|s| s.get(field))
            .unwrap_or(&Value::Null)
    }

    fn list(&self, field: &str) -> Vec<&Value> {
        let list = self.container.get(field).and_then(Value::as_array);
        list.into_iter().flatten().collect()
    }
}

fn check(case: &Case) -> Vec<Finding> {
    let Some(leaving) = leaving(case) else { return vec![] };
    let Some(datanode) = case.came.in_role(Role::DataNode).next() else {
        return vec![];
    };
    let from = leaving.components[0];
    let (old, new) = (&leaving.objects[from.object], &case.target.objects[datanode.object]);
    let (Some(old_template), Some(new_template)) = (workload::template(old), workload::template(new)) else {
        return vec![];
    };
    let container = |object: &'_ crate::kube::Object, pointer: &str| object.value.pointer(pointer).cloned();
    let (Some(old_container), Some(new_container)) =
        (container(old, &from.container), container(new, &datanode.container))
    else {
        return vec![];
    };
    let was = Node {
        template: old_template,
        container: &old_container,
    };
    let is = Node {
        template: new_template,
        container: &new_container,
    };
    let mut lost = Lost::default();
    disks(case, was, is, &mut lost);
    scheduling(was, is, &mut lost);
    devices(was, is, &mut lost);
    environment(was, is, &mut lost);
    let replicas = Replicas::of(leaving.objects, from);
    if replicas.scaler.is_some() && capacity::scaler(&case.target.objects, new).is_none() {
        let hpa = json!({"enabled": true, "minReplicas": replicas.least, "maxReplicas": replicas.most});
        lost.add(format!("its autoscaler ({replicas} replicas)"), "hpa", hpa);
        lost.values.insert("replicas".into(), json!(-1));
    }
    if lost.said.is_empty() {
        return vec![];
    }
    let message = format!(
        "datanode builds the indexes now and lacks what {} has for it: {}",
        from.name,
        lost.said.join("; ")
    );
    let mut help = Vec::new();
    if !lost.values.is_empty() {
        let values = case.values_text(json!({"dataNode": lost.values}));
        help.push(format!("where datanode needs it too; the values:\n{values}"));
    }
    help.extend(lost.notes);
    vec![case.point(RULE.finding(message, help.join("\n")), new, &datanode.container)]
}

/// The local disk of disk indexes, and other mounts.
fn disks(case: &Case, was: Node, is: Node, lost: &mut Lost) {
    let at =
        |config: &crate::milvus::config::Config| config.value("localStorage.path").unwrap_or(LOCAL_PATH).to_owned();
    let path = at(case.after.effective.config());
    let before = disk(was.template, was.container, &path);
    let after = disk(is.template, is.container, &path);
    let declared = resource(is.container, "ephemeral-storage");
    // An emptyDir is the machine's disk; so is the container's layer, and a declared size says that it was thought of.
    // One of no declared size is the chart's own default and reserves no more than the container's layer does.
    let sealed = is.container.pointer("/securityContext/readOnlyRootFilesystem") == Some(&Value::Bool(true));
    let plain = before == Disk::EmptyDir(None) && resource(was.container, "ephemeral-storage").is_none() && !sealed;
    let covered = after != Disk::Layer || plain || matches!(before, Disk::EmptyDir(_)) && declared.is_some();
    if before != Disk::Layer && !covered {
        let size = match &before {
            Disk::EmptyDir(limit) => limit.or_else(|| resource(was.container, "ephemeral-storage")),
            _ => None,
        };
        let kind = match &before {
            Disk::Volume => "a volume",
            Disk::Memory => "an emptyDir in memory",
            _ => "an emptyDir",
        };
        let said = format!("{kind} at {path} (disk indexes would be built in the container's own layer)");
        let storage = size.map_or_else(|| "50Gi".to_owned(), |q| q.to_string());
        let limited = capacity::limit(was.container, "ephemeral-storage").is_some();
        let resources = json!({if limited { "limits" } else { "requests" }: {"ephemeral-storage": storage}});
        lost.add(said, "resources", resources);
        lost.notes.push(format!(
            "the chart mounts no volume for dataNode alone: ephemeral-storage reserves the machine's disk; make it \
             as large as {path} gets on indexnode (kubectl exec ... -- du -sh {path})"
        ));
    }
    let own = |m: &&Value| {
        let at = m["mountPath"].as_str().unwrap_or_default();
        let ours = ["/milvus/configs", "/milvus/tools"].iter().any(|p| at.starts_with(p));
        let local = path.starts_with(at.trim_end_matches('/'));
        !ours && !local && !at.is_empty()
    };
    let there = is.list("volumeMounts");
    let there = alike::set(there.into_iter().map(|m| &m["mountPath"]));
    let gone: Vec<&str> = was
        .list("volumeMounts")
        .into_iter()
        .filter(own)
        .filter(|m| !there.contains(&Alike(&m["mountPath"])))
        .filter_map(|m| m["mountPath"].as_str())
        // Every pod that has no token of its own gets one; live pods' templates do not show it.
        .filter(|at| !at.starts_with("/var/run/secrets/kubernetes.io"))
        .collect();
    if !gone.is_empty() {
        lost.said.push(format!("mounts at {}", gone.join(", ")));
        lost.notes.push(format!(
            "mount {} in all components with the values volumes and volumeMounts",
            gone.join(", ")
        ));
    }
}

/// Where its pods may run.
fn scheduling(was: Node, is: Node, lost: &mut Lost) {
    for field in [
        "nodeSelector",
        "affinity",
        "topologySpreadConstraints",
        "runtimeClassName",
        "priorityClassName",
    ] {
        let (old, new) = (as_datanode(was.spec(field)), is.spec(field));
        if truthy(Some(&old)) && old != *new {
            let kept = if truthy(Some(new)) {
                format!(" (datanode has {})", short(new))
            } else {
                String::new()
            };
            let said = match field {
                "affinity" | "topologySpreadConstraints" => format!(
                    "{field}{}",
                    if kept.is_empty() { "" } else { " (datanode has another)" }
                ),
                _ => format!("{field} {}{kept}", short(&old)),
            };
            lost.add(said, field, old);
        }
    }
    let tolerated = is.spec("tolerations").as_array().cloned().unwrap_or_default();
    let all = was.spec("tolerations").as_array().cloned().unwrap_or_default();
    let there = alike::set(&tolerated);
    let gone: Vec<&Value> = all.iter().filter(|t| !there.contains(&Alike(t))).collect();
    if !gone.is_empty() {
        let shown: Vec<String> = gone
            .iter()
            .map(|t| t["key"].as_str().map_or_else(|| short(t), str::to_owned))
            .collect();
        let united: Vec<Value> = tolerated.iter().chain(gone.iter().copied()).cloned().collect();
        lost.add(
            format!("tolerations for {}", shown.join(", ")),
            "tolerations",
            Value::Array(united),
        );
    }
}

/// Devices, such as the GPUs that build indexes.
fn devices(was: Node, is: Node, lost: &mut Lost) {
    let mut known: BTreeSet<String> = lost.said.iter().cloned().collect();
    for section in ["limits", "requests"] {
        let all = was
            .container
            .pointer(&format!("/resources/{section}"))
            .and_then(Value::as_object);
        for (name, amount) in all.into_iter().flatten() {
            let plain = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
            let said = known.range(name.to_string()..).next();
            let told = said.is_some_and(|said| said.starts_with(name.as_str()));
            if plain || told || resource(is.container, name).is_some() {
                continue;
            }
            let said = format!("{name}: {}", short(amount));
            known.insert(said.clone());
            lost.said.push(said);
            let resources = lost.values.entry("resources").or_insert_with(|| json!({}));
            resources["limits"][name] = amount.clone();
        }
    }
}

/// Environment by name; values are shown only where they cannot be secret.
fn environment(was: Node, is: Node, lost: &mut Lost) {
    let there = is.list("env");
    // Of several of one name the last counts.
    let named = there.iter().filter_map(|t| Some((t["name"].as_str()?, *t)));
    let named: HashMap<&str, &Value> = named.collect();
    let mut said = Vec::new();
    let mut entries = Vec::new();
    for var in was.list("env") {
        let Some(name) = var["name"].as_str().filter(|n| !OWN_ENV.contains(n)) else {
            continue;
        };
        match named.get(name) {
            Some(same) if *same == var => continue,
            Some(_) => said.push(format!("{name} (datanode has another value)")),
            None => said.push(name.to_owned()),
        }
        entries.push(mask::value("", "/env", var));
    }
    let sources = alike::set(is.list("envFrom"));
    let from: Vec<&Value> = was
        .list("envFrom")
        .into_iter()
        .filter(|s| !sources.contains(&Alike(s)))
        .collect();
    for source in &from {
        let name = ["configMapRef", "secretRef"]
            .iter()
            .find_map(|k| source[*k]["name"].as_str());
        said.push(format!("envFrom {}", name.unwrap_or("?")));
    }
    if !from.is_empty() {
        lost.notes
            .push("the chart has no envFrom: name its variables one by one in dataNode.extraEnv".into());
    }
    if said.is_empty() {
        return;
    }
    if entries.iter().any(|e| e["value"] == mask::MASK) {
        lost.notes.push(format!(
            "{} stands for a secret: fill it in from indexNode.extraEnv",
            mask::MASK
        ));
    }
    let said = format!("environment {}", said.join(", "));
    match entries.is_empty() {
        true => lost.said.push(said),
        // The chart replaces the list: what datanode has of its own has to stand in it too.
        false => {
            let names = alike::set(entries.iter().map(|e| &e["name"]));
            let own = there.iter().filter(|t| !names.contains(&Alike(&t["name"])));
            let mut all: Vec<Value> = own.map(|t| mask::value("", "/env", t)).collect();
            all.extend(entries);
            lost.add(said, "extraEnv", Value::Array(all));
        }
    }
}

/// A value with indexnode's own name in it (an anti-affinity to itself) as datanode would have it.
fn as_datanode(value: &Value) -> Value {
    match value {
        Value::String(s) => Value::from(s.replace(Role::IndexNode.as_str(), Role::DataNode.as_str())),
        Value::Array(list) => list.iter().map(as_datanode).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), as_datanode(v))).collect()),
        other => other.clone(),
    }
}

/// A small value in one line.
fn short(value: &Value) -> String {
    match value {
        Value::String(s) => s.to_string(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| format!("{k}={}", short(v)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{Scenario, autoscaler};

    const SPEC: &str = "    spec:\n      containers:\n";

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn scheduled(fields: &str) -> Scenario {
        let with = format!("    spec:\n{fields}      containers:\n");
        upgrade().edit_in_current("Deployment", "rel-milvus-indexnode", SPEC, &with)
    }

    const DISK: (&str, &str) = (
        "      volumes:\n",
        "            - name: disk\n              mountPath: /var/lib/milvus/data\n      volumes:\n        - name: disk\n          emptyDir: {}\n",
    );

    #[test]
    fn each_setting_is_named_with_its_values() {
        let scenario = scheduled("      nodeSelector:\n        pool: build\n      tolerations:\n        - key: dedicated\n          operator: Exists\n")
            .env_current("indexnode", "            - name: OMP_NUM_THREADS\n              value: \"8\"\n");
        let finding = scenario.of_rule("MU503").remove(0);
        for words in [
            "nodeSelector pool=build",
            "tolerations for dedicated",
            "environment OMP_NUM_THREADS",
        ] {
            assert!(finding.message.contains(words), "{}", finding.message);
        }
        for words in [
            "dataNode:\n  nodeSelector:\n    pool: build",
            "extraEnv:",
            "value: \"8\"",
        ] {
            assert!(finding.help.contains(words), "{}", finding.help);
        }
        for words in ["stands for a secret", "envFrom"] {
            assert!(!finding.help.contains(words), "{}", finding.help);
        }
        assert!(finding.location.is_some() && finding.object.unwrap().name == "rel-milvus-datanode");
    }

    #[test]
    fn the_disk_of_disk_indexes_is_a_setting() {
        let sized = DISK.1.replace("emptyDir: {}", "emptyDir: {sizeLimit: 50Gi}");
        let scenario = upgrade().edit_in_current("Deployment", "rel-milvus-indexnode", DISK.0, &sized);
        let finding = scenario.of_rule("MU503").remove(0);
        assert!(
            finding.message.contains("an emptyDir at /var/lib/milvus/data"),
            "{}",
            finding.message
        );
        assert!(finding.help.contains("ephemeral-storage"));
        let mounted = scenario
            .clone()
            .edit_in_target("Deployment", "rel-milvus-datanode", DISK.0, DISK.1);
        assert!(mounted.of_rule("MU503").is_empty());
        let declared = scenario.size_target("datanode", "ephemeral-storage: 100Gi");
        assert!(declared.of_rule("MU503").is_empty());
    }

    #[test]
    fn the_chart_s_own_disk_is_no_setting_of_anybody() {
        let stock = upgrade().edit_in_current("Deployment", "rel-milvus-indexnode", DISK.0, DISK.1);
        assert!(stock.of_rule("MU503").is_empty());
        let sealed = "          securityContext: {readOnlyRootFilesystem: true}\n          env:\n";
        let sealed = stock
            .clone()
            .edit_in_target("Deployment", "rel-milvus-datanode", "          env:\n", sealed);
        assert_eq!(sealed.of_rule("MU503").len(), 1);
        assert_eq!(
            stock
                .size_current("indexnode", "ephemeral-storage: 20Gi")
                .of_rule("MU503")
                .len(),
            1
        );
    }

    #[test]
    fn what_datanode_has_too_is_quiet() {
        assert!(upgrade().of_rule("MU503").is_empty());
        let fields = "      nodeSelector:\n        pool: build\n      affinity:\n        podAntiAffinity:\n          x: indexnode\n";
        let same = format!(
            "    spec:\n{}      containers:\n",
            fields.replace("indexnode", "datanode")
        );
        let scenario = scheduled(fields).edit_in_target("Deployment", "rel-milvus-datanode", SPEC, &same);
        assert!(scenario.of_rule("MU503").is_empty());
    }

    #[test]
    fn another_pool_is_told_with_both() {
        let other = "    spec:\n      nodeSelector:\n        pool: data\n      containers:\n";
        let scenario = scheduled("      nodeSelector:\n        pool: build\n").edit_in_target(
            "Deployment",
            "rel-milvus-datanode",
            SPEC,
            other,
        );
        assert!(
            scenario.of_rule("MU503")[0]
                .message
                .contains("nodeSelector pool=build (datanode has pool=data)")
        );
    }

    #[test]
    fn gpus_and_autoscalers_are_settings() {
        let scenario = upgrade()
            .size_current("indexnode", "nvidia.com/gpu: 1")
            .add_current(&autoscaler("indexnode", 1, 8));
        let finding = scenario.of_rule("MU503").remove(0);
        assert!(
            finding.message.contains("nvidia.com/gpu: 1") && finding.message.contains("autoscaler (1 to 8 replicas)")
        );
        assert!(finding.help.contains("nvidia.com/gpu: 1") && finding.help.contains("maxReplicas: 8"));
    }

    #[test]
    fn no_secret_of_the_environment_is_shown() {
        let scenario = upgrade().env_current("indexnode", "            - name: MINIO_SECRET_ACCESS_KEY\n              value: hunter2\n            - name: MILVUS_STREAMING_SERVICE_ENABLED\n              value: \"1\"\n");
        let finding = scenario.of_rule("MU503").remove(0);
        assert!(finding.message.ends_with("environment MINIO_SECRET_ACCESS_KEY"));
        assert!(!finding.help.contains("hunter2") && finding.help.contains("*** stands for a secret"));
    }

    #[test]
    fn each_kind_of_disk_is_named_with_its_size() {
        for (volume, limits, kind, help) in [
            (
                "emptyDir: {sizeLimit: 70Gi}",
                "cpu: 2",
                "an emptyDir",
                "requests:\n      ephemeral-storage: 70Gi",
            ),
            (
                "emptyDir: {}",
                "ephemeral-storage: 20Gi",
                "an emptyDir",
                "limits:\n      ephemeral-storage: 20Gi",
            ),
            (
                "emptyDir: {medium: Memory}",
                "cpu: 2",
                "an emptyDir in memory",
                "requests:\n      ephemeral-storage: 50Gi",
            ),
            (
                "persistentVolumeClaim: {claimName: a}",
                "cpu: 2",
                "a volume",
                "requests:\n      ephemeral-storage: 50Gi",
            ),
        ] {
            let with = DISK.1.replace("emptyDir: {}", volume);
            let found = upgrade()
                .edit_in_current("Deployment", "rel-milvus-indexnode", DISK.0, &with)
                .size_current("indexnode", limits)
                .of_rule("MU503");
            let said = format!("lacks what rel-milvus-indexnode has for it: {kind} at /var/lib/milvus/data (disk");
            assert!(found[0].message.contains(&said), "{}", found[0].message);
            assert!(found[0].help.contains(help), "{}", found[0].help);
        }
    }

    #[test]
    fn mounts_of_somebody_are_settings_and_those_of_milvus_and_kubernetes_are_not() {
        let mounts = |paths: &[&str]| -> String {
            let each = paths
                .iter()
                .map(|p| format!("            - name: m\n              mountPath: {p}\n"));
            each.collect::<String>() + "      volumes:\n"
        };
        let all = mounts(&[
            "/data/models",
            "/milvus/configs/more.yaml",
            "/milvus/tools",
            "/var/run/secrets/kubernetes.io/serviceaccount",
            "/etc/pki/",
        ]);
        let scenario = upgrade().edit_in_current("Deployment", "rel-milvus-indexnode", DISK.0, &all);
        let found = scenario.of_rule("MU503").remove(0);
        assert!(
            found.message.ends_with("for it: mounts at /data/models, /etc/pki/"),
            "{}",
            found.message
        );
        assert_eq!(
            found.help,
            "mount /data/models, /etc/pki/ in all components with the values volumes and volumeMounts"
        );
        let one =
            scenario
                .clone()
                .edit_in_target("Deployment", "rel-milvus-datanode", DISK.0, &mounts(&["/data/models"]));
        assert!(one.of_rule("MU503")[0].message.ends_with("for it: mounts at /etc/pki/"));
        let both = mounts(&["/data/models", "/etc/pki/"]);
        let both = scenario.edit_in_target("Deployment", "rel-milvus-datanode", DISK.0, &both);
        assert!(both.of_rule("MU503").is_empty());
    }

    #[test]
    fn an_affinity_is_named_and_not_written_out() {
        let affinity = |zone: &str| format!("      affinity:\n        nodeAffinity:\n          x: {zone}\n");
        let scenario = scheduled(&affinity("a"));
        let message = &scenario.of_rule("MU503")[0].message;
        assert!(message.ends_with("for it: affinity"), "{message}");
        let other = format!("    spec:\n{}      containers:\n", affinity("b"));
        let scenario = scenario.edit_in_target("Deployment", "rel-milvus-datanode", SPEC, &other);
        let message = &scenario.of_rule("MU503")[0].message;
        assert!(
            message.ends_with("for it: affinity (datanode has another)"),
            "{message}"
        );
    }

    #[test]
    fn a_device_is_named_once_and_where_datanode_lacks_it() {
        let with = "          resources:\n            limits: {cpu: 4, nvidia.com/gpu: 1}\n            requests: {cpu: 2, nvidia.com/gpu: 1}\n          env:\n";
        let scenario = upgrade().edit_in_current("Deployment", "rel-milvus-indexnode", "          env:\n", with);
        let found = scenario.of_rule("MU503").remove(0);
        assert!(
            found.message.ends_with("for it: nvidia.com/gpu: 1"),
            "{}",
            found.message
        );
        assert!(
            found
                .help
                .ends_with("dataNode:\n  resources:\n    limits:\n      nvidia.com/gpu: 1")
        );
        let there = scenario.size_target("datanode", "nvidia.com/gpu: 2");
        assert!(there.of_rule("MU503").is_empty());
    }

    #[test]
    fn the_environment_is_compared_by_name_and_value() {
        let entry = |name: &str, value: &str| format!("            - name: {name}\n              value: \"{value}\"\n");
        let had = entry("GOGC", "50") + &entry("GOMEMLIMIT", "8GiB") + &entry("TZ", "UTC");
        let has = entry("LANG", "C") + &entry("GOGC", "50") + &entry("TZ", "CET");
        let scenario = upgrade().env_current("indexnode", &had).env_target("datanode", &has);
        let found = scenario.of_rule("MU503").remove(0);
        assert!(
            found
                .message
                .ends_with("for it: environment GOMEMLIMIT, TZ (datanode has another value)"),
            "{}",
            found.message
        );
        // The list replaces datanode's: nothing of it may be lost.
        let list = "dataNode:\n  extraEnv:\n  - name: LANG\n    value: C\n  - name: GOGC\n    value: \"50\"\n  \
                    - name: GOMEMLIMIT\n    value: \"8GiB\"\n  - name: TZ\n    value: UTC";
        assert!(found.help.ends_with(list), "{}", found.help);
    }

    #[test]
    fn variables_of_a_whole_object_are_named_by_it() {
        let from = |names: &[&str]| -> String {
            let each = names
                .iter()
                .map(|n| format!("            - configMapRef: {{name: {n}}}\n"));
            "          envFrom:\n".to_owned() + &each.collect::<String>() + "          env:\n"
        };
        let had = from(&["tuning", "shared"]);
        let scenario = upgrade()
            .edit_in_current("Deployment", "rel-milvus-indexnode", "          env:\n", &had)
            .edit_in_target(
                "Deployment",
                "rel-milvus-datanode",
                "          env:\n",
                &from(&["shared"]),
            );
        let found = scenario.of_rule("MU503").remove(0);
        assert!(
            found.message.ends_with("for it: environment envFrom tuning"),
            "{}",
            found.message
        );
        assert!(found.help.starts_with("the chart has no envFrom"), "{}", found.help);
    }

    #[test]
    fn a_step_that_leaves_no_indexnode_behind_is_quiet() {
        let fields = "      nodeSelector:\n        pool: build\n";
        let with = format!("    spec:\n{fields}      containers:\n");
        let older =
            Scenario::upgrade("v2.5.16", "v2.5.22").edit_in_current("Deployment", "rel-milvus-indexnode", SPEC, &with);
        assert!(older.of_rule("MU503").is_empty());
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU503").is_empty());
    }
}

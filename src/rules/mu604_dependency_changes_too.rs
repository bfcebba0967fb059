//! MU604: etcd, the object store or the queue is restarted by the step that upgrades Milvus.

use foldhash::{HashMap, HashSet};

use super::alike::Alike;
use super::case::{Case, Side};
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::host;
use crate::kube::labelled::Labelled;
use crate::kube::named::Named;
use crate::kube::object::{at, escape, namespaces_agree};
use crate::kube::quantity::Quantity;
use crate::kube::{Object, ObjectRef, selector, workload};
use crate::milvus::identity::{Address, Field, FieldValue};
use crate::transition::Kind;
use crate::value::{Map, Value};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU604",
    name: "dependency-changes-too",
    severity: Severity::Warn,
    says: "etcd, MinIO, Pulsar or Kafka change in the step that changes Milvus' version",
    page: include_str!("../../docs/rules/MU604.md"),
    check: Check::Release(check),
};

/// Words by which a workload of the release is known as a dependency where no template path tells.
const KNOWN: [&str; 6] = ["etcd", "minio", "pulsar", "kafka", "zookeeper", "bookkeeper"];

/// How many changes a message lists.
const SHOWN: usize = 5;

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = &case.before else { return vec![] };
    let same = matches!(case.transition.kind, Some(Kind::None | Kind::Fresh));
    // Stage 0 moves them alone.
    let alone = case.stage.is_some_and(|s| s.applied == 0);
    let (Some(from), Some(to)) = (case.transition.source(), case.transition.target()) else {
        return vec![];
    };
    if same || alone || from == to {
        return vec![];
    }
    let dependencies = Dependencies::new(case);
    let mut said = Vec::new();
    let mut first: Option<&Object> = None;
    let known = Named::of(before.objects.iter().filter(|o| workload::serves(o)));
    for object in case.after.objects.iter().filter(|o| dependencies.holds(case, o)) {
        let Some(deployed) = known.same(&object.reference).next() else {
            continue;
        };
        let scaled = (!dependencies.scaled.contains(&named(object))).then(|| replicas(deployed, object));
        let what: Vec<String> = scaled.flatten().into_iter().chain(change(deployed, object)).collect();
        if !what.is_empty() {
            let what = what.join(", ");
            said.push(format!("{} {} ({what})", object.reference.kind, object.reference.name));
            first = first.or(Some(object));
        }
    }
    let mut gone = None;
    for object in leaving(case, before) {
        said.push(format!("{} {} (leaves)", object.reference.kind, object.reference.name));
        gone = gone.or(Some(object));
    }
    if said.is_empty() {
        return vec![];
    }
    let rest = said.len().saturating_sub(SHOWN);
    said.truncate(SHOWN);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    let message = format!(
        "what Milvus stands on changes in the same step as Milvus goes {from} -> {to}: {}{more}; a fault of either then looks like \
         one of the other, and the new pods start against stores that are going down",
        said.join(", ")
    );
    let staged = match case.transition.kind.and_then(Kind::last_stage) {
        Some(_) => "; or let stage 0 move it alone: --post-renderer-args --stage --post-renderer-args 0",
        None => "",
    };
    let help = format!(
        "take it in two steps: first this chart with Milvus as it is (--set image.all.tag={}), then, once all is ready, the image{staged}",
        deployed_tag(case).unwrap_or_else(|| from.to_string())
    );
    let finding = RULE.finding(message, help);
    vec![match (first, gone) {
        (Some(first), _) => {
            let pointer = workload::template_pointer(&first.reference.kind).unwrap_or_default();
            case.point(finding, first, pointer)
        }
        (None, Some(gone)) => finding
            .on(&gone.reference)
            .at(before.input, gone.document, gone.pointer.clone()),
        (None, None) => finding,
    }]
}

fn named(object: &Object) -> (&str, &str) {
    (&object.reference.kind, &object.reference.name)
}

/// How many pods there are now and would be, where these are fewer: more of them restart none of those that are there.
/// Absent is one, as the server has it.
fn replicas(deployed: &Object, proposed: &Object) -> Option<String> {
    let (was, is) = (workload::replicas(deployed).unwrap_or(1), workload::replicas(proposed)?);
    (is < was).then(|| format!("replicas {was} -> {is}"))
}

/// The deployed dependencies that the target does not hold, by their labels: what Helm would delete.
fn leaving<'a>(case: &Case, before: &Side<'a>) -> impl Iterator<Item = &'a Object> {
    let milvus = before.release.components.iter();
    let milvus: HashSet<*const Object> = milvus.map(|c| std::ptr::from_ref(before.object(c))).collect();
    before.objects.iter().filter(move |o| {
        let ours = namespaces_agree(&o.reference.namespace, &case.after.release.namespace);
        let stays = || case.after.named.holds(&o.reference) || o.is_kept() || o.is_hook() || workload::is_made(o);
        let meant = || workload::pod_labels(o).is_some_and(|labels| labelled(case, labels));
        ours && workload::serves(o) && !milvus.contains(&std::ptr::from_ref(*o)) && meant() && !stays()
    })
}

fn deployed_tag(case: &Case) -> Option<String> {
    let component = case.before?.release.components.first()?;
    crate::milvus::image::ImageRef::parse(&component.image).tag
}

/// What tells a dependency of this release.
struct Dependencies<'a> {
    /// The folder of the chart's own dependencies: `milvus/charts/`.
    charts: Option<String>,
    /// The workloads that the Services behind the configured addresses choose.
    served: HashSet<*const Object>,
    /// The workloads that are Milvus.
    milvus: HashSet<*const Object>,
    /// The kinds and names of the workloads whose replicas an autoscaler sets.
    scaled: HashSet<(&'a str, &'a str)>,
    /// The workloads that came in: what the rewrite brings is Milvus, of this release or of another in the stream.
    came: HashSet<&'a ObjectRef>,
}

impl<'a> Dependencies<'a> {
    fn new(case: &'a Case) -> Dependencies<'a> {
        let charts = case.came.components.iter().find_map(|c| {
            let path = host::template_of(case.target, case.target.objects[c.object].document)?;
            Some(host::template_folder(&path)?.strip_suffix("templates/")?.to_owned() + "charts/")
        });
        let effective = case.after.effective;
        let mut fields: Vec<&Field> = Vec::new();
        if let Ok(queue) = &effective.spoken().queue {
            fields.extend(&queue.identity);
        }
        if let Ok(stores) = &effective.spoken().stores {
            fields.extend(stores.meta.iter().chain(&stores.object));
        }
        let namespace = &case.after.release.namespace;
        let hosts = Hosts::of(fields.into_iter().flat_map(addresses), namespace);
        let behind = |o: &&Object| {
            let service = o.reference.kind == "Service" && namespaces_agree(&o.reference.namespace, namespace);
            service && hosts.reach(&o.reference.name)
        };
        let services = case.after.objects.iter().filter(behind);
        let components = case.after.release.components.iter();
        Dependencies {
            charts,
            served: served(case, services),
            scaled: case
                .after
                .objects
                .iter()
                .filter_map(|o| selector::scale_target(&o.reference.kind, &o.value))
                .collect(),
            milvus: components.map(|c| std::ptr::from_ref(case.after.object(c))).collect(),
            came: case
                .target
                .objects
                .iter()
                .filter(|o| workload::serves(o))
                .map(|o| &o.reference)
                .collect(),
        }
    }

    fn holds(&self, case: &Case, object: &Object) -> bool {
        let ours = namespaces_agree(&object.reference.namespace, &case.after.release.namespace);
        if !ours || !workload::serves(object) || object.is_hook() || self.milvus.contains(&std::ptr::from_ref(object)) {
            return false;
        }
        let template = host::template_of(case.target, object.document);
        let labels = workload::pod_labels(object);
        let meant = match (&self.charts, template) {
            (Some(charts), Some(path)) if path.starts_with(charts.as_str()) => true,
            _ => {
                let served = self.served.contains(&std::ptr::from_ref(object));
                served || self.charts.is_none() && labels.is_some_and(|l| labelled(case, l))
            }
        };
        meant && self.came.contains(&object.reference)
    }
}

/// The configured hosts, by the first word of their names: each Service is asked for among all of them.
struct Hosts<'a> {
    of: HashMap<String, Vec<Address>>,
    namespace: &'a str,
}

impl<'a> Hosts<'a> {
    fn of(addresses: impl Iterator<Item = &'a str>, namespace: &'a str) -> Hosts<'a> {
        let mut of: HashMap<String, Vec<Address>> = HashMap::default();
        let mut known = HashSet::default();
        for host in addresses.map(bare_host).filter(|host| known.insert(*host)) {
            let address = Address::parse(host, 1, namespace);
            of.entry(first_word(host)).or_default().push(address);
        }
        Hosts { of, namespace }
    }

    /// Whether one of them is a Service of this name.
    fn reach(&self, service: &str) -> bool {
        let Some(near) = self.of.get(&first_word(service)) else {
            return false;
        };
        let own = Address::parse(service, 1, self.namespace);
        near.iter().any(|host| host.reaches(&own))
    }
}

/// The first word of a host's name: those that lead to one place have it in common.
fn first_word(host: &str) -> String {
    let host = host.trim().trim_start_matches('[');
    let end = host.find(['.', ']']).unwrap_or(host.len());
    host[..end].to_ascii_lowercase()
}

/// The workloads that some Services choose.
fn served<'a>(case: &Case<'a>, services: impl Iterator<Item = &'a Object>) -> HashSet<*const Object> {
    let mut known: HashSet<String> = HashSet::default();
    let selectors = services.filter_map(|o| o.at(&["spec", "selector"]));
    let selectors: Vec<&Value> = selectors.filter(|s| known.insert(s.to_string())).collect();
    if selectors.is_empty() {
        return HashSet::default();
    }
    let serving = case.after.objects.iter().filter(|o| workload::serves(o));
    let labelled = Labelled::of(serving.filter_map(|o| Some((workload::pod_labels(o)?, std::ptr::from_ref(o)))));
    let chosen = selectors.into_iter().flat_map(|s| labelled.chosen(s, true));
    chosen.copied().collect()
}

/// Whether pod labels name this release and a known dependency.
fn labelled(case: &Case, labels: &Value) -> bool {
    let is = |key: &str| labels.get(key).and_then(Value::as_str);
    let instance = ["app.kubernetes.io/instance", "release"]
        .iter()
        .any(|k| is(k) == Some(&case.after.release.name));
    let names = ["app.kubernetes.io/name", "app", "component"];
    instance
        && names
            .iter()
            .filter_map(|k| is(k))
            .any(|n| KNOWN.iter().any(|k| n.starts_with(k)))
}

fn addresses(field: &Field) -> impl Iterator<Item = &str> {
    let written = match &field.value {
        FieldValue::Addresses { written, .. } => &written[..],
        _ => &[],
    };
    written.iter().map(String::as_str)
}

/// An endpoint without scheme, user, port and path.
fn bare_host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(host, _)| host)
}

/// What of a workload's pods changes: images first, else the fields.
fn change(deployed: &Object, proposed: &Object) -> Option<String> {
    let (old, new) = (workload::template(deployed)?, workload::template(proposed)?);
    if old == new {
        return None;
    }
    let mut images = Vec::new();
    let mut known = HashSet::default();
    for list in ["initContainers", "containers"] {
        let all = |t| at(t, &["spec", list]).and_then(Value::as_array).into_iter().flatten();
        let mut twins: HashMap<Alike, &Value> = HashMap::default();
        for container in all(old) {
            twins.entry(Alike(&container["name"])).or_insert(container);
        }
        for container in all(new) {
            let twin = twins.get(&Alike(&container["name"]));
            let (Some(was), Some(is)) = (twin.and_then(|c| c["image"].as_str()), container["image"].as_str()) else {
                continue;
            };
            if was != is && known.insert((was, is)) {
                images.push((was, is));
            }
        }
    }
    if !images.is_empty() {
        let shown: Vec<String> = images.iter().map(|(a, b)| format!("image {a} -> {b}")).collect();
        return Some(shown.join(", "));
    }
    // A live object holds the server's defaults: only what is rendered can differ from it.
    let live = deployed.at(&["metadata", "uid"]).is_some() || deployed.at(&["status"]).is_some();
    let mut fields = Vec::new();
    differences(old, new, live, "", &mut fields);
    (!fields.is_empty()).then(|| {
        let rest = fields.len().saturating_sub(2);
        fields.truncate(2);
        let more = if rest > 0 {
            format!(" and {rest} more fields")
        } else {
            String::new()
        };
        format!("its pods: {}{more}", fields.join(", "))
    })
}

/// The pointers at which two pod templates differ. Absent, null and empty are the same, and so are two ways to write one
/// quantity.
fn differences(old: &Value, new: &Value, live: bool, path: &str, found: &mut Vec<String>) {
    if generated(path) || (is_nothing(new) && (live || is_nothing(old))) {
        return;
    }
    let none = Map::new();
    let map = |v| match v {
        &Value::Null => Some(&none),
        v => v.as_object(),
    };
    if (old.is_object() || new.is_object())
        && let (Some(a), Some(b)) = (map(old), map(new))
    {
        let gone = a.keys().filter(|k| !live && !b.contains_key(k));
        for key in b.keys().chain(gone) {
            let (x, y) = (a.get(key), b.get(key));
            let [x, y] = [x, y].map(|v| v.unwrap_or(&Value::Null));
            differences(x, y, live, &format!("{path}/{}", escape(key)), found);
        }
        return;
    }
    match (old, new) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (x, y)) in a.iter().zip(b).enumerate() {
                differences(x, y, live, &format!("{path}/{i}"), found);
            }
        }
        (a, b) if a == b || same_quantity(a, b) => {}
        _ => found.push(path.to_owned()),
    }
}

/// Checksums of Secrets change with each rendering where a chart makes its passwords up.
fn generated(path: &str) -> bool {
    path.contains("/annotations/checksum~1secret")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(a) => a.is_empty(),
        Value::String(s) => s.is_empty(),
        _ => false,
    }
}

fn same_quantity(a: &Value, b: &Value) -> bool {
    matches!((Quantity::from_value(a), Quantity::from_value(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;
    use crate::stage::Stage;

    fn etcd(from: &str, to: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_target("StatefulSet", "rel-etcd", from, to)
    }

    #[test]
    fn an_image_that_changes_is_named_from_and_to() {
        let finding = etcd("other:1", "other:2").of_rule("MU604").remove(0);
        assert!(
            finding
                .message
                .contains("StatefulSet rel-etcd (image other:1 -> other:2)"),
            "{}",
            finding.message
        );
        assert!(finding.message.contains("2.5.16 -> 2.6.16") && finding.help.contains("image.all.tag=v2.5.16"));
        assert!(finding.location.is_some());
    }

    #[test]
    fn so_is_a_pod_template() {
        let finding = etcd("        - name: c\n", "        - name: c\n          args: [\"--x\"]\n")
            .of_rule("MU604")
            .remove(0);
        assert!(
            finding.message.contains("its pods: /spec/containers/0/args"),
            "{}",
            finding.message
        );
    }

    #[test]
    fn what_is_no_change_of_pods_or_no_change_of_milvus_is_quiet() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU604").is_empty());
        let scaled = etcd("  serviceName: rel-etcd\n", "  serviceName: rel-etcd\n  replicas: 3\n");
        assert!(scaled.of_rule("MU604").is_empty());
        let secret = etcd(
            "    metadata:\n      labels:",
            "    metadata:\n      annotations: {checksum/secrets: abc}\n      labels:",
        );
        assert!(secret.of_rule("MU604").is_empty());
        let alone = etcd("other:1", "other:2").stage(Stage::At(0));
        assert!(alone.of_rule("MU604").is_empty());
        let ordinary =
            Scenario::upgrade("v2.6.6", "v2.6.6").edit_in_target("StatefulSet", "rel-etcd", "other:1", "other:2");
        assert!(ordinary.of_rule("MU604").is_empty());
    }

    #[test]
    fn fewer_replicas_are_told_but_where_an_autoscaler_sets_them() {
        let from = "  serviceName: rel-etcd\n";
        let scaled = |was: &str, is: &str| {
            etcd(from, &format!("{from}{is}")).edit_in_current("StatefulSet", "rel-etcd", from, &format!("{from}{was}"))
        };
        for (was, is, told) in [
            ("  replicas: 3\n", "  replicas: 1\n", Some("replicas 3 -> 1")),
            ("  replicas: 3\n", "  replicas: 5\n", None),
            ("  replicas: 1\n", "  replicas: 1\n", None),
            ("", "  replicas: 1\n", None),
            ("  replicas: 3\n", "", None),
        ] {
            let found = scaled(was, is).of_rule("MU604");
            let message = found.first().map(|f| &f.message[..]);
            assert_eq!(message.is_some(), told.is_some(), "{was} -> {is}: {message:?}");
            assert!(message.is_none_or(|m| m.contains(&format!("StatefulSet rel-etcd ({})", told.unwrap()))));
        }
        let hpa = crate::rules::testkit::autoscaler("x", 1, 3)
            .replace("kind: Deployment", "kind: StatefulSet")
            .replace("name: rel-milvus-x\n", "name: rel-etcd\n");
        let autoscaled = scaled("  replicas: 3\n", "  replicas: 1\n")
            .add_target(&hpa)
            .add_current(&hpa);
        assert!(autoscaled.of_rule("MU604").is_empty());
    }

    #[test]
    fn what_leaves_is_told_where_its_labels_say_it_is_the_release_s() {
        let own = "release: rel, app: pulsarv3, component: recovery";
        for (metadata, labels, told) in [
            ("name: x, namespace: ns", own, true),
            ("name: x, namespace: ns", "release: two, app: pulsarv3", false),
            ("name: x, namespace: ns", "release: rel, app: attu", false),
            ("name: x, namespace: other", own, false),
            (
                "name: x, namespace: ns, annotations: {helm.sh/resource-policy: keep}",
                own,
                false,
            ),
        ] {
            let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
            let found = scenario
                .add_current(&workload("", "StatefulSet", metadata, labels))
                .of_rule("MU604");
            assert_eq!(found.len(), usize::from(told), "{metadata} {labels}");
            assert!(found.iter().all(|f| f.message.contains("StatefulSet x (leaves)")));
        }
    }

    #[test]
    fn a_live_object_s_defaults_are_no_change() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_in_current(
                "StatefulSet",
                "rel-etcd",
                "      containers:\n",
                "      dnsPolicy: ClusterFirst\n      containers:\n",
            )
            .edit_in_current(
                "StatefulSet",
                "rel-etcd",
                "  namespace: ns\n",
                "  namespace: ns\n  uid: 0-1-2\n",
            );
        assert!(scenario.of_rule("MU604").is_empty());
    }

    /// What stands in the pods of rel-etcd before and after.
    fn pods(before: &str, after: &str) -> Scenario {
        let with = |fields: &str| format!("{fields}      containers:\n");
        etcd("      containers:\n", &with(after)).edit_in_current(
            "StatefulSet",
            "rel-etcd",
            "      containers:\n",
            &with(before),
        )
    }

    #[test]
    fn the_fields_that_differ_are_named_two_and_how_many_more() {
        let two = "      dnsPolicy: Default\n      hostNetwork: true\n";
        let three = format!("{two}      hostPID: true\n");
        let four = format!("{three}      hostIPC: true\n");
        for (before, after, words) in [
            ("      dnsPolicy: Default\n", "", "/spec/dnsPolicy"),
            ("", "      dnsPolicy: Default\n", "/spec/dnsPolicy"),
            (
                "      tolerations: [{key: a}]\n",
                "      tolerations: [{key: a}, {key: b}]\n",
                "/spec/tolerations",
            ),
            (
                "      tolerations: [{key: a}]\n",
                "      tolerations: [{key: b}]\n",
                "/spec/tolerations/0/key",
            ),
            (
                "      overhead: {cpu: 1}\n",
                "      overhead: {cpu: 2}\n",
                "/spec/overhead/cpu",
            ),
            (two, "", "/spec/dnsPolicy, /spec/hostNetwork"),
            (&three, "", "/spec/dnsPolicy, /spec/hostNetwork and 1 more fields"),
            (&four, "", "/spec/dnsPolicy, /spec/hostNetwork and 2 more fields"),
        ] {
            let found = pods(before, after).of_rule("MU604");
            let want = format!("StatefulSet rel-etcd (its pods: {words});");
            assert!(found[0].message.contains(&want), "{}", found[0].message);
        }
    }

    #[test]
    fn what_is_written_otherwise_and_means_the_same_restarts_nothing() {
        for (before, after) in [
            ("      affinity: null\n", ""),
            ("      affinity: {}\n", ""),
            ("      affinity: {nodeAffinity: {}}\n", ""),
            ("      tolerations: []\n", ""),
            ("      nodeName: \"\"\n", ""),
            ("      overhead: {cpu: 1000m}\n", "      overhead: {cpu: 1}\n"),
        ] {
            for (before, after) in [(before, after), (after, before)] {
                let found = pods(before, after).of_rule("MU604");
                assert!(found.is_empty(), "{before:?} -> {after:?}: {found:?}");
            }
        }
        let live = |scenario: Scenario| {
            let (from, to) = ("  namespace: ns\n", "  namespace: ns\n  uid: 0-1-2\n");
            scenario
                .edit_in_current("StatefulSet", "rel-etcd", from, to)
                .of_rule("MU604")
        };
        // Somebody in the cluster gave it those.
        let given = live(pods("      tolerations: [{key: a}]\n", "      tolerations: []\n"));
        assert!(given.is_empty(), "{given:?}");
        let asked = live(pods("      dnsPolicy: ClusterFirst\n", "      dnsPolicy: Default\n"));
        assert_eq!(asked.len(), 1);
    }

    /// A workload beside Milvus whose image changes.
    fn beside(scenario: Scenario, documents: &str) -> Scenario {
        scenario
            .add_target(documents)
            .add_current(&documents.replace("other:2", "other:1"))
    }

    fn workload(source: &str, kind: &str, metadata: &str, labels: &str) -> String {
        format!(
            "---\n{source}apiVersion: apps/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec:\n  selector: {{matchLabels: {{{labels}}}}}\n  \
             template:\n    metadata: {{labels: {{{labels}}}}}\n    spec:\n      containers:\n        - name: c\n          image: other:2\n"
        )
    }

    #[test]
    fn what_the_chart_brings_along_is_known_by_its_folder() {
        let own = "# Source: milvus/charts/etcd/templates/s.yaml\n";
        let other = "# Source: other/templates/s.yaml\n";
        let here = "name: x, namespace: ns";
        let labels = "app.kubernetes.io/instance: rel, app.kubernetes.io/name: etcd";
        for (source, kind, metadata, labels, told) in [
            (own, "StatefulSet", here, "a: b", true),
            (own, "Deployment", here, "a: b", true),
            (own, "Job", here, "a: b", false),
            (own, "StatefulSet", "name: x, namespace: other", "a: b", false),
            (
                own,
                "Deployment",
                "name: x, namespace: ns, annotations: {helm.sh/hook: pre-upgrade}",
                "a: b",
                false,
            ),
            (other, "StatefulSet", here, "a: b", false),
            (other, "StatefulSet", here, labels, false),
        ] {
            let scenario = beside(
                Scenario::upgrade("v2.5.16", "v2.6.16"),
                &workload(source, kind, metadata, labels),
            );
            let found = scenario.of_rule("MU604");
            assert_eq!(found.len(), usize::from(told), "{source} {kind} {metadata} {labels}");
        }
    }

    #[test]
    fn five_are_listed_and_the_others_counted() {
        let all: Vec<String> = (0..7)
            .map(|i| {
                let source = "# Source: milvus/charts/etcd/templates/s.yaml\n";
                workload(source, "StatefulSet", &format!("name: x{i}, namespace: ns"), "a: b")
            })
            .collect();
        for (count, words) in [
            (5, "x4 (image other:1 -> other:2); a fault"),
            (6, "x4 (image other:1 -> other:2) and 1 more; a fault"),
            (7, "x4 (image other:1 -> other:2) and 2 more; a fault"),
        ] {
            let scenario = beside(Scenario::upgrade("v2.5.16", "v2.6.16"), &all[..count].concat());
            let message = &scenario.of_rule("MU604")[0].message;
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn where_no_folder_tells_the_labels_do() {
        let plain = || {
            let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
            let target = String::from_utf8(scenario.request().target.to_vec()).unwrap();
            let lines = target.lines().filter(|l| !l.starts_with("# Source: "));
            scenario.replace_target(&lines.map(|l| format!("{l}\n")).collect::<String>())
        };
        for (labels, told) in [
            ("app.kubernetes.io/instance: rel, app.kubernetes.io/name: etcd", true),
            ("release: rel, app: pulsar", true),
            ("release: rel, component: zookeeper", true),
            ("app.kubernetes.io/instance: other, app.kubernetes.io/name: etcd", false),
            ("app.kubernetes.io/instance: rel, app.kubernetes.io/name: attu", false),
            ("app.kubernetes.io/name: etcd", false),
        ] {
            let scenario = beside(plain(), &workload("", "StatefulSet", "name: x, namespace: ns", labels));
            assert_eq!(scenario.of_rule("MU604").len(), usize::from(told), "{labels}");
        }
    }

    #[test]
    fn what_is_not_milvus_dependency_is_quiet() {
        let attu = |tag: &str| {
            format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: rel-attu\n  namespace: ns\nspec:\n  template:\n    metadata:\n      labels: {{app.kubernetes.io/instance: rel, component: attu}}\n    spec:\n      containers:\n        - name: attu\n          image: zilliz/attu:{tag}\n"
            )
        };
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .add_target(&attu("v2.5"))
            .add_current(&attu("v2.4"));
        assert!(scenario.of_rule("MU604").is_empty());
    }

    #[test]
    fn what_a_service_leads_to_counts_where_milvus_names_it() {
        for (name, told) in [
            ("rel-etcd-headless", false),
            ("keeper", true),
            ("keeper-headless", false),
        ] {
            let service = format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: ns}}\nspec: {{selector: {{a: b}}}}\n"
            );
            let workload = workload(
                "# Source: other/templates/s.yaml\n",
                "StatefulSet",
                "name: x, namespace: ns",
                "a: b",
            );
            let stored = "        - rel-etcd.ns.svc:2379\n";
            let both = "        - rel-etcd.ns.svc:2379\n        - keeper:2379\n";
            let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
                .edit_target(stored, both)
                .edit_current(stored, both);
            let scenario = beside(scenario, &(service + &workload));
            assert_eq!(scenario.of_rule("MU604").len(), usize::from(told), "{name}");
        }
    }
}

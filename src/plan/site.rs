//! What the commands of a plan need to know of the release: names, places, queue, stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::etcd::{self, Etcd, addresses};
use super::shell::{command, quote};
use super::{Order, ReleaseName, simulate};
use crate::host;
use crate::kube::object::text_at;
use crate::milvus::effective::{ConfigMaps, Texts};
use crate::milvus::image::ImageRef;
use crate::milvus::queue::Mq;
use crate::milvus::release::{Component, Mode, Release};
use crate::milvus::role::Role;
use crate::milvus::version::{Read, Version};
use crate::rules::case::Effective;
use crate::state::Source;
use crate::value::Value;

/// What stands for a namespace that nothing says.
pub const UNPLACED: &str = "NAMESPACE";

/// One workload of Milvus.
#[derive(Clone, Debug)]
pub struct Workload {
    /// `deployment`, `statefulset`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub role: Role,
    /// The container that runs it.
    pub container: String,
    /// `spec.replicas`.
    pub replicas: Option<i64>,
    /// The labels by which it selects its pods, where they are known.
    pub selects: BTreeMap<String, String>,
}

impl Workload {
    /// `deployment/NAME`.
    pub fn target(&self) -> String {
        quote(&format!("{}/{}", self.kind, self.name))
    }
}

/// The release.
#[derive(Clone, Debug)]
pub struct Site {
    /// The Helm release.
    pub release: String,
    /// The instance label, which names Milvus' objects.
    pub instance: String,
    /// The name label.
    pub app: String,
    /// The namespace.
    pub namespace: String,
    /// `--kube-context`.
    context: Option<String>,
    /// How it runs.
    pub mode: Mode,
    /// The keys under which the chart's values stand in an umbrella chart.
    pub prefix: Vec<String>,
    /// The chart's version, from its label.
    pub chart: Option<semver::Version>,
    /// The chart's name, where it is not `milvus`, or the umbrella's.
    pub foreign_chart: Option<String>,
    /// The Service clients use.
    pub service: String,
    /// Its workloads now.
    pub workloads: Vec<Workload>,
    /// The queue in use.
    pub mq: Option<Mq>,
    /// Whether the queue is the older Pulsar that the chart brings along.
    pub pulsar_v2: bool,
    /// Whether Woodpecker keeps its log on a local disk.
    pub woodpecker_local: bool,
    /// The metadata.
    pub etcd: Etcd,
    /// Whether its workloads run several versions.
    pub mixed: bool,
    /// Whether separate coordinators run.
    pub separate: bool,
    /// The values stored with the release.
    pub values: Option<Value>,
    /// The last revision in the history.
    pub revision: Option<u64>,
    /// `--assume` and `--allow`, for our own commands.
    stated: Vec<String>,
    image: ImageRef,
    tag_v: bool,
    variant: Option<String>,
    others: Arc<HashSet<String>>,
    text: String,
}

impl Site {
    /// Of a release in a source.
    pub fn new(order: &Order, source: &Source, release: &Release) -> Site {
        let objects = &source.stream.objects;
        let assume = &order.options.assume;
        let line = release
            .versions(assume.current_version.as_ref())
            .line()
            .unwrap_or_else(crate::facts::streaming_line);
        let effective = Effective::new(&ConfigMaps::of(objects), release, line, &Texts::default());
        let mq = effective
            .spoken()
            .mq
            .as_ref()
            .ok()
            .cloned()
            .or_else(|| assume.current_mq.as_deref().map(Mq::parse));
        let first = &release.components[0];
        let template = release
            .components
            .iter()
            .find_map(|c| host::template_of(&source.stream, objects[c.object].document));
        let prefix = template.as_deref().map(host::values_path).unwrap_or_default();
        let (chart_name, chart) = release
            .components
            .iter()
            .find_map(|c| chart_label(objects[c.object].label("helm.sh/chart")?))
            .map_or((None, None), |(name, version)| (Some(name), version));
        let umbrella = template.as_deref().and_then(|t| t.split('/').next()).map(str::to_owned);
        let foreign_chart = match prefix.is_empty() {
            true => chart_name.filter(|n| n != "milvus"),
            false => umbrella,
        };
        let said = |annotation: &str| {
            release
                .components
                .iter()
                .find_map(|c| objects[c.object].annotation(annotation))
                .unwrap_or_default()
                .to_owned()
        };
        let or = |texts: [&str; 4]| texts.into_iter().find(|t| !t.is_empty()).unwrap_or_default().to_owned();
        let queue = effective.spoken().queue.as_ref().ok();
        let pulsar = queue.and_then(|q| addresses(&q.identity, "pulsar.address").into_iter().next());
        let image = ImageRef::parse(&first.image);
        let (tag_v, variant) = match &first.version {
            Read::Known(v) => (v.text.starts_with('v'), v.variant.clone()),
            Read::Undecidable(_) => (true, None),
        };
        let base = release.base().map_or_else(|| release.name.clone(), str::to_owned);
        let namespace = or([
            &source.namespace,
            &release.namespace,
            &said("meta.helm.sh/release-namespace"),
            order.namespace.filter(|n| !n.is_empty()).unwrap_or(UNPLACED),
        ]);
        Site {
            release: or([
                &source.release,
                &said("meta.helm.sh/release-name"),
                &release.name,
                &first.name,
            ]),
            instance: release.name.clone(),
            app: release.app.clone(),
            etcd: etcd::of(source, &effective, &namespace),
            namespace,
            context: order.context.map(str::to_owned),
            mode: release.mode(),
            prefix,
            chart,
            foreign_chart,
            service: service(source, release).unwrap_or(base),
            workloads: workloads(source, release),
            pulsar_v2: mq == Some(Mq::Pulsar)
                && pulsar.is_some_and(|address| {
                    let host = address.split(['.', ':']).next().unwrap_or_default().to_owned();
                    host.ends_with("-pulsar-proxy") && objects.iter().any(|o| o.reference.name == host)
                }),
            woodpecker_local: mq == Some(Mq::Woodpecker)
                && effective.config().value("woodpecker.storage.type") == Some("local"),
            mq,
            mixed: release.versions(assume.current_version.as_ref()).known.len() > 1,
            separate: release.mode() == Mode::Cluster && release.legacy_coordinators().any(|c| !c.is_scaled_to_zero()),
            values: source.values.clone(),
            revision: source.last_revision,
            stated: order.stated.to_vec(),
            image,
            tag_v,
            variant,
            others: source
                .inventory()
                .releases
                .iter()
                .filter(|r| !r.is(release))
                .flat_map(|r| r.components.iter().map(|c| c.name.clone()))
                .collect::<HashSet<_>>()
                .into(),
            text: simulate::emit(&source.stream, objects),
        }
    }

    /// The objects as manifests.
    pub fn stream_text(&self) -> String {
        self.text.clone()
    }

    /// Its line of the plan.
    pub fn release_name(&self) -> ReleaseName {
        ReleaseName {
            name: self.release.clone(),
            namespace: self.namespace.clone(),
            mode: Some(self.mode),
            chart: self.chart.as_ref().map(ToString::to_string),
            revision: self.revision,
        }
    }

    /// Whether a release, seen at another stop, is this one.
    pub fn is(&self, release: &Release) -> bool {
        release.name == self.instance && release.app == self.app
    }

    /// Whether a name is that of another release's workload.
    pub fn of_another_release(&self, name: &str) -> bool {
        self.others.contains(name)
    }

    /// The tag of a version, spelled and built as those in use: `v2.6.16-gpu`.
    pub fn tag(&self, version: &Version) -> String {
        let variant = version.variant.as_deref().or(self.variant.as_deref());
        let variant = variant.map(|v| format!("-{v}")).unwrap_or_default();
        let v = self.tag_v || version.variant.is_some() && version.text.starts_with('v');
        format!("{}{version}{variant}", if v { "v" } else { "" })
    }

    /// The image of a version, from the repository in use.
    pub fn image(&self, version: &Version) -> String {
        format!("{}:{}", self.image.repository, self.tag(version))
    }

    /// A `--set` of the chart's values, below the subchart's key in an umbrella.
    pub fn set(&self, key_value: &str) -> String {
        let prefix: String = self.prefix.iter().map(|k| format!("{k}.")).collect();
        format!("--set {}", quote(&format!("{prefix}{key_value}")))
    }

    /// As [`Site::set`], with a value as JSON.
    pub fn set_json(&self, key: &str, value: &Value) -> String {
        let prefix: String = self.prefix.iter().map(|k| format!("{k}.")).collect();
        format!("--set-json {}", quote(&format!("{prefix}{key}={value}")))
    }

    /// `--namespace NAMESPACE`, with the context where one was given, for Helm.
    pub fn helm_place(&self) -> String {
        self.place("--kube-context")
    }

    /// The same for kubectl.
    pub fn kubectl_place(&self) -> String {
        self.place("--context")
    }

    fn place(&self, context: &str) -> String {
        let namespace = format!("--namespace {}", quote(&self.namespace));
        match &self.context {
            Some(name) => format!("{namespace} {context} {}", quote(name)),
            None => namespace,
        }
    }

    /// A `kubectl` command in the release's place.
    pub fn kubectl(&self, parts: &[String]) -> String {
        let mut all = vec!["kubectl".to_owned()];
        all.extend(parts.iter().cloned());
        all.push(self.kubectl_place());
        command(&all)
    }

    /// A `helm` command about the release.
    pub fn helm(&self, what: &str) -> String {
        command(&[format!("helm {what} {}", quote(&self.release)), self.helm_place()])
    }

    /// Keeps Helm's records of the release in a file. `helm get manifest` would give the newest revision, which is the failed
    /// one where a step is repeated.
    pub fn keep_records(&self, file: &str) -> String {
        let selector = quote(&format!("owner=helm,name={}", self.release));
        let get = self.kubectl(&[format!("get secrets --selector {selector} --output yaml")]);
        format!("{get} > {file}")
    }

    /// A command of ours about the cluster, with what was stated.
    pub fn uplift(&self, words: &str) -> String {
        let mut all = vec![format!("milvus-uplift {words}"), self.helm_place()];
        all.extend(self.stated.iter().map(|s| quote(s)));
        command(&all)
    }

    /// The `verify` of a step. It says the version: where that stays as it is, or goes down, the cluster alone cannot tell
    /// what was done from what is still to do.
    pub fn verify(&self, before: &str, to: &Version, stage: Option<u8>) -> String {
        let to = to.with_variant();
        let stage = stage.map(|n| format!(" --stage {n}")).unwrap_or_default();
        self.uplift(&format!("verify --current {before} --to {to}{stage}"))
    }

    /// What the post-renderer is given: what is deployed, in which place, what was stated.
    pub fn post_renderer_args(&self, stage: Option<u8>) -> Vec<String> {
        let mut all = vec![
            format!("--current=release:{}", self.release),
            format!("--namespace={}", self.namespace),
        ];
        all.extend(self.context.as_ref().map(|c| format!("--kube-context={c}")));
        all.extend(self.stated.iter().cloned());
        all.extend(stage.map(|n| format!("--stage={n}")));
        all.iter()
            .map(|a| format!("--post-renderer-args={}", quote(a)))
            .collect()
    }

    /// The name of a file about this release.
    pub fn file(&self, rest: &str) -> String {
        quote(&format!("{}-{rest}", self.release))
    }

    /// `app.kubernetes.io/instance=…,app.kubernetes.io/name=…`.
    pub fn selector(&self) -> String {
        let app = if self.app.is_empty() {
            String::new()
        } else {
            format!(",app.kubernetes.io/name={}", self.app)
        };
        quote(&format!("app.kubernetes.io/instance={}{app}", self.instance))
    }

    /// A selector of the pods of its workloads: the labels that all select by, each with all of their values. What shares
    /// the release's labels and is not Milvus (attu) has another `component`.
    pub fn pods(&self) -> String {
        let Some((first, rest)) = self.workloads.split_first() else {
            return self.selector();
        };
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, value) in &first.selects {
            all.entry(key).or_default().insert(value);
        }
        for workload in rest {
            all.retain(|key, values| {
                let value = workload.selects.get(*key);
                values.extend(value.map(String::as_str));
                value.is_some()
            });
        }
        let each = all.into_iter().map(|(key, values)| match values.len() {
            1 => format!("{key}={}", values.first().copied().unwrap_or_default()),
            _ => format!("{key} in ({})", values.into_iter().collect::<Vec<_>>().join(",")),
        });
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => self.selector(),
            false => quote(&each.join(",")),
        }
    }

    /// One more revision is there, of this chart.
    pub fn upgraded(&mut self, chart: Option<&semver::Version>) {
        self.revision = self.revision.map(|n| n + 1);
        self.chart = chart.cloned();
    }

    /// The workloads in a role.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = &Workload> {
        self.workloads.iter().filter(move |w| w.role == role)
    }

    /// The release stands at another version, with other components.
    pub fn moved(&mut self, to: &Version, release: &Release) {
        let mut known: HashMap<&str, &Workload> = HashMap::default();
        for workload in &self.workloads {
            known.entry(&workload.name).or_insert(workload);
        }
        let moved = |c: &Component| {
            let known = known.get(&c.name[..]);
            Workload {
                kind: known.map_or_else(|| "deployment".to_owned(), |w| w.kind.clone()),
                name: c.name.clone(),
                role: c.role,
                container: known.map_or_else(|| c.role.as_str().to_owned(), |w| w.container.clone()),
                replicas: c.replicas,
                selects: known.map(|w| w.selects.clone()).unwrap_or_default(),
            }
        };
        self.workloads = release.components.iter().map(moved).collect();
        self.mixed = false;
        self.separate = release.legacy_coordinators().any(|c| !c.is_scaled_to_zero());
        self.image.tag = Some(self.tag(to));
    }
}

/// The chart's name and version in a label `milvus-4.2.58`.
fn chart_label(label: &str) -> Option<(String, Option<semver::Version>)> {
    let at = label
        .match_indices('-')
        .find(|(i, _)| label[i + 1..].starts_with(|c: char| c.is_ascii_digit()))?
        .0;
    // A label cannot hold the `+` of a version's build.
    let version = label[at + 1..].replace('_', "+");
    Some((label[..at].to_owned(), semver::Version::parse(&version).ok()))
}

fn workloads(source: &Source, release: &Release) -> Vec<Workload> {
    let objects = &source.stream.objects;
    let each = release.components.iter().map(|c| {
        let object = &objects[c.object];
        let container = object.value.pointer(&c.container);
        let labels = object
            .at(&["spec", "selector", "matchLabels"])
            .and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
        Workload {
            kind: object.reference.kind.to_ascii_lowercase(),
            name: c.name.clone(),
            role: c.role,
            container: container
                .and_then(|v| text_at(v, &["name"]))
                .unwrap_or(c.role.as_str())
                .to_owned(),
            replicas: c.replicas,
            selects: labels.map(|(key, value)| (key.to_string(), value)).collect(),
        }
    });
    each.collect()
}

/// The Service that listens where clients knock.
fn service(source: &Source, release: &Release) -> Option<String> {
    let services = source.stream.objects.iter().filter(|o| o.reference.kind == "Service");
    let mut mine = services.filter(|o| {
        let ports = o.at(&["spec", "ports"]).and_then(Value::as_array);
        let port = ports.into_iter().flatten().any(|p| p["port"] == 19530);
        let of = text_at(&o.value, &["spec", "selector", "app.kubernetes.io/instance"]);
        port && of == Some(&release.name)
    });
    mine.next().map(|o| o.reference.name.clone())
}

#[cfg(test)]
mod tests {
    use super::chart_label;

    #[test]
    fn a_chart_s_label_is_read_behind_the_dash_before_the_number() {
        for (label, name, version) in [
            ("milvus-4.2.58", "milvus", Some("4.2.58")),
            ("my-milvus-5.0.20", "my-milvus", Some("5.0.20")),
            ("milvus-4.2.58_corp.1", "milvus", Some("4.2.58+corp.1")),
            ("milvus-4", "milvus", None),
        ] {
            let (n, v) = chart_label(label).unwrap();
            assert_eq!((n.as_str(), v.map(|v| v.to_string()).as_deref()), (name, version));
        }
        assert!(chart_label("milvus").is_none());
    }
}

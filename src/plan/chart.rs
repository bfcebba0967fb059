//! Which chart a leg takes, and the `helm upgrade` that takes it.

use super::Commands;
use super::route::{Kind, Leg};
use super::shell::{command, quote};
use super::site::Site;
use crate::facts;
use crate::milvus::version::Version;
use crate::rules::steps::installed_chart;
use crate::value::Value;

/// The repository of today's charts: its name in commands, and its address.
const USUAL: (&str, &str) = ("zilliztech", "https://zilliztech.github.io/milvus-helm");

/// The chart of one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Its version; `None` where it stays the installed one and nothing says which that is.
    pub version: Option<semver::Version>,
    /// Whether another chart than the installed one comes.
    pub changes: bool,
}

impl Chart {
    /// What `helm upgrade` is to take for this leg. Within a line, and to 3.0, the chart stays: a newer one may bring
    /// other etcd, MinIO or Pulsar pods along. `own` is set where the image alone has to move, whatever the table says.
    pub fn of(site: &Site, leg: &Leg, own: bool) -> Chart {
        let listed = for_version(&leg.to);
        let made = &facts::charts().marks.milvus_2_6.chart;
        let keep = match (&site.chart, leg.kind) {
            _ if own => true,
            (Some(installed), Kind::Within) => installed >= made,
            (_, Kind::To30) => true,
            // Never back to an older chart of the same generation.
            (Some(installed), _) => {
                listed.is_some_and(|l| l.major == installed.major && installed >= l)
                    || (listed.is_none() && installed < made)
            }
            (None, _) => listed.is_none(),
        };
        match (keep, &site.chart, listed) {
            (false, installed, Some(listed)) => Chart {
                version: Some(listed.clone()),
                changes: installed.as_ref() != Some(listed),
            },
            (_, installed, _) => Chart {
                version: installed.clone(),
                changes: false,
            },
        }
    }

    /// What begins at chart versions that this step crosses.
    pub fn notes(&self, site: &Site) -> Vec<String> {
        let (Some(from), Some(to)) = (&site.chart, &self.version) else {
            return vec![];
        };
        let marks = &facts::charts().marks;
        let mut notes = Vec::new();
        let mut cross = |mark: &facts::ChartMark, concerns: bool| {
            if concerns && *from < mark.chart && mark.chart <= *to {
                notes.push(format!("from chart {} on: {}", mark.chart, mark.meaning));
            }
        };
        cross(&marks.etcd_chart_8, true);
        cross(&marks.woodpecker_root_path, site.woodpecker_local);
        notes
    }
}

/// The chart of a version alone.
pub fn listed(leg: &Leg) -> Chart {
    Chart {
        version: for_version(&leg.to).cloned(),
        changes: true,
    }
}

/// The chart whose own Milvus is the nearest at or below a version, in its line.
fn for_version(version: &Version) -> Option<&'static semver::Version> {
    let charts = facts::charts();
    let fits = charts.releases.iter().filter(|r| {
        r.app.line() == version.line() && r.app <= *version && !charts.avoid.iter().any(|a| a.contains(&r.chart))
    });
    fits.max_by_key(|r| &r.app).map(|r| &r.chart)
}

/// Where the chart is taken from.
pub fn reference(site: &Site, chart: &Chart) -> String {
    match &site.foreign_chart {
        Some(_) => "YOUR_CHART".to_owned(),
        None => format!("{}/milvus", repository(chart).0),
    }
}

/// The repository of a chart version, by name and address.
fn repository(chart: &Chart) -> (&'static str, &'static str) {
    let moved = &facts::charts().marks.repository_moved.chart;
    match &chart.version {
        Some(version) if version < moved => ("milvus", "https://milvus-io.github.io/milvus-helm"),
        _ => USUAL,
    }
}

/// What makes a chart known to Helm.
pub fn repository_commands(chart: &Chart) -> Vec<String> {
    let (name, url) = repository(chart);
    vec![
        format!("helm repo add {name} {url}"),
        format!("helm repo update {name}"),
    ]
}

/// As [`repository_commands`], where the chart is not in the repository that the plan began with.
pub fn further_repository(chart: &Chart) -> Vec<String> {
    match repository(chart) {
        USUAL => vec![],
        _ => repository_commands(chart),
    }
}

/// The words `--version …`.
pub fn version_of(site: &Site, chart: &Chart) -> String {
    match (&site.foreign_chart, &chart.version) {
        (Some(_), _) => String::new(),
        (None, Some(version)) => format!("--version {version}"),
        // Helm knows it, and prints it behind a name.
        (None, None) => installed_chart(&quote(&site.release), &site.helm_place()),
    }
}

/// One `helm upgrade`.
#[derive(Debug)]
pub struct Upgrade<'a> {
    /// The chart.
    pub chart: &'a Chart,
    /// `--set` and `--set-json`, whole.
    pub sets: Vec<String>,
    /// The stage.
    pub stage: Option<u8>,
    /// Whether the post-renderer is plugged in.
    pub guarded: bool,
}

/// `helm upgrade` that changes nothing but the image to that of the leg.
pub fn upgrade_image(site: &Site, leg: &Leg, chart: &Chart, guarded: bool) -> Commands {
    let mut sets = vec![image(site, &leg.to)];
    sets.extend(pins(site));
    let asked = Upgrade {
        chart,
        sets,
        stage: None,
        guarded,
    };
    upgrade(site, &asked)
}

/// `helm upgrade`, once for each Helm.
pub fn upgrade(site: &Site, upgrade: &Upgrade) -> Commands {
    let mut words = vec![
        format!(
            "helm upgrade {} {}",
            quote(&site.release),
            reference(site, upgrade.chart)
        ),
        site.helm_place(),
        version_of(site, upgrade.chart),
        "--reset-then-reuse-values".to_owned(),
    ];
    words.extend(upgrade.sets.iter().cloned());
    words.push("--wait --timeout 30m".to_owned());
    let with = |renderer: &str| {
        let mut all = words.clone();
        if upgrade.guarded {
            all.push(format!("--post-renderer {renderer}"));
            all.extend(site.post_renderer_args(upgrade.stage));
        }
        vec![command(&all)]
    };
    Commands {
        helm3: with("\"$(command -v milvus-uplift)\""),
        helm4: with("milvus-uplift"),
        ..Commands::default()
    }
}

/// The image's tag as a flag.
pub fn image(site: &Site, to: &Version) -> String {
    site.set(&format!("image.all.tag={}", site.tag(to)))
}

/// What keeps a queue where it is, whatever the next chart's default: a standalone's queue, the older Pulsar.
pub fn pins(site: &Site) -> Vec<String> {
    let mut pins = Vec::new();
    if let (crate::milvus::release::Mode::Standalone, Some(mq)) = (site.mode, &site.mq) {
        pins.push(site.set(&format!("standalone.messageQueue={mq}")));
    }
    if site.pulsar_v2 {
        pins.push(site.set("pulsar.enabled=true"));
        pins.push(site.set("pulsarv3.enabled=false"));
    }
    pins
}

/// The guide's flags that make one mixcoord of the four coordinators.
pub fn consolidate(site: &Site) -> Vec<String> {
    let mut flags = vec![site.set("mixCoordinator.enabled=true")];
    for name in ["root", "index", "query", "data"] {
        flags.push(site.set(&format!("{name}Coordinator.enabled=false")));
    }
    flags
}

/// What is said of a component beside its switch, as the values of MU606 have it and the stored values do not.
pub fn described(site: &Site, overlay: Option<&Value>, key: &str) -> Vec<(String, Value)> {
    let below = |root: Option<&Value>| {
        let scoped = site.prefix.iter().try_fold(root, |v, key| Some(v?.get(key)));
        scoped.flatten().and_then(|v| v.get(key)).cloned()
    };
    let given = below(site.values.as_ref()).unwrap_or_default();
    let own = below(overlay).unwrap_or_default();
    let fields = own.as_object().into_iter().flatten().filter(|(k, _)| *k != "enabled");
    let unsaid = fields.filter(|(k, _)| !crate::rewrite::values::truthy(given.get(*k)));
    unsaid.map(|(k, v)| (k.to_string(), v.clone())).collect()
}

/// The flags that say it, and the values that cannot be said because they hold a secret.
pub fn flags_of(site: &Site, overlay: Option<&Value>, key: &str) -> (Vec<String>, Vec<String>) {
    let (mut flags, mut hidden) = (Vec::new(), Vec::new());
    for (field, value) in described(site, overlay, key) {
        match value.to_string().contains(crate::report::mask::MASK) {
            true => hidden.push(format!("{key}.{field}")),
            false => flags.push(site.set_json(&format!("{key}.{field}"), &value)),
        }
    }
    (flags, hidden)
}

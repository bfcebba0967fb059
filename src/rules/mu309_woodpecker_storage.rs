//! MU309: what woodpecker needs of the store it writes to.

use foldhash::HashSet;

use super::case::Case;
use super::{Check, Rule, pins, places};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::kube::Object;
use crate::milvus::config::Config;
use crate::milvus::image::ImageRef;
use crate::milvus::queue::Mq;
use crate::rewrite::chart::chart_of;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU309",
    name: "woodpecker-storage",
    severity: Severity::Warn,
    says: "woodpecker on an object store without conditional writes, or in a directory that the chart moves",
    page: include_str!("../../docs/rules/MU309.md"),
    check: Check::Release(check),
};

/// The tag of the release that is new enough, as its makers write it.
const ENOUGH: &str = "RELEASE.2024-12-18T13-15-44Z";

fn check(case: &Case) -> Vec<Finding> {
    if places::likely_mq(case.after, case.target_mq()) != Some(Mq::Woodpecker) {
        return vec![];
    }
    let config = case.after.effective.config().as_seen();
    if config.value("woodpecker.storage.type") == Some("local") {
        return moved(case, &config).into_iter().collect();
    }
    let mut found: Vec<Finding> = minio(case).into_iter().collect();
    found.extend(obs(case, &config));
    found
}

/// A bundled MinIO that is too old, or does not say how old it is.
fn minio(case: &Case) -> Option<Finding> {
    let floor = &facts::versions().platform.minio_release.version;
    let (object, pointer, image, deployed) = minio_image(case)?;
    let release = release_date(image);
    if release.as_deref().is_some_and(|date| date >= *floor) {
        return None;
    }
    let what = match &release {
        Some(date) => format!("{} runs MinIO of {date} ({image})", object.reference),
        None => format!(
            "{} runs {image}, which does not say of which day MinIO is",
            object.reference
        ),
    };
    let message = format!(
        "{what}: woodpecker needs conditional writes, which MinIO has from {floor} on; without them the log can be damaged"
    );
    let help = format!("upgrade MinIO before Milvus, in a step of its own: --set minio.image.tag={ENOUGH}");
    let finding =
        RULE.finding(message, help)
            .on(&object.reference)
            .field(format!("{pointer}/image"), Value::Null, image);
    let input = if deployed {
        crate::finding::Input::Current
    } else {
        case.after.input
    };
    Some(finding.at(input, object.document, format!("{}{pointer}/image", object.pointer)))
}

/// The MinIO behind the address: object, container, image, and whether it is in the current state only.
fn minio_image<'a>(case: &Case<'a>) -> Option<(&'a Object, String, &'a str, bool)> {
    let sides = [(Some(case.after), false), (case.before, true)];
    for (side, deployed) in sides.into_iter().filter_map(|(s, d)| Some((s?, d))) {
        let mut known = HashSet::default();
        for address in places::addresses_of(case.after, "minio.address") {
            let service = places::service_behind(&address, places::namespace(case), side.named);
            // Those that choose alike lead to the same.
            let Some(service) = service.filter(|s| known.insert(places::chosen_alike(s))) else {
                continue;
            };
            for object in places::workloads_of(case, side, service) {
                if let Some((pointer, image)) = places::image_ending(object, "minio") {
                    return Some((object, pointer, image, deployed));
                }
            }
        }
    }
    None
}

/// The day of a MinIO release (`yyyy-mm-dd`), from its own tags (`RELEASE.2024-12-18T13-15-44Z`) and from those of
/// builds that write it with dots (`2024.12.18-debian-12-r1`).
fn release_date(image: &str) -> Option<String> {
    let tag = ImageRef::parse(image).tag?;
    let text = tag.strip_prefix("RELEASE.").unwrap_or(&tag);
    let numbers: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).take(3).collect();
    let [year, month, day] = numbers[..] else { return None };
    let (year, month, day): (u32, u32, u32) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    ((2015..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day))
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// Huawei's object store, by its provider's name or its address.
fn obs(case: &Case, config: &Config) -> Option<Finding> {
    let provider = config
        .value("minio.cloudProvider")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let address = places::addresses_of(case.after, "minio.address").join(",");
    let by_provider = provider.contains("huawei") || provider == "obs";
    if !by_provider && !address.contains(".myhuaweicloud.") {
        return None;
    }
    let key = if by_provider {
        "minio.cloudProvider"
    } else {
        "minio.address"
    };
    let shown = if by_provider {
        provider
    } else {
        crate::report::mask::url(&address)
    };
    let message = format!("woodpecker would keep its log in Huawei OBS ({key}: {shown}), which it does not support");
    let help = match case.standalone() {
        true => "take another queue: --set standalone.messageQueue=rocksmq, or pulsar or kafka",
        false => "take another queue: --set woodpecker.enabled=false with pulsarv3.enabled=true or kafka.enabled=true",
    };
    let origin = config.get(key).map(|s| s.origin.clone());
    let finding = RULE
        .finding(message, help)
        .field(places::path_of(key, origin.as_ref()), Value::Null, shown);
    Some(places::place(
        case,
        finding,
        origin.as_ref(),
        case.after.effective.speaker,
    ))
}

/// A standalone's local log that moves where the chart begins to name its directory: MU304 refuses it, this names the
/// cause. What is hidden above it is told by MU306 and MU310.
fn moved(case: &Case, config: &Config) -> Option<Finding> {
    let before = case.before.filter(|_| case.standalone())?;
    let version = |object: &Object| semver::Version::parse(&chart_of(object)?).ok();
    let of = |side: super::case::Side| side.release.components.first().and_then(|c| version(side.object(c)));
    let (was, is) = (of(before)?, of(case.after)?);
    let mark = &facts::charts().marks.woodpecker_root_path.chart;
    if was >= *mark || is < *mark {
        return None;
    }
    let old = before.effective.config().as_seen();
    if before
        .effective
        .spoken()
        .seen_queue
        .as_ref()
        .is_none_or(|q| q.mq != Mq::Woodpecker)
        || old.value("woodpecker.storage.type") != Some("local")
    {
        return None;
    }
    let root = |c: &Config| {
        let below = || {
            format!(
                "{}/wp",
                c.value("localStorage.path")
                    .unwrap_or("/var/lib/milvus/data")
                    .trim_end_matches('/')
            )
        };
        c.value("woodpecker.storage.rootPath")
            .map_or_else(below, |v| v.trim_end_matches('/').to_owned())
    };
    let (from, to) = (root(&old), root(config));
    if from == to {
        return None;
    }
    let message = format!(
        "chart {is} names the directory of woodpecker's local log, chart {was} did not (it does from {mark} on): the log is in {from} and would be looked for in {to}"
    );
    let help = format!(
        "pin it in the chart's values:\n{}",
        pins::user_yaml("woodpecker.storage.rootPath", &from)
    );
    let origin = config.get("woodpecker.storage.rootPath").map(|s| s.origin.clone());
    let finding = RULE.finding(message, help).field(
        places::path_of("woodpecker.storage.rootPath", origin.as_ref()),
        from,
        to,
    );
    Some(places::place(
        case,
        finding,
        origin.as_ref(),
        case.after.effective.speaker,
    ))
}

#[cfg(test)]
mod tests {
    use super::release_date;
    use crate::rules::testkit::Scenario;

    fn cluster(image: &str) -> Scenario {
        Scenario::upgrade("v2.6.15", "v2.6.16")
            .edit_target("      type: pulsar\n", "      type: woodpecker\n")
            .edit_current("      type: pulsar\n", "      type: woodpecker\n")
            .edit_in_target("StatefulSet", "rel-minio", "image: other:1", &format!("image: {image}"))
    }

    #[test]
    fn the_tag_advised_is_the_table_s() {
        let day = release_date(&format!("minio:{}", super::ENOUGH));
        assert_eq!(
            day.as_deref(),
            Some(crate::facts::versions().platform.minio_release.version)
        );
    }

    #[test]
    fn the_day_of_a_minio() {
        for (image, day) in [
            ("minio/minio:RELEASE.2024-05-28T17-19-04Z", Some("2024-05-28")),
            ("reg:5000/minio:RELEASE.2025-01-20T14-49-07Z-cpuv1", Some("2025-01-20")),
            ("bitnami/minio:2024.5.28-debian-12-r1", Some("2024-05-28")),
            ("minio/minio:latest", None),
            ("minio/minio", None),
            ("minio/minio:edge-1", None),
            ("corp/minio:2024.12.1", Some("2024-12-01")),
            ("corp/minio:2024.13.1", None),
            ("corp/minio:2024.12.32", None),
            ("corp/minio:2024.0.1", None),
            ("corp/minio:1.12.3", None),
        ] {
            assert_eq!(release_date(image).as_deref(), day, "{image}");
        }
    }

    #[test]
    fn an_old_minio_and_one_that_does_not_tell() {
        let finding = cluster("minio/minio:RELEASE.2024-05-28T17-19-04Z")
            .of_rule("MU309")
            .remove(0);
        assert!(
            finding.message.contains("2024-05-28") && finding.message.contains("2024-12-18"),
            "{}",
            finding.message
        );
        assert!(finding.location.is_some_and(|l| l.line > 1));
        assert_eq!(cluster("minio/minio:latest").of_rule("MU309").len(), 1);
        assert_eq!(
            cluster("minio/minio:RELEASE.2024-05-28T17-19-04Z")
                .fresh()
                .of_rule("MU309")
                .len(),
            1
        );
    }

    #[test]
    fn one_that_is_new_enough_or_another_queue_stays_quiet() {
        assert!(
            cluster("minio/minio:RELEASE.2024-12-18T13-15-44Z")
                .of_rule("MU309")
                .is_empty()
        );
        assert!(cluster("other/store:1").of_rule("MU309").is_empty());
        let pulsar = Scenario::upgrade("v2.5.16", "v2.6.16").edit_in_target(
            "StatefulSet",
            "rel-minio",
            "image: other:1",
            "image: minio/minio:RELEASE.2023-03-20T20-16-18Z",
        );
        assert!(pulsar.of_rule("MU309").is_empty());
    }

    #[test]
    fn huawei_s_store_by_name_and_by_address() {
        let by_name = cluster("other:1").edit_target(
            "      rootPath: file",
            "      rootPath: file\n      cloudProvider: huaweicloud",
        );
        assert_eq!(by_name.of_rule("MU309").len(), 1);
        let by_address = cluster("other:1").edit_target("address: rel-minio", "address: obs.eu-101.myhuaweicloud.eu");
        assert_eq!(by_address.of_rule("MU309").len(), 1);
    }

    fn local(root: &str, from: &str, to: &str) -> Scenario {
        let text = |root: &str| {
            format!("      type: woodpecker\n    woodpecker:\n      storage:\n        type: local\n{root}")
        };
        Scenario::standalone("v2.6.4", "v2.6.16", "woodpecker")
            .edit_current("      type: woodpecker\n", &text(""))
            .edit_target("      type: woodpecker\n", &text(root))
            .edit_current("milvus-4.2.58", &format!("milvus-{from}"))
            .edit_target("milvus-4.2.58", &format!("milvus-{to}"))
    }

    #[test]
    fn a_chart_that_moves_the_local_log_is_named() {
        let moved = "        rootPath: /var/lib/milvus/wp\n";
        let finding = local(moved, "5.0.6", "5.0.19").of_rule("MU309").remove(0);
        assert!(
            finding.message.contains("5.0.8") && finding.help.contains("rootPath: /var/lib/milvus/data/wp"),
            "{} {}",
            finding.message,
            finding.help
        );
        assert!(local(moved, "5.0.6", "5.0.19").codes().contains(&"MU304"));
        for (from, to, told) in [
            ("5.0.9", "5.0.19", 0),
            ("5.0.8", "5.0.19", 0),
            ("5.0.6", "5.0.7", 0),
            ("5.0.7", "5.0.8", 1),
        ] {
            assert_eq!(local(moved, from, to).of_rule("MU309").len(), told, "{from} {to}");
        }
        let other = |from: &str, to: &str| local(moved, "5.0.6", "5.0.19").edit_current(from, to).of_rule("MU309");
        assert!(other("        type: local\n", "        type: minio\n").is_empty());
        assert!(other("      type: woodpecker\n", "      type: rocksmq\n").is_empty());
        let pinned = local("        rootPath: /var/lib/milvus/data/wp\n", "5.0.6", "5.0.19");
        assert!(pinned.of_rule("MU309").is_empty() && pinned.of_rule("MU304").is_empty());
        // Something that is hidden moves no log, and is told by MU310.
        let hidden = "            - name: PULSAR_ADDRESS\n              valueFrom: {secretKeyRef: {name: a, key: b}}\n            - name: COMMON_CHANNAMEPREFIX_CLUSTER\n              valueFrom: {secretKeyRef: {name: a, key: c}}\n";
        let hidden = pinned.env_target("standalone", hidden);
        assert!(hidden.of_rule("MU309").is_empty(), "{:?}", hidden.of_rule("MU309"));
    }
}

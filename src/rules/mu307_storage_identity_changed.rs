//! MU307: other metadata, other data, another volume.

use foldhash::HashSet;

use super::case::{Case, Side};
use super::places::{self, Difference, Gathered};
use super::unmounted::{self, Unmounted};
use super::volumes::{self, Volume};
use super::{Check, Rule, pins};
use crate::finding::{Finding, Severity};
use crate::milvus::config::{Layer, Origin};
use crate::milvus::identity::Identity;
use crate::milvus::queue::Mq;
use crate::milvus::role::Role;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU307",
    name: "storage-identity-changed",
    severity: Severity::Refuse,
    says: "no etcd endpoint in common, another root path, bucket, bucket root path or volume claim",
    page: include_str!("../../docs/rules/MU307.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(before) = case.before else { return vec![] };
    let different = |d: &&Difference| matches!(d.identity, Identity::Different { .. });
    let mut found: Vec<Finding> = store_differences(case)
        .iter()
        .filter(different)
        .map(|d| finding(case, d))
        .collect();
    found.extend(own_volumes(case, before));
    found.extend(dependencies(case, before));
    found
}

/// What differs between the stores of both sides.
pub fn store_differences(case: &Case) -> Vec<Difference> {
    let Some(before) = case.before else { return vec![] };
    let mut all = Gathered::default();
    for &(i, j) in places::pairs(case) {
        let (Ok(was), Ok(is)) = (&before.effective.of(j).stores, &case.after.effective.of(i).stores) else {
            continue;
        };
        all.add(i, &places::differences(case, &was.meta, &is.meta));
        all.add(i, &places::differences(case, &was.object, &is.object));
    }
    all.into_all()
}

fn finding(case: &Case, difference: &Difference) -> Finding {
    let Identity::Different {
        field,
        current,
        proposed,
    } = &difference.identity
    else {
        unreachable!("filtered by the caller")
    };
    let what = match field.split('.').next() {
        Some("etcd" | "metastore" | "tikv") => "metadata",
        _ => "data",
    };
    let unmounted = unmounted::among(case, &difference.components, difference.was.as_ref());
    let message = format!(
        "the {what}{} would be looked for elsewhere ({field} is {} now and would be {}){}: Milvus would start without any of its collections' {what}",
        places::whose(case, &difference.components),
        places::quoted(current),
        places::quoted(proposed),
        unmounted.as_ref().map_or_else(String::new, Unmounted::why)
    );
    let help = unmounted.map_or_else(|| help(difference, field, current), |u| u.help());
    let path = places::path_of(field, difference.origin.as_ref());
    let finding = RULE
        .finding(message, help)
        .field(path, places::told(current), places::told(proposed));
    places::place(case, finding, difference.origin.as_ref(), difference.components[0])
}

fn help(difference: &Difference, field: &str, current: &str) -> String {
    let env = |o: &&Origin| matches!(o.layer, Layer::Env { .. });
    let at = |o: &Origin| format!("{} of {} {}", o.path, o.object.kind, o.object.name);
    if let Some(was) = difference.was.as_ref().filter(env) {
        return format!("keep what {} says (extraEnv in the chart's values)", at(was));
    }
    if let Some(is) = difference.origin.as_ref().filter(env) {
        return format!("take {} away (extraEnv in the chart's values)", at(is));
    }
    if field == "minio.accessKeyID" {
        return "keep minio.cloudProvider and minio.accessKeyID as they are: on Azure the key names the storage account".to_owned();
    }
    let values = match field {
        "etcd.endpoints" => {
            let list: Vec<&str> = current.split(',').collect();
            format!(
                "for an etcd outside the release:\nexternalEtcd:\n  enabled: true\n  endpoints:\n    - {}",
                list.join("\n    - ")
            )
        }
        "minio.bucketName" => {
            format!("--set minio.bucketName={current} (outside the release: --set externalS3.bucketName={current})")
        }
        "minio.rootPath" => {
            format!("--set minio.rootPath={current} (outside the release: --set externalS3.rootPath={current})")
        }
        "minio.address" => format!(
            "for a store outside the release: --set externalS3.enabled=true and externalS3.host, externalS3.port as in {current}"
        ),
        _ => format!(
            "for example in the chart's values:\n{}",
            pins::user_yaml(field, current)
        ),
    };
    format!(
        "keep the old value; {values}\na move is a step of its own, with Milvus stopped; if both are one and the same place: --allow MU307"
    )
}

/// The volumes in which a component keeps what nothing else has.
fn own_volumes(case: &Case, before: Side) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut told: Vec<(Volume, Volume)> = Vec::new();
    for &(i, j) in places::pairs(case) {
        let (is, was) = (&case.after.release.components[i], &before.release.components[j]);
        if is.role != was.role {
            continue;
        }
        for (key, was_at, is_at) in paths(case, i, before, j) {
            let old = volumes::behind(before.object(was), &was.container, &was_at);
            let mut new = volumes::behind(case.after.object(is), &is.container, &is_at);
            let moved = old.what != new.what || was_at == is_at && old.inside != new.inside;
            let known = told.iter().any(|(a, b)| a.what == old.what && b.what == new.what);
            if !old.lasting || !moved || known {
                continue;
            }
            if new.what == old.what && new.inside.is_empty() {
                new.inside = "/".into();
            }
            let message = format!(
                "what {} keeps in {was_at} ({key}) lies on {} now and would lie on {}: it would start without it",
                is.name,
                old.shown(),
                new.shown()
            );
            let finding = RULE
                .finding(message, volume_help(&old))
                .field(new.pointer.clone(), old.shown(), new.shown());
            found.push(case.after.point(finding, is, &new.pointer));
            told.push((old, new));
        }
    }
    found
}

/// The paths at which a component keeps data of its own: what they are for, and where they are now and then.
fn paths(case: &Case, i: usize, before: Side, j: usize) -> Vec<(&'static str, String, String)> {
    let (config, old) = (
        case.after.effective.configs[i].as_seen(),
        before.effective.configs[j].as_seen(),
    );
    let mut all = Vec::new();
    let mut both = |key: &'static str, default: &str| {
        let of = |c: &crate::milvus::config::Config| {
            c.value(key)
                .filter(|v| v.starts_with('/'))
                .unwrap_or(default)
                .to_owned()
        };
        all.push((key, of(&old), of(&config)));
    };
    let standalone = case.after.release.components[i].role == Role::Standalone;
    let mq = before.effective.of(j).seen_queue.as_ref().map(|q| &q.mq);
    if mq == Some(&Mq::RocksMq) && standalone {
        both("rocksmq.path", "/var/lib/milvus/rdb_data");
    }
    if mq == Some(&Mq::NatsMq) && standalone {
        both("natsmq.server.storeDir", "/var/lib/milvus/nats");
    }
    if mq == Some(&Mq::Woodpecker) && old.value("woodpecker.storage.type") == Some("local") {
        let default = format!(
            "{}/wp",
            old.value("localStorage.path")
                .unwrap_or("/var/lib/milvus/data")
                .trim_end_matches('/')
        );
        both("woodpecker.storage.rootPath", &default);
    }
    if old.value("common.storageType") == Some("local") {
        both("localStorage.path", "/var/lib/milvus/data");
    }
    if old.value("etcd.use.embed") == Some("true") && standalone {
        both("etcd.data.dir", "/milvus/default.etcd");
    }
    if standalone {
        let root = "/var/lib/milvus".to_owned();
        all.push(("the data folder", root.clone(), root));
    }
    all
}

fn volume_help(old: &Volume) -> String {
    match old.what.strip_prefix("claim ") {
        Some(claim) => format!(
            "keep the claim: --set standalone.persistence.enabled=true --set standalone.persistence.persistentVolumeClaim.existingClaim={claim}\n\
             (a renamed release or another fullnameOverride names another claim; undoing that is enough as well)"
        ),
        None => format!("keep the volume: {}", old.what),
    }
}

/// Claims of the workloads behind the addresses of the stores: the address stays, the disk behind it would not.
fn dependencies(case: &Case, before: Side) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let (mut services, mut seen, mut told) = (HashSet::default(), HashSet::default(), HashSet::default());
    for key in ["etcd.endpoints", "minio.address", "kafka.brokerList"] {
        for address in places::addresses_of(before, key) {
            let service = places::service_behind(&address, places::namespace(case), before.named);
            // Those that choose alike lead to the same.
            let Some(service) = service.filter(|s| services.insert(places::chosen_alike(s))) else {
                continue;
            };
            let behind = places::workloads_of(case, before, service).into_iter();
            for old in behind.filter(|o| seen.insert(std::ptr::from_ref(*o))) {
                let new = case.after.named.same(&old.reference).next();
                let Some(new) = new.filter(|n| !told.contains(&n.reference)) else {
                    continue;
                };
                let holds = volumes::claims(new);
                let lost = volumes::claims(old);
                let there: HashSet<&String> = holds.iter().collect();
                let lost: Vec<String> = lost.into_iter().filter(|claim| !there.contains(claim)).collect();
                if lost.is_empty() {
                    continue;
                }
                told.insert(&new.reference);
                let lost = lost.join(", ");
                let then = if holds.is_empty() {
                    "no claim".to_owned()
                } else {
                    holds.join(", ")
                };
                let message = format!(
                    "{} ({key}) keeps its data on {lost} now and would run with {then}: Milvus would find an empty store",
                    new.reference
                );
                let help = "keep its persistence.enabled, persistence.existingClaim and names as they are; a move to another volume is a step of its own";
                let finding = RULE.finding(message, help).on(&new.reference).at(
                    case.after.input,
                    new.document,
                    format!("{}/spec", new.pointer),
                );
                found.push(finding.field("/spec/template/spec/volumes", lost, then));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;

    fn upgrade() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn rocksmq() -> Scenario {
        Scenario::standalone("v2.5.16", "v2.6.16", "rocksmq")
    }

    fn only(scenario: &Scenario) -> Finding {
        let mut all = scenario.of_rule("MU307");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn each_store_that_moves_is_told_with_its_place() {
        for (from, to, path, words) in [
            (
                "rel-etcd.ns.svc:2379",
                "other-etcd:2379",
                "/data/default.yaml#/etcd/endpoints",
                "externalEtcd:\n  enabled: true\n  endpoints:\n    - rel-etcd.ns.svc:2379\n",
            ),
            (
                "address: rel-minio",
                "address: s3.corp.example",
                "/data/default.yaml#/minio/address",
                "externalS3.port as in rel-minio:9000\n",
            ),
            (
                "bucketName: milvus-bucket",
                "bucketName: other",
                "/data/default.yaml#/minio/bucketName",
                "--set minio.bucketName=milvus-bucket (",
            ),
            (
                "rootPath: file",
                "rootPath: files",
                "/data/default.yaml#/minio/rootPath",
                "--set minio.rootPath=file (",
            ),
            (
                "    etcd:\n",
                "    etcd:\n      rootPath: prod\n",
                "/data/default.yaml#/etcd/rootPath",
                "    etcd:\n      rootPath: by-dev\n",
            ),
        ] {
            let finding = only(&upgrade().edit_target(from, to));
            assert_eq!(finding.field.as_ref().unwrap().path, path);
            let what = if path.contains("etcd") {
                "the metadata would be"
            } else {
                "the data would be"
            };
            assert!(finding.message.starts_with(what), "{}", finding.message);
            assert!(finding.help.contains(words), "{}", finding.help);
            assert!(finding.location.is_some_and(|l| l.line > 1));
        }
    }

    #[test]
    fn a_path_that_is_empty_today_is_kept_empty() {
        let finding = only(&upgrade().edit_current("    etcd:\n", "    etcd:\n      rootPath: \"\"\n"));
        assert!(
            finding
                .message
                .contains("etcd.rootPath is nothing now and would be `by-dev`"),
            "{}",
            finding.message
        );
        assert!(
            finding.help.contains("    etcd:\n      rootPath: \"\"\n"),
            "{}",
            finding.help
        );
        let field = finding.field.unwrap();
        assert!(field.current.is_null() && field.proposed == "by-dev", "{field:?}");
    }

    #[test]
    fn a_store_that_becomes_azure_or_ceases_to_be_is_told_by_its_provider() {
        let azure = ("rootPath: file", "rootPath: file\n      cloudProvider: azure");
        for scenario in [
            upgrade().edit_target(azure.0, azure.1),
            upgrade().edit_current(azure.0, azure.1),
        ] {
            let finding = only(&scenario);
            assert!(finding.help.contains("minio.cloudProvider"), "{}", finding.help);
            assert!(!format!("{finding:?}").contains("minioadmin"), "{finding:?}");
        }
    }

    #[test]
    fn all_at_once_and_same_queue_lifts_none() {
        let scenario = upgrade()
            .edit_target("rootPath: file", "rootPath: files")
            .edit_target("rel-etcd.ns.svc:2379", "x:2379")
            .assume("same-queue=true");
        assert_eq!(scenario.of_rule("MU307").len(), 2);
    }

    #[test]
    fn secrets_stay_out() {
        let scenario = upgrade()
            .edit_target("rootPath: file", "rootPath: file\n      cloudProvider: azure")
            .edit_current("rootPath: file", "rootPath: file\n      cloudProvider: azure")
            .edit_target("accessKeyID: minioadmin", "accessKeyID: otheraccount");
        let finding = only(&scenario);
        assert!(
            !format!("{finding:?}").contains("otheraccount") && !format!("{finding:?}").contains("minioadmin"),
            "{finding:?}"
        );
    }

    #[test]
    fn one_component_s_environment_is_told_by_its_name() {
        let env = "            - name: ETCD_ENDPOINTS\n              value: other:2379\n";
        assert!(
            only(&upgrade().env_target("datanode", env))
                .message
                .contains("of rel-milvus-datanode")
        );
        assert!(
            upgrade()
                .env_target("datanode", env)
                .env_current("datanode", env)
                .of_rule("MU307")
                .is_empty()
        );
    }

    #[test]
    fn etcd_by_service_and_by_its_pods_is_one_etcd() {
        let headless = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: rel-etcd-headless\n  namespace: ns\nspec:\n  clusterIP: None\n  selector:\n    component: etcd\n";
        let pods = "rel-etcd-0.rel-etcd-headless.ns.svc.cluster.local:2379\n        - rel-etcd-1.rel-etcd-headless.ns.svc.cluster.local:2379";
        let scenario = upgrade().edit_target("rel-etcd.ns.svc:2379", pods).add_target(headless);
        assert!(scenario.of_rule("MU307").is_empty(), "{:?}", scenario.of_rule("MU307"));
        let other = upgrade()
            .edit_target("rel-etcd.ns.svc:2379", pods)
            .add_target(&headless.replace("component: etcd", "component: etcd2"));
        assert_eq!(other.of_rule("MU307").len(), 1);
    }

    #[test]
    fn a_service_of_another_namespace_is_another_service() {
        let bare = |s: Scenario| {
            s.edit_in_target("Service", "rel-minio", "  namespace: ns\n", "")
                .edit_in_current("Service", "rel-minio", "  namespace: ns\n", "")
        };
        let other = bare(upgrade()).edit_target("address: rel-minio", "address: rel-minio.other");
        assert_eq!(other.of_rule("MU307").len(), 1);
        let same = bare(upgrade()).edit_target("address: rel-minio", "address: rel-minio.ns");
        assert!(same.of_rule("MU307").is_empty());
    }

    #[test]
    fn the_standalone_s_claim_counts() {
        let finding = only(&rocksmq().edit_target("claimName: rel-milvus", "claimName: other"));
        assert!(
            finding.message.contains("claim rel-milvus at rdb_data")
                && finding.help.contains("existingClaim=rel-milvus"),
            "{} {}",
            finding.message,
            finding.help
        );
        assert!(finding.location.is_some_and(|l| l.line > 1));
        let gone = rocksmq().edit_target(
            "          persistentVolumeClaim:\n            claimName: rel-milvus\n",
            "          emptyDir: {}\n",
        );
        assert!(only(&gone).message.contains("would lie on emptyDir"));
        let nested = rocksmq().edit_target(
            "              mountPath: /var/lib/milvus\n",
            "              mountPath: /var/lib/milvus\n              subPath: m\n",
        );
        assert!(only(&nested).message.contains("claim rel-milvus at m/rdb_data"));
    }

    const DISK: &str = "            - name: disk\n              mountPath: /var/lib/milvus\n";

    /// A standalone that has a claim of its own at a path today, and none there then.
    fn own_claim(mq: &str, config: &str, path: &str) -> Scenario {
        let mounts = format!("{DISK}            - name: own\n              mountPath: {path}\n");
        let volumes = "      volumes:\n        - name: own\n          persistentVolumeClaim: {claimName: own}\n";
        let both = format!("{config}    mq:\n");
        Scenario::standalone("v2.6.4", "v2.6.16", mq)
            .edit_target("    mq:\n", &both)
            .edit_current("    mq:\n", &both)
            .edit_in_current("Deployment", "rel-milvus-standalone", DISK, &mounts)
            .edit_in_current("Deployment", "rel-milvus-standalone", "      volumes:\n", volumes)
    }

    #[test]
    fn each_place_that_holds_data_of_its_own_counts_where_it_is_in_use() {
        let local = "    woodpecker:\n      storage:\n        type: local\n";
        let files = "    common:\n      storageType: local\n";
        let embedded = "    etcd.use.embed: true\n";
        let (rocks, nats) = ("/var/lib/milvus/rdb_data", "/var/lib/milvus/nats");
        let (data, etcd) = ("/var/lib/milvus/data", "/milvus/default.etcd");
        for (mq, config, path, key) in [
            ("rocksmq", "", rocks, Some("rocksmq.path")),
            ("pulsar", "", rocks, None),
            ("natsmq", "", nats, Some("natsmq.server.storeDir")),
            ("pulsar", "", nats, None),
            (
                "woodpecker",
                local,
                "/var/lib/milvus/data/wp",
                Some("woodpecker.storage.rootPath"),
            ),
            ("woodpecker", "", "/var/lib/milvus/data/wp", None),
            ("pulsar", local, "/var/lib/milvus/data/wp", None),
            ("pulsar", files, data, Some("localStorage.path")),
            ("pulsar", "", data, None),
            ("pulsar", embedded, etcd, Some("etcd.data.dir")),
            ("pulsar", "", etcd, None),
        ] {
            let all = own_claim(mq, config, path).of_rule("MU307");
            assert_eq!(all.len(), usize::from(key.is_some()), "{mq} {config} {path}: {all:?}");
            if let Some(key) = key {
                let says = format!("what rel-milvus-standalone keeps in {path} ({key}) lies on claim own now");
                assert!(all[0].message.starts_with(&says), "{}", all[0].message);
            }
        }
    }

    #[test]
    fn two_claims_that_go_are_two_findings_and_another_folder_of_one_is_named() {
        let ephemeral = |claim: &str| {
            own_claim("rocksmq", "", "/var/lib/milvus/rdb_data").edit_target(
                &format!("          persistentVolumeClaim:\n            claimName: {claim}\n"),
                "          emptyDir: {}\n",
            )
        };
        let all = ephemeral("rel-milvus").of_rule("MU307");
        let lost: Vec<bool> = ["claim own", "claim rel-milvus"]
            .iter()
            .map(|claim| all.iter().any(|f| f.message.contains(&format!("lies on {claim} now"))))
            .collect();
        assert!(all.len() == 2 && lost == [true, true], "{all:?}");
        let below = format!("{DISK}              subPath: m\n");
        let up = Scenario::standalone("v2.5.16", "v2.6.16", "pulsar").edit_current(DISK, &below);
        let says = "lies on claim rel-milvus at m now and would lie on claim rel-milvus at /: it would";
        assert!(only(&up).message.contains(says), "{}", only(&up).message);
        let other = Scenario::standalone("v2.5.16", "v2.6.16", "pulsar");
        let other = only(&other.edit_target("claimName: rel-milvus", "claimName: other"));
        assert!(
            other.message.contains("would lie on claim other: it would"),
            "{}",
            other.message
        );
    }

    #[test]
    fn what_never_lasted_may_change() {
        let ephemeral = "          emptyDir: {}\n";
        let claim = "          persistentVolumeClaim:\n            claimName: rel-milvus\n";
        assert!(rocksmq().edit_current(claim, ephemeral).of_rule("MU307").is_empty());
        assert!(
            rocksmq()
                .edit_current(claim, ephemeral)
                .edit_target(claim, ephemeral)
                .of_rule("MU307")
                .is_empty()
        );
        assert!(rocksmq().of_rule("MU307").is_empty());
    }

    #[test]
    fn a_store_that_loses_its_disk() {
        let volume = |claim: &str| {
            format!(
                "      containers:\n        - name: c\n          image: other:1\n      volumes:\n        - name: d\n          {claim}\n"
            )
        };
        let containers = "      containers:\n        - name: c\n          image: other:1\n";
        let scenario = upgrade()
            .edit_in_current(
                "StatefulSet",
                "rel-minio",
                containers,
                &volume("persistentVolumeClaim: {claimName: minio}"),
            )
            .edit_in_target("StatefulSet", "rel-minio", containers, &volume("emptyDir: {}"));
        let finding = only(&scenario);
        assert!(
            finding.message.contains("claim minio") && finding.message.contains("minio.address"),
            "{}",
            finding.message
        );
        let two = scenario
            .edit_in_current(
                "StatefulSet",
                "rel-etcd",
                containers,
                &volume("persistentVolumeClaim: {claimName: etcd}"),
            )
            .of_rule("MU307");
        assert_eq!(two.len(), 2, "{two:?}");
        assert!(
            two[0]
                .message
                .contains("(etcd.endpoints) keeps its data on claim etcd now and would run with no claim")
        );
        assert_eq!(two[0].field.as_ref().unwrap().path, "/spec/template/spec/volumes");
    }

    #[test]
    fn the_same_place_written_differently_stays_quiet() {
        for (from, to) in [
            ("address: rel-minio", "address: rel-minio.ns.svc.cluster.local"),
            ("rootPath: file", "rootPath: file/"),
            ("rel-etcd.ns.svc:2379", "http://rel-etcd:2379"),
        ] {
            assert!(upgrade().edit_target(from, to).of_rule("MU307").is_empty(), "{to}");
        }
    }
}

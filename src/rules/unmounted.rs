//! Workloads that would lose the configuration they mount: what they fall back to then is nobody's choice, and no value
//! of the chart mends it.

use foldhash::HashSet;

use super::case::Case;
use super::places;
use crate::milvus::config::Origin;
use crate::milvus::effective::{self, Source};

/// Who would no longer mount what.
pub struct Unmounted<'a> {
    /// `Deployment rel-milvus-querynode`, each once.
    workloads: Vec<String>,
    source: Source<'a>,
}

/// Those of these components (of the target) that mount the file in which a setting stands now, and would mount neither
/// it nor another in its place.
pub fn among<'a>(case: &Case<'a>, components: &[usize], was: Option<&Origin>) -> Option<Unmounted<'a>> {
    let (before, was) = (case.before?, was?);
    let key = was.path.split('#').next()?.strip_prefix("/data/")?;
    let key = key.replace("~1", "/").replace("~0", "~");
    let holds = |s: &&Source| s.config_map == was.object.name && s.key == key;
    // In their order, each once; of these there may be as many as differences.
    let pairs = places::pairs(case);
    let mut components = components.to_vec();
    components.sort_unstable();
    components.dedup();
    let mut found: Option<Unmounted> = None;
    let mut named: HashSet<String> = HashSet::default();
    for i in components {
        let Ok(at) = pairs.binary_search_by_key(&i, |(i, _)| *i) else {
            continue;
        };
        let j = pairs[at].1;
        let (is, old) = (&case.after.release.components[i], &before.release.components[j]);
        let mounted = effective::read_from(before.object(old), old);
        let would_mount = effective::read_from(case.after.object(is), is);
        let Some(source) = mounted.iter().find(holds) else {
            continue;
        };
        if would_mount.len() >= mounted.len() || would_mount.iter().any(|s| s.file == source.file) {
            continue;
        }
        // What the rewrite brings is put together of the others, which are told.
        let reference = &case.after.object(is).reference;
        if !places::came(case, reference) {
            continue;
        }
        let unmounted = found.get_or_insert_with(|| Unmounted {
            workloads: vec![],
            source: source.clone(),
        });
        let workload = format!("{} {}", reference.kind, reference.name);
        if named.insert(workload.clone()) {
            unmounted.workloads.push(workload);
        }
    }
    found
}

impl Unmounted<'_> {
    /// The reason, to stand behind what would change.
    pub fn why(&self) -> String {
        let Source { config_map, file, .. } = &self.source;
        format!(
            ", since {} would no longer mount {file} of ConfigMap {config_map}, where it stands now",
            self.names()
        )
    }

    /// What mends it.
    pub fn help(&self) -> String {
        let Source {
            config_map,
            file,
            volume,
            ..
        } = &self.source;
        format!(
            "give {} back the volume `{volume}` (ConfigMap {config_map}) and its mount {file}: the chart writes both, so something behind it \
             took them away (a pipe that ended early, a patch, an edited template)\n\
             what is missing: milvus-uplift diff --against current",
            self.names()
        )
    }

    fn names(&self) -> String {
        places::listed(&self.workloads.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;

    const VOLUMES: &str =
        "      volumes:\n        - name: milvus-config\n          configMap:\n            name: rel-milvus\n";

    fn torn(cut: &str, instead: &str) -> Vec<Finding> {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16");
        let judged = scenario
            .edit_in_target("Deployment", "rel-milvus-querynode", cut, instead)
            .judge();
        assert!(judged.refused());
        judged
            .findings
            .iter()
            .filter(|f| ["MU301", "MU304", "MU307"].contains(&f.code))
            .cloned()
            .collect()
    }

    #[test]
    fn what_is_no_longer_mounted_is_named_with_who_mounted_it() {
        let found = torn(VOLUMES, "");
        assert!(
            found.iter().any(|f| f.code == "MU304") && found.iter().any(|f| f.code == "MU307"),
            "{found:?}"
        );
        for finding in found {
            let says = ", since Deployment rel-milvus-querynode would no longer mount /milvus/configs/default.yaml of ConfigMap rel-milvus, where it stands now";
            assert!(finding.message.contains(says), "{}", finding.message);
            assert!(
                finding.help.contains("volume `milvus-config` (ConfigMap rel-milvus)"),
                "{}",
                finding.help
            );
            assert!(
                !finding.help.contains("--set") && !finding.help.contains("--allow"),
                "{}",
                finding.help
            );
        }
    }

    #[test]
    fn another_configuration_in_its_place_is_a_choice() {
        let other = VOLUMES.replace("name: rel-milvus\n", "name: rel-milvus-other\n");
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_in_target("Deployment", "rel-milvus-querynode", VOLUMES, &other)
            .add_target("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: rel-milvus-other\ndata:\n  default.yaml: |\n    mq:\n      type: pulsar\n    pulsar:\n      address: elsewhere\n  user.yaml: ''\n");
        let judged = scenario.judge();
        let found: Vec<_> = judged.findings.iter().filter(|f| f.code == "MU304").collect();
        assert!(!found.is_empty());
        assert!(found.iter().all(|f| !f.message.contains("mount")), "{found:?}");
    }

    const USER: (&str, &str) = (
        "  user.yaml: |-\n    # nothing\n",
        "  user.yaml: |\n    pulsar: {address: bus.corp.example}\n",
    );
    const MOUNT: &str = "            - name: milvus-config\n              mountPath: /milvus/configs/";

    fn with_querynode(from: &str, to: &str) -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_current(USER.0, USER.1)
            .edit_target(USER.0, USER.1)
            .edit_in_target("Deployment", "rel-milvus-querynode", from, to)
    }

    fn querynode(from: &str, to: &str) -> Finding {
        let mut all = with_querynode(from, to).of_rule("MU304");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn the_file_is_the_one_in_which_the_setting_stands() {
        let user = format!("{MOUNT}user.yaml\n              subPath: user.yaml\n");
        for (cut, instead) in [(VOLUMES, ""), (user.as_str(), "")] {
            let message = querynode(cut, instead).message;
            assert!(
                message.contains("would no longer mount /milvus/configs/user.yaml of ConfigMap rel-milvus,"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_file_that_stays_is_no_reason() {
        let address = |of: &str| format!("      address: {of}\n      port: 6650\n");
        let user = format!("{MOUNT}user.yaml\n              subPath: user.yaml\n");
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target(&address("rel-pulsarv3-proxy"), &address("bus.corp.example"))
            .edit_in_target("Deployment", "rel-milvus-querynode", &user, "");
        let all = scenario.of_rule("MU304");
        assert!(!all.is_empty());
        assert!(
            all.iter().all(|f| !f.message.contains("would no longer mount")),
            "{all:?}"
        );
    }

    #[test]
    fn as_many_files_under_other_names_are_a_choice() {
        let moved = with_querynode(&format!("{MOUNT}user.yaml"), &format!("{MOUNT}hook.yaml"));
        let all = moved.judge().findings;
        assert!(
            all.iter()
                .any(|f| f.code == "MU310" && f.message.contains("`hook.yaml`")),
            "{all:?}"
        );
        assert!(all.iter().all(|f| !f.message.contains("no longer mount")), "{all:?}");
    }

    #[test]
    fn what_the_rewrite_brings_is_not_named() {
        let all = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target(VOLUMES, "")
            .of_rule("MU304");
        assert!(!all.is_empty());
        for finding in all {
            assert!(
                finding.message.contains("Deployment rel-milvus-datanode")
                    && finding.message.contains("would no longer mount"),
                "{}",
                finding.message
            );
            assert!(
                !finding.message.contains("Deployment rel-milvus-streamingnode"),
                "{}",
                finding.message
            );
        }
    }

    #[test]
    fn so_is_the_queue_of_a_release_that_no_longer_mounts_what_names_it() {
        let scenario = Scenario::standalone("v2.5.16", "v2.6.16", "kafka");
        let judged = scenario
            .edit_in_target(
                "Deployment",
                "rel-milvus-standalone",
                "        - name: milvus-config\n          configMap:\n            name: rel-milvus\n",
                "",
            )
            .judge();
        let finding = judged.findings.iter().find(|f| f.code == "MU301").expect("refused");
        assert!(
            finding
                .message
                .contains("Deployment rel-milvus-standalone would no longer mount"),
            "{}",
            finding.message
        );
    }
}

//! MU002: nothing runs Milvus.

use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::host::Host;
use crate::milvus::release::Inventory;
use crate::stream::Stream;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU002",
    name: "no-milvus-found",
    severity: Severity::Warn,
    says: "nothing in the stream runs Milvus, nor in `--current`; passed through",
    page: include_str!("../../docs/rules/MU002.md"),
    check: Check::Reading,
};

/// Warns where neither side runs Milvus. A stream of hooks alone is one that Helm's SDK hands over on its own
/// (hosts.md 2.13); one without any object is what a rendering that failed leaves in a pipe.
pub fn check(target: &Stream, came: &Inventory, before: &Inventory) -> Vec<Finding> {
    let nothing =
        came.releases.is_empty() && came.strays.is_empty() && before.releases.is_empty() && before.strays.is_empty();
    // What the operator is told to run is refused, not missing (MU007).
    let operated = super::operated::resources(target).next().is_some();
    if !nothing || operated {
        return vec![];
    }
    // A ResourceList without items is whole, whatever came of it.
    if target.objects.is_empty() && target.host != Host::Krm {
        return vec![empty()];
    }
    if target.objects.iter().all(|o| o.is_hook()) {
        return vec![];
    }
    let message = format!(
        "none of the {} objects runs Milvus; they pass through unchanged",
        target.objects.len()
    );
    let help = "unplug the post-renderer here, or look why Milvus is missing: a component is known by `milvus run ROLE` in its container's command or args";
    vec![RULE.finding(message, help)]
}

fn empty() -> Finding {
    let help = "look whether the rendering failed: a pipe hides the exit status of what comes before it (`set -o pipefail` shows it). \
                In two steps: helm template RELEASE CHART --values values.yaml > rendered.yaml && milvus-uplift check rendered.yaml";
    RULE.finding("the manifests hold no object at all, so nothing was judged", help)
}

/// `--current none` is somebody's word that no Milvus is deployed: everything that is judged by what runs is skipped
/// on it, so it never passes in silence.
pub fn asserted(came: &Inventory) -> Vec<Finding> {
    if came.releases.is_empty() && came.strays.is_empty() {
        return vec![];
    }
    let message = "--current none says that no Milvus is deployed; nothing was judged by what runs now";
    let help = "right for a first install. Where a release is there already, say what it runs, for example --current release:NAME --namespace NAMESPACE";
    vec![RULE.finding(message, help)]
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    const OTHER: &str = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: attu\nspec:\n  template:\n    spec:\n      containers:\n        - name: attu\n          image: zilliz/attu:v2.4\n";

    #[test]
    fn warns_and_passes_the_stream_through() {
        let judgement = Scenario::raw(OTHER).judge();
        assert_eq!(judgement.findings.iter().map(|f| f.code).collect::<Vec<_>>(), ["MU002"]);
        assert_eq!(judgement.text().as_deref(), Some(OTHER));
    }

    #[test]
    fn hooks_alone_are_no_missing_milvus() {
        let hook = "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations:\n    helm.sh/hook: pre-upgrade\n";
        assert!(Scenario::raw(hook).judge().findings.is_empty());
    }

    #[test]
    fn a_stream_without_any_object_is_told() {
        for text in ["", "\n", "# Source: a/b.yaml\n", "---\n---\n"] {
            let judgement = Scenario::raw(text).judge();
            assert_eq!(
                judgement.findings.iter().map(|f| f.code).collect::<Vec<_>>(),
                ["MU002"],
                "{text:?}"
            );
            assert!(judgement.findings[0].message.contains("no object at all"), "{text:?}");
            assert_eq!(judgement.text().as_deref(), Some(text));
            assert_eq!(Scenario::raw(text).fresh().codes(), ["MU002"], "{text:?}");
        }
        let lost = Scenario::upgrade("v2.6.6", "v2.6.16").replace_target("").codes();
        assert_eq!(lost, ["MU113"]);
    }

    #[test]
    fn a_fresh_install_is_somebodys_word() {
        let judgement = Scenario::upgrade("v2.5.16", "v2.6.16")
            .without_current()
            .fresh()
            .judge();
        assert!(
            judgement
                .findings
                .iter()
                .any(|f| f.code == "MU002" && f.message.contains("--current none"))
        );
    }

    #[test]
    fn quiet_where_milvus_runs() {
        assert!(!Scenario::upgrade("v2.5.16", "v2.6.16").codes().contains(&"MU002"));
    }

    #[test]
    fn quiet_where_milvus_runs_without_a_role_and_where_it_is_deployed_alone() {
        let stray = OTHER.replace("zilliz/attu:v2.4", "milvusdb/milvus:v2.6.16");
        assert_eq!(Scenario::raw(&stray).codes(), ["MU007"]);
        let gone = Scenario::upgrade("v2.5.16", "v2.6.16").replace_target(OTHER).codes();
        assert_eq!(gone, ["MU113"]);
    }
}

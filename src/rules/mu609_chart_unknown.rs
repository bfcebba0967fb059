//! MU609: components come after the shape of their siblings, of a chart that no table knows.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::host;
use crate::kube::Object;
use crate::rewrite::chart::chart_of;
use crate::rewrite::{Change, ChangeOp};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU609",
    name: "chart-unknown",
    severity: Severity::Warn,
    says: "no table knows this chart version or fork; what comes follows the shape of its siblings",
    page: include_str!("../../docs/rules/MU609.md"),
    check: Check::Release(check),
};

/// The chart's own name.
const CHART: &str = "milvus";

fn check(case: &Case) -> Vec<Finding> {
    let injected = |c: &&Change| c.op == ChangeOp::Inject && c.object.kind != "Service";
    let stands = |c: &&Change| case.after.named.exactly(&c.object).next().is_some();
    let comes: Vec<&str> = case
        .rewrite
        .changes
        .iter()
        .filter(injected)
        .filter(stands)
        .map(|c| c.object.name.as_str())
        .collect();
    if comes.is_empty() {
        return vec![];
    }
    let objects = || case.came.components.iter().map(|c| &case.target.objects[c.object]);
    let labelled = objects().find(|o| chart_of(o).is_some());
    let Some(object) = labelled.or_else(|| objects().next()) else {
        return vec![];
    };
    let Some(why) = unknown(case, object) else {
        return vec![];
    };
    let message = format!(
        "{why}: {} is made after the workloads beside it, and may differ from what that chart renders",
        comes.join(", ")
    );
    let help = format!(
        "compare it with what the chart renders by itself, and read the difference before you apply:\n\
        helm template {} YOUR_CHART --namespace {} --version YOUR_VERSION -f values.yaml --set streaming.enabled=true --set indexNode.enabled=false --set mixCoordinator.enabled=true \
        --set rootCoordinator.enabled=false --set queryCoordinator.enabled=false --set dataCoordinator.enabled=false --set indexCoordinator.enabled=false > chart.yaml",
        case.came.name,
        steps::namespace(case)
    );
    let finding = RULE.finding(message, help).on(&object.reference);
    vec![finding.at(
        case.after.input,
        object.document,
        format!("{}/metadata/labels", object.pointer),
    )]
}

/// Why the chart is not known.
fn unknown(case: &Case, object: &Object) -> Option<String> {
    let Some(label) = object.label("helm.sh/chart") else {
        return Some("nothing says which chart rendered the release (no label helm.sh/chart)".into());
    };
    let text = chart_of(object);
    let Some(version) = text.as_deref().and_then(|t| semver::Version::parse(t).ok()) else {
        return Some(format!(
            "the label helm.sh/chart says `{label}`, which names no chart version"
        ));
    };
    let charts = facts::charts();
    if charts.shape(&version).is_none() && charts.app_version(&version).is_none() {
        return Some(format!(
            "chart {label} is not among the versions whose rendering is known"
        ));
    }
    // Below an umbrella the name may be an alias.
    let path = host::template_of(case.target, object.document).unwrap_or_default();
    // chart_of replaces characters one by one: what is left before the version and its dash is the name.
    let length = text.as_ref().map_or(0, String::len) + 1;
    let own = label.len().checked_sub(length).and_then(|end| label.get(..end)) == Some(CHART);
    let aliased = !host::values_path(&path).is_empty();
    (!own && !aliased).then(|| format!("chart {label} is a fork by its name, whatever its version"))
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;
    use crate::stage::Stage;

    fn labelled(label: &str) -> Vec<crate::finding::Finding> {
        Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("helm.sh/chart: milvus-4.2.58", label)
            .of_rule("MU609")
    }

    #[test]
    fn an_unknown_version_a_fork_and_no_label_are_told() {
        let found = labelled("helm.sh/chart: milvus-4.2.40");
        let message = "chart milvus-4.2.40 is not among the versions whose rendering is known: rel-milvus-streamingnode is made after";
        assert!(found[0].message.starts_with(message), "{}", found[0].message);
        assert!(found[0].location.is_some() && found[0].help.contains("helm template"));
        assert!(
            labelled("helm.sh/chart: corp-milvus-4.2.58")[0]
                .message
                .contains("fork")
        );
        assert!(
            labelled("helm.sh/chart: milvus-corp-4.2.58")[0]
                .message
                .contains("fork")
        );
        assert!(
            labelled("helm.sh/chart: milvus-next")[0]
                .message
                .contains("names no chart version")
        );
        assert!(labelled("x: z")[0].message.contains("no label"));
    }

    #[test]
    fn a_known_chart_is_quiet_also_under_an_alias() {
        assert!(labelled("helm.sh/chart: milvus-4.2.58").is_empty());
        assert!(labelled("helm.sh/chart: milvus-5.0.20").is_empty());
        let umbrella = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("helm.sh/chart: milvus-4.2.58", "helm.sh/chart: vectors-4.2.58")
            .edit_target("# Source: milvus/templates", "# Source: stack/charts/vectors/templates");
        assert!(umbrella.of_rule("MU609").is_empty());
    }

    #[test]
    fn where_nothing_comes_the_chart_does_not_matter() {
        let within = Scenario::upgrade("v2.6.6", "v2.6.16").edit_target("milvus-5.0.20", "milvus-6.1.0");
        assert!(within.of_rule("MU609").is_empty());
        let later = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("milvus-4.2.58", "milvus-4.2.40")
            .edit_target("other:1", "other:2");
        assert!(later.clone().stage(Stage::At(0)).of_rule("MU609").is_empty());
        assert_eq!(later.stage(Stage::At(1)).of_rule("MU609").len(), 1);
    }
}

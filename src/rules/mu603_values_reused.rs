//! MU603: the old chart's defaults came along under a new chart.

use super::case::Case;
use super::mu602_chart_image_mismatch::chart;
use super::mu607_rollback_armed::switched_on;
use super::{Check, Rule, steps};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::role::Role;
use crate::rewrite::chart::chart_of;
use crate::value::{Value, json};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU603",
    name: "values-reused",
    severity: Severity::Warn,
    says: "a chart of 2.6 renders indexnode and no streamingnode: the old chart's defaults came along (--reuse-values)",
    page: include_str!("../../docs/rules/MU603.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some((chart, _)) = chart(case) else { return vec![] };
    let indexnode = case.came.in_role(Role::IndexNode).next();
    let of_2_5 = case.transition.to_26() && !case.came.has(Role::StreamingNode);
    let Some(indexnode) = indexnode.filter(|_| of_2_5) else {
        return vec![];
    };
    let message = match chart >= facts::charts().marks.milvus_2_6.chart {
        true => newer(case, &chart, &indexnode.name),
        false => match called_with_it(case, &chart) {
            Some(old) => format!(
                "Helm was called with --reuse-values, which lays the defaults of the chart that is deployed ({old}) over those of chart {chart}: \
                 {} is rendered and no streamingnode, and with that may come other defaults of {old}",
                indexnode.name
            ),
            None => return vec![],
        },
    };
    let values = case.values_text(json!({"streaming": {"enabled": true}, "indexNode": {"enabled": false}}));
    let help = format!(
        "use --reset-then-reuse-values in place of --reuse-values; where these two were set by hand \
         (helm get values {} --namespace {} shows it), the values:\n{values}",
        case.came.name,
        steps::namespace(case)
    );
    let object = &case.target.objects[indexnode.object];
    let finding = RULE.finding(message, help).on(&object.reference);
    vec![finding.at(case.after.input, object.document, object.pointer.clone())]
}

/// A chart of 2.6, whose own defaults would render otherwise.
fn newer(case: &Case, chart: &semver::Version, indexnode: &str) -> String {
    let said = |path: &[&str], is: bool| case.values.is_some_and(|v| v.get(path) == Some(&Value::Bool(is)));
    let own = said(&["indexNode", "enabled"], true) || said(&["streaming", "enabled"], false);
    format!(
        "chart {chart} renders {indexnode} and no streamingnode, which its own defaults would not: {}, and with them may come other \
         defaults of 2.5",
        match own {
            true => "the values ask for the roles of 2.5",
            false => "this looks like --reuse-values, which lays the old chart's defaults over the new ones",
        }
    )
}

/// The chart that is deployed, where Helm was called to lay its defaults over those of another: of one and the same chart
/// they are the same.
fn called_with_it(case: &Case, chart: &semver::Version) -> Option<String> {
    let command = case.host_command?;
    // Helm pkg/action/upgrade.go: of both it resets.
    if switched_on(command, ["--reset-values"]).is_some() {
        return None;
    }
    switched_on(command, ["--reuse-values"])?;
    let before = case.before?;
    let components = before.release.components.iter();
    match components.filter_map(|c| chart_of(before.object(c))).next() {
        Some(old) => (old != chart.to_string()).then_some(old),
        None => Some("unknown".into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    fn reused() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("milvus-4.2.58", "milvus-5.0.19")
    }

    #[test]
    fn the_roles_of_2_5_under_a_chart_of_2_6() {
        let finding = reused().of_rule("MU603").remove(0);
        assert!(finding.message.contains("5.0.19") && finding.message.contains("--reuse-values"));
        assert!(finding.help.contains("--reset-then-reuse-values") && finding.location.is_some());
        for (values, asked) in [
            ("indexNode: {enabled: true}\n", true),
            ("streaming: {enabled: false}\n", true),
            ("indexNode: {enabled: false}\n", false),
            ("streaming: {enabled: true}\n", false),
            ("{}\n", false),
        ] {
            let found = reused().values(values).of_rule("MU603");
            assert_eq!(found[0].message.contains("the values ask for"), asked, "{values}");
        }
    }

    #[test]
    fn another_chart_of_2_5_with_the_flag_on_helm_s_command_line() {
        let called = |flags: &str, deployed: &str| {
            let label = "    helm.sh/chart: milvus-4.2.58\n";
            Scenario::upgrade("v2.5.16", "v2.6.16")
                .edit_current(label, deployed)
                .called_by(&format!("helm upgrade rel zilliztech/milvus {flags}"))
                .of_rule("MU603")
        };
        let older = "    helm.sh/chart: milvus-4.2.21\n";
        let found = called("--reuse-values", older);
        assert!(
            found[0].message.contains("called with --reuse-values")
                && found[0]
                    .message
                    .contains("deployed (4.2.21) over those of chart 4.2.58"),
            "{found:?}"
        );
        assert!(called("--reuse-values", "")[0].message.contains("deployed (unknown)"));
        for (flags, deployed) in [
            ("--reuse-values", "    helm.sh/chart: milvus-4.2.58\n"),
            ("--reset-then-reuse-values", older),
            ("--reuse-values --reset-values", older),
            ("--reuse-values=false", older),
        ] {
            assert!(called(flags, deployed).is_empty(), "{flags}");
        }
    }

    #[test]
    fn the_old_chart_and_a_left_over_beside_the_new_role_are_quiet() {
        assert!(Scenario::upgrade("v2.5.16", "v2.6.16").of_rule("MU603").is_empty());
        assert!(Scenario::upgrade("v2.6.6", "v2.6.16").of_rule("MU603").is_empty());
        assert!(
            reused()
                .drop_target("Deployment", "rel-milvus-indexnode")
                .of_rule("MU603")
                .is_empty()
        );
        let both = reused().add_target(&crate::rules::testkit::deployment(
            "streamingnode",
            "\"streamingnode\"",
            "v2.6.16",
        ));
        assert!(both.of_rule("MU603").is_empty());
        let older = Scenario::upgrade("v2.5.16", "v2.5.22").edit_target("milvus-4.2.58", "milvus-5.0.19");
        assert!(older.of_rule("MU603").is_empty());
    }
}

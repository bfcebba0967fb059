//! MU207: the coordinators differ where mixcoord can have one value.

use super::case::Case;
use super::component::list;
use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::role::Role;
use crate::report::mask;
use crate::rewrite::Disagreement;
use crate::value::Value;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU207",
    name: "coordinators-disagree",
    severity: Severity::Warn,
    says: "the four coordinators differ where mixcoord can have one value",
    page: include_str!("../../docs/rules/MU207.md"),
    check: Check::Release(check),
};

/// More than this of a value helps nobody in a sentence.
const LONG: usize = 80;

fn check(case: &Case) -> Vec<Finding> {
    let all = &case.rewrite.disagreements;
    let Some(first) = all.first() else { return vec![] };
    let each: Vec<String> = all.iter().map(told).collect();
    let message = format!(
        "the coordinators of release {} differ where mixcoord can have one value: {}",
        case.came.name,
        each.join("; ")
    );
    let help = "with --values FILE (helm get values, and this call's own) mixcoord is exactly what the chart renders, mixCoordinator.* included; \
        or give the coordinators the same values and render again";
    let mut finding = RULE.finding(message, help);
    let speaker = first.values.first().map_or("", |had| had.roles[0].as_str());
    let component = case.came.components.iter().find(|c| c.role.as_str() == speaker);
    let component = component.or_else(|| case.came.in_role(Role::RootCoord).next());
    if let Some(component) = component {
        let object = &case.target.objects[component.object];
        let pointer = if first.field.starts_with('/') {
            first.field.as_str()
        } else {
            component.container.as_str()
        };
        finding = finding.on(&object.reference).at(
            case.target.input,
            object.document,
            format!("{}{pointer}", object.pointer),
        );
    }
    if all.len() == 1 && first.field.starts_with('/') {
        let of_speaker = first.values.first().map_or(Value::Null, |had| had.value.clone());
        let shown = |v: &Value| mask::value("Deployment", &first.field, v);
        finding = finding.field(first.field.clone(), shown(&of_speaker), shown(&first.taken));
    }
    vec![finding]
}

/// `env GOMAXPROCS (4 taken; datacoord has 8, querycoord none)`.
fn told(disagreement: &Disagreement) -> String {
    let field = &disagreement.field;
    // A variable that one lacks is no disagreement: they are united.
    let counts = |v: &Value| !(alike(v, &disagreement.taken) || field.starts_with("env ") && v.is_null());
    let others = disagreement.values.iter().filter(|had| counts(&had.value)).map(|had| {
        let mut who = had.roles.clone();
        who.extend((had.more > 0).then(|| format!("{} more", had.more)));
        let has = if who.len() == 1 { "has" } else { "have" };
        format!("{} {has} {}", list(&who), shown(field, &had.value))
    });
    let others: Vec<String> = others.collect();
    format!(
        "{} ({} taken; {})",
        short(field),
        shown(field, &disagreement.taken),
        others.join(", ")
    )
}

/// A field without the way to the container that all have in common.
fn short(field: &str) -> String {
    let field = field.strip_prefix("/spec/template/spec/containers/0").unwrap_or(field);
    let field = field.strip_prefix("/spec/template").unwrap_or(field);
    field.trim_start_matches('/').replace("~1", "/").replace("~0", "~")
}

/// A value in words: no secrets, no command lines, nothing long.
fn shown(field: &str, value: &Value) -> String {
    let value = mask::value("Deployment", field, value);
    if value.says_nothing() {
        return "none".into();
    }
    if ["/command", "/args", "/exec"].iter().any(|part| field.contains(part)) {
        return "its own".into();
    }
    // The value of a variable is told without the name that the field tells already.
    let value = match field.strip_prefix("env ") {
        Some(_) => value
            .get("value")
            .unwrap_or_else(|| value.get("valueFrom").unwrap_or(&Value::Null)),
        None => &value,
    };
    let text = match value {
        Value::String(text) => text.to_string(),
        Value::Null => "\"\"".into(),
        other => other.to_string(),
    };
    match text.chars().count() > LONG || text.contains('\n') {
        true => "another".into(),
        false => text,
    }
}

/// Whether two values are told in the same words: absent and empty are none, both.
fn alike(a: &Value, b: &Value) -> bool {
    a == b || a.says_nothing() && b.says_nothing()
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::Scenario;

    fn up() -> Scenario {
        Scenario::consolidation("v2.5.10", "v2.5.16")
    }

    fn found(scenario: Scenario) -> Vec<Finding> {
        scenario.of_rule("MU207")
    }

    fn env(scenario: Scenario, role: &str, name: &str, value: &str) -> Scenario {
        scenario.env_target(
            role,
            &format!("            - name: {name}\n              value: \"{value}\"\n"),
        )
    }

    #[test]
    fn what_is_taken_and_who_differs_is_said_once() {
        let scenario = env(
            env(up(), "rootcoord", "GOMAXPROCS", "4"),
            "datacoord",
            "GOMAXPROCS",
            "8",
        )
        .edit_in_target("Deployment", "rel-milvus-querycoord", "replicas: 1", "replicas: 2");
        let all = found(scenario);
        assert_eq!(all.len(), 1);
        assert!(
            all[0].message.contains("env GOMAXPROCS (4 taken; datacoord has 8)"),
            "{}",
            all[0].message
        );
        assert!(
            all[0].message.contains("spec/replicas (1 taken; querycoord has 2)"),
            "{}",
            all[0].message
        );
        assert!(all[0].help.contains("--values") && all[0].location.is_some());
        assert_eq!(
            all[0].object.as_ref().map(|o| o.name.as_str()),
            Some("rel-milvus-rootcoord")
        );
    }

    #[test]
    fn those_of_one_value_are_told_together() {
        let values = [
            ("rootcoord", "4"),
            ("querycoord", "8"),
            ("datacoord", "16"),
            ("indexcoord", "8"),
        ];
        let scenario = values
            .iter()
            .fold(up(), |s, (role, value)| env(s, role, "GOMAXPROCS", value));
        let all = found(scenario);
        assert!(
            all[0]
                .message
                .ends_with("env GOMAXPROCS (4 taken; querycoord and indexcoord have 8, datacoord has 16)"),
            "{}",
            all[0].message
        );
    }

    #[test]
    fn what_is_long_or_of_several_lines_is_not_quoted() {
        let told = |value: &str| {
            let all = found(env(env(up(), "rootcoord", "A", "short"), "datacoord", "A", value));
            all[0].message.rsplit("datacoord has ").next().unwrap().to_owned()
        };
        let longest = "x".repeat(80);
        assert_eq!(told(&longest), format!("{longest})"));
        assert_eq!(told(&format!("{longest}x")), "another)");
        assert_eq!(told("a\\nb"), "another)");
    }

    #[test]
    fn what_is_there_and_empty_is_none() {
        let pod = |scenario: Scenario, role: &str, fields: &str| {
            scenario.edit_in_target(
                "Deployment",
                &format!("rel-milvus-{role}"),
                "    spec:\n      containers:\n",
                &format!("    spec:\n{fields}      containers:\n"),
            )
        };
        let empty = "      nodeSelector: {}\n      tolerations: []\n";
        let differ = pod(
            pod(up(), "rootcoord", empty),
            "datacoord",
            "      nodeSelector: {disk: ssd}\n      tolerations: [{key: a}]\n",
        );
        let said = found(differ)[0].message.clone();
        for words in [
            "spec/nodeSelector (none taken; datacoord has {\"disk\":\"ssd\"})",
            "spec/tolerations (none taken; datacoord has [{\"key\":\"a\"}])",
        ] {
            assert!(said.contains(words), "{said}");
        }
        assert!(found(pod(up(), "rootcoord", empty)).is_empty());
    }

    #[test]
    fn secrets_are_never_said() {
        let scenario = env(
            env(up(), "rootcoord", "MINIO_SECRET_ACCESS_KEY", "hunter2"),
            "datacoord",
            "MINIO_SECRET_ACCESS_KEY",
            "hunter3",
        );
        let all = found(scenario);
        assert!(all.len() == 1 && !format!("{all:?}").contains("hunter"), "{all:?}");
        let urls = env(
            env(up(), "rootcoord", "PULSAR_ADDRESS", "pulsar://u:hunter2@a:1"),
            "datacoord",
            "PULSAR_ADDRESS",
            "pulsar://u:hunter3@b:1",
        );
        assert!(!format!("{:?}", found(urls)).contains("hunter"));
    }

    #[test]
    fn a_field_of_one_alone_is_shown_with_both_values() {
        let scenario = up().edit_in_target(
            "Deployment",
            "rel-milvus-datacoord",
            "    spec:\n      containers:\n",
            "    spec:\n      priorityClassName: high\n      containers:\n",
        );
        let all = found(scenario);
        assert!(
            all[0]
                .message
                .contains("spec/priorityClassName (none taken; datacoord has high)"),
            "{}",
            all[0].message
        );
        assert_eq!(
            all[0].field.as_ref().unwrap().path,
            "/spec/template/spec/priorityClassName"
        );
    }

    #[test]
    fn agreement_summed_resources_and_values_are_quiet() {
        assert!(found(up()).is_empty());
        let requests = |n: usize| {
            format!("          resources:\n            requests:\n              cpu: \"{n}\"\n          env:\n")
        };
        let resources = up()
            .edit_in_target("Deployment", "rel-milvus-rootcoord", "          env:\n", &requests(1))
            .edit_in_target("Deployment", "rel-milvus-datacoord", "          env:\n", &requests(2));
        assert!(found(resources).is_empty());
        assert!(found(env(up(), "datacoord", "ONLY_HERE", "1")).is_empty());
        let values = env(
            env(up(), "rootcoord", "GOMAXPROCS", "4"),
            "datacoord",
            "GOMAXPROCS",
            "8",
        )
        .values("image: {all: {tag: v2.5.16}}\n");
        assert!(found(values).is_empty());
    }

    #[test]
    fn of_many_with_one_value_some_are_named_and_the_others_counted() {
        let more = |n: usize| {
            let all = (0..n).map(|i| {
                crate::rules::testkit::deployment("rootcoord", "\"rootcoord\"", "v2.5.16")
                    .replace("rel-milvus-rootcoord\n", &format!("rel-milvus-rootcoord-{i}\n"))
                    .replace("replicas: 1", "replicas: 2")
            });
            let scenario = up().add_target(&all.collect::<String>());
            found(scenario).remove(0).message
        };
        assert!(more(10).ends_with(", rootcoord and rootcoord have 2)"), "{}", more(10));
        assert!(more(11).ends_with(", rootcoord and 1 more have 2)"), "{}", more(11));
        assert!(more(13).ends_with(", rootcoord and 3 more have 2)"), "{}", more(13));
    }
}

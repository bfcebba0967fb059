//! MU007: it runs Milvus, and nothing says as what.

use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::milvus::release::Inventory;
use crate::stream::Stream;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU007",
    name: "role-undecidable",
    severity: Severity::Refuse,
    says: "runs Milvus, and nothing says as what",
    page: include_str!("../../docs/rules/MU007.md"),
    check: Check::Reading,
};

/// One finding for each container of a stream that runs Milvus in no known role.
pub fn check(stream: &Stream, inventory: &Inventory) -> Vec<Finding> {
    inventory
        .strays
        .iter()
        .map(|stray| {
            let object = &stream.objects[stray.object];
            let message = format!("{} runs Milvus and its role cannot be told: {}", object.reference, stray.why);
            let help = "name the role in the container's args as the chart does, args: [\"milvus\", \"run\", \"datanode\"]; \
                where this is no Milvus component, give it an image and mounts of its own";
            RULE.finding(message, help).on(&object.reference).at(stream.input, object.document, format!("{}{}", object.pointer, stray.container))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn a_variable_for_a_role_cannot_be_told() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16").edit_target("\"milvus\", \"run\", \"datanode\"", "\"milvus\", \"run\", \"$(ROLE)\"");
        let judgement = scenario.judge();
        let finding = judgement.findings.iter().find(|f| f.code == "MU007").unwrap();
        assert!(finding.message.contains("datanode"), "{}", finding.message);
        assert!(finding.location.is_some());
    }

    #[test]
    fn attu_is_no_milvus() {
        let attu = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: rel-milvus-attu\n  namespace: ns\n  labels:\n    app.kubernetes.io/name: milvus\n    app.kubernetes.io/instance: rel\nspec:\n  template:\n    spec:\n      containers:\n        - name: attu\n          image: zilliz/attu:v2.6.1\n";
        assert!(!Scenario::upgrade("v2.5.16", "v2.6.16").add_target(attu).codes().contains(&"MU007"));
    }
}

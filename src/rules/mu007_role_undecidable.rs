//! MU007: it runs Milvus, and nothing says as what.

use foldhash::HashSet;

use super::{Check, Rule};
use crate::finding::{Finding, Severity};
use crate::kube::{ObjectRef, workload};
use crate::milvus::release::{Inventory, Release};
use crate::rewrite::{Failure, Rewrite};
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
            let help = match workload::TASK_KINDS.contains(&object.reference.kind.as_str()) {
                true => "delete it once it is over, and take it out of these manifests; what is to serve belongs into a Deployment",
                false => help,
            };
            RULE.finding(message, help).on(&object.reference).at(stream.input, object.document, format!("{}{}", object.pointer, stray.container))
        })
        .collect()
}

/// What mends a stream that nothing can be built of.
const UNBUILT: &str = "mend what the message names, or let the chart render the new components itself: \
    --set mixCoordinator.enabled=true --set rootCoordinator.enabled=false --set queryCoordinator.enabled=false \
    --set dataCoordinator.enabled=false --set indexCoordinator.enabled=false, and for 2.6 --set streaming.enabled=true --set indexNode.enabled=false";

/// What to do about a name that the chart gives and Kubernetes does not take.
fn unnamed(release: &Release, object: &ObjectRef) -> String {
    let versions = release.versions(None);
    let target = versions.highest().map(|v| format!("@{v}")).unwrap_or_default();
    match object.kind.as_str() {
        "Service" => format!(
            "the chart renders that Service too, and Helm would stop at it half way through the upgrade. No object can be given another name; \
             either render no metrics Services, --set metrics.enabled=false, and have the pods scraped at their port metrics (a PodMonitor), \
             or leave this one out, --allow MU007{target}: the streaming nodes need it for nothing else. Without this program the chart needs \
             metrics.enabled=false all the same"
        ),
        _ => {
            "the chart renders it under that name too: install the release anew under a shorter name, and move the data"
                .to_owned()
        }
    }
}

/// What to do about values that Kubernetes cannot read where the chart puts them.
fn misread(key: &str) -> String {
    format!(
        "the chart renders it so too, and Helm would stop at it when the other components run the new version already: mend it in the values, \
         below {key} or in what it takes from the top level"
    )
}

/// One finding for each thing that the rewrite of a release could not build: the roles are told, and what they become
/// is not.
pub fn unbuilt(stream: &Stream, release: &Release, rewrite: &Rewrite) -> Vec<Finding> {
    let mut told: HashSet<&Failure> = HashSet::default();
    let first = &stream.objects[release.components[0].object];
    let failures = rewrite.failures.iter().filter(|failure| told.insert(failure));
    failures
        .map(|failure| {
            let (why, help) = match failure {
                Failure::Unbuilt(why) => (why.clone(), UNBUILT.to_owned()),
                Failure::Values { object, key, why } => (format!("in {object}, {why}"), misread(key)),
                Failure::Name { object, why } => (format!("the name of {object} {why}"), unnamed(release, object)),
            };
            let message = format!(
                "what takes the place of release {}'s old components cannot be built: {why}",
                release.name
            );
            RULE.finding(message, help)
                .on(&first.reference)
                .at(stream.input, first.document, first.pointer.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::Scenario;

    #[test]
    fn a_variable_for_a_role_cannot_be_told() {
        let scenario = Scenario::upgrade("v2.5.16", "v2.6.16")
            .edit_target("\"milvus\", \"run\", \"datanode\"", "\"milvus\", \"run\", \"$(ROLE)\"");
        let judgement = scenario.judge();
        let finding = judgement.findings.iter().find(|f| f.code == "MU007").unwrap();
        assert!(finding.message.contains("datanode"), "{}", finding.message);
        assert!(finding.location.is_some());
    }

    #[test]
    fn attu_is_no_milvus() {
        let attu = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: rel-milvus-attu\n  namespace: ns\n  labels:\n    app.kubernetes.io/name: milvus\n    app.kubernetes.io/instance: rel\nspec:\n  template:\n    spec:\n      containers:\n        - name: attu\n          image: zilliz/attu:v2.6.1\n";
        assert!(
            !Scenario::upgrade("v2.5.16", "v2.6.16")
                .add_target(attu)
                .codes()
                .contains(&"MU007")
        );
    }

    #[test]
    fn what_the_rewrite_cannot_build_is_refused() {
        let scenario = Scenario::consolidation("v2.5.10", "v2.5.16").edit_in_target(
            "Deployment",
            "rel-milvus-rootcoord",
            "          env:\n",
            "          resources:\n            requests:\n              cpu: plenty\n          env:\n",
        );
        let found = scenario.of_rule("MU007");
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("requests.cpu") && found[0].help.contains("mixCoordinator.enabled=true"));
        assert!(scenario.judge().refused());
    }

    /// An upgrade of a release of that full name, with metrics Services.
    fn called(full: &str) -> Scenario {
        let scenario = Scenario::upgrade("v2.5.22", "v2.6.16");
        scenario
            .edit_current("rel-milvus", full)
            .edit_target("rel-milvus", full)
    }

    #[test]
    fn a_name_that_kubernetes_does_not_take_is_refused_and_can_be_left_out() {
        let scenario = called(&"x".repeat(50));
        let found = scenario.of_rule("MU007");
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("64 characters"), "{}", found[0].message);
        assert!(found[0].help.contains("--allow MU007@2.6.16"), "{}", found[0].help);
        let output = scenario.allow("MU007@2.6.16").judge().text().unwrap();
        let streams = |kind: &str| {
            output.contains(&format!(
                "kind: {kind}\nmetadata:\n  name: {}-streamingnode\n",
                "x".repeat(50)
            ))
        };
        assert!(streams("Deployment") && !streams("Service"));
    }

    #[test]
    fn names_that_fit_or_that_none_of_the_release_fits_are_let_be() {
        assert!(called(&"x".repeat(49)).of_rule("MU007").is_empty());
        assert!(called("rel.milvus").of_rule("MU007").is_empty());
    }

    #[test]
    fn so_are_values_that_kubernetes_cannot_read() {
        let values = |of: &str| Scenario::upgrade("v2.5.22", "v2.6.16").values(of).of_rule("MU007");
        let found = values("streamingNode: {resources: {limits: {cpu: 2 cores}}}\n");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].message.contains("limits/cpu") && found[0].message.contains("2 cores"),
            "{}",
            found[0].message
        );
        assert!(found[0].help.contains("below streamingNode"), "{}", found[0].help);
        assert!(values("streamingNode: {resources: {limits: {cpu: 2}}}\n").is_empty());
    }

    #[test]
    fn so_are_workloads_whose_names_do_not_end_in_their_roles() {
        let mut scenario = Scenario::consolidation("v2.5.10", "v2.5.16");
        for role in [
            "rootcoord",
            "querycoord",
            "datacoord",
            "indexcoord",
            "proxy",
            "querynode",
            "datanode",
            "indexnode",
        ] {
            scenario = scenario.edit_in_target(
                "Deployment",
                &format!("rel-milvus-{role}"),
                &format!("  name: rel-milvus-{role}\n"),
                &format!("  name: {role}s\n"),
            );
        }
        let found = scenario.of_rule("MU007");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("cannot be named"));
    }
}

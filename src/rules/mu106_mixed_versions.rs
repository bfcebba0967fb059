//! MU106: components of one release on different versions.

use foldhash::HashMap;

use super::case::Case;
use super::component::{list, since_streaming};
use super::{Check, Rule};
use crate::facts;
use crate::finding::{Finding, Severity};
use crate::milvus::release::Component;
use crate::milvus::version::{Read, Stage, Version};

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU106",
    name: "mixed-versions",
    severity: Severity::Refuse,
    says: "Milvus components of one release on different versions in the final state",
    page: include_str!("../../docs/rules/MU106.md"),
    check: Check::Release(check),
};

/// Components that run the same code, as far as their tags tell.
struct Group<'a> {
    /// The code: numbers, and a pre-release's text; a tag that says no version stands for itself.
    code: String,
    components: Vec<&'a Component>,
}

fn check(case: &Case) -> Vec<Finding> {
    if case.is_partial() {
        return vec![];
    }
    let assumed = case.options.assume.target_version.as_ref();
    let mut groups: Vec<Group> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::default();
    for component in case.after.running() {
        let group = *known.entry(code(component, assumed)).or_insert_with_key(|code| {
            groups.push(Group {
                code: code.clone(),
                components: vec![],
            });
            groups.len() - 1
        });
        groups[group].components.push(component);
    }
    if groups.len() < 2 || is_an_old_mixture(case) {
        return vec![];
    }
    // The fewest first: they are what most likely was forgotten.
    groups.sort_by_key(|g| g.components.len());
    vec![finding(case, &groups, assumed)]
}

/// What tells one code from another: a build variant does not, nor does a hotfix of the same release.
fn code(component: &Component, assumed: Option<&Version>) -> String {
    match (&component.version, assumed) {
        (Read::Known(v), _) | (Read::Undecidable(_), Some(v)) => match &v.stage {
            Stage::Pre(_) => v.to_string(),
            Stage::Base | Stage::Post(_) => format!("{}.{}.{}", v.major, v.minor, v.patch),
        },
        (Read::Undecidable(tag), None) => format!("`{}`", tag.text),
    }
}

/// Patches of one line below 2.6 that run side by side already, in a change that leaves all images as they are.
fn is_an_old_mixture(case: &Case) -> bool {
    let to = &case.transition.to;
    let one_line = to.lowest().map(Version::line) == to.highest().map(Version::line);
    let streaming = facts::versions().marks.streaming.version.line();
    case.transition.is_ordinary() && to.decided() && one_line && to.line().is_some_and(|line| line < streaming)
}

fn finding(case: &Case, groups: &[Group], assumed: Option<&Version>) -> Finding {
    let told = |g: &Group| g.components.iter().all(|c| matches!(c.version, Read::Known(_))) || assumed.is_some();
    let each: Vec<String> = groups
        .iter()
        .map(|g| {
            let mut roles: Vec<&str> = Vec::new();
            for component in &g.components {
                if !roles.contains(&component.role.as_str()) {
                    roles.push(component.role.as_str());
                }
            }
            format!("{} ({})", g.code.replace("``", "an image without a tag"), list(&roles))
        })
        .collect();
    let older = |g: &Group| g.components.iter().any(|c| since_streaming(c, assumed) == Some(false));
    let why = match groups.iter().all(told) {
        true if case.transition.to_26() && groups.iter().any(older) => {
            "Milvus 2.6 accepts no writes while an older proxy, querynode or datanode is left"
        }
        true => "nothing says that components of different versions understand each other",
        false => "nothing says that these tags are one version",
    };
    let message = format!("release {} would run {}: {why}", case.came.name, list(&each));
    let most = groups.last().map(|g| g.components[0]);
    let tag = most.map_or("TAG".into(), |c| match &c.version {
        Read::Known(v) => v.text.clone(),
        Read::Undecidable(u) => u.text.clone(),
    });
    let help = format!(
        "give all components one version: --set image.all.tag={tag}, and take images of single components out of values and patches\n\
         where the tags name one version all the same, say it: --assume target-version=VERSION"
    );
    let odd = groups[0].components[0];
    let path = format!("{}/image", odd.container);
    let current = case.before.and_then(|b| {
        b.release
            .components
            .iter()
            .find(|c| c.name == odd.name && c.role == odd.role)
    });
    let current = current.map_or(crate::value::Value::Null, |c| c.image.clone().into());
    case.after
        .point(RULE.finding(message, help), odd, &path)
        .field(path.clone(), current, odd.image.clone())
}

#[cfg(test)]
mod tests {
    use crate::finding::Finding;
    use crate::rules::testkit::{Scenario, deployment};

    const IMAGE: &str = "milvusdb/milvus:v2.5.22";

    fn tag(scenario: Scenario, role: &str, from: &str, to: &str) -> Scenario {
        scenario.edit_in_target(
            "Deployment",
            &format!("rel-milvus-{role}"),
            &format!("milvus:{from}\""),
            &format!("milvus:{to}\""),
        )
    }

    fn up() -> Scenario {
        Scenario::upgrade("v2.5.16", "v2.6.16")
    }

    fn found(scenario: Scenario) -> Vec<Finding> {
        scenario.of_rule("MU106")
    }

    #[test]
    fn one_left_behind_is_named_with_the_rest() {
        let all = found(tag(up(), "querynode", "v2.6.16", "v2.5.16"));
        assert_eq!(all.len(), 1);
        assert!(
            all[0].message.contains("2.5.16 (querynode) and 2.6.16 (") && all[0].message.contains("no writes"),
            "{}",
            all[0].message
        );
        assert!(all[0].help.contains("image.all.tag=v2.6.16"));
        let field = all[0].field.as_ref().unwrap();
        assert_eq!(field.path, "/spec/template/spec/containers/0/image");
        assert_eq!(field.proposed, "milvusdb/milvus:v2.5.16");
        assert!(all[0].location.is_some());
    }

    #[test]
    fn builds_of_one_version_are_one() {
        assert!(found(up()).is_empty());
        assert!(found(tag(up(), "querynode", "v2.6.16", "v2.6.16-gpu")).is_empty());
        assert!(found(tag(up(), "querynode", "v2.6.16", "2.6.16")).is_empty());
        assert!(found(tag(up(), "querynode", "v2.6.16", "v2.6.16-hotfix1")).is_empty());
        assert!(
            found(up().edit_in_target(
                "Deployment",
                "rel-milvus-proxy",
                "milvusdb/milvus:",
                "mirror.corp:5000/m/milvus:"
            ))
            .is_empty()
        );
    }

    #[test]
    fn what_comes_runs_the_build_that_most_run() {
        let judgement = tag(up(), "querynode", "v2.6.16", "v2.6.16-gpu").judge();
        let node = judgement
            .changes
            .iter()
            .find(|c| c.object.name == "rel-milvus-streamingnode" && c.object.kind == "Deployment")
            .unwrap();
        let image = node.patch[0]
            .value
            .as_ref()
            .unwrap()
            .pointer("/spec/template/spec/containers/0/image")
            .cloned();
        assert_eq!(image, Some("milvusdb/milvus:v2.6.16".into()));
    }

    #[test]
    fn another_patch_and_a_candidate_are_others() {
        assert_eq!(found(tag(up(), "proxy", "v2.6.16", "v2.6.15")).len(), 1);
        let within = Scenario::upgrade("v2.6.4", "v2.6.16");
        assert_eq!(found(tag(within, "proxy", "v2.6.16", "v2.6.16-rc1")).len(), 1);
    }

    #[test]
    fn tags_that_tell_nothing_are_one_only_if_equal_or_assumed() {
        let custom = |role: &str, to: &str| tag(up(), role, "v2.6.16", to);
        let all = found(custom("proxy", "corp-7"));
        assert!(
            all[0].message.contains("`corp-7` (proxy)") && all[0].message.contains("nothing says"),
            "{all:?}"
        );
        assert!(found(custom("proxy", "corp-7").assume("target-version=2.6.16")).is_empty());
        assert_eq!(
            found(tag(custom("proxy", "corp-7"), "datanode", "v2.6.16", "corp-8").assume("target-version=2.6.15"))
                .len(),
            1
        );
        assert!(found(up().edit_target("milvus:v2.6.16\"", "milvus:corp-7\"")).is_empty());
    }

    #[test]
    fn what_rests_mixes_nothing() {
        let resting = tag(up(), "querynode", "v2.6.16", "v2.5.16").edit_in_target(
            "Deployment",
            "rel-milvus-querynode",
            "replicas: 1",
            "replicas: 0",
        );
        assert!(found(resting).is_empty());
    }

    #[test]
    fn patches_of_2_5_that_run_side_by_side_may_go_on() {
        let both = |s: Scenario| {
            tag(s, "querynode", "v2.5.22", "v2.5.16").edit_in_current(
                "Deployment",
                "rel-milvus-querynode",
                "milvus:v2.5.22\"",
                "milvus:v2.5.16\"",
            )
        };
        assert!(found(both(Scenario::upgrade("v2.5.22", "v2.5.22"))).is_empty());
        assert_eq!(
            found(tag(
                Scenario::upgrade("v2.5.16", "v2.5.22"),
                "querynode",
                "v2.5.22",
                "v2.5.16"
            ))
            .len(),
            1
        );
    }

    #[test]
    fn patches_of_2_6_side_by_side_may_not() {
        let mixed = tag(
            Scenario::upgrade("v2.6.16", "v2.6.16"),
            "querynode",
            "v2.6.16",
            "v2.6.15",
        )
        .edit_in_current(
            "Deployment",
            "rel-milvus-querynode",
            "milvus:v2.6.16\"",
            "milvus:v2.6.15\"",
        );
        assert_eq!(found(mixed).len(), 1);
    }

    #[test]
    fn of_two_in_one_role_the_image_of_the_same_workload_is_shown() {
        let group = deployment("querynode", "\"querynode\"", "v2.5.22")
            .replace("name: rel-milvus-querynode\n", "name: rel-milvus-querynode-rg1\n");
        let all = found(up().add_current(&group).add_target(&group));
        assert_eq!(all.len(), 1);
        let field = all[0].field.as_ref().unwrap();
        assert_eq!((&field.current, &field.proposed), (&IMAGE.into(), &IMAGE.into()));
        assert_eq!(all[0].object.as_ref().unwrap().name, "rel-milvus-querynode-rg1");
    }
}

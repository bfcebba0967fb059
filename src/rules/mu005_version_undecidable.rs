//! MU005: an image that does not say which Milvus it is.

use foldhash::HashMap;

use super::case::Case;
use super::{Check, Rule, steps};
use crate::finding::{Finding, Input, Severity};
use crate::milvus::image::ImageRef;
use crate::milvus::release::Component;
use crate::milvus::version::{Read, Undecidable};
use crate::transition::From;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU005",
    name: "version-undecidable",
    severity: Severity::Refuse,
    says: "`latest`, a digest alone, a dated build, a custom tag: nothing says which version it is",
    page: include_str!("../../docs/rules/MU005.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let mut found = Vec::new();
    let came = by_tag(&case.came.components);
    for tag in &case.transition.to.undecidable {
        if tag.line.is_none_or(|line| line >= crate::facts::streaming_line()) {
            found.push(one(case, tag, Input::Target, &came));
        }
    }
    if let From::Release { versions, .. } = &case.transition.from
        && case.transition.to_26()
    {
        let deployed = case.before.map_or(came, |before| by_tag(&before.release.components));
        let tags = versions.undecidable.iter();
        found.extend(tags.map(|tag| one(case, tag, Input::Current, &deployed)));
    }
    found
}

/// What is deployed does not say its version, for who plans a way from it.
pub fn of_images(images: &[&str], namespace: &str, service: &str) -> Finding {
    let mut images = images.to_vec();
    images.sort_unstable();
    images.dedup();
    let line = images
        .iter()
        .find_map(
            |image| match crate::milvus::version::read_image(&ImageRef::parse(image)) {
                Read::Undecidable(u) => u.line,
                Read::Known(_) => None,
            },
        )
        .map_or_else(|| "X.Y".into(), |(major, minor)| format!("{major}.{minor}"));
    let message = format!(
        "the images that run ({}) do not all say which Milvus they are, so the stops on the way cannot be told",
        images.join(", ")
    );
    let help = format!(
        "say which version runs: --assume current-version={line}.PATCH\n\
         the server tells it: kubectl port-forward --namespace {namespace} service/{service} 19530 &\n\
         python3 -c 'from pymilvus import MilvusClient; print(MilvusClient(\"http://localhost:19530\").get_server_version())'"
    );
    RULE.finding(message, help)
}

/// The components whose tags say no version, by the text of these.
fn by_tag(components: &[Component]) -> HashMap<&str, Vec<(&Undecidable, &Component)>> {
    let mut found: HashMap<&str, Vec<_>> = HashMap::default();
    for component in components {
        if let Read::Undecidable(tag) = &component.version {
            found.entry(&tag.text).or_default().push((tag, component));
        }
    }
    found
}

/// One finding for all components of a side with that tag.
fn one(
    case: &Case,
    tag: &Undecidable,
    input: Input,
    components: &HashMap<&str, Vec<(&Undecidable, &Component)>>,
) -> Finding {
    let alike = components.get(&tag.text[..]).into_iter().flatten();
    let with: Vec<&Component> = alike.filter(|(u, _)| *u == tag).map(|(_, c)| *c).collect();
    let Some(first) = with.first() else {
        return RULE.finding(format!("no version can be read from {tag}"), "");
    };
    let others = match with.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let (verb, why) = match input {
        Input::Current => ("runs", "whether 2.6 can be reached from it cannot be judged"),
        _ => (
            "would run",
            "its topology and whether this step is safe cannot be judged",
        ),
    };
    let message = format!(
        "{}{others} {verb} `{}`: {}, so {why}",
        first.name,
        first.image,
        tag.why.as_str()
    );
    steps::at_image(case, RULE.finding(message, help(case, tag, first, input)), input, first)
}

fn help(case: &Case, tag: &Undecidable, component: &Component, input: Input) -> String {
    let namespace = steps::namespace(case);
    let line = tag
        .line
        .map_or_else(|| "X.Y".into(), |(major, minor)| format!("{major}.{minor}"));
    let repository = ImageRef::parse(&component.image).repository;
    match input {
        Input::Current => format!(
            "say which version runs: --assume current-version={line}.PATCH\n\
             the server tells it: kubectl port-forward --namespace {namespace} service/MILVUS_SERVICE 19530 &\n\
             python3 -c 'from pymilvus import MilvusClient; print(MilvusClient(\"http://localhost:19530\").get_server_version())'\n\
             where nothing was written to the log since its start: kubectl logs --namespace {namespace} {}/{} | grep -m1 Version:",
            kind(case, component),
            component.name
        ),
        _ => format!(
            "give the image a released version's tag: {}\n\
             or say which version it holds: --assume target-version={line}.PATCH (as the release page of {repository}, or whoever built it, says)",
            set_tag(tag),
        ),
    }
}

fn kind(case: &Case, component: &Component) -> String {
    case.before.map_or_else(
        || "deployment".into(),
        |b| b.object(component).reference.kind.to_ascii_lowercase(),
    )
}

/// A tag that is good to take: of the line that was named, the first with all fixes.
fn set_tag(tag: &Undecidable) -> String {
    let sensible = &crate::facts::versions().marks.sensible_target.version;
    match tag.line {
        Some(line) if line != sensible.line() => steps::set_tag(&crate::facts::stop_in(line)),
        _ => steps::set_tag(sensible),
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::testkit::{self, Scenario};

    #[test]
    fn a_nightly_target_of_2_6_is_refused_once_with_the_way_out() {
        let found = Scenario::upgrade("v2.5.16", "2.6-20260723-d73c8e53").of_rule("MU005");
        assert_eq!(found.len(), 1);
        let finding = &found[0];
        assert!(
            finding.message.contains("and 4 more would run") && finding.message.contains("dated build"),
            "{}",
            finding.message
        );
        assert!(
            finding.help.contains("--assume target-version=2.6.PATCH"),
            "{}",
            finding.help
        );
        assert_eq!(
            finding.field.as_ref().unwrap().path,
            "/spec/template/spec/containers/0/image"
        );
        assert!(finding.location.as_ref().is_some_and(|l| l.line > 1));
    }

    #[test]
    fn every_tag_and_side_counts_once() {
        for tag in [
            "latest",
            "master-20250613-1bf960b1",
            "v2.6",
            "v2.6.6-corp1",
            "2.6-latest-gpu",
            "stable",
        ] {
            assert_eq!(Scenario::upgrade("v2.5.16", tag).of_rule("MU005").len(), 1, "{tag}");
        }
        let two = Scenario::upgrade("2.5-20250613-5110130b", "latest").edit_in_target(
            "Deployment",
            "rel-milvus-proxy",
            ":latest",
            "@sha256:0123",
        );
        assert_eq!(two.of_rule("MU005").len(), 2, "an unknown target needs no known source");
        let source = Scenario::upgrade("2.5-20250613-5110130b", "v2.6.16").of_rule("MU005");
        assert_eq!(source.len(), 1);
        assert!(source[0].message.contains(" runs `") && source[0].help.contains("current-version=2.5.PATCH"));
    }

    #[test]
    fn a_fresh_install_and_a_standalone_count_too() {
        assert_eq!(Scenario::upgrade("v2.5.16", "latest").fresh().of_rule("MU005").len(), 1);
        assert_eq!(
            Scenario::standalone("v2.5.16", "latest", "rocksmq")
                .of_rule("MU005")
                .len(),
            1
        );
    }

    #[test]
    fn quiet_where_a_version_can_be_read_or_does_not_matter() {
        for (from, to) in [
            ("v2.5.16-gpu", "v2.6.16-gpu"),
            ("v2.5.16-hotfix", "v2.6.16-amd64-debug"),
            ("latest", "v2.5.16"),
            ("v2.5.16", "2.5-20250613-5110130b"),
        ] {
            assert!(
                Scenario::upgrade(from, to).of_rule("MU005").is_empty(),
                "{from} -> {to}"
            );
        }
        let pinned = Scenario::upgrade("v2.5.16", "v2.6.16@sha256:0123");
        assert!(pinned.of_rule("MU005").is_empty());
    }

    #[test]
    fn an_assumption_says_it() {
        let target = Scenario::upgrade("v2.5.16", "latest").assume("target-version=2.6.16");
        assert!(target.of_rule("MU005").is_empty());
        let source = Scenario::of(&testkit::cluster("latest", false), &testkit::cluster("v2.6.16", false));
        assert_eq!(source.of_rule("MU005").len(), 1);
        assert!(source.assume("current-version=2.5.22").of_rule("MU005").is_empty());
    }

    #[test]
    fn the_help_names_the_workload_to_ask_and_a_tag_of_the_line_that_was_meant() {
        let source = Scenario::upgrade("2.5-20250613-5110130b", "v2.6.16").of_rule("MU005");
        let logs = "kubectl logs --namespace ns deployment/rel-milvus-mixcoord |";
        assert!(source[0].help.contains(logs), "{}", source[0].help);
        for (from, to, tag) in [
            ("v2.5.16", "2.6-20260723-d73c8e53", "image.all.tag=v2.6.16\n"),
            ("v2.6.20", "3.0-20260723-bd384f0", "image.all.tag=v3.0."),
            ("v2.5.16", "latest", "image.all.tag=v2.6.16\n"),
        ] {
            let target = Scenario::upgrade(from, to).of_rule("MU005");
            assert!(target[0].help.contains(tag), "{to}: {}", target[0].help);
        }
    }
}

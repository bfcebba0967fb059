//! Points findings about versions at the images that say them.

use crate::finding::{Finding, Input};
use crate::milvus::release::Component;
use crate::milvus::version::{Read, Version};
use crate::rules::case::Case;

/// Points a finding at the image of the target version, where that version is known.
pub fn at_target(case: &Case, finding: Finding) -> Finding {
    match case.transition.target() {
        Some(version) => at_target_image(case, finding, version),
        None => finding,
    }
}

/// Points a finding at an image of the target stream: of the first component whose version is `version`, else of the
/// first one.
pub fn at_target_image(case: &Case, finding: Finding, version: &Version) -> Finding {
    match choose(&case.came.components, version) {
        Some(component) => at_image(case, finding, Input::Target, component),
        None => finding,
    }
}

/// Points a finding at an image that is deployed: of the first component whose version is `version`, else of the first
/// one.
pub fn at_current_image(case: &Case, finding: Finding, version: &Version) -> Finding {
    match case.before.and_then(|b| choose(&b.release.components, version)) {
        Some(component) => at_image(case, finding, Input::Current, component),
        None => finding,
    }
}

/// Points a finding at the first image that is deployed.
pub fn at_any_current_image(case: &Case, finding: Finding) -> Finding {
    match case.before.and_then(|b| b.release.components.first()) {
        Some(component) => at_image(case, finding, Input::Current, component),
        None => finding,
    }
}

fn choose<'c>(components: &'c [Component], version: &Version) -> Option<&'c Component> {
    let is = |c: &&Component| matches!(&c.version, Read::Known(v) if v == version);
    components.iter().find(is).or_else(|| components.first())
}

/// Points a finding at a component's image in the stream that came in or in what is deployed, with the image of the
/// same role on the other side.
pub fn at_image(case: &Case, finding: Finding, input: Input, component: &Component) -> Finding {
    let object = match (input, case.before) {
        (Input::Current, Some(before)) => before.object(component),
        (Input::Current, None) => return finding,
        _ => &case.target.objects[component.object],
    };
    let same_role = |all: &[Component]| all.iter().find(|c| c.role == component.role).map(|c| c.image.clone());
    let deployed = case.before.and_then(|b| same_role(&b.release.components));
    let (current, proposed) = match input {
        Input::Current => (Some(component.image.clone()), same_role(&case.after.release.components)),
        _ => (deployed, Some(component.image.clone())),
    };
    let path = format!("{}/image", component.container);
    finding
        .on(&object.reference)
        .at(input, object.document, format!("{}{path}", object.pointer))
        .field(path, current, proposed)
}

#[cfg(test)]
mod tests {
    use crate::finding::Input;
    use crate::judge::Current;
    use crate::rules::testkit::{Scenario, cluster};

    #[test]
    fn an_image_that_is_deployed_is_pointed_at_where_it_stands() {
        // What stands first on the one side is not what stands first on the other.
        let scenario = Scenario::of(&cluster("v2.5.10", true), &cluster("v2.6.16", false));
        let found = scenario.of_rule("MU101").remove(0);
        let place = found.location.unwrap();
        assert_eq!(place.stream, Input::Current);
        let Current::Manifests(current) = scenario.request().current else {
            panic!("a stream")
        };
        let current = String::from_utf8(current.to_vec()).unwrap();
        let lines: Vec<&str> = current.lines().take(place.line).collect();
        assert_eq!(lines.last().unwrap().trim(), "image: \"milvusdb/milvus:v2.5.10\"");
        let name = format!("  name: {}", found.object.unwrap().name);
        assert_eq!(lines.iter().rfind(|l| l.starts_with("  name: ")), Some(&&*name));
    }

    #[test]
    fn beside_an_image_stands_that_of_the_same_role() {
        let named = |text: String| {
            ["mixcoord", "proxy", "querynode", "datanode", "indexnode"]
                .iter()
                .fold(text, |text, role| {
                    let line = format!("        - name: {role}\n          image: \"");
                    text.replace(&format!("{line}milvusdb"), &format!("{line}{role}"))
                })
        };
        for (code, from) in [("MU101", "v2.5.10"), ("MU103", "v2.4.5")] {
            let scenario = Scenario::of(&named(cluster(from, false)), &named(cluster("v2.6.16", false)));
            let found = scenario.of_rule(code).remove(0);
            let role = found.object.unwrap().name.replace("rel-milvus-", "");
            let field = found.field.unwrap();
            assert_eq!(
                (field.current.as_str(), field.proposed.as_str()),
                (
                    Some(&*format!("{role}/milvus:{from}")),
                    Some(&*format!("{role}/milvus:v2.6.16"))
                ),
                "{code}"
            );
        }
    }
}

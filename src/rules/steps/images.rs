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

//! MU006: values that did not render this stream.

use super::case::Case;
use super::{Check, Rule, steps};
use crate::finding::{Finding, Input, Severity};
use crate::kube::selector;
use crate::milvus::image::ImageRef;
use crate::milvus::release::Component;
use crate::rewrite::chart::values_key;
use crate::rewrite::values::{Values, holds_own_keys, printed};
use crate::value::{Value, json};
use crate::yaml;

/// The rule.
pub static RULE: Rule = Rule {
    code: "MU006",
    name: "values-contradict-stream",
    severity: Severity::Refuse,
    says: "`--values` are not the ones that rendered this stream",
    page: include_str!("../../docs/rules/MU006.md"),
    check: Check::Release(check),
};

fn check(case: &Case) -> Vec<Finding> {
    let Some(values) = case.values else { return vec![] };
    let mut found = Vec::new();
    found.extend(misplaced(case, values));
    found.extend(tag(case, values));
    found.extend(repository(case, values));
    for component in &case.came.components {
        found.extend(replicas(case, values, component));
    }
    found
}

fn help(case: &Case) -> String {
    format!(
        "give the values this stream was rendered with: helm get values {} --namespace {} --output yaml > values.yaml, \
         then --values values.yaml and behind it a --values FILE with what this call adds (its -f files and --set flags)",
        case.came.name,
        steps::namespace(case)
    )
}

/// Values that stand a level too high or too low for where this chart reads them.
fn misplaced(case: &Case, values: &Values) -> Option<Finding> {
    if holds_own_keys(values.scoped()) {
        return None;
    }
    if case.template().is_none() {
        return untold(case, values);
    }
    let path = case.values_path();
    let place = if path.is_empty() {
        "at their root".to_owned()
    } else {
        format!("under `{}`", path.join("."))
    };
    if !path.is_empty() && holds_own_keys(values.whole()) {
        let message = format!(
            "the values have the keys of the Milvus chart at their root, and this stream's chart reads them {place}: none of them would count"
        );
        let help = format!(
            "give the values of the whole umbrella chart, with those of Milvus under `{}:`",
            path.join(".")
        );
        return Some(at_first(case, RULE.finding(message, help)));
    }
    let children = values.scoped().as_object()?;
    let (key, _) = children.iter().find(|(_, v)| holds_own_keys(v))?;
    let message = format!(
        "the values have the keys of the Milvus chart under `{key}`, and this stream's chart reads them {place}: none of them would count"
    );
    let help = format!(
        "give what stands under `{key}:` alone: yq '.{key}' values.yaml > milvus.yaml, then --values milvus.yaml"
    );
    Some(at_first(case, RULE.finding(message, help)))
}

/// Values that stand below the keys of subcharts, where nothing in the stream tells which of these its chart is.
fn untold(case: &Case, values: &Values) -> Option<Finding> {
    let places: Vec<String> = values.places().iter().map(|path| path.join(".")).collect();
    let first = places.first()?;
    let keys: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
    let message = format!(
        "the values have the keys of the Milvus chart under {} and not at their root, and nothing in this stream tells that its chart reads \
         them there: Helm's `# Source:` comments are gone, and the images do not have the tag of {}",
        keys.join(" and "),
        match places.len() {
            1 => "these values",
            _ => "one of these alone",
        }
    );
    let help = format!(
        "give what stands under the right key alone: yq '.{first}' values.yaml > milvus.yaml, then --values milvus.yaml; or give behind it a \
         --values FILE with the tag of this call under that key, or the stream as Helm renders it, with its comments"
    );
    Some(at_first(case, RULE.finding(message, help)))
}

fn at_first(case: &Case, finding: Finding) -> Finding {
    match case.came.components.first() {
        Some(component) => {
            let object = &case.target.objects[component.object];
            finding
                .on(&object.reference)
                .at(Input::Target, object.document, object.pointer.clone())
        }
        None => finding,
    }
}

/// The tag, as the template prints it, is in none of the images: another one would have rendered some.
fn tag(case: &Case, values: &Values) -> Option<Finding> {
    let text = printed_at(values, "tag")?;
    // `repository: milvusdb/milvus@sha256` makes a digest of the tag.
    let pins = printed_at(values, "repository").is_some_and(|r| r.contains('@'));
    let has_one = |c: &&Component| pins || ImageRef::parse(&c.image).tag.is_some();
    let mut tagged = case.came.components.iter().filter(has_one);
    let same = |c: &Component| values.tags(&c.image) == Some(true);
    let first = tagged.next()?;
    if same(first) || tagged.any(same) {
        return None;
    }
    let message = format!(
        "the values say image.all.tag: {text}, and {} runs `{}`: these values did not render this stream, and what comes would not fit it",
        first.name, first.image
    );
    let added = tag_of(values, &first.image).map(|tag| {
        let file = case.placed_values(json!({"image": {"all": {"tag": tag}}}));
        format!(
            "\nwhere they are the values of before and this call sets the tag: echo '{}' > tag.yaml, then --values tag.yaml behind the others",
            yaml::inline(&file)
        )
    });
    let help = help(case) + &added.unwrap_or_default();
    Some(steps::at_image(case, RULE.finding(message, help), Input::Target, first))
}

/// The tag with which the chart prints an image, behind the repository that was given.
fn tag_of(values: &Values, image: &str) -> Option<String> {
    let behind = |repository: String| Some(image.strip_prefix(&repository)?.strip_prefix(':')?.to_owned());
    printed_at(values, "repository")
        .and_then(behind)
        .or_else(|| ImageRef::parse(image).tag)
}

/// A part of the image as the values give it.
fn printed_at(values: &Values, part: &str) -> Option<String> {
    printed(values.truthy(&["image", "all", part])?)
}

/// What stands before the tag in an image as the chart prints it, repository and tag with a colon between: in
/// `milvus@sha256:0123` the repository may have been `milvus@sha256`.
fn before_tag(image: &str) -> Option<&str> {
    let (before, tag) = image.rsplit_once(':')?;
    (!tag.contains('/')).then_some(before)
}

/// The repository is in none of the images, not even behind a registry's name.
fn repository(case: &Case, values: &Values) -> Option<Finding> {
    let text = printed_at(values, "repository")?;
    let names = |r: &str| r == text || r.ends_with(&format!("/{text}")) || text.ends_with(&format!("/{r}"));
    let same = |c: &Component| names(&ImageRef::parse(&c.image).repository) || before_tag(&c.image).is_some_and(names);
    if case.came.components.iter().any(same) {
        return None;
    }
    let first = case.came.components.first()?;
    let message = format!(
        "the values say image.all.repository: {text}, and {} runs `{}`: these values did not render this stream, and what comes would not fit it",
        first.name, first.image
    );
    let help = format!(
        "{}\nwhere another post-renderer moved the images after rendering: --allow MU006",
        help(case)
    );
    Some(steps::at_image(case, RULE.finding(message, help), Input::Target, first))
}

/// The replicas of a component that is there and that nothing else scales.
fn replicas(case: &Case, values: &Values, component: &Component) -> Option<Finding> {
    let key = values_key(component.role);
    let given = wanted(values.get(&[key, "replicas"])?)?;
    let there = component.replicas?;
    let alone = case.came.in_role(component.role).count() == 1;
    if given == there || !alone || scaled(case, component) {
        return None;
    }
    let message = format!(
        "the values say {key}.replicas: {given}, and {} has {there}: these values did not render this stream, and what comes would not fit it",
        component.name
    );
    let object = &case.target.objects[component.object];
    let finding = RULE.finding(message, help(case)).on(&object.reference).at(
        Input::Target,
        object.document,
        format!("{}/spec/replicas", object.pointer),
    );
    let deployed = case
        .before
        .and_then(|b| b.release.in_role(component.role).next())
        .and_then(|c| c.replicas);
    Some(finding.field("/spec/replicas", deployed, there))
}

/// The number of replicas that a template prints: no null, no map, no negative number (which leaves the field out).
fn wanted(given: &Value) -> Option<i64> {
    let text = printed(given)?;
    let number = match given {
        Value::Number(_) | Value::String(_) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    (number >= 0.0 && number.fract() == 0.0).then_some(number as i64)
}

/// Whether something else decides how many there are.
fn scaled(case: &Case, component: &Component) -> bool {
    let kind = case.target.objects[component.object].reference.kind.as_str();
    case.target.objects.iter().any(|o| {
        ["HorizontalPodAutoscaler", "ScaledObject"].contains(&o.reference.kind.as_str())
            && selector::scale_target(&o.reference.kind, &o.value) == Some((kind, component.name.as_str()))
    })
}

#[cfg(test)]
mod tests;

//! What several rules ask of a component, and how they name several of them in one sentence.

use crate::facts;
use crate::milvus::release::Component;
use crate::milvus::role::Role;
use crate::milvus::version::{Read, Version};

/// The version of a component's image; the assumed one where the image says none.
pub fn version<'a>(component: &'a Component, assumed: Option<&'a Version>) -> Option<&'a Version> {
    match &component.version {
        Read::Known(version) => Some(version),
        Read::Undecidable(_) => assumed,
    }
}

/// The release line of a component's image, also of a tag that names no patch; the assumed one where it says none.
pub fn line(component: &Component, assumed: Option<&Version>) -> Option<(u64, u64)> {
    match (&component.version, assumed) {
        (Read::Known(version), _) | (Read::Undecidable(_), Some(version)) => Some(version.line()),
        (Read::Undecidable(tag), None) => tag.line,
    }
}

/// Whether a component runs the streaming architecture; `None` where its image does not tell.
pub fn since_streaming(component: &Component, assumed: Option<&Version>) -> Option<bool> {
    line(component, assumed).map(|line| line >= facts::versions().marks.streaming.version.line())
}

/// What a component's image says of its version, in words.
pub fn spelled(component: &Component, assumed: Option<&Version>) -> String {
    match (&component.version, assumed) {
        (Read::Known(version), _) | (Read::Undecidable(_), Some(version)) => version.to_string(),
        (Read::Undecidable(tag), None) if tag.text.is_empty() => "an image without a tag".into(),
        (Read::Undecidable(tag), None) => format!("`{}`", tag.text),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: AsRef<str>>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// `is` for one, `are` for several.
pub fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// The names of components, as words for [`list`].
pub fn names(components: &[&Component]) -> Vec<String> {
    components.iter().map(|c| c.name.clone()).collect()
}

/// The chart's switches that turn roles off, ready to paste.
pub fn switched_off(roles: &[Role]) -> String {
    let mut flags: Vec<String> = Vec::new();
    for role in roles {
        let flag = format!("--set {}.enabled=false", crate::rewrite::chart::values_key(*role));
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    flags.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_as_people_do() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn each_role_is_switched_off_once() {
        let roles = [Role::RootCoord, Role::IndexNode, Role::RootCoord];
        assert_eq!(
            switched_off(&roles),
            "--set rootCoordinator.enabled=false --set indexNode.enabled=false"
        );
    }
}

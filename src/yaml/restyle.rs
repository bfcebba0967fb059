//! What a pass through Helm 4's kyaml does to folded scalars.

/// Whether the string, written as a folded scalar by go-yaml v3, reads back as another one.
pub(super) fn is_unstable(value: &str) -> bool {
    value.lines().any(|line| line.starts_with([' ', '\t']))
}

//! What a pass through Helm 4's kyaml does to folded scalars.

/// Whether the string, written as a folded scalar by go-yaml v3, reads back as another one.
///
/// go-yaml adds a line break before a more-indented line and before kept blank lines at the end. Strings in which a
/// space ends a line it writes between double quotes instead, and those stay as they are.
pub(super) fn is_unstable(value: &str) -> bool {
    let is_quoted_instead = value.contains(" \n") || value.ends_with(' ');
    let grows = value.contains("\n ") || value.contains("\n\t") || value.ends_with("\n\n");
    grows && !is_quoted_instead
}

#[cfg(test)]
mod tests {
    use super::is_unstable;

    #[test]
    fn what_grows_is_unstable_unless_it_is_written_between_quotes() {
        for (value, unstable) in [
            ("a b\n", false),
            ("a\n b\n", true),
            ("a\n\tb\n", true),
            ("a\n\n", true),
            ("a \n b\n", false),
            ("a\n b ", false),
            ("a \n b ", false),
        ] {
            assert_eq!(is_unstable(value), unstable, "{value:?}");
        }
    }
}

//! Commands as text that can be pasted into a shell.

/// How far a line of a command goes before it is continued on the next.
const WIDTH: usize = 110;

/// A word as the shell reads it back.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command made of parts that stay together (an option with its value), continued over lines where it is long.
pub fn command<S: AsRef<str>>(parts: &[S]) -> String {
    let mut out = String::new();
    let mut line = 0;
    for part in parts.iter().map(AsRef::as_ref).filter(|p| !p.is_empty()) {
        if line > 0 && line + part.len() + 1 > WIDTH {
            out.push_str(" \\\n  ");
            line = 2;
        } else if line > 0 {
            out.push(' ');
            line += 1;
        }
        out.push_str(part);
        line += part.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_words_stay_plain() {
        assert_eq!(quote("image.all.tag=v2.6.16"), "image.all.tag=v2.6.16");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }

    #[test]
    fn long_commands_are_continued_between_parts() {
        let parts = vec!["--set image.all.tag=v2.6.16"; 8];
        let text = command(&parts);
        assert!(
            text.contains(" \\\n  --set") && text.lines().all(|l| l.len() <= WIDTH + 2),
            "{text}"
        );
        assert_eq!(text.replace(" \\\n  ", " "), parts.join(" "));
    }

    #[cfg(unix)]
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_shell_reads_back_what_was_quoted(word in "[^\u{0}\r\n]{0,24}") {
            let script = format!("printf %s {}", quote(&word));
            let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&out.stdout).into_owned(), word);
        }
    }
}

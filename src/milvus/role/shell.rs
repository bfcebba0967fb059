//! Just enough of the shell's grammar to find the commands of a one-line script.

/// The simple commands of a script as words, without leading assignments. Quotes and backslashes are undone;
/// variables stay as written.
///
/// # Errors
/// When a quote is left open.
pub(super) fn commands(script: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut commands = Vec::new();
    let mut command: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("an open quote"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some('\n') => {}
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err("an open quote"),
                        },
                        Some(c) => word.push(c),
                        None => return Err("an open quote"),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            '#' if word.is_none() => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            // `${x:-a b}` and `$(a b)` are one word.
            '$' if matches!(chars.peek(), Some('{' | '(')) => {
                let word = word.get_or_insert_default();
                word.push('$');
                let open = chars.next().unwrap_or_default();
                let close = if open == '{' { '}' } else { ')' };
                word.push(open);
                let mut depth = 1;
                while depth > 0 {
                    let Some(c) = chars.next() else {
                        return Err("an open bracket");
                    };
                    depth += i32::from(c == open) - i32::from(c == close);
                    word.push(c);
                }
            }
            // A redirection's `&` ends no command.
            '&' if word.as_deref().is_some_and(|w| w.ends_with('>')) => word.get_or_insert_default().push(c),
            '&' if chars.peek() == Some(&'>') => word.get_or_insert_default().push(c),
            ';' | '&' | '|' | '\n' | '(' | ')' => {
                command.extend(word.take());
                finish(&mut commands, &mut command);
            }
            c if c.is_whitespace() => command.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    command.extend(word.take());
    finish(&mut commands, &mut command);
    Ok(commands)
}

/// Ends a command: leading keywords and assignments are dropped, and words from the first redirection on.
fn finish(commands: &mut Vec<Vec<String>>, command: &mut Vec<String>) {
    let mut words = std::mem::take(command);
    let start = words
        .iter()
        .position(|w| !is_assignment(w) && !is_keyword(w))
        .unwrap_or(words.len());
    words.drain(..start);
    if let Some(end) = words.iter().position(|w| is_redirection(w)) {
        words.truncate(end);
    }
    if !words.is_empty() {
        commands.push(words);
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "exec" | "then" | "do" | "else" | "if" | "{" | "!" | "time" | "while" | "until" | "elif"
    )
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn is_redirection(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
    word.starts_with(['>', '<'])
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn a_script_is_its_commands() {
        for (script, want) in [
            ("a b", &[&["a", "b"][..]][..]),
            (
                "a; b && c || d | e & f\ng (h)",
                &[&["a"], &["b"], &["c"], &["d"], &["e"], &["f"], &["g"], &["h"]],
            ),
            (r#"'a b' "c\"d" e\ f"#, &[&["a b", "c\"d", "e f"]]),
            ("\"a\\\nb\\x\" c\\\nd", &[&["ab\\x", "cd"]]),
            ("a#b #c d\ne", &[&["a#b"], &["e"]]),
            ("x${A:-b c}y $d", &[&["x${A:-b c}y", "$d"]]),
            ("$(a (b c) d) e", &[&["$(a (b c) d)", "e"]]),
            ("${a ${b c} d} e", &[&["${a ${b c} d}", "e"]]),
            ("a 2>&1 | b", &[&["a"], &["b"]]),
            ("a >&2 b; c", &[&["a"], &["c"]]),
            ("a &> f; b", &[&["a"], &["b"]]),
            ("a &>f b & c", &[&["a"], &["c"]]),
            ("a <f b", &[&["a"]]),
            ("a 12 b", &[&["a", "12", "b"]]),
            ("A=1 B_2=x exec time a A=1", &[&["a", "A=1"]]),
            ("1A=2 a", &[&["1A=2", "a"]]),
            ("=x a", &[&["=x", "a"]]),
            ("a-b=c d", &[&["a-b=c", "d"]]),
            ("if a; then ! b; fi", &[&["a"], &["b"], &["fi"]]),
            ("", &[]),
        ] {
            assert_eq!(commands(script).unwrap(), want, "{script}");
        }
        for open in ["'a", "\"a", "\"a\\", "${a", "$(a (b)"] {
            assert!(commands(open).unwrap_err().starts_with("an open"), "{open}");
        }
    }
}

//! Just enough of the shell's grammar to find the commands of a one-line script.

use std::iter::Peekable;
use std::str::Chars;

/// The simple commands of a script as words, without leading assignments and redirections. Quotes and backslashes are undone;
/// variables stay as written.
///
/// # Errors
/// When a quote is left open.
pub(super) fn commands(script: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut found = Commands::default();
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => found.quoted(&mut chars)?,
            '"' => found.double_quoted(&mut chars)?,
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => found.word().push(c),
            },
            '#' if found.word.is_none() => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            '$' if matches!(chars.peek(), Some('{' | '(')) => found.substitution(&mut chars)?,
            '>' | '<' => found.redirection(c, &mut chars),
            '&' if chars.peek() == Some(&'>') => {
                found.end_word();
                let arrow = chars.next().unwrap_or_default();
                found.redirection(arrow, &mut chars);
            }
            '\n' => {
                found.end_command();
                found.skip_documents(&mut chars);
            }
            ';' | '&' | '|' | '(' | ')' => found.end_command(),
            c if c.is_whitespace() => found.end_word(),
            c => found.word().push(c),
        }
    }
    found.end_command();
    Ok(found.all)
}

/// The commands so far, the one that is read, and its word.
#[derive(Default)]
struct Commands {
    all: Vec<Vec<String>>,
    command: Vec<String>,
    word: Option<String>,
    /// What the next word is, where it is none of the command's.
    target: Option<Target>,
    /// The words that end the here-documents which begin on the next line, and whether tabs may stand before them.
    documents: Vec<(String, bool)>,
}

/// What a redirection leads to.
enum Target {
    File,
    /// A here-document up to this word; whether tabs may stand before it.
    Document(bool),
}

type Script<'s> = Peekable<Chars<'s>>;

impl Commands {
    fn word(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn quoted(&mut self, chars: &mut Script) -> Result<(), &'static str> {
        let word = self.word();
        loop {
            match chars.next() {
                Some('\'') => return Ok(()),
                Some(c) => word.push(c),
                None => return Err("an open quote"),
            }
        }
    }

    fn double_quoted(&mut self, chars: &mut Script) -> Result<(), &'static str> {
        let word = self.word();
        loop {
            match chars.next() {
                Some('"') => return Ok(()),
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

    /// `${x:-a b}` and `$(a b)` are one word.
    fn substitution(&mut self, chars: &mut Script) -> Result<(), &'static str> {
        let word = self.word();
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
        Ok(())
    }

    /// `2>&1`, `>> f`, `<f`, `&>f`: wherever it stands, the words around it are the command's.
    fn redirection(&mut self, arrow: char, chars: &mut Script) {
        let number = self.word.as_deref();
        if number.is_some_and(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        let document = arrow == '<' && chars.next_if_eq(&'<').is_some() && chars.next_if_eq(&'<').is_none();
        self.target = Some(match document {
            true => Target::Document(chars.next_if_eq(&'-').is_some()),
            false => Target::File,
        });
        while !document && chars.next_if(|c| matches!(c, '>' | '&' | '|')).is_some() {}
    }

    /// Skips the here-documents that were announced on the line before.
    fn skip_documents(&mut self, chars: &mut Script) {
        for (end, tabs) in std::mem::take(&mut self.documents) {
            loop {
                let line: String = std::iter::from_fn(|| chars.next_if(|c| *c != '\n')).collect();
                let content = if tabs { line.trim_start_matches('\t') } else { &line };
                if chars.next().is_none() || content == end {
                    break;
                }
            }
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.target.take() {
            None => self.command.push(word),
            Some(Target::File) => {}
            Some(Target::Document(tabs)) => self.documents.push((word, tabs)),
        }
    }

    /// Ends a command: leading keywords and assignments are dropped.
    fn end_command(&mut self) {
        self.end_word();
        self.target = None;
        let mut words = std::mem::take(&mut self.command);
        let start = words.iter().position(|w| !is_assignment(w) && !is_keyword(w));
        words.drain(..start.unwrap_or(words.len()));
        if !words.is_empty() {
            self.all.push(words);
        }
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
            ("a >&2 b; c", &[&["a", "b"], &["c"]]),
            ("a &> f; b", &[&["a"], &["b"]]),
            ("a &>f b & c", &[&["a", "b"], &["c"]]),
            ("a&>f b", &[&["a", "b"]]),
            ("a &>>f b", &[&["a", "b"]]),
            ("a <f b", &[&["a", "b"]]),
            ("a>f b", &[&["a", "b"]]),
            ("a 2> 'f g' b", &[&["a", "b"]]),
            ("a 2>/dev/null>>f b 3", &[&["a", "b", "3"]]),
            ("a2>f b", &[&["a2", "b"]]),
            ("'' >f b", &[&["", "b"]]),
            ("a '>' b \\> c", &[&["a", ">", "b", ">", "c"]]),
            (">f a b", &[&["a", "b"]]),
            ("2>&1 A=b a", &[&["a"]]),
            ("a >|f b", &[&["a", "b"]]),
            ("a 2>&- b", &[&["a", "b"]]),
            ("a <<<b c", &[&["a", "c"]]),
            ("a <<E >f b; c\nd\n\tE\nE\ne", &[&["a", "b"], &["c"], &["e"]]),
            ("a <<-'E F' 0<<G\nb\n\tE F\nc\nG\nd", &[&["a"], &["d"]]),
            ("a <<E\nb", &[&["a"]]),
            ("a <<\nb", &[&["a"], &["b"]]),
            ("a >; b", &[&["a"], &["b"]]),
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

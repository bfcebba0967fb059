//! Turns the parser's own panics into errors.
//!
//! libyaml-safer panics at a tag that a comma follows at once (`[!x,y]`). Nothing short of parsing tells such a tag
//! from the same characters inside a string, so the panic is caught. It is also silenced, on this thread and for
//! this parse only.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use memchr::memchr;

use super::YamlError;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs a parse of a text.
pub(super) fn guarded<T>(text: &str, parse: impl FnOnce() -> Result<T, YamlError>) -> Result<T, YamlError> {
    let suspect = tag_before_comma(text);
    if suspect.is_some() {
        HOOK.call_once(|| {
            let before = take_hook();
            set_hook(Box::new(move |info| {
                if !SILENT.get() {
                    before(info);
                }
            }));
        });
    }
    SILENT.set(suspect.is_some());
    let result = catch_unwind(AssertUnwindSafe(parse));
    SILENT.set(false);
    result.unwrap_or_else(|_| {
        Err(match suspect {
            Some(offset) => YamlError::new("a `,` right after a tag, or another tag like it", offset),
            None => YamlError::new("the YAML parser fails on this document", 0),
        })
    })
}

/// Where something like a tag stands right before a comma.
fn tag_before_comma(text: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = memchr(b'!', &text.as_bytes()[from..]).map(|length| from + length) {
        // Every other `!` of the same word ends where this one does: a run of them is looked at once.
        let end = at + text[at..].find(ends_a_tag)?;
        if text[end..].starts_with(',') {
            return Some(at);
        }
        from = end;
    }
    None
}

fn ends_a_tag(character: char) -> bool {
    character.is_whitespace() || matches!(character, ',' | '[' | ']' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As looking on from each `!` finds it.
    fn one_by_one(text: &str) -> Option<usize> {
        text.match_indices('!').map(|(at, _)| at).find(|at| {
            let rest = &text[*at..];
            rest.find(ends_a_tag).is_some_and(|end| rest[end..].starts_with(','))
        })
    }

    #[test]
    fn the_first_tag_before_a_comma_is_found() {
        for (text, at) in [
            ("[!x,y]", Some(1)),
            ("[a!!x,y]", Some(2)),
            ("!!é!x !é!y,", Some(7)),
            ("!\u{2003}!,", Some(4)),
            ("!", None),
            ("!x", None),
            ("!x ,", None),
            ("!x],", None),
            ("a,", None),
            ("", None),
        ] {
            assert_eq!(tag_before_comma(text), at, "{text:?}");
        }
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer = |text: &String| ["!", ",", " ", "x", "]"].map(|next| format!("{text}{next}"));
            texts = texts.iter().flat_map(longer).collect();
        }
        for text in texts {
            assert_eq!(tag_before_comma(&text), one_by_one(&text), "{text:?}");
        }
    }
}

//! Turns the parser's own panics into errors.
//!
//! libyaml-safer panics at a tag that a comma follows at once (`[!x,y]`). Nothing short of parsing tells such a tag
//! from the same characters inside a string, so the panic is caught. It is also silenced, on this thread and for
//! this parse only.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

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
    text.match_indices('!').map(|(at, _)| at).find(|at| {
        let rest = &text[*at..];
        rest.find(|character: char| character.is_whitespace() || matches!(character, ',' | '[' | ']' | '{' | '}'))
            .is_some_and(|end| rest[end..].starts_with(','))
    })
}

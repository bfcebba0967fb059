//! A value as JSON has them: what a document says.
//!
//! The type has the names of `serde_json::Value` and its ways, and takes less than half of its memory: a stream is mostly small maps of
//! short texts, which that one gives a hash table each and a piece of memory for every key and text.

mod access;
mod convert;
mod map;
pub mod pointer;
mod serial;

pub use map::{Entry, Map};
pub use serde_json::Number;

/// A text within a value. Up to 24 bytes need no memory beside it.
pub type Text = compact_str::CompactString;

/// What JSON can say. Maps keep the order in which their keys came; two are equal whatever their order.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Text),
    /// A list.
    Array(Vec<Value>),
    /// A mapping.
    Object(Map),
}

/// What is where nothing is.
static NULL: Value = Value::Null;

/// A [`Value`] written as JSON, with expressions in it, as `serde_json::json!` takes it.
#[macro_export]
macro_rules! json {
    ($($json:tt)+) => {
        $crate::value::Value::from(::serde_json::json!($($json)+))
    };
}
pub use crate::json;

impl std::fmt::Display for Value {
    /// As JSON; `{:#}` in lines.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match f.alternate() {
            true => serde_json::to_string_pretty(self),
            false => serde_json::to_string(self),
        };
        f.write_str(&text.map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;

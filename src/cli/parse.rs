//! How values of options are read that come from the environment.

use std::ffi::{OsStr, OsString};

use clap::Arg;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::parser::ValueSource;

/// Reads a value of a variable without the line break at its end, which a block scalar of YAML leaves there.
#[derive(Clone, Debug)]
pub struct OneLine<P>(pub P);

impl<P: TypedValueParser> TypedValueParser for OneLine<P> {
    type Value = P::Value;

    fn parse_ref(&self, cmd: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        self.0.parse_ref(cmd, arg, value)
    }

    fn parse_ref_(
        &self,
        cmd: &clap::Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Self::Value, clap::Error> {
        let text = value.to_str().filter(|_| source == ValueSource::EnvVariable);
        match text.and_then(line) {
            Some(line) => self.0.parse_ref_(cmd, arg, &OsString::from(line), source),
            None => self.0.parse_ref_(cmd, arg, value, source),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

/// A text without the line break at its end; `None` where it has none.
fn line(text: &str) -> Option<&str> {
    let line = text.strip_suffix('\n')?;
    Some(line.strip_suffix('\r').unwrap_or(line))
}

/// Whether the value of a variable says nothing.
pub fn is_unset(value: &OsStr) -> bool {
    let text = value.to_str();
    text.is_some_and(|text| line(text).unwrap_or(text).is_empty())
}

/// Reads a switch. A word that is neither yes nor no must not turn anything on.
pub fn switch(text: &str) -> Result<bool, String> {
    match line(text).unwrap_or(text).to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "on" | "t" => Ok(true),
        "false" | "0" | "no" | "n" | "off" | "f" => Ok(false),
        _ => Err("a switch takes true or 1, or false or 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_takes_words_that_say_yes_or_no() {
        for (text, wanted) in [
            ("true", Some(true)),
            ("1", Some(true)),
            ("YES", Some(true)),
            ("true\n", Some(true)),
            ("False", Some(false)),
            ("0\r\n", Some(false)),
            ("off", Some(false)),
            ("nope", None),
            ("2", None),
            (" ", None),
        ] {
            assert_eq!(switch(text).ok(), wanted, "{text:?}");
        }
    }
}

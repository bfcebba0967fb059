//! What an input holds.

use std::ops::Deref;
use std::sync::Arc;

use crate::yaml;

/// The bytes of an input, read once and shared by all who keep its text.
#[derive(Clone, Debug)]
pub struct Bytes(Held);

#[derive(Clone, Debug)]
enum Held {
    Text(Arc<String>),
    Other(Arc<Vec<u8>>),
}

impl Bytes {
    /// The text; `None` where it is no UTF-8.
    pub fn text(&self) -> Option<&Arc<String>> {
        match &self.0 {
            Held::Text(text) => Some(text),
            Held::Other(_) => None,
        }
    }

    /// The same as YAML, where it is one JSON document with escapes that only JSON knows: for inputs that may be JSON.
    #[must_use]
    pub fn or_json(self) -> Bytes {
        match self.text().and_then(|text| yaml::without_json_escapes(text)) {
            Some(text) => text.into(),
            None => self,
        }
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes(Held::Text(Arc::default()))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Text(text) => text.as_bytes(),
            Held::Other(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(match String::from_utf8(bytes) {
            Ok(text) => Held::Text(Arc::new(text)),
            Err(e) => Held::Other(Arc::new(e.into_bytes())),
        })
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Self {
        Bytes(Held::Text(Arc::new(text)))
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&Vec<u8>> for Bytes {
    fn from(bytes: &Vec<u8>) -> Self {
        bytes.clone().into()
    }
}

impl From<&Bytes> for Bytes {
    fn from(bytes: &Bytes) -> Self {
        bytes.clone()
    }
}

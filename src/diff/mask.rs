//! Secrets, each replaced by a number: the same value has the same number wherever it stands in one run, so that a change can
//! be told from none, and nothing else can be told. No hash: a short password would be found by trying.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tree::is_config_name;
use crate::report::mask::{MASK, last_applied, reused};
use crate::state::scrub;
use crate::value::Value;
use crate::yaml;

/// Hands out the numbers, in the order in which secrets are met.
#[derive(Debug, Default)]
pub struct Masker {
    numbers: HashMap<Vec<u8>, usize>,
}

impl Masker {
    /// An object without its secrets: those of a Secret, of texts, environment and arguments.
    pub fn masked(&mut self, kind: &str, value: &Value) -> Value {
        let mut shown = value.clone();
        for (key, inner) in shown.as_object_mut().into_iter().flatten() {
            match (kind, key.as_str()) {
                ("Secret", "data") => self.all(inner, true),
                ("Secret", "stringData") => self.all(inner, false),
                ("Secret", "metadata") => {
                    scrub::scrub_with(key, inner, &mut |secret| self.token(secret));
                    last_applied(inner, &mut |text| self.all(text, false));
                }
                ("ConfigMap", "data") => self.texts(inner),
                (_, key) => scrub::scrub_with(key, inner, &mut |secret| self.token(secret)),
            }
        }
        shown
    }

    /// What stands in place of a secret. An empty one keeps nothing secret.
    fn token(&mut self, secret: &str) -> String {
        let bare = match secret.chars().next() {
            Some(quote @ ('"' | '\'')) if secret.len() > 1 && secret.ends_with(quote) => &secret[1..secret.len() - 1],
            _ => secret,
        };
        if bare.is_empty() || is_token(bare) {
            return secret.into();
        }
        self.number(bare.as_bytes().to_vec())
    }

    fn number(&mut self, secret: Vec<u8>) -> String {
        let next = self.numbers.len() + 1;
        format!("{MASK}#{}", self.numbers.entry(secret).or_insert(next))
    }

    /// Every value below; those of `data` count by what they encode.
    fn all(&mut self, value: &mut Value, encoded: bool) {
        match value {
            Value::Object(map) => map.values_mut().for_each(|v| self.all(v, encoded)),
            Value::Array(list) => list.iter_mut().for_each(|v| self.all(v, encoded)),
            Value::Null => {}
            Value::String(s) if s.is_empty() => {}
            other => {
                let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                let decoded = STANDARD.decode(text.trim()).ok().filter(|_| encoded);
                *other = self.number(decoded.unwrap_or_else(|| text.into_bytes())).into();
            }
        }
    }

    fn texts(&mut self, data: &mut Value) {
        for (key, value) in data.as_object_mut().into_iter().flatten() {
            if let Value::String(text) = value {
                let config = is_config_name(key).then(|| self.config(text)).flatten();
                *text = config.unwrap_or_else(|| self.lines(key, text)).into();
            } else {
                scrub::scrub_with(key, value, &mut |secret| self.token(secret));
            }
        }
    }

    /// A configuration, written anew where it holds secrets; `None` where it holds none or cannot be read.
    fn config(&mut self, text: &str) -> Option<String> {
        let config = yaml::read(text).ok()?.filter(|v| v.is_object() || v.is_array())?;
        let mut scrubbed = config.clone();
        scrub::scrub_with("", &mut scrubbed, &mut |secret| self.token(secret));
        reused(text, &config, &mut scrubbed);
        (scrubbed != config).then(|| yaml::emit(&scrubbed))
    }

    /// A text line by line; what is indented deeper than a secret's key without a value of its own belongs to it.
    fn lines(&mut self, key: &str, text: &str) -> String {
        let mut whole = Value::from(text);
        if scrub::is_secret(key) || text.contains("-----BEGIN") {
            self.all(&mut whole, false);
            return whole.as_str().unwrap_or_default().into();
        }
        let mut out = String::new();
        let mut lines = text.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            let Some(indent) = opens_secret(line) else {
                out.push_str(&scrub::script(line, &mut |secret| self.token(secret)));
                continue;
            };
            out.push_str(line);
            let mut hidden = String::new();
            while let Some(next) = lines.next_if(|l| l.trim().is_empty() || indent_of(l) > indent) {
                hidden.push_str(next);
            }
            if !hidden.trim().is_empty() {
                out.push_str(&format!(
                    "{}{}\n",
                    " ".repeat(indent + 2),
                    self.number(hidden.into_bytes())
                ));
            }
        }
        out
    }
}

fn is_token(text: &str) -> bool {
    text.strip_prefix(MASK)
        .and_then(|rest| rest.strip_prefix('#'))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The indent of a secret's key whose value follows on the next lines.
fn opens_secret(line: &str) -> Option<usize> {
    let (key, value) = line.trim().split_once(':')?;
    let key = key.trim_start_matches("- ").trim_matches(['"', '\'']);
    (scrub::is_secret(key) && matches!(value.trim_start().chars().next(), None | Some('|' | '>')))
        .then(|| indent_of(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn one_value_has_one_number_wherever_it_stands() {
        let mut masker = Masker::default();
        let secret =
            json!({"kind": "Secret", "data": {"a": "aHVudGVyMg==", "b": "b3RoZXI="}, "stringData": {"c": "hunter2"}});
        let masked = masker.masked("Secret", &secret);
        assert_eq!(masked["data"], json!({"a": "***#1", "b": "***#2"}));
        assert_eq!(masked["stringData"]["c"], "***#1");
        let config = json!({"data": {
            "default.yaml": "# hunter2\nminio: {secretAccessKey: hunter2, port: 9000}\n",
            "run.sh": "mc --password=hunter2\nexport TOKEN='hunter2'\n",
            "plain.yaml": "a: 1 # kept\n",
            "twice.yaml": "a: &s hunter2\nb: {saslPassword: *s}\n",
            "x.conf": "token: |\n  hunter2\n  more\nport: 1\n"}});
        assert_eq!(
            masker.masked("ConfigMap", &config)["data"],
            json!({
                "default.yaml": "minio:\n  secretAccessKey: \"***#1\"\n  port: 9000\n",
                "run.sh": "mc --password=***#1\nexport TOKEN=***#1\n",
                "plain.yaml": "a: 1 # kept\n",
                "twice.yaml": "a: \"***#1\"\nb:\n  saslPassword: \"***#1\"\n",
                "x.conf": "token: |\n  ***#3\nport: 1\n"})
        );
        let pod = json!({"spec": {"containers": [{"args": ["x", "--password", "hunter2"],
            "env": [{"name": "ROOT_PASSWORD", "value": "hunter2"}, {"name": "EMPTY_TOKEN", "value": ""}]}]}});
        let masked = masker.masked("Deployment", &pod);
        let container = &masked["spec"]["containers"][0];
        assert_eq!(container["args"], json!(["x", "--password", "***#1"]));
        assert_eq!(container["env"][0]["value"], "***#1");
        assert_eq!(container["env"][1]["value"], "");
    }

    #[test]
    fn what_a_secret_was_applied_as_is_one_secret() {
        let mut masker = Masker::default();
        let applied = |data: &str| {
            let key = "kubectl.kubernetes.io/last-applied-configuration";
            json!({"metadata": {"annotations": {"a": "b", key: format!("{{\"data\":{{\"k\":\"{data}\"}}}}\n")}}})
        };
        let mut shown = |data: &str| masker.masked("Secret", &applied(data)).to_string();
        let (one, other) = (shown("aHVudGVyMg=="), shown("b3RoZXI="));
        assert!(
            !one.contains("aHVudGVyMg") && one.contains("***#") && one.contains("\"a\":\"b\"") && one != other,
            "{one}"
        );
    }
}

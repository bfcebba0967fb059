//! Takes secrets out of what a state file keeps. Stricter than [`crate::report::mask`]: a report shows what differs to
//! the person who ran the program, a state file lies around.

use crate::milvus::store::is_secret_key;
use crate::report::mask::{self, MASK, Token};
use crate::value::Value;

/// Kubernetes fields whose names end like a secret's and hold none.
const HARMLESS: [&str; 2] = ["automountServiceAccountToken", "tokenExpirationSeconds"];

/// Masks every secret below a value; `key` is the one it stands under.
pub fn scrub(key: &str, value: &mut Value) {
    scrub_with(key, value, &mut |_| MASK.into());
}

/// The same, with what `token` makes of each secret in its place.
pub fn scrub_with(key: &str, value: &mut Value, token: Token) {
    match value {
        Value::Object(map) => {
            let named = map.get("name").and_then(Value::as_str).is_some_and(is_secret);
            if named && let Some(v) = map.get_mut("value").filter(|v| !v.is_null()) {
                *v = token(&plain(v)).into();
            }
            for (key, inner) in map.iter_mut().filter(|(key, _)| !(named && *key == "value")) {
                scrub_with(key, inner, token);
            }
        }
        Value::Array(list) => {
            let words = matches!(key, "command" | "args");
            let mut before: Option<String> = None;
            for item in list.iter_mut() {
                let word = item.as_str().map(str::to_owned);
                let follows = before.as_deref().is_some_and(|b| b.starts_with('-') && is_secret(b));
                match &word {
                    Some(w) if words && follows && !w.starts_with('-') => *item = token(w).into(),
                    Some(w) if words && w.contains(char::is_whitespace) => *item = script(w, token).into(),
                    _ => scrub_with(key, item, token),
                }
                before = word;
            }
        }
        Value::String(s) => {
            *s = match is_secret(key) && !HARMLESS.contains(&key) {
                true => token(s).into(),
                false => text_with(s, token).into(),
            }
        }
        Value::Number(n) if is_secret(key) && !HARMLESS.contains(&key) => *value = token(&n.to_string()).into(),
        _ => {}
    }
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a key, variable or flag (`--root-password`) names a secret.
pub fn is_secret(key: &str) -> bool {
    is_secret_key(&key.replace('-', ""))
}

/// A text without logins in addresses, without what is assigned to a name that is a secret's, and without keys in PEM.
pub fn text(s: &str) -> String {
    text_with(s, &mut |_| MASK.into())
}

/// The same, with what `token` makes of each secret in its place.
pub fn text_with(s: &str, token: Token) -> String {
    if s.contains("-----BEGIN") {
        return token(s);
    }
    let mut out = String::new();
    for line in mask::url_with(s, token).split_inclusive('\n') {
        assignments(line, &mut out, token);
    }
    out
}

/// A shell script: as [`text`], and without what follows a flag that is a secret's, a login (`-u user:password`), the keys of
/// `mc alias set`, and words that look like a key.
pub fn script(s: &str, token: Token) -> String {
    let scrubbed = text_with(s, token);
    let mut out = String::new();
    for line in scrubbed.split_inclusive('\n') {
        let mut before = Words::default();
        for piece in line.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end();
            let secret = before.give(word) || is_random(word);
            match secret {
                true => out.push_str(&token(word)),
                false => out.push_str(word),
            }
            out.push_str(&piece[word.len()..]);
            if !word.is_empty() {
                before.push(word);
            }
        }
    }
    out
}

/// What stands before a word of a line.
#[derive(Default)]
struct Words<'w> {
    count: usize,
    last: &'w str,
    /// The first of the two words that give an alias its name, address and keys.
    alias: Option<usize>,
}

impl<'w> Words<'w> {
    fn push(&mut self, word: &'w str) {
        let is_alias = matches!((self.last, word), ("alias", "set") | ("host", "add"));
        self.alias = self.alias.or(is_alias.then(|| self.count - 1));
        self.last = word;
        self.count += 1;
    }

    /// Whether it says that a word is a secret.
    fn give(&self, word: &str) -> bool {
        !word.is_empty()
            && !word.starts_with('$')
            && !word.starts_with("\"$")
            && ((self.last.starts_with('-') && is_secret(self.last))
                || (matches!(self.last, "-u" | "--user") && word.contains(':'))
                // Behind the two words stand a name and an address.
                || self.alias.is_some_and(|at| self.count >= at + 4))
    }
}

/// Whether a word looks like a key: long, and small and capital letters and digits mixed.
fn is_random(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', ';']);
    let has = |class: fn(&char) -> bool| word.chars().any(|c| class(&c));
    word.len() >= 16
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_'))
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase)
        && has(char::is_ascii_digit)
}

/// Copies a line, and masks the value behind each `secret=` and `"secret":`.
fn assignments(line: &str, out: &mut String, token: Token) {
    let mut rest = line;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        out.push_str(&behind[..1]);
        rest = &behind[1..];
        let name = before
            .trim_end()
            .trim_end_matches(['"', '\'', '\\'])
            .rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
            .next()
            .unwrap_or_default();
        if name.is_empty() || !is_secret(name) || rest.starts_with("//") {
            continue;
        }
        let spaces = rest.len() - rest.trim_start_matches([' ', '\t', '\\']).len();
        let value = &rest[spaces..];
        let end = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |i| i + 2),
            _ => value
                .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '}'))
                .unwrap_or(value.len()),
        };
        if end > 0 {
            out.push_str(&rest[..spaces]);
            out.push_str(&token(&value[..end]));
        }
        rest = &value[end..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn secrets_leave_wherever_they_stand() {
        for (given, want) in [
            ("--console-address=:9001", "--console-address=:9001"),
            ("--root-password=hunter2", "--root-password=***"),
            ("amqp://u:hunter2@h:5672/v", "amqp://***@h:5672/v"),
            ("token: \"hunter2 x\", a: b", "token: ***, a: b"),
            (
                "{\"password\":\"hunter2\",\"user\":\"u\"}",
                "{\"password\":***,\"user\":\"u\"}",
            ),
            ("a=1;MINIO_SECRET_KEY=hunter2;b=2", "a=1;MINIO_SECRET_KEY=***;b=2"),
            ("-----BEGIN PRIVATE KEY-----\nhunter2", "***"),
            ("authParams:token:hunter2", "authParams:***"),
            ("rel-etcd.ns.svc:2379", "rel-etcd.ns.svc:2379"),
        ] {
            assert_eq!(text(given), want);
        }
    }

    #[test]
    fn commands_keep_their_plain_words() {
        let mut spec = json!({"command": ["minio", "server", "--password", "hunter2", "/data"], "args": ["sh", "-c", "mc alias set m http://h:9000 me hunter2\nx --password hunter2 -u me:hunter2 $A y"],
            "env": [{"name": "ROOT_PASSWORD", "value": "hunter2"}, {"name": "A", "value": "b"}, {"name": "S_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}],
            "automountServiceAccountToken": false, "volumes": [{"name": "v", "secret": {"secretName": "s"}}]});
        scrub("", &mut spec);
        assert_eq!(
            spec,
            json!({"command": ["minio", "server", "--password", "***", "/data"], "args": ["sh", "-c", "mc alias set m http://h:9000 *** ***\nx --password *** -u *** $A y"],
            "env": [{"name": "ROOT_PASSWORD", "value": "***"}, {"name": "A", "value": "b"}, {"name": "S_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}],
            "automountServiceAccountToken": false, "volumes": [{"name": "v", "secret": {"secretName": "s"}}]})
        );
    }
}

//! Secrets: what must appear in no message, report or diff, not even by length.

use memchr::memmem;

use crate::finding::Finding;
use crate::milvus::store::is_secret_key;
use crate::value::Value;
use crate::yaml;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Says what stands in place of one secret: the same for all, or one that tells equal from different.
pub type Token<'t> = &'t mut dyn FnMut(&str) -> String;

/// A value as it may be shown. `kind` is the object's, `path` leads from the object to the value.
pub fn value(kind: &str, path: &str, value: &Value) -> Value {
    let mut shown = value.clone();
    if kind == "Secret" {
        secret_data(path, &mut shown);
    }
    walk(path.rsplit(['/', '#']).next().unwrap_or(""), &mut shown);
    shown
}

/// `data` and `stringData` of a Secret, and anything below them.
fn secret_data(path: &str, shown: &mut Value) {
    if path.starts_with("/data") || path.starts_with("/stringData") {
        mask_all(shown);
        return;
    }
    for field in ["data", "stringData"] {
        if let Some(data) = shown.get_mut(field) {
            mask_all(data);
        }
    }
}

fn mask_all(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(mask_all),
        Value::Array(list) => list.iter_mut().for_each(mask_all),
        Value::Null => {}
        other => *other = MASK.into(),
    }
}

/// What a finding shows: both values of its field, and addresses in its words.
pub fn finding(finding: &mut Finding) {
    let kind = finding.object.as_ref().map_or("", |o| o.kind.as_str());
    if let Some(field) = &mut finding.field {
        field.current = value(kind, &field.path, &field.current);
        field.proposed = value(kind, &field.path, &field.proposed);
    }
    finding.message = url(&finding.message);
    finding.help = url(&finding.help);
}

fn walk(key: &str, value: &mut Value) {
    match value {
        Value::Object(map) => {
            // An environment variable, or any pair of a name and a value.
            let named = map.get("name").and_then(Value::as_str).is_some_and(is_secret_key);
            if named && let Some(v) = map.get_mut("value") {
                mask_all(v);
            }
            for (key, inner) in map.iter_mut() {
                walk(key, inner);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| walk(key, v)),
        Value::String(text) => {
            if is_secret_key(key) {
                *text = MASK.into();
            } else if text.contains('\n') && text.contains(':') {
                *text = embedded(text).into();
            } else {
                *text = url(text).into();
            }
        }
        Value::Number(_) | Value::Bool(_) if is_secret_key(key) => *value = MASK.into(),
        _ => {}
    }
}

/// Configuration text with the values of its secret keys masked; line by line where it is no YAML. Where a secret does not
/// stand on lines of its own (flow style, anchors), the text is written anew.
pub fn embedded(text: &str) -> String {
    let Ok(Some(mut parsed @ Value::Object(_))) = yaml::read(text) else {
        return text.lines().map(loose_line).collect::<Vec<_>>().join("\n");
    };
    let before = parsed.clone();
    walk("", &mut parsed);
    reused(text, &before, &mut parsed);
    // The mask itself is no YAML.
    let mut again = yaml::read(&by_lines(text, STAND_IN)).ok().flatten();
    again.as_mut().into_iter().for_each(masked_again);
    match again.as_ref() == Some(&parsed) {
        true => by_lines(text, MASK),
        false => yaml::emit(&parsed),
    }
}

/// Where a text has aliases, a value that was hidden in one place is hidden in all: it may be one and the same.
pub fn reused(text: &str, before: &Value, shown: &mut Value) {
    if text.contains('&') && text.contains('*') {
        let mut hidden = Vec::new();
        gather(before, shown, &mut hidden);
        hide(before, shown, &hidden);
    }
}

/// Scalars that are shown as something else, with that.
fn gather(before: &Value, shown: &Value, hidden: &mut Vec<(Value, Value)>) {
    match (before, shown) {
        (Value::Object(a), Value::Object(b)) => a.values().zip(b.values()).for_each(|(a, b)| gather(a, b, hidden)),
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| gather(a, b, hidden)),
        (Value::String(text), _) if text.is_empty() => {}
        (Value::String(_) | Value::Number(_), b) if before != b => hidden.push((before.clone(), b.clone())),
        _ => {}
    }
}

fn hide(before: &Value, shown: &mut Value, hidden: &[(Value, Value)]) {
    match (before, shown) {
        (Value::Object(a), Value::Object(b)) => a.values().zip(b.values_mut()).for_each(|(a, b)| hide(a, b, hidden)),
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| hide(a, b, hidden)),
        (a, b) if a == b => {
            if let Some((_, mask)) = hidden.iter().find(|(secret, _)| secret == a) {
                *b = mask.clone();
            }
        }
        _ => {}
    }
}

/// A word for the mask in a text that is to be read again.
const STAND_IN: &str = "masked-by-milvus-uplift";

fn masked_again(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(masked_again),
        Value::Array(list) => list.iter_mut().for_each(masked_again),
        Value::String(text) if text == STAND_IN => *text = MASK.into(),
        _ => {}
    }
}

fn by_lines(text: &str, mask: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut hiding: Option<usize> = None;
    for l in text.lines() {
        let indent = l.len() - l.trim_start().len();
        if hiding.is_some_and(|at| l.trim().is_empty() || indent > at) {
            continue;
        }
        hiding = None;
        let shown = line(l, mask);
        if shown != l {
            hiding = Some(indent);
        }
        out.push(shown);
    }
    let mut joined = out.join("\n");
    if text.ends_with('\n') {
        joined.push('\n');
    }
    joined
}

fn line(l: &str, mask: &str) -> String {
    if let Some((key, value)) = l.split_once(':')
        && !value.trim().is_empty()
        && is_secret_key(key.trim().trim_start_matches("- ").trim_matches(['"', '\'']))
    {
        return format!("{key}: {mask}");
    }
    url(l)
}

/// A line of a text that is no YAML, without what follows a secret's name anywhere in it.
fn loose_line(l: &str) -> String {
    for (at, _) in l.match_indices([':', '=']) {
        let word = l[..at].trim_end().trim_end_matches(['"', '\'']);
        let start = word
            .rfind(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
            .map_or(0, |i| i + 1);
        let start = (start..=word.len())
            .find(|i| word.is_char_boundary(*i))
            .unwrap_or(word.len());
        if is_secret_key(&word[start..]) && !l[at + 1..].trim().is_empty() {
            return format!("{} {MASK}", &l[..=at]);
        }
    }
    url(l)
}

/// An address without the user and password in front of its host.
pub fn url(text: &str) -> String {
    url_with(text, &mut |_| MASK.into())
}

/// The same, with what `token` makes of the login in its place.
pub fn url_with(text: &str, token: Token) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(i) = memmem::find(rest.as_bytes(), b"://") {
        let after = &rest[i + 3..];
        let end = after
            .find(['/', ',', ' ', '"', '\'', '\n', '\r', '\t'])
            .unwrap_or(after.len());
        out.push_str(&rest[..i + 3]);
        match after[..end].rfind('@') {
            Some(at) => {
                out.push_str(&token(&after[..at]));
                out.push_str(&after[at..end]);
            }
            None => out.push_str(&after[..end]),
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let secret =
            json!({"kind": "Secret", "data": {"a": "c2VjcmV0"}, "stringData": {"b": "hunter2"}, "type": "Opaque"});
        assert_eq!(
            value("Secret", "", &secret),
            json!({"kind": "Secret", "data": {"a": "***"}, "stringData": {"b": "***"}, "type": "Opaque"})
        );
        let workload = json!({"env": [{"name": "MINIO_SECRET_ACCESS_KEY", "value": "hunter2"}, {"name": "GOMAXPROCS", "value": "4"}]});
        assert_eq!(
            value("Deployment", "", &workload)["env"],
            json!([{"name": "MINIO_SECRET_ACCESS_KEY", "value": "***"}, {"name": "GOMAXPROCS", "value": "4"}])
        );
        assert_eq!(
            value("ConfigMap", "/data/user.yaml#/minio/secretAccessKey", &json!("hunter2")),
            json!("***")
        );
    }

    #[test]
    fn configuration_text_keeps_everything_but_its_secrets() {
        let text = "minio:\n  accessKeyID: admin\n  secretAccessKey: |\n    hunter2\n    more\n  port: 9000\nkafka:\n  saslPassword: \"hunter2\"\n";
        assert_eq!(
            embedded(text),
            "minio:\n  accessKeyID: ***\n  secretAccessKey: ***\n  port: 9000\nkafka:\n  saslPassword: ***\n"
        );
    }

    #[test]
    fn secrets_in_flow_style_are_none_the_less() {
        for text in [
            "minio: {secretAccessKey: hunter2, port: 9000}\n",
            "minio: {\n  port: 9000,\n  \"secretAccessKey\": hunter2\n}\n",
            "{\"minio\": {\"secretAccessKey\": \"hunter2\"}, \"a\": 1}\n",
            "all: [{name: MINIO_SECRET_ACCESS_KEY, value: hunter2}]\n",
            "a: &a\n  secretAccessKey: hunter2\nb: {<<: *a, c: 1}\n",
            "a:\n- {b: 1, saslPassword: hunter2}\n",
            "minio:\n  ? secretAccessKey\n  : hunter2\n",
            "minio:\n  secretAccessKey:\n    hunter2\n",
            "log: \"secretAccessKey: hunter2\\nb: 1\"\n",
            "no yaml: [ {secretAccessKey: hunter2\n",
            "mc alias set x http://y \"$U\" MINIO_SECRET_ACCESS_KEY=hunter2 z\n\tb: [",
        ] {
            let shown = embedded(text);
            assert!(!shown.contains("hunter2"), "{text}\n{shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
        let plain = "a: {b: 1, c: [2, 3]} # why\nd: e\n";
        assert_eq!(embedded(plain), plain);
    }

    #[test]
    fn a_secret_that_is_used_again_under_another_key_is_one_there_too() {
        for text in [
            "minio:\n  secretAccessKey: &s hunter2\nlog:\n  file: *s\n",
            "log:\n  file: &s hunter2\nminio:\n  secretAccessKey: *s\n",
            "a: &s hunter2\nb: {secretAccessKey: *s, port: 9000}\nc: [*s, d]\n",
            "a: &s 70001\nb:\n  saslPassword: *s\n",
            "env: [{name: MINIO_SECRET_ACCESS_KEY, value: &s hunter2}, {name: OTHER, value: *s}]\n",
            "a: &s pulsar://u:hunter2@a:1\nb: *s\n",
        ] {
            let shown = embedded(text);
            assert!(
                !shown.contains("hunter2") && !shown.contains("70001"),
                "{text}\n{shown}"
            );
            assert!(shown.contains(MASK), "{shown}");
        }
        // The same word by chance, and what says nothing, stay.
        for (text, kept) in [
            (
                "minio:\n  bucketName: hunter2\n  secretAccessKey: hunter2\n",
                "bucketName: hunter2",
            ),
            ("a: &s x\nb: *s\nc:\n  saslPassword: \"\"\n  d: \"\"\n", "d: \"\""),
        ] {
            assert!(embedded(text).contains(kept), "{}", embedded(text));
        }
    }

    #[test]
    fn a_finding_shows_neither_value_nor_password() {
        let mut shown = crate::rules::mu301_mq_type_changed::RULE
            .finding("from pulsar://u:hunter2@a:6650", "keep pulsar://u:hunter2@a:6650")
            .field("/data/user.yaml#/minio/secretAccessKey", "hunter2", "hunter2b");
        finding(&mut shown);
        assert!(!serde_json::to_string(&shown).unwrap().contains("hunter2"));
    }

    #[test]
    fn addresses_lose_their_password() {
        assert_eq!(
            url("pulsar://u:hunter2@host:6650,x://h/p@q"),
            "pulsar://***@host:6650,x://h/p@q"
        );
    }
}

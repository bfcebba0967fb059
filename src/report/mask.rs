//! Secrets: what must appear in no message, report or diff, not even by length.

use foldhash::HashMap;
use memchr::memmem;

use crate::finding::Finding;
use crate::kube::delta::LAST_APPLIED;
use crate::milvus::store::is_secret_key;
use crate::value::{Number, Value};
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
        if path.rsplit('/').next().map(|key| key.replace("~1", "/")).as_deref() == Some(LAST_APPLIED) {
            mask_all(&mut shown);
        }
        last_applied(&mut shown, &mut |text| *text = MASK.into());
    }
    walk(path.rsplit(['/', '#']).next().unwrap_or(""), &mut shown, LEVELS);
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

/// Hides what a Secret was applied as.
pub fn last_applied(value: &mut Value, hide: &mut impl FnMut(&mut Value)) {
    for (key, inner) in value.as_object_mut().into_iter().flatten() {
        match key.as_str() == LAST_APPLIED {
            true => hide(inner),
            false => last_applied(inner, hide),
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

/// How many texts, one within the other, are read for their secrets. Each is read with all that stands in it; what stands
/// deeper is hidden whole.
const LEVELS: usize = 8;

/// How many times as long a text may be that is written anew: what is quoted within quotes doubles at each level.
const GROWTH: usize = 8;

fn walk(key: &str, value: &mut Value, levels: usize) {
    match value {
        Value::Object(map) => {
            // An environment variable, or any pair of a name and a value.
            let named = map.get("name").and_then(Value::as_str).is_some_and(is_secret_key);
            if named && let Some(v) = map.get_mut("value") {
                mask_all(v);
            }
            for (key, inner) in map.iter_mut() {
                walk(key, inner, levels);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| walk(key, v, levels)),
        Value::String(text) => {
            if is_secret_key(key) {
                *text = MASK.into();
            } else if text.contains('\n') && text.contains(':') {
                *text = text_within(text, levels).into();
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
    text_within(text, LEVELS)
}

fn text_within(text: &str, levels: usize) -> String {
    let Some(levels) = levels.checked_sub(1) else {
        return MASK.into();
    };
    let Ok(Some(mut parsed @ Value::Object(_))) = yaml::read(text) else {
        return text.lines().map(loose_line).collect::<Vec<_>>().join("\n");
    };
    let before = parsed.clone();
    walk("", &mut parsed, levels);
    reused(text, &before, &mut parsed);
    // The mask itself is no YAML.
    let mut again = yaml::read(&by_lines(text, STAND_IN)).ok().flatten();
    again.as_mut().into_iter().for_each(masked_again);
    match again.as_ref() == Some(&parsed) {
        true => by_lines(text, MASK),
        false => {
            let anew = yaml::emit(&parsed);
            match anew.len() <= GROWTH.saturating_mul(text.len()).saturating_add(1 << 16) {
                true => anew,
                false => MASK.into(),
            }
        }
    }
}

/// Where a text has aliases, a value that was hidden in one place is hidden in all: it may be one and the same.
pub fn reused(text: &str, before: &Value, shown: &mut Value) {
    if text.contains('&') && text.contains('*') {
        let mut hidden = HashMap::default();
        gather(before, shown, &mut hidden);
        hide(before, shown, &hidden);
    }
}

/// A value that may hold a secret.
#[derive(PartialEq, Eq, Hash)]
enum Scalar<'v> {
    Text(&'v str),
    Number(&'v Number),
}

impl Scalar<'_> {
    fn of(value: &Value) -> Option<Scalar<'_>> {
        match value {
            Value::String(text) if !text.is_empty() => Some(Scalar::Text(text)),
            Value::Number(number) => Some(Scalar::Number(number)),
            _ => None,
        }
    }
}

/// Scalars that are shown as something else, with what they are shown as first.
fn gather<'v>(before: &'v Value, shown: &Value, hidden: &mut HashMap<Scalar<'v>, Value>) {
    match (before, shown) {
        (Value::Object(a), Value::Object(b)) => a.values().zip(b.values()).for_each(|(a, b)| gather(a, b, hidden)),
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| gather(a, b, hidden)),
        (a, b) if a == b => {}
        (a, b) => {
            if let Some(scalar) = Scalar::of(a) {
                hidden.entry(scalar).or_insert_with(|| b.clone());
            }
        }
    }
}

fn hide(before: &Value, shown: &mut Value, hidden: &HashMap<Scalar, Value>) {
    match (before, shown) {
        (Value::Object(a), Value::Object(b)) => a.values().zip(b.values_mut()).for_each(|(a, b)| hide(a, b, hidden)),
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| hide(a, b, hidden)),
        (a, b) if a == b => {
            if let Some(mask) = Scalar::of(a).and_then(|scalar| hidden.get(&scalar)) {
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
    fn what_a_secret_was_applied_as_is_masked() {
        let text = "{\"data\":{\"k\":\"aHVudGVyMg==\"}}\n";
        let metadata = json!({"annotations": {"a": "b", LAST_APPLIED: text}});
        let shown = json!({"annotations": {"a": "b", LAST_APPLIED: "***"}});
        assert_eq!(value("Secret", "/metadata", &metadata), shown);
        assert_eq!(
            value("Secret", "", &json!({"metadata": metadata.clone()})),
            json!({"metadata": shown})
        );
        let path = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        assert_eq!(value("Secret", path, &json!(text)), "***");
        assert_ne!(value("Service", path, &json!(text)), "***");
    }

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
    fn of_several_masks_for_one_secret_the_first_is_shown() {
        let before = json!({"a": "s", "b": 7, "c": "s", "d": "s", "e": [7, ""], "f": ""});
        let mut shown = json!({"a": "1", "b": "2", "c": "3", "d": "s", "e": [7, ""], "f": "4"});
        reused("&x *x", &before, &mut shown);
        assert_eq!(
            shown,
            json!({"a": "1", "b": "2", "c": "3", "d": "1", "e": ["2", ""], "f": "4"})
        );
    }

    #[test]
    fn texts_in_texts_are_read_so_far_and_hidden_below() {
        let nested = |levels: usize| {
            let open: String = (0..levels).map(|i| format!("{}a: |\n", " ".repeat(i))).collect();
            let lines = ["b: kept", "saslPassword: hunter2"].map(|l| format!("{}{l}\n", " ".repeat(levels)));
            format!("{open}{}", lines.concat())
        };
        let shown = embedded(&nested(LEVELS - 1));
        assert!(
            shown.contains("b: kept") && shown.contains("saslPassword: ***"),
            "{shown}"
        );
        for levels in [LEVELS, 300] {
            let shown = embedded(&nested(levels));
            assert!(!shown.contains("hunter2") && !shown.contains("kept"), "{shown}");
            assert!(shown.starts_with("a: ") && shown.contains(MASK), "{shown}");
        }
        // Written anew at each level, and quoted in the one above.
        let quotes = nested(LEVELS - 1).replace("kept", &"\"".repeat(9000));
        let shown = embedded(&quotes.replace("saslPassword: hunter2", "c: {saslPassword: hunter2}"));
        assert!(
            !shown.contains("hunter2") && shown.len() < 9 * quotes.len() + (1 << 16),
            "{}",
            shown.len()
        );
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

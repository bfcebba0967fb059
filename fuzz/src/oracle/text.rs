//! YAML text: cutting, reading, editing, writing.

use milvus_uplift::value::json;
use milvus_uplift::yaml::{self, Op, PatchOp, Tree, Value};

use super::sections;

/// Cutting a stream loses no byte, and each piece is one document.
pub fn split(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let documents = match yaml::split(text) {
        Ok(documents) => documents,
        Err(e) => {
            assert!(e.offset <= text.len() && text[e.offset..].len() < text.len() + 1);
            yaml::position(text, e.offset);
            return;
        }
    };
    let joined: String = documents.iter().map(|d| &text[d.whole.clone()]).collect();
    assert_eq!(joined, text, "a byte is lost");
    for (index, document) in documents.iter().enumerate() {
        assert_eq!((document.index, document.body.end), (index, document.whole.end));
        let whole = &text[document.whole.clone()];
        assert_eq!(
            yaml::split(whole).map(|d| d.len()),
            Ok(1),
            "{whole:?} is not one document"
        );
        let separator = &text[document.whole.start..document.body.start];
        assert!(separator.is_empty() || separator.trim_start_matches('\u{feff}').starts_with("---"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let separators = text.split('\n').filter(|l| l.starts_with("---")).count();
    let first = usize::from(!joined.is_empty() && !text.starts_with("---"));
    assert_eq!(documents.len(), separators + first, "separators and documents disagree");
}

/// The fast reader, the full parser and a reader of somebody else agree.
pub fn read(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let ours = yaml::read(text);
    let tree = Tree::parse(text);
    if let Err(e) = &ours {
        assert!(e.offset <= text.len(), "{e}");
        yaml::position(text, e.offset);
    }
    match (&ours, &tree) {
        (Ok(fast), Ok(tree)) => assert_eq!(fast.as_ref(), tree.as_ref().map(Tree::value), "the two readers differ"),
        (Err(_), Err(_)) => return,
        (fast, tree) => panic!("{fast:?} and {:?}", tree.as_ref().map(|t| t.as_ref().map(Tree::value))),
    }
    let (Ok(Some(value)), Ok(Some(tree))) = (ours, tree) else {
        return;
    };
    spans(text, &value, &tree, &mut String::new());
    // Merges and tags mean something else there.
    if text.contains("<<") || text.contains('!') {
        return;
    }
    // Behind a byte order mark a `---` is no separator there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Ok(theirs) = serde_yaml::from_str::<serde_yaml::Value>(text) {
        assert!(alike(&value, &theirs), "{value} and {theirs:?}");
    }
}

/// Every value stands somewhere.
fn spans(text: &str, value: &Value, tree: &Tree, path: &mut String) {
    let span = tree.span(path).unwrap_or_else(|| panic!("{path:?} stands nowhere"));
    assert!(text.get(span.clone()).is_some(), "{path:?} stands at {span:?}");
    let mut inside = |token: &str, child: &Value| {
        let before = path.len();
        path.push('/');
        path.push_str(&token.replace('~', "~0").replace('/', "~1"));
        // Deep in a large text the first ones tell enough.
        if path.len() < 200 {
            spans(text, child, tree, path);
        }
        path.truncate(before);
    };
    match value {
        Value::Object(map) => map.iter().take(40).for_each(|(key, child)| inside(key, child)),
        Value::Array(items) => items
            .iter()
            .take(40)
            .enumerate()
            .for_each(|(i, v)| inside(&i.to_string(), v)),
        _ => {}
    }
}

/// Whether another reader's value is ours: the same structure and the same strings. What YAML 1.1 takes for a number or
/// a truth value and YAML 1.2 does not (or the other way round) may differ.
fn alike(ours: &Value, theirs: &serde_yaml::Value) -> bool {
    use serde_yaml::Value as Theirs;
    match (ours, theirs) {
        (_, Theirs::Tagged(tagged)) => alike(ours, &tagged.value),
        (Value::Array(a), Theirs::Sequence(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Theirs::Mapping(b)) => {
            // Two keys that are spelled apart there can be one here: `1` and `"1"`.
            let known = b.iter().all(|(key, value)| match key {
                Theirs::String(key) => a.get(key).is_none_or(|ours| alike(ours, value)),
                _ => true,
            });
            a.len() <= b.len() && known
        }
        (Value::Array(_) | Value::Object(_), _) | (_, Theirs::Sequence(_) | Theirs::Mapping(_)) => false,
        (Value::String(a), Theirs::String(b)) => a == b,
        _ => true,
    }
}

/// Everything that has a pointer, with whether it is a list.
fn places(value: &Value, path: &str, out: &mut Vec<(String, bool)>) {
    out.push((path.to_owned(), value.is_array()));
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(k, v)| places(v, &format!("{path}/{}", escaped(k)), out)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| places(v, &format!("{path}/{i}"), out)),
        _ => {}
    }
}

/// One operation of a line: `remove N`, `replace N JSON`, `add N JSON`, `key N NAME JSON`; N counts the values there are.
fn operation(value: &Value, line: &str) -> Option<PatchOp> {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let mut words = line.splitn(3, ' ');
    let (word, at, rest) = (words.next()?, words.next()?, words.next().unwrap_or_default());
    let at: usize = at.parse().ok()?;
    let (path, is_list) = all[at % all.len()].clone();
    let op = |op, path, value| Some(PatchOp { op, path, value });
    match word {
        "remove" => op(Op::Remove, path, None),
        "replace" => op(Op::Replace, path, Some(serde_json::from_str(rest).ok()?)),
        "add" if is_list => op(Op::Add, format!("{path}/-"), Some(serde_json::from_str(rest).ok()?)),
        "add" => op(Op::Add, path, Some(serde_json::from_str(rest).ok()?)),
        "key" => {
            let (name, new) = rest.split_once(' ')?;
            // Between braces YAML has no key of more than 1024 characters as written, escapes (`\u000c`) included: rightly an error.
            if name.chars().count() > 1000 / "\\u000c".len() {
                return None;
            }
            op(Op::Add, format!("{path}/{name}"), Some(serde_json::from_str(new).ok()?))
        }
        _ => None,
    }
}

/// A patch made on the text reads back as the patch made on the value. Sections `ops` and `text`.
pub fn edit(data: &[u8]) {
    let sections = sections::cut(data);
    let utf8 = |name| sections::get(&sections, name).and_then(|b| std::str::from_utf8(b).ok());
    let (Some(text), Some(lines)) = (utf8("text"), utf8("ops")) else {
        return;
    };
    let Ok(before) = yaml::read(text) else { return };
    let mut value = before.unwrap_or(Value::Null);
    restyled(text, &value);
    let mut ops = Vec::new();
    for line in lines.lines().take(8) {
        let Some(op) = operation(&value, line) else { continue };
        let Ok(next) = yaml::patch_value(&value, std::slice::from_ref(&op)) else {
            continue;
        };
        value = next;
        ops.push(op);
    }
    let patched = match yaml::patch(text, &ops) {
        Ok(patched) => patched,
        Err(e) => panic!("{e}: {ops:?}"),
    };
    let after = yaml::read(&patched).unwrap_or_else(|e| panic!("{ops:?} made {patched:?}: {e}"));
    assert_eq!(after.unwrap_or(Value::Null), value, "{ops:?} made {patched:?}");
    if ops.is_empty() {
        assert_eq!(patched, text);
    }
}

/// Protecting folded scalars changes no value, and once is enough.
fn restyled(text: &str, value: &Value) {
    let Ok((once, pointers)) = yaml::restyle_folded(text) else {
        return;
    };
    assert_eq!(yaml::read(&once).ok().flatten().as_ref().unwrap_or(&Value::Null), value);
    assert_eq!(once == text, pointers.is_empty());
    assert_eq!(yaml::folds_unstably(text), !pointers.is_empty());
    assert_eq!(
        yaml::restyle_folded(&once).map(|(twice, _)| twice).as_deref(),
        Ok(&once[..])
    );
}

/// A string that is written is the same string to every reader; a plain one is what YAML 1.1 says.
pub fn scalar(data: &[u8]) {
    let Ok(string) = std::str::from_utf8(data) else { return };
    let written = yaml::scalar(string);
    assert!(!written.contains(['\n', '\r']), "{written:?} is wrapped");
    let value = json!({"as value": string, "list": [string, [string]], "map": {"a key": {string: string}}});
    let text = yaml::emit(&value);
    assert_eq!(yaml::read(&text), Ok(Some(value.clone())), "{text}");
    let theirs: Value = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(theirs, value, "{text}");
    plain(string);
    let Ok(Some(structure)) = yaml::read(string) else {
        return;
    };
    let text = yaml::emit(&structure);
    assert_eq!(yaml::read(&text), Ok(Some(structure)), "{text}");
}

/// The rules of YAML 1.1 as go-yaml has them, told once more.
fn plain(word: &str) {
    let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '_');
    if word.is_empty() || word.len() > 40 || !word.trim_start_matches('-').chars().all(simple) {
        return;
    }
    let Ok(Some(read)) = yaml::read(&format!("k: {word}\n")) else {
        return;
    };
    let read = &read["k"];
    let yes = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"];
    let no = [
        "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE",
    ];
    if yes.contains(&word) || no.contains(&word) {
        assert_eq!(*read, yes.contains(&word), "{word}");
        return;
    }
    assert!(!read.is_boolean(), "{word} is no truth value");
    assert_eq!(read.is_null(), ["null", "Null", "NULL"].contains(&word), "{word}");
    if read.is_null() {
        return;
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if decimal && let Ok(number) = word.parse::<i64>() {
        assert_eq!(*read, number, "{word}");
    }
    if word.bytes().all(|b| b.is_ascii_alphabetic()) {
        assert_eq!(*read, word, "a word");
    }
}

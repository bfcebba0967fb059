//! The reader against what Go makes of the same texts.

use super::*;

#[derive(serde::Deserialize)]
struct Row {
    text: String,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    error: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

/// What `sigs.k8s.io/yaml` (go-yaml v2) made of each text: one table by hand, one of random texts.
fn go_table() -> Vec<Row> {
    let mut rows: Vec<Row> = serde_json::from_str(include_str!("testdata/go.json")).unwrap();
    let random: Vec<Row> = serde_json::from_str(include_str!("testdata/go_random.json")).unwrap();
    assert!(
        rows.len() >= 330 && random.len() == 400,
        "a table shrank: {} and {} rows",
        rows.len(),
        random.len()
    );
    rows.extend(random);
    rows
}

/// JSON has one number zero and one number 1000: Go's `-0` and `1e+21` are compared as the numbers they are.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

#[test]
fn reads_what_go_reads_and_refuses_what_go_refuses() {
    let mut wrong = Vec::new();
    let table = go_table();
    for row in &table {
        let text = &row.text;
        match (read(text), &row.value, &row.error) {
            (Ok(got), Some(want), None) if same(&got.clone().unwrap_or(Value::Null), want) => {}
            (Err(error), None, Some(_)) if error.offset <= text.len() => {}
            (got, want, error) => wrong.push(format!("{text:?}: {got:?} but Go: {want:?} {error:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn refuses_where_go_would_drop_or_toss_a_coin() {
    let cases = [
        ("true: a\n'true': b", "either may win"),
        ("1: a\n'1': b", "either may win"),
        ("'1': a\n1: b", "either may win"),
        ("1: a\n1.0: b", "either may win"),
        ("# c\n\u{feff}a: 1", "byte order mark"),
        ("{\"a\":1}\n{\"b\":2}", "separate them with `---`"),
        ("{\"a\":1}{\"b\":2}", "separate them with `---`"),
        ("{\"a\":1}\n[2]", "separate them with `---`"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: 1\r---\rb: 2\r", "second document"),
        ("%YAML 1.1\n---\na: 1", "directive"),
        ("%TAG ! x\n---\na: 1", "directive"),
        ("%FOO\n---\na: 1", "directive"),
        ("  - 1\nx", "which Go would drop"),
        ("- 1\nb: 2", "did not find expected '-'"),
        ("a: [!x,b]", "right after a tag"),
        ("a: [&x b, !!str,c]", "right after a tag"),
    ];
    for (text, part) in cases {
        let error = read(text).expect_err(text);
        assert!(error.message.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn many_directives_are_refused_as_one_is() {
    let head = |n: usize| -> String {
        let each = (0..n).map(|i| format!("%TAG !a{i}! x{i} # one\r\n\n"));
        "# c\n".to_owned() + &each.collect::<String>()
    };
    let said = |text: String| read(&text).map_err(|error| (error.message, error.offset));
    let directive = |offset: usize| Err((compose::DIRECTIVE.to_owned(), offset));
    let document = |n| format!("{}---\na: 1\n", head(n));
    let bare = |n| format!("{}a: 1\n", head(n));
    for n in [1, 64, 65, 300] {
        assert_eq!(said(document(n)), directive(4), "{n}");
    }
    let at = bare(64).len() - "a: 1\n".len();
    assert_eq!(
        said(bare(64)),
        Err(("did not find expected <document start>".to_owned(), at))
    );
    assert_eq!(said(bare(65)), directive(4));
    // Behind a value as well, with or without its end.
    for start in [
        "a: 1\n",
        "a: 1\n... # end\n",
        "a: 1\n...\n\n...\n",
        "[x]\n",
        "--- >\n  x\n",
    ] {
        let many = said(format!("{start}{}---\n", head(65)));
        assert_eq!(many, directive(start.len() + "# c\n".len()), "{start:?}");
    }
    // What is no directive is none, however many there are.
    for text in [
        format!("- \"x\n{}\"\n", "%TAG !a! x\n".repeat(100)),
        format!("- |\n{}", " %TAG !a! x\n".repeat(100)),
        format!("- é\n{}", "# %TAG !a! x\n".repeat(100)),
    ] {
        assert!(read(&text).is_ok_and(|value| value.is_some()), "{text}");
    }
}

fn bodies(text: &str) -> Vec<&str> {
    let documents = split(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let joined: String = documents.iter().map(|document| &text[document.whole.clone()]).collect();
    assert_eq!(joined, text);
    documents.iter().map(|document| &text[document.body.clone()]).collect()
}

#[test]
fn streams_are_cut_at_separator_lines_only() {
    let cases: [(&str, &[&str]); 14] = [
        ("", &[]),
        ("\n", &["\n"]),
        ("a: 1", &["a: 1"]),
        ("---\na: 1\n", &["a: 1\n"]),
        ("---\na: 1\n---\n# c\n", &["a: 1\n", "# c\n"]),
        ("# c\n---\na: 1\n", &["# c\n", "a: 1\n"]),
        ("--- # c\na: 1\n---\t\n---   \nb: 2", &["a: 1\n", "", "b: 2"]),
        ("---", &[""]),
        ("---\n---", &["", ""]),
        ("---\r\na: 1\r\n---\r\nb: 2\r\n", &["a: 1\r\n", "b: 2\r\n"]),
        ("\u{feff}---\na: 1\n", &["a: 1\n"]),
        ("\u{feff}a: 1\n---\nb: 2\n", &["\u{feff}a: 1\n", "b: 2\n"]),
        ("a: |\n  ---\n  x\n---\nb: 1\n", &["a: |\n  ---\n  x\n", "b: 1\n"]),
        (
            "a: 1\n...\n# c\n\n...\n---\nb: 2\n... # end\n",
            &["a: 1\n...\n# c\n\n...\n", "b: 2\n... # end\n"],
        ),
    ];
    for (text, want) in cases {
        assert_eq!(bodies(text), want, "{text:?}");
    }
    let documents = split("---\na: 1\n---\nb: 2\n").unwrap();
    assert_eq!(
        (
            documents[1].index,
            documents[1].whole.clone(),
            documents[1].body.clone()
        ),
        (1, 9..18, 13..18)
    );
}

#[test]
fn streams_helm_would_refuse_or_cut_short_are_refused() {
    for (text, offset, part) in [
        ("a: 1\n---x\n", 5, "glued"),
        ("a: 1\n----\n", 5, "glued"),
        ("a: 1\n---# c\n", 5, "glued"),
        ("a: 1\n--- x\n", 5, "not on it"),
        ("--- {a: 1}\n", 0, "not on it"),
        ("\u{feff}--- |\n x\n", 3, "not on it"),
        ("a: 1\n...\nb: 2\n", 9, "content after"),
        ("a: 1\n...\n  b: 2\n---\nc: 3\n", 9, "content after"),
    ] {
        let error = split(text).expect_err(text);
        assert_eq!(error.offset, offset, "{text:?}");
        assert!(error.message.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn documents_without_a_value_are_none() {
    for text in [
        "",
        "\n",
        "# c\n",
        "  # c\r\n\r\n",
        "\u{feff}",
        "\u{feff}# c",
        "~",
        "null\n",
        "# c\n--- \n",
    ] {
        assert_eq!(read(text), Ok(None), "{text:?}");
        assert!(Tree::parse(text).unwrap().is_none(), "{text:?}");
    }
    assert_eq!(read("# c\ra: 1").unwrap(), Some(crate::value::json!({"a": 1})));
    assert_eq!(read("# c\u{85}a: 1").unwrap(), Some(crate::value::json!({"a": 1})));
}

#[test]
fn a_comma_after_what_only_looks_like_a_tag_is_read() {
    let text = "a: 'say !x, then'\nb: |\n  [ !y, ]\n";
    let want = crate::value::json!({"a": "say !x, then", "b": "[ !y, ]\n"});
    assert_eq!(read(text), Ok(Some(want)));
}

#[test]
fn lines_tell_the_same_positions_as_the_text() {
    let long = "é日x\u{feff}".repeat(700);
    for text in [
        format!("a\n{long}\nb"),
        format!("\u{feff}\u{feff}{long}"),
        "x".repeat(PIECE * 2),
        "\u{feff}".repeat(PIECE),
        format!("{}\n\u{feff}{long}", "y".repeat(PIECE - 1)),
        String::new(),
    ] {
        let lines = Lines::of(&text);
        for offset in 0..text.len() + 2 {
            assert_eq!(lines.position(offset), position(&text, offset), "{offset}");
        }
    }
}

#[test]
fn of_a_key_that_stands_again_the_last_is_found_however_many_there_are() {
    for others in [0, 10, 1000] {
        let more: String = (0..others).map(|i| format!("k{i}: 1\n")).collect();
        let text = format!("x: &x {{a: 1, b: 2}}\nb: 3\n{more}<<: *x\na: 4\nb: 5\nb: 6\n");
        let tree = Tree::parse(&text).unwrap().unwrap();
        let at = |path: &str| text[tree.span(path).unwrap()].to_owned();
        assert_eq!((at("/a"), at("/b")), ("4".into(), "6".into()), "{others}");
        let merged = Tree::parse(&text.replace("a: 4\n", "")).unwrap().unwrap();
        assert_eq!(
            text.replace("a: 4\n", "")[merged.span("/a").unwrap()],
            *"*x",
            "{others}"
        );
        assert_eq!(tree.span("/c"), None);
    }
}

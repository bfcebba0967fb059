//! Patches by example: which bytes change, and which do not.

use milvus_uplift::value::json;
use milvus_uplift::yaml::{Op, PatchOp, Tree, Value, patch, patch_value, position, read, restyle_folded};

fn add(path: &str, value: Value) -> PatchOp {
    PatchOp {
        op: Op::Add,
        path: path.into(),
        value: Some(value),
    }
}

fn replace(path: &str, value: Value) -> PatchOp {
    PatchOp {
        op: Op::Replace,
        path: path.into(),
        value: Some(value),
    }
}

fn remove(path: &str) -> PatchOp {
    PatchOp {
        op: Op::Remove,
        path: path.into(),
        value: None,
    }
}

fn check(text: &str, op: PatchOp, want: &str) {
    let got = patch(text, std::slice::from_ref(&op)).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(got, want, "{op:?}");
    let value = read(text).unwrap().unwrap();
    assert_eq!(read(&got).unwrap().unwrap(), patch_value(&value, &[op]).unwrap());
}

const DEPLOYMENT: &str = r#"# Source: milvus/templates/datanode-deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: my-milvus-datanode # the name
  annotations:

spec:
  replicas: 1   # one
  template:
    spec:
      containers:
      - name: datanode
        image: "milvusdb/milvus:v2.5.16"
        args: [ "/milvus/tools/run.sh", 'milvus', run ]
        env:
        # none yet
        resources: {}
        ports:
          - name: metrics
            containerPort: 9091
          # the last one
          - {name: datanode, containerPort: 21124}
      volumes:
      - emptyDir: {}
        name: tools
"#;

fn deployment(op: PatchOp, from: &str, to: &str) {
    assert_eq!(DEPLOYMENT.matches(from).count(), 1, "{from:?} is not there once");
    check(DEPLOYMENT, op, &DEPLOYMENT.replacen(from, to, 1));
}

#[test]
fn scalars_keep_their_line_and_quotes() {
    let c = "/spec/template/spec/containers/0";
    deployment(
        replace("/spec/replicas", json!(3)),
        "replicas: 1   # one",
        "replicas: 3   # one",
    );
    deployment(
        replace(&format!("{c}/image"), json!("milvusdb/milvus:v2.6.4")),
        "\"milvusdb/milvus:v2.5.16\"",
        "\"milvusdb/milvus:v2.6.4\"",
    );
    deployment(
        replace(&format!("{c}/args/1"), json!("mil'vus")),
        "'milvus', run",
        "'mil''vus', run",
    );
    deployment(
        replace(&format!("{c}/args/2"), json!("no")),
        "'milvus', run",
        "'milvus', \"no\"",
    );
    deployment(
        replace("/metadata/name", json!("yes")),
        "name: my-milvus-datanode #",
        "name: \"yes\" #",
    );
    deployment(
        replace("/metadata/annotations", json!("x")),
        "annotations:\n",
        "annotations: x\n",
    );
}

#[test]
fn keys_are_added_where_the_map_ends() {
    let c = "/spec/template/spec/containers/0";
    deployment(
        add("/metadata/annotations", json!({"a": "1"})),
        "  annotations:\n",
        "  annotations:\n    a: \"1\"\n",
    );
    deployment(
        add(&format!("{c}/resources/limits"), json!({"cpu": "500m"})),
        "resources: {}",
        "resources:\n          limits:\n            cpu: 500m",
    );
    deployment(
        add(&format!("{c}/env"), json!([{"name": "A", "value": "y"}])),
        "        env:\n",
        "        env:\n        - name: A\n          value: \"y\"\n",
    );
    deployment(
        add(&format!("{c}/ports/1/protocol"), json!("TCP")),
        "21124}",
        "21124, protocol: TCP}",
    );
    deployment(
        add(&format!("{c}/ports/0/protocol"), json!("TCP")),
        "9091\n",
        "9091\n            protocol: TCP\n",
    );
    deployment(
        add("/spec/template/spec/volumes/0/x", json!([])),
        "        name: tools\n",
        "        name: tools\n        x: []\n",
    );
}

#[test]
fn items_are_added_and_removed() {
    let c = "/spec/template/spec/containers/0";
    deployment(
        add(&format!("{c}/ports/-"), json!({"name": "x"})),
        "21124}\n",
        "21124}\n          - name: x\n",
    );
    deployment(
        add(&format!("{c}/ports/0"), json!({"name": "x", "q": 1})),
        "          - name: metrics",
        "          - name: x\n            q: 1\n          - name: metrics",
    );
    deployment(
        remove(&format!("{c}/ports/0")),
        "          - name: metrics\n            containerPort: 9091\n",
        "",
    );
    deployment(remove(&format!("{c}/args/1")), "'milvus', ", "");
    deployment(remove(&format!("{c}/args/2")), ", run ]", " ]");
    deployment(add(&format!("{c}/args/1"), json!("x")), "'milvus'", "x, 'milvus'");
    deployment(
        remove("/spec/template/spec/volumes/0"),
        "volumes:\n      - emptyDir: {}\n        name: tools\n",
        "volumes: []\n",
    );
}

#[test]
fn keys_are_removed_with_their_lines() {
    deployment(remove("/spec/replicas"), "  replicas: 1   # one\n", "");
    deployment(
        remove("/spec/template/spec/volumes/0/emptyDir"),
        "emptyDir: {}\n        name",
        "name",
    );
    deployment(
        remove("/spec/template/spec/volumes/0/name"),
        "        name: tools\n",
        "",
    );
    check("a:\n  b: 1 # x\nc: 2\n", remove("/a/b"), "a: {}\nc: 2\n");
    check("a: 1\n", remove("/a"), "{}\n");
    check("a: {b: 1, c: 2}\n", remove("/a/c"), "a: {b: 1}\n");
    check("a: {b: 1}\n", remove("/a/b"), "a: {}\n");
    check("a: 1\nb: 2", remove("/b"), "a: 1\n");
}

#[test]
fn subtrees_are_written_at_their_indentation() {
    deployment(
        replace("/spec/template/spec/volumes", json!([{"name": "a"}, {"name": "b"}])),
        "- emptyDir: {}\n        name: tools\n",
        "- name: a\n      - name: b\n",
    );
    deployment(
        replace("/spec/template/spec/containers/0/ports", json!({"a": 1})),
        "          - name: metrics\n            containerPort: 9091\n          # the last one\n          - {name: datanode, containerPort: 21124}\n",
        "          a: 1\n",
    );
    check(
        "a: x # c\nb: 1\n",
        replace("/a", json!({"k": [1]})),
        "a: # c\n  k:\n  - 1\nb: 1\n",
    );
    check(
        "- x # c\n- y\n",
        replace("/0", json!({"k": 1, "l": 2})),
        "- k: 1 # c\n  l: 2\n- y\n",
    );
    check("a: |\n  x\n  y\nb: 1\n", replace("/a", json!(5)), "a: 5\nb: 1\n");
}

#[test]
fn anchors_merges_and_duplicates() {
    let text = "base: &b # kept\n  x: 1\n  q: 2\none:\n  <<: *b # merged\n  z: 3\ntwo: *b\nlast: 1\n";
    check(
        text,
        replace("/two/x", json!(9)),
        "base: &b # kept\n  x: 1\n  q: 2\none:\n  <<: *b # merged\n  z: 3\ntwo:\n  x: 9\n  q: 2\nlast: 1\n",
    );
    check(
        text,
        replace("/one/x", json!(9)),
        "base: &b # kept\n  x: 1\n  q: 2\none:\n  x: 9\n  q: 2\n  z: 3\ntwo: *b\nlast: 1\n",
    );
    check(text, replace("/one/z", json!(4)), &text.replace("z: 3", "z: 4"));
    check(text, add("/one/w", json!(4)), &text.replace("z: 3", "z: 3\n  w: 4"));
    check(
        "m: {!!merge <<: {a: 1}, b: 2}\n",
        replace("/m/b", json!(3)),
        "m: {!!merge <<: {a: 1}, b: 3}\n",
    );
    // A field others refer to cannot change alone: the document is written out.
    let got = patch(text, &[replace("/base/x", json!(9))]).unwrap();
    let want = json!({"base": {"x": 9, "q": 2}, "one": {"x": 1, "q": 2, "z": 3}, "two": {"x": 1, "q": 2}, "last": 1});
    assert_eq!(read(&got).unwrap().unwrap(), want);

    check(
        "a: 1\nb: 2\na: 3 # counts\n",
        replace("/a", json!(4)),
        "a: 1\nb: 2\na: 4 # counts\n",
    );
    check("a: 1\nb: 2\na: 3\n", remove("/a"), "b: 2\n");
}

#[test]
fn line_ends_and_json_stay() {
    check(
        "a:\r\n  b: 1\r\nc: 2\r\n",
        add("/a/d", json!({"e": 1})),
        "a:\r\n  b: 1\r\n  d:\r\n    e: 1\r\nc: 2\r\n",
    );
    check("a:\r\n  b: 1\r\nc: 2\r\n", remove("/a/b"), "a: {}\r\nc: 2\r\n");
    check(
        "a: |\r\n  x: 1\r\n  q: 2\r\n",
        replace("/a#/q", json!(3)),
        "a: |\r\n  x: 1\r\n  q: 3\r\n",
    );
    check(
        "{\"a\":1}",
        add("/b", json!({"c": "y"})),
        "{\"a\":1, \"b\": {\"c\": \"y\"}}",
    );
    check(
        "{\n  \"a\": 1,\n  \"b\": []\n}\n",
        add("/b/-", json!("x\u{85}")),
        "{\n  \"a\": 1,\n  \"b\": [\"x\\u0085\"]\n}\n",
    );
    check(
        "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        add("/c", json!(3)),
        "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n",
    );
    check("\u{feff}a: 1\n", add("/b", json!(2)), "\u{feff}a: 1\nb: 2\n");
}

#[test]
fn text_inside_a_string_is_edited_in_place() {
    let literal = "data:\n  default.yaml: |+\n    # licence\n    mq:\n      type: pulsar # broker\n\n    etcd:\n      endpoints:\n        - a:2379\n\n  user.yaml: |-\n    x: 1\n";
    check(
        literal,
        replace("/data/default.yaml#/mq/type", json!("woodpecker")),
        &literal.replace("pulsar", "woodpecker"),
    );
    check(
        literal,
        add("/data/default.yaml#/mq/q", json!(1)),
        &literal.replace("# broker\n", "# broker\n      q: 1\n"),
    );
    check(
        literal,
        remove("/data/default.yaml#/mq/type"),
        &literal.replace("mq:\n      type: pulsar # broker", "mq: {}"),
    );
    check(
        literal,
        add("/data/default.yaml#/etcd/endpoints/-", json!("b:2379")),
        &literal.replace("- a:2379\n", "- a:2379\n        - b:2379\n"),
    );
    check(
        literal,
        replace("/data/user.yaml#/x", json!("y")),
        &literal.replace("x: 1", "x: \"y\""),
    );
    check(
        literal,
        add("/data/user.yaml#/z", json!(2)),
        &literal.replace("x: 1", "x: 1\n    z: 2"),
    );

    let double = "data:\n  default.yaml: \"mq:\\n  type: pulsar # \\u00e9 \\\"q\\\"\\nauthPlugin: \\nlast: 1\\n\"\n";
    check(
        double,
        replace("/data/default.yaml#/mq/type", json!("woodpecker")),
        &double.replace("pulsar", "woodpecker"),
    );
    check(
        double,
        add("/data/default.yaml#/mq/t", json!("a\"b")),
        &double.replace("\\\"q\\\"\\n", "\\\"q\\\"\\n  t: \\\"a\\\\\\\"b\\\"\\n"),
    );
    check(
        double,
        remove("/data/default.yaml#/last"),
        &double.replace("last: 1\\n", ""),
    );

    check(
        literal,
        replace("/data/user.yaml", json!("w: 0\nx: 1")),
        &literal.replace("    x: 1", "    w: 0\n    x: 1"),
    );
    check(literal, replace("/data/user.yaml", json!("x: 1")), literal);

    check("a: 'x: 1'\n", replace("/a#/x", json!(2)), "a: 'x: 2'\n");
    check(
        "a: >\n  x: 1\n\n  q: 2\nb: 1\n",
        replace("/a#/q", json!(3)),
        "a: |\n  x: 1\n  q: 3\nb: 1\n",
    );
}

#[test]
fn spans_reach_into_strings() {
    let text = "data:\n  f: |\n    a: 1\n    b:\n      c: deep # x\n  g: \"a: \\\"q\\\"\\nb: {c: deep}\\n\"\n  h: 'a: 1'\n  i: 'a: ''x'' # it''s'\n";
    let tree = Tree::parse(text).unwrap().unwrap();
    for (pointer, want) in [
        ("/data/f#/b/c", "deep"),
        ("/data/f#/a", "1"),
        ("/data/g#/b/c", "deep"),
        ("/data/g#/a", "\\\"q\\\""),
        ("/data/h#/a", "1"),
        ("/data/i#/a", "''x''"),
        ("/data/f", "|\n    a: 1\n    b:\n      c: deep # x"),
    ] {
        assert_eq!(&text[tree.span(pointer).expect(pointer)], want, "{pointer}");
    }
    assert_eq!(&text[tree.key_span("/data/f#/b/c").unwrap()], "c");
    assert_eq!(&text[tree.key_span("/data/h").unwrap()], "h");
    assert_eq!(tree.span("/data/f#/nope"), None);
    assert_eq!(tree.span("/nope"), None);
    assert_eq!(tree.key_span("/data/f#/nope"), None);
}

#[test]
fn inherited_values_point_to_where_they_come_in() {
    let text = "x: &x {a: 1}\ny: *x\nz:\n  <<: *x\n  b: 2\n";
    let tree = Tree::parse(text).unwrap().unwrap();
    let at = |pointer: &str| {
        tree.span(pointer)
            .map(|span| (position(text, span.start).line, text[span].to_owned()))
    };
    assert_eq!(at("/true/a"), Some((2, "*x".into())));
    assert_eq!(at("/true"), Some((2, "*x".into())));
    assert_eq!(at("/z/a"), Some((4, "*x".into())));
    assert_eq!(at("/z/b"), Some((5, "2".into())));
    assert_eq!(at("/x"), Some((1, "&x {a: 1}".into())));
}

#[test]
fn what_cannot_be_done_is_an_error() {
    for (text, op, part) in [
        ("a: 1\n", remove("/b"), "no key `b`"),
        ("a: 1\n", replace("/b", json!(1)), "no key `b`"),
        ("a: 1\n", add("/b/c", json!(1)), "there is no `/b`"),
        ("a:\n", add("/a/b", json!(1)), "is null"),
        ("a: 1\n", add("/a/b", json!(1)), "neither a map nor a list"),
        ("a: [1]\n", add("/a/2", json!(1)), "past the end"),
        ("a: [1]\n", remove("/a/1"), "past the end"),
        ("a: [1]\n", remove("/a/-"), "no list index"),
        ("a: [1]\n", remove("/a/00"), "no list index"),
        ("a: 1\n", remove(""), "root cannot be removed"),
        ("a: 1\n", remove("x"), "not an RFC 6901 pointer"),
        ("a: [\n", remove("/a"), "did not find"),
        ("a: 'x: ['\n", remove("/a#/x"), "did not find"),
        ("a: 'x: 1'\n", remove("/a#/y"), "no key `y`"),
    ] {
        let error = patch(text, std::slice::from_ref(&op)).expect_err(text);
        assert!(error.to_string().contains(part), "{text:?} {op:?}: {error}");
        assert_eq!(error.path, op.path);
    }
    let error = patch("a: 1\n", &[replace("/a", json!(2)), remove("/b")]).unwrap_err();
    assert_eq!(error.index, 1);
}

#[test]
fn folded_scalars_that_would_grow_are_made_literal() {
    let text = "args:\n- >\n  run\n    more\n  end\n- >-\n  only\n  folded\n- >- # note\n    a\n\n     b\nk: >+\n  x\n\nlast: 1\n";
    let tree = Tree::parse(text).unwrap().unwrap();
    let unstable: Vec<_> = tree
        .folded()
        .into_iter()
        .map(|folded| (folded.pointer, folded.unstable))
        .collect();
    let want = [("/args/0", true), ("/args/1", false), ("/args/2", true), ("/k", true)];
    assert_eq!(unstable, want.map(|(pointer, unstable)| (pointer.to_owned(), unstable)));
    let (restyled, pointers) = restyle_folded(text).unwrap();
    assert_eq!(pointers, ["/args/0", "/args/2", "/k"]);
    let want =
        "args:\n- |\n  run\n    more\n  end\n- >-\n  only\n  folded\n- |-\n    a\n\n     b\nk: \"x\\n\\n\"\nlast: 1\n";
    assert_eq!(restyled, want);
    assert_eq!(restyle_folded(&restyled).unwrap(), (restyled.clone(), vec![]));
}

#[test]
fn deep_and_multiplying_documents_are_refused() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read(&nested(100)).is_ok());
    let error = read(&nested(101)).unwrap_err();
    assert!(error.message.contains("nested deeper than 100 levels"), "{error}");
    assert_eq!(error.offset, 100);
    assert!(read(&nested(100_000)).is_err());

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let error = read(&bomb).unwrap_err();
    assert!(error.message.contains("multiplies itself"), "{error}");
    assert!(read("a: &a [1, 2, 3]\nb: [*a, *a, *a]\n").is_ok());
}

#[test]
fn positions_count_from_one_in_characters() {
    let text = "\u{feff}é: 1\r\n日本: 2\n";
    assert_eq!((position(text, 0).line, position(text, 0).column), (1, 1));
    let at = text.find('2').unwrap();
    assert_eq!((position(text, at).line, position(text, at).column), (2, 5));
    let one = text.find('1').unwrap();
    assert_eq!((position(text, one).line, position(text, one).column), (1, 4));
    assert_eq!(position(text, 10_000).line, 3);
}

#[test]
fn what_stands_deep_stays_at_its_indentation() {
    check(
        "a:\n  b:\n    c: 1\n",
        replace("/a/b/c", json!({"x": 1})),
        "a:\n  b:\n    c:\n      x: 1\n",
    );
    check(
        "a:\n    -\n",
        replace("/a/0", json!({"x": 1, "z": 2})),
        "a:\n    - x: 1\n      z: 2\n",
    );
    check(
        "a:\n    b: 1\nz: 0\n",
        replace("/a", json!({"c": 2})),
        "a:\n    c: 2\nz: 0\n",
    );
    check("a:\n    - 1\nz: 0\n", replace("/a", json!([2])), "a:\n    - 2\nz: 0\n");
    // Another kind of value stands where it would stand anyway.
    check(
        "a:\n    - 1\nz: 0\n",
        replace("/a", json!({"c": 2})),
        "a:\n  c: 2\nz: 0\n",
    );
    check(
        "a:\n      {b: 1}\nz: 0\n",
        replace("/a", json!({"c": 2})),
        "a:\n  c: 2\nz: 0\n",
    );
}

#[test]
fn a_flow_collection_stays_one() {
    check(
        "a: {b: [1, 2], c: 3} # d\n",
        replace("/a/b", json!({"x": 1})),
        "a: {b: {x: 1}, c: 3} # d\n",
    );
    // An empty one is written anew: in flow style where that is around it.
    check(
        "a: {b: {}, c: []} # d\n",
        add("/a/b/x", json!(1)),
        "a: {b: {x: 1}, c: []} # d\n",
    );
    check(
        "a: {b: {}, c: []} # d\n",
        add("/a/c/-", json!(1)),
        "a: {b: {}, c: [1]} # d\n",
    );
    check("a: {} # d\n", add("/a/x", json!(1)), "a: # d\n  x: 1\n");
    check("a: [] # d\n", add("/a/-", json!(1)), "a: # d\n- 1\n");
    check(
        "a: {\n    b: 1\n  }\n",
        add("/a/c", json!(2)),
        "a: {\n    b: 1,\n    c: 2\n  }\n",
    );
    check("a: {b: 1}\n", add("/a/c", json!(2)), "a: {b: 1, c: 2}\n");
    check(
        "a: {b: , c: 3} # d\n",
        replace("/a/b", json!(5)),
        "a: {b: 5 , c: 3} # d\n",
    );
    check("a: {b, c: 3} # d\n", replace("/a/b", json!(5)), "a: {b: 5, c: 3} # d\n");
}

#[test]
fn what_shares_a_line_is_cut_out_of_it() {
    check("- a: 1\n  # c\n  b: 2 # d\n", remove("/0/a"), "- b: 2 # d\n");
    check("- - 1\n  - 2 # d\n", remove("/0/0"), "- - 2 # d\n");
    check("- - 1 # c\n  - 2\n", remove("/0/1"), "- - 1 # c\n");
    check("- 1\n# c\n\n- 2 # d\n- 3\n", remove("/1"), "- 1\n# c\n\n- 3\n");
    check("a: 1   \nb: 2 # d\n", replace("/a", json!(3)), "a: 3\nb: 2 # d\n");
}

#[test]
fn the_first_line_is_a_line_with_and_without_a_byte_order_mark() {
    for mark in ["", "\u{feff}"] {
        check(
            &format!("{mark}a: 1\nb: 2 # d\n"),
            remove("/a"),
            &format!("{mark}b: 2 # d\n"),
        );
        check(
            &format!("{mark}a: 1 # c\n# d\n"),
            add("/b", json!([1])),
            &format!("{mark}a: 1 # c\nb:\n- 1\n# d\n"),
        );
        check(
            &format!("{mark}a: 1 # c\nb: 2\n"),
            replace("/a", json!({"x": 1})),
            &format!("{mark}a: # c\n  x: 1\nb: 2\n"),
        );
    }
}

#[test]
fn a_document_without_a_value_takes_a_root_below_its_comments() {
    let text = "# c\n\n  # d\n";
    let root = |value: Value| patch(text, &[replace("", value)]).unwrap();
    assert_eq!(root(json!({"a": 1})), "# c\n  # d\na: 1\n");
    assert_eq!(root(Value::Null), text);
}

#[test]
fn a_key_is_simple_up_to_what_every_reader_takes() {
    for (length, simple) in [(1000, true), (1001, false)] {
        let key = "k".repeat(length);
        let begins = |text: &str| text.starts_with(&key);
        let block = patch("a: 1\n", &[replace("", json!({key.clone(): 1}))]).unwrap();
        assert_eq!(begins(&block), simple, "{block}");
        let flow = patch("[a, b]\n", &[replace("/0", json!({key.clone(): 1}))]).unwrap();
        assert_eq!(begins(flow.trim_start_matches(['[', '{'])), simple, "{flow}");
    }
}

#[test]
fn a_block_scalar_may_end_with_the_document() {
    for (text, want) in [
        ("a: |\n  x", "x"),
        ("a: |+\n  x", "x"),
        ("a: |-\n  x", "x"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |\n  x\n", "x\n"),
        ("a: |+\n  x\n\n", "x\n\n"),
        ("a: |+ # a+b\n  x\n", "x\n"),
        ("a: | # a+b\n  x\n\n", "x\n"),
        // Blanks on the last line: content where they reach beyond the indentation.
        ("a: |\n  x\n ", "x\n"),
        ("a: |\n  x\n  ", "x\n"),
        ("a: |\n  x\n   ", "x\n "),
        ("a: |", ""),
        ("a: |+", ""),
        ("a: |\n", ""),
        ("a: |+\n", ""),
        ("a: |+\n\n", "\n"),
    ] {
        assert_eq!(read(text).unwrap().unwrap(), json!({"a": want}), "{text:?}");
    }
}

#[test]
fn a_control_character_is_pointed_at_wherever_it_stands() {
    for at in [0, 63, 64, 150, 5000] {
        let text = format!("a: {}\u{1}\n", "x".repeat(at));
        assert_eq!(read(&text).unwrap_err().offset, at + 3);
    }
}

#[test]
fn an_escape_that_go_does_not_know_is_pointed_at() {
    let error = read("a: 1\nb: \"x\\/\"\n").unwrap_err();
    assert_eq!(
        (error.offset, error.message.as_str()),
        (10, "found unknown escape character `\\/`")
    );
}

/// The edits of `a` in `a: …` with something behind it, with line feeds and with both characters.
fn strings(cases: &[(&str, &str, &str)]) {
    for (before, new, after) in cases {
        for newline in ["\n", "\r\n"] {
            let text = |a: &str| format!("a: {a}\nb: 1 # d\n").replace('\n', newline);
            check(&text(before), replace("/a", json!(new)), &text(after));
        }
    }
}

#[test]
fn of_a_literal_string_only_the_lines_change_that_differ() {
    let three = "| # c\n  one\n  two\n  three";
    strings(&[
        (three, "one\nthree\n", "| # c\n  one\n  three"),
        (three, "one\ntwo\n", "| # c\n  one\n  two"),
        (three, "two\nthree\n", "| # c\n  two\n  three"),
        (three, "one\n", "| # c\n  one"),
        (three, "three\n", "| # c\n  three"),
        (three, "zero\none\ntwo\nthree\n", "| # c\n  zero\n  one\n  two\n  three"),
        (three, "one\ntwo\nthree\nfour\n", "| # c\n  one\n  two\n  three\n  four"),
        (three, "one\n2\nthree\n", "| # c\n  one\n  2\n  three"),
        (three, "one\n\ntwo\nthree\n", "| # c\n  one\n\n  two\n  three"),
        (three, "one\ntab\tx\nthree\n", "| # c\n  one\n  tab\tx\n  three"),
        (three, "one\ntwo\nthree\n", three),
        ("|\n\n  one\n  two", "\none\n3\n", "|\n\n  one\n  3"),
        ("|\n  é\n  two", "é\n3\n", "|\n  é\n  3"),
        ("|\n  one\n\n", "two\n", "|\n  two\n\n"),
        ("|\n  one\n   two", "one\n two\n  x\n", "|\n  one\n   two\n    x"),
        ("|\n    one\n  # c", "two\n", "|\n    two\n  # c"),
        ("|+\n  one\n", "two\n\n", "|+\n  two\n"),
        ("|-\n  one", "two", "|-\n  two"),
    ]);
}

#[test]
fn what_a_style_cannot_hold_takes_another() {
    let three = "| # c\n  one\n  two\n  three";
    strings(&[
        (three, "one\ntwo\nthree", "|-\n  one\n  two\n  three"),
        (three, " one\n", "\" one\\n\""),
        (three, "\tone\n", "\"\\tone\\n\""),
        (three, "\u{7}\n", "\"\\u0007\\n\""),
        (three, "", "\"\""),
        (three, "\n", "\"\\n\""),
        (three, "one\nthree\n\n", "\"one\\nthree\\n\\n\""),
        ("|+\n  one\n", "two\n", "|\n  two"),
        ("|+\n  one\n", "two\n\n\n", "\"two\\n\\n\\n\""),
        ("|-\n  one", "two\n", "|\n  two"),
        ("|2\n  one", "two\n", "|\n  two"),
        ("|2\n   one", "two\n", "|\n   two"),
        (">\n  one", "x\ny\n", "|\n  x\n  y"),
        (">-\n  one\n\n", "x", "|-\n  x\n\n"),
        ("'it''s'", "it's me", "'it''s me'"),
        ("'x'", "a\nb", "\"a\\nb\""),
        ("\"x\\ty\"", "x\tz", "\"x\\tz\""),
        ("\"x\n  y\"", "z", "\"z\""),
        ("x", "true", "\"true\""),
        ("x", "y: z", "\"y: z\""),
    ]);
}

#[test]
fn a_string_at_the_end_of_a_document_ends_as_before() {
    let a = |new: &str| replace("/a", json!(new));
    check("a: |-\n  one", a("two"), "a: |-\n  two");
    check("a: |\n  one\n", a("one\ntwo\n"), "a: |\n  one\n  two\n");
    check("a: |\n  one\n  two\n", a("one\n"), "a: |\n  one\n");
    check("a: |\n  one\n  two\n", a("two\n"), "a: |\n  two\n");
    check("a: >\n  one", a("x\n"), "a: |\n  x\n");
}

#[test]
fn a_tag_and_an_anchor_stay_before_what_changes() {
    strings(&[
        ("!!str x # c", "w", "!!str w # c"),
        ("&k x # c", "w", "&k w # c"),
        ("&k !!str 'x' # c", "w", "&k !!str 'w' # c"),
        ("&k # e\n  x # c", "w", "&k # e\n  w # c"),
        ("&k | # c\n  x\n  z", "y\nz\n", "&k | # c\n  y\n  z"),
        // Blanks at the end of a line are the string's.
        ("| # c\n  x  ", "y\n", "| # c\n  y"),
        ("| # c\n  x  ", "x  \ny\n", "| # c\n  x  \n  y"),
        ("|+ # c\n  x  ", "y\n", "|+ # c\n  y"),
    ]);
    for head in ["&m", "&m !!seq", "!!seq # e", "&m # e\n# f"] {
        check(
            &format!("a: {head}\n- 1 # c\n- 2\n"),
            add("/a/0", json!(0)),
            &format!("a: {head}\n- 0\n- 1 # c\n- 2\n"),
        );
    }
    check(
        "a: &m\n    x: 1 # c\nb: 2\n",
        add("/a/y1", json!(0)),
        "a: &m\n    x: 1 # c\n    y1: 0\nb: 2\n",
    );
    check(
        "a: &m {\n  x: 1 } # c\n",
        add("/a/z", json!(0)),
        "a: &m {\n  x: 1,\n  z: 0 } # c\n",
    );
}

#[test]
fn a_byte_order_mark_stands_at_the_start_or_inside_a_line() {
    for (text, reads) in [
        ("\u{feff}a: 1\n", true),
        ("a: \u{feff}b\n", true),
        ("\u{feff}\u{feff}a: 1\n", false),
        ("a: 1\n\u{feff}b: 2\n", false),
        ("a: 1\r\u{feff}b: 2\n", false),
    ] {
        assert_eq!(read(text).is_ok(), reads, "{text:?}");
    }
}

#[test]
fn a_number_sign_reaches_into_a_text_unless_a_key_has_it() {
    let text = "data:\n  f#g: 1\n  f: 'g: 2'\n";
    check(text, replace("/data/f#/g", json!(3)), "data:\n  f#g: 1\n  f: 'g: 3'\n");
    check(text, replace("/data/f#g", json!(3)), "data:\n  f#g: 3\n  f: 'g: 2'\n");
    check(
        text,
        add("/data/x#", json!(3)),
        "data:\n  f#g: 1\n  f: 'g: 2'\n  \"x#\": 3\n",
    );
    check(
        text,
        add("/data/x#y", json!(3)),
        "data:\n  f#g: 1\n  f: 'g: 2'\n  \"x#y\": 3\n",
    );
    check(text, replace("/data/f#", json!("w")), "data:\n  f#g: 1\n  f: 'w'\n");
    let error = |path: &str| patch(text, &[replace(path, json!(3))]).unwrap_err().message;
    assert_eq!(error("/data/f#x/y"), "there is no `/data/f#x`");
    assert_eq!(error("/data/f#g/y"), "`/data/f#g` is neither a map nor a list");
    check("l:\n- 'g: 2' # c\n", replace("/l/0#/g", json!(3)), "l:\n- 'g: 3' # c\n");
}

#[test]
fn every_escape_keeps_its_spelling_beside_what_changes() {
    for (escape, character) in [
        ("\\0", '\0'),
        ("\\a", '\u{7}'),
        ("\\b", '\u{8}'),
        ("\\t", '\t'),
        ("\\\t", '\t'),
        ("\\n", '\n'),
        ("\\v", '\u{b}'),
        ("\\f", '\u{c}'),
        ("\\r", '\r'),
        ("\\e", '\u{1b}'),
        ("\\ ", ' '),
        ("\\\"", '"'),
        ("\\\\", '\\'),
        ("\\N", '\u{85}'),
        ("\\_", '\u{a0}'),
        ("\\L", '\u{2028}'),
        ("\\P", '\u{2029}'),
        ("\\x41", 'A'),
        ("\\u0041", 'A'),
        ("\\U00000041", 'A'),
        ("\\U0001F600", '😀'),
    ] {
        check(
            &format!("a: \"\\x41{escape} one é\" # c\n"),
            replace("/a", json!(format!("A{character} two é"))),
            &format!("a: \"\\x41{escape} two é\" # c\n"),
        );
    }
}

#[test]
fn where_no_edit_reads_right_the_document_is_written_anew() {
    let text = "# first\n|-\n\u{2028}  b\n";
    let op = PatchOp {
        op: Op::Replace,
        path: String::new(),
        value: Some(json!({"a": ["b"]})),
    };
    assert_eq!(patch(text, &[op]).unwrap(), "# first\na:\n- b\n");
}

#[test]
fn a_key_longer_than_a_flow_map_takes_is_an_error_in_json_and_a_block_elsewhere() {
    for (key, fits) in [
        ("k".repeat(1000), true),
        ("k".repeat(1100), false),
        ("\u{c}".repeat(600), false),
    ] {
        let add = |text: &str| {
            let op = PatchOp {
                op: Op::Add,
                path: format!("/{key}"),
                value: Some(json!(1)),
            };
            patch(text, &[op])
        };
        assert_eq!(add("{\"a\": 1}\n").is_ok(), fits, "{}", key.len());
        for text in ["a: 1\n", "{a: 1}\n"] {
            assert_eq!(read(&add(text).unwrap()), Ok(Some(json!({"a": 1, &key: 1}))));
        }
    }
}

#[test]
fn a_number_without_a_fraction_reads_as_an_integer() {
    check("a: 1\n", replace("/a", json!(2.0)), "a: 2.0\n");
    check("a: 1\n", replace("/a", json!(0.5)), "a: 0.5\n");
    check(
        "a: 1\n",
        replace("/a", json!([3.0, {"x": 4.0}])),
        "a:\n- 3.0\n- x: 4.0\n",
    );
}

#[test]
fn json_stays_json_where_a_number_or_null_becomes_a_string() {
    for (text, want) in [
        (r#"{"a":false}"#, r#"{"a":"x"}"#),
        (r#"{"a": null, "b": 1}"#, r#"{"a": "x", "b": 1}"#),
        (r#"{"a": "y"}"#, r#"{"a": "x"}"#),
        ("{a: 1}", "{a: x}"),
    ] {
        let op = PatchOp {
            op: Op::Replace,
            path: "/a".into(),
            value: Some(json!("x")),
        };
        assert_eq!(patch(text, &[op]).unwrap(), want);
    }
}

/// Many operations inside texts are made together, and come to what they come to one by one.
#[test]
fn operations_inside_texts_wait_for_each_other() {
    let value = read(
        "data:\n  a.yaml: |\n    # of a\n    x: 1\n  b.yaml: 'x: 1'\n  nested: |\n    t: |\n      x: 1\n  few: |\n    x: 1 # stays\nlist:\n- 'x: 1'\n- 'x: 2'\n",
    )
    .unwrap()
    .unwrap();
    let add = |path: String, value: &str| add(&path, value.into());
    let mut ops = vec![add("/data/few#/y".into(), "2")];
    for i in 0..100 {
        ops.push(add(format!("/data/a.yaml#/k{i}"), "v"));
        ops.push(add(format!("/data/nested#/t#/k{i}"), "v"));
        ops.push(add(format!("/data/b.yaml#/k{i}"), "v"));
        ops.push(add(format!("/data/x{i}"), "v"));
        ops.push(add(format!("/list/1#/k{i}"), "v"));
        if i % 30 == 0 {
            ops.push(add("/data/b.yaml".into(), "z: 1"));
            ops.push(add("/list/0".into(), "w: 1"));
        }
    }
    ops.push(remove("/data/a.yaml#/k7"));
    let one_by_one = ops.iter().fold(value.clone(), |value, op| {
        patch_value(&value, std::slice::from_ref(op)).unwrap()
    });
    let mut together = patch_value(&value, &ops).unwrap();
    for path in [
        "/data/a.yaml",
        "/data/nested",
        "/data/b.yaml",
        "/list/0",
        "/list/1",
        "/list/4",
    ] {
        let says = |value: &Value| read(value.pointer(path).unwrap().as_str().unwrap()).unwrap();
        let texts = (says(&together), says(&one_by_one));
        assert_eq!(
            texts.0.as_ref().map(says_inside),
            texts.1.as_ref().map(says_inside),
            "{path}"
        );
        *together.pointer_mut(path).unwrap() = one_by_one.pointer(path).unwrap().clone();
    }
    assert_eq!(together, one_by_one);

    ops.insert(150, add("/data/a.yaml#/no/where".into(), "v"));
    let error = patch_value(&value, &ops).unwrap_err();
    assert_eq!((error.index, &*error.path), (150, "/data/a.yaml#/no/where"));
}

/// A value with the texts in it that hold YAML read.
fn says_inside(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(text) = value.get_mut("t") {
        *text = read(text.as_str().unwrap()).unwrap().unwrap();
    }
    value
}

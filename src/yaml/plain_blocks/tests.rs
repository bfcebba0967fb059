//! The fast reader against the full parser.

use super::*;
use crate::yaml::compose::read_parsed;

/// Both readers agree, and the fast one took it (or left it) as expected.
fn agree(text: &str, taken: bool) {
    let fast = read(text);
    assert_eq!(fast.is_some(), taken, "{text:?}");
    if let Some(fast) = fast {
        assert_eq!(Ok(fast), read_parsed(text), "{text:?}");
    }
}

#[test]
fn takes_what_charts_render() {
    for text in [
        "a: 1\nb: x\n",
        "a:\n  b: yes\n  c: \"x\"\n  d: 'y # z' # c\n",
        "a:\n- b: 1\n  c: 2\n- d\n-\n  e: 1\n",
        "a:\n  - b:\n    - c\n    d: e\n",
        "args: [ \"milvus\", \"run\", datanode, 1, yes ]\n",
        "a:\n  b: [ \"x\",\n    y,\n   'z'\n   ]\n  c: []\n",
        "a:\n  - [ x,\n    y ] # c\n  - z\n",
        "a: |\n  x: 1\n    y\n\n  z\nb: 1\n",
        "a: |-\n  x\n\n\nb: 1\n",
        "a: |+\n  x\n\n\nb: 1\n",
        "# c\n\n  a: 1\n  b:\n  c: {}\n  d: []\n",
        "a: http://x:1/y#z # c\n",
        "a: 0777\nb: 1_000\nc: ~\nd: 1e3\ne: -1\nf: -x\n",
        "- a\n- \"b\"\n",
        "a: b c d\n",
        "a:\n\n  # c\n  b: 1\n# d\n",
        "\"a b\": 1\n'c': 2\n",
        "a:\n# c\n- 1\n",
        "a: 1\na: 2\n",
        "a: |\n  # no comment\n  x\n# c\nb: 1\n",
        "a: |\n\n\n  x\n",
        "a:\n  {}\nb: 1\n",
        "a: >\n  x\n  y\n\n  z\n\n\n  - w\n",
        "a: >-\n  x\n    y\n   z\n\n    v\n  w\n\nb: 1\n",
        "a: >+\n\n  x\n  y\n\n\nb: 1\n",
        "a: \"x\\n\"\n",
        "a: \"\\n\\ty \\\"z\\\\\" # c\n",
        "a: 'it''s'\n",
        "a: [ 'it''s', \"\\\\n\", '' ]\n",
        "a: ''''\nb: \"\\\"\"\nc: ''\n",
        "a: >2\n  x\n",
        "a: |2\n   x\n",
        "a: >2-\n   x\n  y\n  z\n\nb: 1\n",
        "a: |-2 # c\n\n    x\n     \n  y\n",
        "a:\n- >4+\n      x\n       \n    \n\n    y\n\n- b: |1\n     x\n",
        "a:\n  - >1\n   x\n\n    y\n   z\nb: 1\n",
        "# a\n\n  # b\n",
        "\n",
        "a:\n",
        "a: b  \n",
        "# a | b > c\na: b|c>\n",
        "- \n",
    ] {
        agree(text, true);
        let unended = text.trim_end_matches('\n');
        let scalar = [": |", ": >", "- >"].iter().any(|mark| text.contains(mark));
        agree(unended, !unended.is_empty() && !scalar);
    }
}

#[test]
fn leaves_the_rest_to_the_parser() {
    for text in [
        "a: &x 1\nb: *x\n",
        "a: >0\n  x\n",
        "a: >2\n\nb: 1\n",
        "a: >22\n  x\n",
        "a: >-+\n  x\n",
        "a:\n  b: >3\n    x\nc: 1\n",
        "a: \"x\\x41\"\n",
        "a: \"x\\\n  y\"\n",
        "a: \"x\\n\"y\n",
        "\"a\\n\": 1\n",
        "'it''s': 1\n",
        "a: x\n  y\n",
        "a: b: c\n",
        "a: \"x\"y\n",
        "y: 1\n",
        "1: a\n",
        "a: \u{e9}\n",
        "a:\t1\n",
        "a: 1\r\n",
        "- - a\n",
        "a: {b: 1}\n",
        "a: [b, {c: 1}]\n",
        "a:\n  b: [x,\n  y]\n",
        "a: [x,\n\n  y]\n",
        "a: [x, # c\n  y]\n",
        "a: [x\n  y]\n",
        "a: [x,\n  y,\n  ]\n",
        "a: [x,\n  y: z]\n",
        "a: [x,\n",
        "a: [x",
        "a: 1\n b: 2\n",
        "a:\n  b: 1\n c: 2\n",
        "? a\n: b\n",
        "<<: {}\n",
        "x\n",
        "a: !x 1\n",
        "a: - b\n",
        "a: .inf\n",
        "null: 1\n",
        "a: |\n    \n  x\n",
        "a: %x\n",
        "a: |\n  # no comment\n  x\n # c\nb: 1\n",
        "a: 1\n...\n",
    ] {
        agree(text, false);
    }
}

/// Both count alike how long the ways to the values are.
#[test]
fn long_ways_are_refused_by_both() {
    let text = |values: usize| {
        let keys: String = (0..6)
            .map(|i| format!("{}{}:\n", " ".repeat(i), "k".repeat(900)))
            .collect();
        let below = [
            "      a: [ x, y ]\n",
            "      \"b\":\n      - c: 1\n      - d\n",
            "      e: 2\n",
        ];
        keys + &below.concat().repeat(values)
    };
    let first = (1..200).find(|values| read(&text(*values)).is_none()).unwrap();
    assert!(first > 1);
    for values in first - 1..=first + 1 {
        assert_eq!(
            read(&text(values)).is_some(),
            read_parsed(&text(values)).is_ok(),
            "{values}"
        );
    }
}

//! JUnit XML: every rule is a test case, so that a test dashboard shows what was looked at, not only what was found.

use std::fmt::Write;

use super::text;
use super::view::{View, group};
use crate::finding::Finding;
use crate::rules::{Check, RULES, Rule};

/// The whole document.
pub fn render(view: &View) -> String {
    let mut cases = String::new();
    let (mut failed, mut skipped) = (0, 0);
    for rule in RULES {
        match outcome(view, rule) {
            Outcome::Passed => case(&mut cases, rule, ""),
            Outcome::Said(said) => case(&mut cases, rule, &element("system-out", "", &said)),
            Outcome::Failed { message, said } => {
                failed += 1;
                let attributes = format!(
                    " message=\"{}\" type=\"{}\"",
                    attribute(&message),
                    rule.severity.as_str()
                );
                case(&mut cases, rule, &element("failure", &attributes, &said));
            }
            Outcome::Skipped(why) => {
                skipped += 1;
                case(
                    &mut cases,
                    rule,
                    &format!("      <skipped message=\"{}\"/>\n", attribute(why)),
                );
            }
        }
    }
    let counts = format!(
        "name=\"milvus-uplift\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\"",
        RULES.len()
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite {counts}>\n{cases}{}  </testsuite>\n</testsuites>\n",
        element("system-out", "", &view.verdict()).replacen("      ", "    ", 1)
    )
}

enum Outcome {
    Passed,
    Said(String),
    Failed { message: String, said: String },
    Skipped(&'static str),
}

fn outcome(view: &View, rule: &Rule) -> Outcome {
    let found: Vec<&Finding> = view.judgement.findings.iter().filter(|f| f.code == rule.code).collect();
    let counting: Vec<&&Finding> = found.iter().filter(|f| view.counts(f)).collect();
    let mut said = String::new();
    for finding in &found {
        text::one(&mut said, finding);
        let _ = writeln!(said, "  in    {}", view.file(finding));
    }
    match (counting.first(), found.is_empty()) {
        (Some(first), _) => Outcome::Failed {
            message: match counting.len() - 1 {
                0 => first.message.clone(),
                more => format!("{} (and {more} more)", first.message),
            },
            said,
        },
        (None, false) => Outcome::Said(said),
        (None, true) => not_evaluated(view, rule).map_or(Outcome::Passed, Outcome::Skipped),
    }
}

/// Why a rule that found nothing was never asked, if so: unknown never reads as fine.
fn not_evaluated(view: &View, rule: &Rule) -> Option<&'static str> {
    let judgement = view.judgement;
    if judgement.findings.iter().any(|f| f.code == "MU001") {
        return Some("not evaluated: an input cannot be read (MU001)");
    }
    match (rule.code, rule.check) {
        ("MU901", _) if judgement.output.is_none() => Some("not evaluated: what is refused is not written"),
        (_, Check::Release(_)) if judgement.releases.is_empty() => {
            Some("not evaluated: there is no Milvus release to judge")
        }
        _ => None,
    }
}

fn case(out: &mut String, rule: &Rule, inner: &str) {
    let head = format!(
        "    <testcase classname=\"milvus-uplift.{}\" name=\"{} {}\"",
        group(rule.code),
        attribute(rule.code),
        attribute(rule.name)
    );
    match inner {
        "" => out.push_str(&format!("{head}/>\n")),
        _ => out.push_str(&format!("{head}>\n{inner}    </testcase>\n")),
    }
}

fn element(name: &str, attributes: &str, text: &str) -> String {
    format!("      <{name}{attributes}>{}</{name}>\n", escape(text))
}

/// Text between tags. What XML 1.0 cannot hold in any spelling (section 2.2) is shown as U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// Text between quotes: white space in it would be made a blank.
fn attribute(text: &str) -> String {
    escape(text)
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{finding, shown};
    use super::*;

    /// Parses the document and checks that the counts it states are those of its elements.
    fn parsed(text: &str) -> (usize, usize, usize) {
        let document = roxmltree::Document::parse(text).expect("well-formed");
        let suite = document
            .descendants()
            .find(|n| n.has_tag_name("testsuite"))
            .expect("a suite");
        let all = |name: &str| suite.descendants().filter(|n| n.has_tag_name(name)).count();
        let stated = |node: roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
        for node in [suite, document.root_element()] {
            assert_eq!(stated(node, "tests"), all("testcase"));
            assert_eq!(stated(node, "failures"), all("failure"));
            assert_eq!(stated(node, "skipped"), all("skipped"));
        }
        (all("testcase"), all("failure"), all("skipped"))
    }

    #[test]
    fn every_rule_is_a_case_and_counts_agree() {
        let two = || vec![finding("MU301", "a"), finding("MU301", "b"), finding("MU002", "c")];
        let text = shown(two(), false, render);
        let (cases, failures, _) = parsed(&text);
        assert_eq!((cases, failures), (RULES.len(), 1));
        assert!(text.contains("message=\"a (and 1 more)\""));
        assert_eq!(parsed(&shown(two(), true, render)).1, 2);
    }

    #[test]
    fn what_was_never_asked_is_skipped() {
        let (cases, failures, skipped) = parsed(&shown(vec![finding("MU001", "x")], false, render));
        assert_eq!((failures, skipped), (1, cases - 1));
        let text = shown(vec![], false, render);
        let release = RULES.iter().filter(|r| matches!(r.check, Check::Release(_))).count();
        assert_eq!(parsed(&text).2, release + 1);
    }

    #[test]
    fn an_allowed_refusal_is_told_and_no_failure() {
        let mut allowed = finding("MU301", "x");
        allowed.allowed = true;
        let text = shown(vec![allowed], true, render);
        assert_eq!(parsed(&text).1, 0);
        assert!(text.contains("REFUSE MU301 mq-type-changed (allowed)"));
    }

    #[test]
    fn odd_characters_stay_well_formed() {
        let odd = "<a b=\"c\">&amp; ]]> \u{0}\u{1b}[31m\u{fffe}\r\n\ttab 'q'";
        let text = shown(vec![finding("MU301", odd)], false, render);
        parsed(&text);
        let document = roxmltree::Document::parse(&text).unwrap();
        let failure = document.descendants().find(|n| n.has_tag_name("failure")).unwrap();
        assert_eq!(
            failure.attribute("message").unwrap(),
            "<a b=\"c\">&amp; ]]> \u{fffd}\u{fffd}[31m\u{fffd}\r\n\ttab 'q'"
        );
    }
}

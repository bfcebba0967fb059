//! Workflow commands of GitHub Actions: findings as annotations of a step.
//!
//! GitHub shows ten errors, ten warnings and ten notices of a step and drops the rest in silence
//! (actions/toolkit, docs/problem-matchers.md, "Limitations"), so the rest is summed up in a notice.

use std::fmt::Write;

use super::view::{View, plural};
use crate::finding::{Finding, Severity};

/// What GitHub shows of each kind.
const SHOWN: usize = 10;

const KINDS: [&str; 3] = ["error", "warning", "notice"];

/// One line for each finding, one for what GitHub would drop, and the verdict.
pub fn render(view: &View) -> String {
    let findings = &view.judgement.findings;
    let of = |kind: &str| findings.iter().filter(|f| kind_of(f) == kind).collect::<Vec<_>>();
    let overflows = KINDS.iter().any(|kind| of(kind).len() > SHOWN);
    let mut out = String::new();
    let mut rest = Vec::new();
    for kind in KINDS {
        // The sum is a notice too and must be among the ten.
        let room = if overflows && kind == "notice" {
            SHOWN - 1
        } else {
            SHOWN
        };
        let all = of(kind);
        let (shown, left) = all.split_at(all.len().min(room));
        for finding in shown {
            command(&mut out, kind, view, finding);
        }
        if !left.is_empty() {
            let mut codes: Vec<&str> = left.iter().map(|f| f.code).collect();
            codes.dedup();
            rest.push(format!("{} ({})", plural(left.len(), kind), codes.join(", ")));
        }
    }
    if !rest.is_empty() {
        let said = format!(
            "GitHub shows {SHOWN} annotations of a kind; not shown: {}. Another format tells them all: text, markdown, sarif",
            rest.join(", ")
        );
        let _ = writeln!(out, "::notice title=milvus-uplift::{}", data(&said));
    }
    let _ = writeln!(out, "{}", plain(&view.verdict()));
    out
}

fn kind_of(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Refuse if !finding.allowed => KINDS[0],
        Severity::Warn => KINDS[1],
        Severity::Refuse | Severity::Info => KINDS[2],
    }
}

fn command(out: &mut String, kind: &str, view: &View, finding: &Finding) {
    let _ = write!(out, "::{kind} file={}", property(&view.file(finding)));
    if let Some(location) = &finding.location {
        let _ = write!(out, ",line={},col={}", location.line, location.column);
    }
    let allowed = if finding.allowed { " (allowed)" } else { "" };
    let title = format!("{} {}{allowed}", finding.code, finding.name);
    let mut said = format!("{}\n{}", finding.message, finding.help);
    if let Some(object) = &finding.object {
        let _ = write!(said, "\nobject: {object}");
    }
    if let Some(template) = &finding.template {
        let _ = write!(said, "\ntemplate: {template}");
    }
    let _ = writeln!(out, ",title={}::{}", property(&title), data(&said));
}

/// Text after the `::` of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value among a command's properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A line that is no command: the older form `##[...]` is one wherever it stands.
fn plain(line: &str) -> String {
    line.replace(['\r', '\n'], " ").replace("##[", "## [")
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{finding, shown};
    use super::*;

    #[test]
    fn a_finding_is_one_command_whatever_it_says() {
        let mut odd = finding("MU301", "50% of a:b,c\r\n::error::x");
        odd.template = Some("m/templates/x.yaml".into());
        let out = shown(vec![odd], false, render);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines[0],
            "::error file=out/manifests.yaml,line=3,col=5,title=MU301 mq-type-changed::50%25 of a:b,c%0D%0A::error::x%0Ado this%0Atemplate: m/templates/x.yaml"
        );
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("milvus-uplift: refused"));
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
        assert_eq!(plain("a\n::error::x ##[set]"), "a ::error::x ## [set]");
    }

    #[test]
    fn severities_have_their_kinds() {
        let mut allowed = finding("MU301", "x");
        allowed.allowed = true;
        let mut info = finding("MU113", "x");
        info.severity = Severity::Info;
        let out = shown(vec![finding("MU002", "x"), allowed, info], false, render);
        let kinds: Vec<&str> = out
            .lines()
            .filter_map(|l| l.strip_prefix("::")?.split(' ').next())
            .collect();
        assert_eq!(kinds, ["warning", "notice", "notice"]);
        assert!(out.contains("title=MU301 mq-type-changed (allowed)::"));
    }

    #[test]
    fn what_github_would_drop_is_summed_up_within_its_limits() {
        let many = |n: usize, m: usize| {
            let mut all: Vec<_> = (0..n).map(|_| finding("MU301", "x")).collect();
            all.extend((0..m).map(|_| {
                let mut info = finding("MU002", "x");
                info.severity = Severity::Info;
                info
            }));
            shown(all, false, render)
        };
        let count = |out: &str, kind: &str| out.lines().filter(|l| l.starts_with(&format!("::{kind} "))).count();
        let out = many(10, 10);
        assert_eq!((count(&out, "error"), count(&out, "notice")), (10, 10));
        assert!(!out.contains("not shown"));
        let out = many(13, 10);
        assert_eq!((count(&out, "error"), count(&out, "notice")), (10, 10));
        assert!(out.contains("not shown: 3 errors (MU301), 1 notice (MU002)."), "{out}");
    }
}

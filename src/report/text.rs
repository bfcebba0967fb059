//! The report for a person at a terminal.

use std::fmt::Write;

use crate::finding::{Finding, Severity};
use crate::judge::Judgement;

/// Every finding with code, words, place and help, then one line of summary. No colours: what a host shows of this is
/// never a terminal.
pub fn findings(judgement: &Judgement) -> String {
    let mut out = String::new();
    for finding in &judgement.findings {
        one(&mut out, finding);
    }
    out
}

/// A text for a terminal: what would steer it, or turn its lines around, is shown as `\u{1b}`.
pub fn visible(text: String) -> String {
    let steers = |c: char| {
        c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// What a refused rendering says: the refusals in full, the rest in one line, so that the reason is not buried.
pub fn refusal(judgement: &Judgement) -> String {
    let mut out = String::new();
    for finding in judgement.findings.iter().filter(|f| f.refuses()) {
        one(&mut out, finding);
    }
    for line in warnings(judgement).into_iter().chain([verdict(judgement)]) {
        out.push_str(&line);
        out.push('\n');
    }
    visible(out)
}

/// One finding.
pub fn one(out: &mut String, finding: &Finding) {
    out.push_str(&visible(whole(finding)));
}

fn whole(finding: &Finding) -> String {
    let mut out = String::new();
    let allowed = if finding.allowed { " (allowed)" } else { "" };
    let _ = writeln!(
        out,
        "{} {} {}{allowed}",
        finding.severity.as_str().to_uppercase(),
        finding.code,
        finding.name
    );
    for line in finding.message.lines() {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(place) = place(finding) {
        let _ = writeln!(out, "  at    {place}");
    }
    for (i, line) in finding.help.lines().enumerate() {
        let _ = writeln!(out, "  {}{line}", if i == 0 { "help: " } else { "      " });
    }
    out
}

/// Where a finding stands: object, field, line and column, and the chart's template.
pub fn place(finding: &Finding) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(object) = &finding.object {
        parts.push(object.to_string());
    }
    if let Some(field) = &finding.field {
        parts.push(field.path.clone());
    }
    if let Some(location) = &finding.location {
        let input = match location.stream {
            crate::finding::Input::Target => "the manifests",
            crate::finding::Input::Current => "--current",
            crate::finding::Input::Values => "--values",
        };
        parts.push(format!("line {}, column {} of {input}", location.line, location.column));
    }
    if let Some(template) = &finding.template {
        parts.push(format!("rendered by {template}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The verdict with what counts for it.
pub fn verdict(judgement: &Judgement) -> String {
    let count = |severity: Severity, allowed: bool| {
        judgement
            .findings
            .iter()
            .filter(|f| f.severity == severity && f.allowed == allowed)
            .count()
    };
    let refusals = count(Severity::Refuse, false);
    let warnings = count(Severity::Warn, false);
    let way = judgement
        .releases
        .iter()
        .map(|r| {
            let text = |v: &Option<String>| v.clone().unwrap_or_else(|| "unknown".into());
            let from = match (&r.current, r.kind) {
                (Some(c), _) => text(&c.version),
                (None, Some(crate::transition::Kind::Fresh)) => "nothing".into(),
                (None, _) => "unknown".into(),
            };
            format!("{}: {from} -> {}", r.name, text(&r.target.version))
        })
        .collect::<Vec<_>>()
        .join("; ");
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let head = match refusals {
        0 => "milvus-uplift: pass".to_owned(),
        n => format!(
            "milvus-uplift: refused, {} ({})",
            plural(n, "reason"),
            codes(judgement, Severity::Refuse)
        ),
    };
    let way = if way.is_empty() {
        String::new()
    } else {
        format!(" [{way}]")
    };
    let warned = if warnings == 0 {
        String::new()
    } else {
        format!(", {}", plural(warnings, "warning"))
    };
    format!("{head}{warned}{way}")
}

/// The codes of all findings of a severity that are not allowed, each once.
pub fn codes(judgement: &Judgement, severity: Severity) -> String {
    let mut codes: Vec<&str> = judgement
        .findings
        .iter()
        .filter(|f| f.severity == severity && !f.allowed)
        .map(|f| f.code)
        .collect();
    codes.dedup();
    codes.join(", ")
}

/// The one line of warnings for a terminal on success; `None` where there is none.
pub fn warnings(judgement: &Judgement) -> Option<String> {
    let mut warned: Vec<String> = judgement
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Warn)
        .map(|f| format!("{} {}", f.code, f.name))
        .collect();
    warned.dedup();
    let allowed: Vec<&str> = judgement
        .findings
        .iter()
        .filter(|f| f.allowed)
        .map(|f| f.code)
        .collect();
    if warned.is_empty() && allowed.is_empty() {
        return None;
    }
    let mut line = String::from("milvus-uplift:");
    if !warned.is_empty() {
        let _ = write!(
            line,
            " {} warning{}: {}",
            warned.len(),
            if warned.len() == 1 { "" } else { "s" },
            warned.join(", ")
        );
    }
    if !allowed.is_empty() {
        let _ = write!(
            line,
            "{} refusals allowed: {}",
            if warned.is_empty() { "" } else { ";" },
            allowed.join(", ")
        );
    }
    line.push_str(" (`milvus-uplift check`, or --report FILE, tells them in full)");
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        let shown = |text: &str| visible(text.to_owned());
        assert_eq!(
            shown("a\u{1b}[31mb\r\u{9b}2J\u{7f}"),
            "a\\u{1b}[31mb\\r\\u{9b}2J\\u{7f}"
        );
        assert_eq!(shown("x\u{202e}y\u{2066}"), "x\\u{202e}y\\u{2066}");
        assert_eq!(shown("one\n\ttwo é 漢"), "one\n\ttwo é 漢");
    }
}

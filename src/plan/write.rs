//! Plans as text: for people, as Markdown, as Mermaid.

mod markdown;
mod mermaid;

pub use markdown::markdown;
pub use mermaid::mermaid;

use std::fmt::Write;

use super::{Plan, Plans, Reason, Step, Verdict};

/// The plan for a person at a terminal.
pub fn text(plans: &Plans) -> String {
    let mut out = String::new();
    for (i, plan) in plans.plans.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", headline(plan));
        if plan.verdict == Verdict::Blocked {
            let _ = writeln!(out, "{}", ending(plan));
        }
        for (n, step) in plan.steps.iter().enumerate() {
            let _ = writeln!(out, "\n{}. {}", n + 1, step.title);
            one(&mut out, step, same_back(plan, n));
        }
        if plan.verdict == Verdict::Go {
            let _ = writeln!(out, "\n{}", ending(plan));
        }
    }
    out
}

/// `my-release in namespace milvus: Milvus 2.5.10 -> 2.6.16, cluster on pulsar`.
fn headline(plan: &Plan) -> String {
    let or = |v: &Option<String>, none: &str| v.clone().unwrap_or_else(|| none.to_owned());
    let mode = match plan.release.mode {
        Some(crate::milvus::release::Mode::Cluster) => ", cluster",
        Some(crate::milvus::release::Mode::Standalone) => ", standalone",
        None => return format!("a fresh install of Milvus {}", or(&plan.to.version, "unknown")),
    };
    let mq = plan.from.mq.as_ref().map_or_else(
        || ", its message queue cannot be seen".to_owned(),
        |mq| format!(" on {mq}"),
    );
    let chart = plan
        .release
        .chart
        .as_ref()
        .map(|c| format!(", chart {c}"))
        .unwrap_or_default();
    let revision = plan
        .release
        .revision
        .map(|r| format!(", revision {r}"))
        .unwrap_or_default();
    format!(
        "{} in namespace {}: Milvus {} -> {}{mode}{mq}{chart}{revision}",
        plan.release.name,
        plan.release.namespace,
        or(&plan.from.version, "of unknown version"),
        or(&plan.to.version, "unknown")
    )
}

/// Whether the way is open, and what blocks it.
fn ending(plan: &Plan) -> String {
    let steps = plan.steps.len();
    match plan.verdict {
        Verdict::Go => format!("{steps} steps, nothing blocks them"),
        Verdict::Blocked => format!("blocked by {}", codes(&plan.blocked_by)),
    }
}

fn codes(reasons: &[Reason]) -> String {
    let mut codes: Vec<&str> = reasons.iter().map(|r| r.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.join(", ")
}

/// The number of the earlier step that has the same way back, where the one right before shares it.
fn same_back(plan: &Plan, n: usize) -> Option<usize> {
    let back = plan.steps[n].rollback.as_ref()?;
    let same = |s: &&Step| s.rollback.as_ref() == Some(back);
    let first = n - plan.steps[..n].iter().rev().take_while(same).count();
    (first < n).then_some(first + 1)
}

fn one(out: &mut String, step: &Step, same_back: Option<usize>) {
    said(out, "why", &step.why);
    for reason in &step.blocked_by {
        said(
            out,
            "BLOCKED",
            &format!("{} {}: {}\n{}", reason.code, reason.name, reason.message, reason.help),
        );
    }
    for reason in &step.warnings {
        said(
            out,
            "warning",
            &format!("{} {}: {}", reason.code, reason.name, reason.message),
        );
    }
    for what in &step.unavailable {
        said(out, "unavailable", what);
    }
    let commands = &step.commands;
    lines(out, "run", &commands.shell);
    if commands.helm3 == commands.helm4 {
        lines(out, "with Helm", &commands.helm3);
    } else {
        lines(out, "with Helm 3", &commands.helm3);
        lines(out, "with Helm 4", &commands.helm4);
    }
    lines(out, "then", &commands.then);
    lines(out, "check", &step.check.commands);
    for what in &step.check.expect {
        said(out, "expect", what);
    }
    if let Some(n) = same_back {
        said(out, "way back", &format!("as in step {n}"));
    } else if let Some(back) = &step.rollback {
        said(out, "way back", &back.says);
        lines(out, "", &back.commands);
    }
}

/// A labelled sentence; further lines of it are indented.
fn said(out: &mut String, label: &str, text: &str) {
    for (i, line) in text.lines().enumerate() {
        let _ = match i {
            0 => writeln!(out, "   {label}: {line}"),
            _ => writeln!(out, "      {line}"),
        };
    }
}

/// Commands, at the margin: a here-document ends only there, and a line copied whole has no blanks in front.
fn lines(out: &mut String, label: &str, commands: &[String]) {
    if commands.is_empty() {
        return;
    }
    if !label.is_empty() {
        let _ = writeln!(out, "   {label}:");
    }
    for command in commands {
        let _ = writeln!(out, "{command}");
    }
}

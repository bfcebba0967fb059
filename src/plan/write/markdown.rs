//! A plan as Markdown: a page for a change request or a runbook, with boxes to tick.

use std::fmt::Write;

use super::super::{Plan, Plans, Reason, Step};
use super::{ending, headline, mermaid, same_back};

/// The plans as one page.
pub fn markdown(plans: &Plans) -> String {
    let mut out = String::new();
    for (i, plan) in plans.plans.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "# {}\n\n{}", inline(&headline(plan)), inline(&ending(plan)));
        if let Some(drawing) = mermaid::drawing(std::slice::from_ref(plan)) {
            let _ = writeln!(out, "\n```mermaid\n{}```", drawing);
        }
        overview(&mut out, plan);
        for (n, step) in plan.steps.iter().enumerate() {
            let _ = writeln!(out, "\n## {}. {}\n\n{}", n + 1, inline(&step.title), inline(&step.why));
            one(&mut out, step, same_back(plan, n));
        }
    }
    out
}

/// The steps as a list of boxes.
fn overview(out: &mut String, plan: &Plan) {
    out.push('\n');
    for (n, step) in plan.steps.iter().enumerate() {
        let blocked = if step.blocked_by.is_empty() { "" } else { " **blocked**" };
        let _ = writeln!(out, "- [ ] {}. {}{blocked}", n + 1, inline(&step.title));
    }
}

fn one(out: &mut String, step: &Step, same_back: Option<usize>) {
    for reason in &step.blocked_by {
        quoted(out, "Blocked by", reason);
    }
    for reason in &step.warnings {
        let _ = writeln!(
            out,
            "\n> {} `{}`: {}",
            reason.code,
            reason.name,
            inline(&reason.message)
        );
    }
    if !step.unavailable.is_empty() {
        out.push_str("\n**Unavailable meanwhile**\n\n");
        for what in &step.unavailable {
            let _ = writeln!(out, "- {}", inline(what));
        }
    }
    let commands = &step.commands;
    block(out, "", &commands.shell);
    if commands.helm3 == commands.helm4 {
        block(out, "With Helm", &commands.helm3);
    } else {
        block(out, "With Helm 3", &commands.helm3);
        block(out, "With Helm 4", &commands.helm4);
    }
    block(out, "Then", &commands.then);
    if !step.check.commands.is_empty() || !step.check.expect.is_empty() {
        out.push_str("\n**Check**\n");
        block(out, "", &step.check.commands);
        if !step.check.expect.is_empty() {
            out.push('\n');
        }
        for what in &step.check.expect {
            listed(out, what);
        }
    }
    if let Some(n) = same_back {
        let _ = writeln!(out, "\n**Way back**: as in step {n}");
    } else if let Some(back) = &step.rollback {
        let _ = writeln!(out, "\n**Way back**: {}", inline(&back.says));
        block(out, "", &back.commands);
    }
}

/// A point of a list; the lines behind its first are shown as they are.
fn listed(out: &mut String, what: &str) {
    let mut lines = what.lines();
    let _ = writeln!(out, "- {}", inline(lines.next().unwrap_or_default()));
    let rest: Vec<&str> = lines.collect();
    if !rest.is_empty() {
        out.push_str("\n  ```yaml\n");
        for line in rest {
            let _ = writeln!(out, "  {line}");
        }
        out.push_str("  ```\n");
    }
}

fn quoted(out: &mut String, label: &str, reason: &Reason) {
    let _ = writeln!(
        out,
        "\n> **{label} {}** `{}`: {}",
        reason.code,
        reason.name,
        inline(&reason.message)
    );
    if !reason.help.is_empty() {
        block(out, "", std::slice::from_ref(&reason.help));
    }
}

fn block(out: &mut String, label: &str, commands: &[String]) {
    if commands.is_empty() {
        return;
    }
    if !label.is_empty() {
        let _ = writeln!(out, "\n{label}:");
    }
    // A fence longer than any in the text.
    let fence = "`".repeat(commands.iter().map(|c| longest_fence(c)).max().unwrap_or(0).max(2) + 1);
    let _ = writeln!(out, "\n{fence}sh");
    for command in commands {
        let _ = writeln!(out, "{command}");
    }
    let _ = writeln!(out, "{fence}");
}

fn longest_fence(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text that Markdown shows as it is: what looks like HTML or a placeholder is escaped.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    for c in text.chars() {
        match c {
            '`' => code = !code,
            '<' | '>' | '*' | '_' | '[' | ']' | '|' | '#' if !code => out.push('\\'),
            _ => {}
        }
        out.push(if c == '\n' { ' ' } else { c });
    }
    out
}

//! Queue and stores: what the live workloads use against what was used before, by the rules that guard them on the way.

use std::cell::OnceCell;

use super::goal::Goal;
use super::{Missing, Outcome, Request};
use crate::finding::{Finding, Input, Severity};
use crate::judge::Scope;
use crate::kube::named::Named;
use crate::milvus::effective::{ConfigMaps, Texts};
use crate::report::{StageReport, mask};
use crate::rewrite::Rewrite;
use crate::rules::case::{Case, Effective, Side};
use crate::rules::{Check, RULES};

/// The rules that hold for what was applied as they did for what would be: lower versions, queues, stores.
const ASKED: [&str; 10] = [
    "MU104", "MU301", "MU302", "MU303", "MU304", "MU305", "MU306", "MU307", "MU310", "MU311",
];

/// Compares a release with what it was.
pub fn check(request: &Request, goal: &Goal, near: &Scope, texts: &Texts, out: &mut Outcome) {
    let Some((current, before)) = near.current.zip(near.deployed) else {
        return;
    };
    let (target, release) = (near.target, near.release);
    let line = goal.target.line();
    let from = goal
        .transition
        .source_line()
        .unwrap_or_else(|| crate::facts::versions().marks.consolidate.version.line());
    let now = Effective::new(&ConfigMaps::of(&target.objects), release, line, texts);
    let then = Effective::new(&ConfigMaps::of(&current.objects), before, from, texts);
    let rewrite = Rewrite::default();
    let case = Case {
        target,
        came: release,
        after: Side {
            input: Input::Target,
            objects: &target.objects,
            release,
            effective: &now,
            named: &Named::of(&target.objects),
        },
        before: Some(Side {
            input: Input::Current,
            objects: &current.objects,
            release: before,
            effective: &then,
            named: &Named::of(&current.objects),
        }),
        transition: &goal.transition,
        rewrite: &rewrite,
        values: None,
        options: &request.options,
        stage: goal.kind.last_stage().map(|last| StageReport {
            applied: goal.stage,
            last,
        }),
        leads: true,
        texts,
        user_keys: OnceCell::new(),
        pairs: OnceCell::new(),
        host_command: None,
    };
    for rule in RULES.iter().filter(|r| ASKED.contains(&r.code)) {
        let Check::Release(check) = rule.check else { continue };
        for mut finding in check(&case) {
            mask::finding(&mut finding);
            let allowed = request.options.allow.allows(rule.code, Some(&goal.target));
            match finding.severity == Severity::Refuse && !allowed {
                true => out.missing.push(missing(&finding)),
                false => out
                    .notes
                    .push(format!("{} {}: {}", finding.code, finding.name, said(&finding))),
            }
        }
    }
}

fn missing(finding: &Finding) -> Missing {
    let (reason, help) = match finding.code {
        "MU104" => ("downgrade", finding.help.clone()),
        code => (
            "queue-or-store-changed",
            format!("let nobody write, and go back to what was there: milvus-uplift explain {code}"),
        ),
    };
    Missing {
        message: said(finding),
        help,
        ..Missing::finding(reason, finding)
    }
}

/// A rule speaks of what would come; here it has come.
fn said(finding: &Finding) -> String {
    let shown = |value: &crate::value::Value| match value {
        crate::value::Value::Null => "not set".to_owned(),
        crate::value::Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    match &finding.field {
        Some(field) if field.current != field.proposed && finding.code != "MU104" => {
            let what = match finding.code {
                "MU301" | "MU302" => "another message queue is used",
                "MU303" => "a message queue is used that Milvus 2.6 does not have",
                "MU304" => "another log of the same message queue is used",
                "MU305" => "a message queue is used that this mode cannot run on",
                "MU307" => "metadata or data are kept elsewhere",
                _ => "queue or stores are not what they were",
            };
            let path = field.path.as_str();
            format!(
                "{what}: {path} was {} before and is {} now",
                shown(&field.current),
                shown(&field.proposed)
            )
        }
        _ => finding.message.clone(),
    }
}

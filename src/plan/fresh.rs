//! `--current none`: a fresh install.

use super::chart::{self, Chart};
use super::route::{Kind, Leg};
use super::shell::{command, quote};
use super::{Check, Commands, Order, Place, Plan, Reason, ReleaseName, Rollback, Step, Verdict};
use crate::facts;
use crate::judge::{Current, Request, judge};
use crate::rules::mu103_minor_skipped;

/// The plan of an install: nothing is there that could be lost.
pub fn plan(order: &Order) -> Plan {
    let namespace = order.namespace.filter(|n| !n.is_empty()).unwrap_or("default");
    let version = order.to;
    let tag = match version.text.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("v{}", version.text),
        false => version.text.clone(),
    };
    let chart = chart::listed(&Leg {
        from: version.clone(),
        to: version.clone(),
        kind: Kind::Within,
    });
    let blocked = refusals(order, &tag);
    let mut steps = vec![super::prepare::tools()];
    let commands = if blocked.is_empty() {
        install(order, namespace, &tag, &chart)
    } else {
        Commands::default()
    };
    steps.push(Step {
        id: format!("{version}-install"),
        title: format!("install Milvus {version}"),
        why: "nothing is deployed, so nothing is in the way; queue and stores cannot be changed by a later upgrade: choose them now".into(),
        to: Some(version.to_string()),
        commands,
        check: Check {
            commands: vec![format!("helm status my-release --namespace {}", quote(namespace))],
            expect: vec![
                "my-release is a name to be chosen; `--set cluster.enabled=false --set standalone.messageQueue=rocksmq` makes a standalone".into(),
            ],
        },
        blocked_by: blocked,
        rollback: Some(Rollback {
            possible: true,
            downgrade_at_or_below: None,
            says: "uninstall it".into(),
            commands: vec![format!("helm uninstall my-release --namespace {}", quote(namespace))],
        }),
        ..Step::default()
    });
    let plan = Plan {
        release: ReleaseName {
            name: "my-release".into(),
            namespace: namespace.to_owned(),
            mode: None,
            chart: None,
            revision: None,
        },
        from: Place {
            version: None,
            mq: None,
        },
        to: Place {
            version: Some(version.to_string()),
            mq: None,
        },
        verdict: Verdict::Go,
        blocked_by: vec![],
        steps,
        topologies: vec![],
        manifests: vec![],
    };
    plan.closed()
}

fn install(order: &Order, namespace: &str, tag: &str, chart: &Chart) -> Commands {
    let version = chart
        .version
        .as_ref()
        .map(|v| format!("--version {v}"))
        .unwrap_or_default();
    let context = order
        .context
        .map(|c| format!("--kube-context {}", quote(c)))
        .unwrap_or_default();
    let with = |renderer: &str| {
        let mut words = vec![
            "helm upgrade --install my-release zilliztech/milvus".to_owned(),
            format!("--namespace {} --create-namespace", quote(namespace)),
            context.clone(),
            version.clone(),
            format!("--set {}", quote(&format!("image.all.tag={tag}"))),
            "--wait --timeout 30m".to_owned(),
            format!("--post-renderer {renderer}"),
            "--post-renderer-args=--current=none".to_owned(),
        ];
        words.extend(
            order
                .stated
                .iter()
                .map(|s| format!("--post-renderer-args={}", quote(s))),
        );
        vec![command(&words)]
    };
    Commands {
        helm3: with("\"$(command -v milvus-uplift)\""),
        helm4: with("milvus-uplift"),
        ..Commands::default()
    }
}

/// What the rules say of the version alone: a release candidate, a defect, a line nobody knows.
fn refusals(order: &Order, tag: &str) -> Vec<Reason> {
    let hops = &facts::hops().hops;
    let known = hops
        .iter()
        .any(|h| h.to == order.to.line() || h.from == order.to.line());
    if !known {
        let finding = mu103_minor_skipped::no_way(
            "nothing",
            &order.to.to_string(),
            hops.first().map_or((0, 0), |h| h.from),
        );
        return vec![Reason::of(&finding)];
    }
    let target = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: my-release-milvus-standalone\n  labels:\n    app.kubernetes.io/instance: my-release\n\
         spec:\n  selector:\n    matchLabels:\n      app.kubernetes.io/instance: my-release\n  template:\n    metadata:\n      labels:\n        \
         app.kubernetes.io/instance: my-release\n    spec:\n      containers:\n        - name: standalone\n          image: milvusdb/milvus:{tag}\n          \
         args: [milvus, run, standalone]\n"
    );
    let judgement = judge(&Request {
        target: target.into(),
        current: Current::Nothing,
        options: order.options.clone(),
        ..Request::default()
    });
    let about_version = ["MU005", "MU102", "MU107", "MU601"];
    let refused = judgement.findings.iter().filter(|f| f.refuses());
    refused
        .filter(|f| about_version.contains(&f.code))
        .map(Reason::of)
        .collect()
}

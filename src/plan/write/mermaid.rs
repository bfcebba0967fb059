//! The topology before, between and after, as a Mermaid flowchart that GitHub draws.

use std::fmt::Write;

use super::super::{Plan, Plans, Topology};

/// One flowchart for all plans.
pub fn mermaid(plans: &Plans) -> String {
    drawing(&plans.plans).unwrap_or_else(|| "flowchart LR\n  nothing[\"nothing is deployed\"]\n".to_owned())
}

/// The flowchart; `None` where no plan has a topology.
pub fn drawing(plans: &[Plan]) -> Option<String> {
    if plans.iter().all(|p| p.topologies.is_empty()) {
        return None;
    }
    let mut out = String::from("flowchart LR\n");
    for (p, plan) in plans.iter().enumerate() {
        let several = plans.len() > 1;
        for (t, topology) in plan.topologies.iter().enumerate() {
            let name = if several {
                format!("{}, ", plan.release.name)
            } else {
                String::new()
            };
            stop(&mut out, &format!("p{p}s{t}"), &name, topology);
        }
        for t in 1..plan.topologies.len() {
            let version = &plan.topologies[t].version;
            let numbers: Vec<String> = plan
                .steps
                .iter()
                .enumerate()
                .filter(|(_, s)| s.to.as_ref() == Some(version))
                .map(|(n, _)| (n + 1).to_string())
                .collect();
            let blocked = plan
                .steps
                .iter()
                .any(|s| s.to.as_ref() == Some(version) && !s.blocked_by.is_empty());
            let label = match (blocked, &numbers[..]) {
                (true, _) => "blocked".to_owned(),
                (false, []) => String::new(),
                (false, [one]) => format!("step {one}"),
                (false, [first, .., last]) => format!("steps {first} to {last}"),
            };
            let arrow = if blocked { "-.->" } else { "-->" };
            let label = if label.is_empty() {
                label
            } else {
                format!("|\"{label}\"|")
            };
            let _ = writeln!(out, "  p{p}s{} {arrow}{label} p{p}s{t}", t - 1);
        }
    }
    Some(out)
}

/// One stop as a subgraph: what runs, and the queue it talks to.
fn stop(out: &mut String, id: &str, name: &str, topology: &Topology) {
    let _ = writeln!(
        out,
        "  subgraph {id}[\"{}{}: Milvus {}\"]\n    direction TB",
        escaped(name),
        topology.name,
        escaped(&topology.version)
    );
    for component in &topology.components {
        let times = component.replicas.map_or_else(String::new, |n| format!(" × {n}"));
        let _ = writeln!(out, "    {id}_{}[\"{}{times}\"]", component.role, component.role);
    }
    let mq = topology.mq.as_deref().unwrap_or("queue not visible");
    let _ = writeln!(out, "    {id}_queue[(\"{}\")]", escaped(mq));
    // 2.6 reaches the log through its streaming nodes alone.
    let has = |role: &str| topology.components.iter().any(|c| c.role == role);
    let talks: &[&str] = if has("streamingnode") {
        &["streamingnode"]
    } else {
        &["proxy", "querynode", "datanode", "standalone"]
    };
    for role in talks.iter().filter(|r| has(r)) {
        let _ = writeln!(out, "    {id}_{role} --- {id}_queue");
    }
    if has("streamingnode") && has("proxy") {
        let _ = writeln!(out, "    {id}_proxy --- {id}_streamingnode");
    }
    let _ = writeln!(out, "  end");
}

/// A label between quotes: Mermaid has entities for what would end it.
fn escaped(text: &str) -> String {
    text.replace('"', "#quot;").replace(['\n', '\r'], " ")
}

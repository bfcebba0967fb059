//! The end of the way: values to commit, an empty diff, the post-renderer unplugged.

use super::chart::{self, Chart};
use super::shell::{command, quote};
use super::simulate::{self, Outcome};
use super::site::Site;
use super::{Check, Commands, Order, Rollback, Step};
use crate::milvus::release::Mode;
use crate::milvus::version::Version;
use crate::report::mask::MASK;
use crate::value::{Map, Value, json};
use crate::yaml;

/// Nothing is to be done.
pub fn there(site: &Site, to: &Version) -> Step {
    Step {
        id: "there".into(),
        title: format!("nothing to do: Milvus {} is deployed already", to.with_variant()),
        why: "version and topology are what was asked for".into(),
        to: Some(to.to_string()),
        check: Check {
            commands: vec![site.kubectl(&[format!("get pods --selector {}", site.selector())])],
            expect: vec![],
        },
        ..Step::default()
    }
}

/// The steps after the last one that changes the cluster.
pub fn steps(site: &Site, order: &Order, first: &str, last: &Outcome) -> Vec<Step> {
    let chart = Chart {
        version: site.chart.clone(),
        changes: false,
    };
    let file = site.file("values.yaml");
    vec![
        values(site, order, first, last, &file),
        diff(site, &chart, &file),
        unplug(site, &chart, &file),
    ]
}

fn values(site: &Site, order: &Order, first: &str, last: &Outcome, file: &str) -> Step {
    let wanted = wanted(site, order, first, last);
    let text = yaml::emit(&wanted);
    let mut expect = vec![format!(
        "the file holds these, below whatever else you set:\n{}",
        text.trim_end()
    )];
    if text.contains(MASK) {
        expect.push(format!("{MASK} stands for a secret: fill it in"));
    }
    Step {
        id: "values".into(),
        title: "commit the values".into(),
        why: "the values are what the next upgrade renders, from whatever machine: without these it would bring the old version, roles or queue back (MU606)".into(),
        commands: Commands {
            shell: vec![format!("{} --output yaml > {file}", site.helm("get values"))],
            ..Commands::default()
        },
        check: Check {
            commands: vec![],
            expect,
        },
        ..Step::default()
    }
}

/// The values of the plan's own flags, and what the rules say beside them.
fn wanted(site: &Site, order: &Order, first: &str, last: &Outcome) -> Value {
    let overlay = simulate::values_to_commit(first, &last.state, site, order.options);
    let scoped = overlay
        .as_ref()
        .and_then(|v| site.prefix.iter().try_fold(v, |v, key| v.get(key)));
    let mut own = Map::new();
    own.insert("image".into(), json!({"all": {"tag": site.tag(order.to)}}));
    for (key, value) in scoped.and_then(Value::as_object).into_iter().flatten() {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            let said = chart::described(site, overlay.as_ref(), key);
            fields.retain(|k, _| k == "enabled" || said.iter().any(|(s, _)| s == k));
        }
        own.insert(key.clone(), value);
    }
    if let (Mode::Standalone, Some(mq)) = (site.mode, &site.mq) {
        own.insert("standalone".into(), json!({"messageQueue": mq.as_str()}));
    }
    if site.pulsar_v2 {
        own.insert("pulsar".into(), json!({"enabled": true}));
        own.insert("pulsarv3".into(), json!({"enabled": false}));
    }
    own.retain(|_, v| v.as_object().is_none_or(|m| !m.is_empty()));
    let nest = |inner: Value, key: &String| Value::Object([(key.clone(), inner)].into_iter().collect());
    site.prefix.iter().rev().fold(Value::Object(own), nest)
}

fn diff(site: &Site, chart: &Chart, file: &str) -> Step {
    let render = command(&[
        format!(
            "helm template {} {}",
            quote(&site.release),
            chart::reference(site, chart)
        ),
        site.helm_place(),
        chart::version_of(site, chart),
        format!("--values {file}"),
    ]);
    let compare = site.uplift(&format!("diff --current release:{}", quote(&site.release)));
    Step {
        id: "diff".into(),
        title: "see that nothing is left to rewrite".into(),
        why: "an empty diff shows that the chart renders by itself, from the committed values, what runs now".into(),
        commands: Commands {
            shell: vec![format!("{render} | {compare}")],
            ..Commands::default()
        },
        check: Check {
            commands: vec![],
            expect: vec![
                "it prints no difference and ends with 0; where it does not, the values above are not all there".into(),
            ],
        },
        ..Step::default()
    }
}

fn unplug(site: &Site, chart: &Chart, file: &str) -> Step {
    let line = command(&[
        format!(
            "helm upgrade {} {}",
            quote(&site.release),
            chart::reference(site, chart)
        ),
        site.helm_place(),
        chart::version_of(site, chart),
        format!("--values {file}"),
        "--wait --timeout 30m".to_owned(),
    ]);
    Step {
        id: "unplug".into(),
        title: "unplug the post-renderer".into(),
        why: "its work is done; keep it plugged in as a guard, or take --post-renderer out of pipelines and scripts"
            .into(),
        commands: Commands {
            helm3: vec![line.clone()],
            helm4: vec![line],
            ..Commands::default()
        },
        check: Check {
            commands: vec![site.kubectl(&[format!("get pods --selector {}", site.selector())])],
            expect: vec!["no pod was restarted: the age of each is from before this step".into()],
        },
        rollback: Some(Rollback {
            possible: true,
            downgrade_at_or_below: None,
            says: "plug it in again".into(),
            commands: vec![],
        }),
        ..Step::default()
    }
}

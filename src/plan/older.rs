//! Legs below 2.6 that keep the topology: component by component with the script of the older guide, or by Helm with an
//! outage.

use super::back::rollback;
use super::chart::{self, Chart};
use super::route::Leg;
use super::shell::{command, quote};
use super::site::Site;
use super::{Check, Step, cross};
use crate::facts;
use crate::milvus::queue::Mq;
use crate::milvus::release::Mode;
use crate::milvus::role::Role;

/// Where the script is fetched from: a release that has it unchanged.
const SCRIPT: &str = "https://raw.githubusercontent.com/milvus-io/milvus/v2.5.16/deployments/upgrade/rollingUpdate.sh";

/// The order in which it patches (deployments/upgrade/rollingUpdate.sh of 2.5.16).
pub const ORDER: [Role; 9] = [
    Role::RootCoord,
    Role::DataCoord,
    Role::IndexCoord,
    Role::QueryCoord,
    Role::IndexNode,
    Role::DataNode,
    Role::QueryNode,
    Role::Proxy,
    Role::Standalone,
];

/// The steps of one leg.
pub fn steps(site: &mut Site, leg: &Leg) -> Vec<Step> {
    // 2.5 goes by Helm alone, as its guide has it.
    let floor = facts::versions().marks.consolidate.version.line();
    if leg.to.line() >= floor || leg.to < leg.from {
        return vec![by_helm(site, leg, None)];
    }
    match unscripted(site, leg) {
        None => vec![rolling(site, leg)],
        Some(why) => vec![by_helm(site, leg, Some(why))],
    }
}

/// Why the script does not do for this release.
fn unscripted(site: &Site, leg: &Leg) -> Option<String> {
    let first = &facts::versions().marks.rolling_upgrade.version;
    if leg.from < *first {
        return Some(format!("components of before {first} cannot be upgraded one by one"));
    }
    match &site.mq {
        Some(Mq::RocksMq) => {
            return Some(
                "rocksmq: its directory can be opened by one pod only, and the rolling script refuses it".into(),
            );
        }
        None => {
            return Some("which message queue is in use cannot be seen, and the rolling script refuses rocksmq".into());
        }
        Some(_) => {}
    }
    if site.in_role(Role::MixCoord).next().is_some() {
        return Some("mixcoord: the rolling script does not know it and would leave it behind".into());
    }
    if site.foreign_chart.is_some() || site.app != "milvus" || site.service != format!("{}-milvus", site.instance) {
        return Some(format!(
            "the rolling script finds a ConfigMap {}-milvus and the label app.kubernetes.io/name=milvus, and this release names them otherwise",
            site.instance
        ));
    }
    None
}

fn before_file(site: &Site, leg: &Leg) -> String {
    site.file(&format!("before-{}.yaml", leg.to))
}

fn rolling(site: &mut Site, leg: &Leg) -> Step {
    // The script moves images alone; Helm is told what it did, with the chart that is installed.
    let chart = Chart::of(site, leg, true);
    let mut commands = chart::upgrade_image(site, leg, &chart, true);
    let save = site.keep_records(&before_file(site, leg));
    commands.shell = vec![save, format!("curl -fsSLO {SCRIPT}"), script(site, leg)];
    commands.shell.extend(chart::further_repository(&chart));
    let order: Vec<String> = ORDER
        .iter()
        .flat_map(|role| site.in_role(*role))
        .map(|w| w.name.clone())
        .collect();
    let step = Step {
        id: format!("{}-rolling", leg.to),
        title: format!("Milvus {}, component by component", leg.to),
        why: format!(
            "{} with a rolling upgrade: the script makes the coordinators active-standby and replaces {} in this order",
            stop(leg),
            order.join(", ")
        ),
        to: Some(leg.to.to_string()),
        commands,
        unavailable: vec!["short interruptions while each component is replaced".into()],
        check: Check {
            commands: vec![site.verify(&before_file(site, leg), &leg.to, None)],
            expect: vec![
                format!(
                    "every pod runs {}; then the last command tells Helm what the script did",
                    site.image(&leg.to)
                ),
                "the script ends at the first Deployment that does not come up: mend it, then run the same line again"
                    .into(),
            ],
        },
        rollback: Some(rollback(site, leg)),
        ..Step::default()
    };
    site.upgraded(chart.version.as_ref());
    step
}

fn script(site: &Site, leg: &Leg) -> String {
    command(&[
        "bash rollingUpdate.sh".to_owned(),
        format!("-n {}", quote(&site.namespace)),
        format!("-i {}", quote(&site.instance)),
        "-o update".to_owned(),
        format!("-t {}", leg.to),
        format!("-w {}", quote(&site.image(&leg.to))),
    ])
}

fn stop(leg: &Leg) -> String {
    match leg.from.line() == leg.to.line() {
        true => format!("a stop in the line {}.{}", leg.to.major, leg.to.minor),
        false => "one minor version at a time".to_owned(),
    }
}

/// With Helm alone: all Deployments at once.
fn by_helm(site: &mut Site, leg: &Leg, why: Option<String>) -> Step {
    let chart = Chart::of(site, leg, false);
    let mut commands = chart::upgrade_image(site, leg, &chart, true);
    let save = site.keep_records(&before_file(site, leg));
    commands.shell = vec![save];
    commands.shell.extend(chart::further_repository(&chart));
    let unavailable = match (site.mode, &why) {
        (Mode::Standalone, _) => "everything, from the end of the old pod to the readiness of the new one",
        (_, Some(_)) => "everything, until all Deployments are ready: announce the outage and stop the writers",
        (_, None) => "Helm replaces all Deployments at once: some requests fail until they are ready",
    };
    let reason = match &why {
        Some(why) => format!("{}, with an outage: {why}", stop(leg)),
        None => stop(leg),
    };
    let mut check = Check {
        commands: vec![site.verify(&before_file(site, leg), &leg.to, None)],
        expect: vec![cross::none_left(site, leg)],
    };
    check.expect.extend(chart.notes(site));
    let step = Step {
        id: format!("{}-upgrade", leg.to),
        title: format!("Milvus {}", leg.to.with_variant()),
        why: reason,
        to: Some(leg.to.to_string()),
        commands,
        unavailable: vec![unavailable.to_owned()],
        check,
        rollback: Some(rollback(site, leg)),
        ..Step::default()
    };
    site.upgraded(chart.version.as_ref());
    step
}

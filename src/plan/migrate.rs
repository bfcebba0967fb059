//! The leg from 2.1 to 2.2: the metadata is migrated while Milvus is stopped.

use foldhash::HashMap;

use super::back::rollback;
use super::chart::{self, Chart};
use super::migration::{self, BACKUP, CLAIM, CONFIG, MIGRATE, ROLLBACK, pod_name};
use super::route::Leg;
use super::shell::quote;
use super::site::{Site, Workload};
use super::{Check, Commands, Order, Rollback, Step};

/// The script of the guide.
const SCRIPT: &str = "https://raw.githubusercontent.com/milvus-io/milvus/v2.5.16/deployments/migrate-meta/migrate.sh";

/// How long a session of a component that ended lives on in etcd, with some to spare (migrate.sh waits 75 seconds).
const SESSION_SECONDS: u32 = 90;

/// The steps of the leg.
pub fn steps(site: &mut Site, leg: &Leg, order: &Order) -> Vec<Step> {
    let folder = order.migration.unwrap_or("migration");
    let stop = stop(site, leg, order, folder);
    let migrate = migrate(site, leg, folder);
    let start = start(site, leg);
    vec![stop, migrate, start]
}

fn stop(site: &Site, leg: &Leg, order: &Order, folder: &str) -> Step {
    let mut shell = vec![site.keep_records(&site.file(&format!("before-{}.yaml", leg.to)))];
    if order.migration.is_none() {
        shell.push(site.uplift(&format!(
            "plan --current release:{} --to {} --emit-migration {folder} --output {}",
            quote(&site.release),
            order.to,
            site.file("plan.txt")
        )));
    }
    shell.push(scale(site, site.workloads.iter().map(|w| (w, 0))));
    shell.push(site.kubectl(&[
        "wait --for=delete pod".to_owned(),
        format!("--selector {}", site.pods()),
        "--timeout=10m".to_owned(),
    ]));
    shell.push(format!("sleep {SESSION_SECONDS}"));
    Step {
        id: format!("{}-stop", leg.to),
        title: "stop Milvus".into(),
        why: "a live session of any component in etcd makes the migration fail".into(),
        commands: Commands {
            shell,
            ..Commands::default()
        },
        unavailable: vec!["everything, from here until Milvus is started again".into()],
        check: Check {
            commands: vec![],
            expect: vec![format!(
                "no pod of the release runs Milvus; etcd, object store and queue go on ({folder} holds the manifests)"
            )],
        },
        rollback: Some(Rollback {
            possible: true,
            downgrade_at_or_below: None,
            says: "nothing has changed yet: start it again".into(),
            commands: vec![restart(site)],
        }),
        ..Step::default()
    }
}

fn migrate(site: &Site, leg: &Leg, folder: &str) -> Step {
    let apply = |files: &[&str]| {
        let named: Vec<String> = files
            .iter()
            .map(|f| format!("--filename {}", quote(&format!("{folder}/{f}"))))
            .collect();
        site.kubectl(&[format!("apply {}", named.join(" "))])
    };
    let done = |what: &str| {
        site.kubectl(&[
            "wait --for=jsonpath='{.status.phase}'=Succeeded".to_owned(),
            quote(&format!("pod/{}", pod_name(site, what))),
            "--timeout=10m".to_owned(),
        ])
    };
    let logs = |what: &str| site.kubectl(&[format!("logs {}", quote(&pod_name(site, what)))]);
    let mut expect = vec![
        "run the second pod only when the first has succeeded: without its backup there is no way back".to_owned(),
        format!(
            "the guide's script does the stop, these pods and the start in one: {}",
            script(site, leg, "migrate")
        ),
    ];
    if site.etcd.endpoints.is_empty() {
        expect.insert(
            0,
            "the etcd of the metadata cannot be seen, so no manifests were made: use the script with -e ENDPOINT"
                .into(),
        );
    }
    Step {
        id: format!("{}-migrate", leg.to),
        title: format!("migrate the metadata from {} to {}", leg.from, leg.to),
        why: "from 2.2 on the metadata has another layout, and no version of Milvus migrates it by itself".into(),
        to: Some(leg.to.to_string()),
        commands: Commands {
            shell: vec![
                apply(&[CLAIM, CONFIG]),
                apply(&[BACKUP]),
                done("backup"),
                apply(&[MIGRATE]),
                done("migrate"),
            ],
            ..Commands::default()
        },
        unavailable: vec!["everything".into()],
        check: Check {
            commands: vec![logs("backup"), logs("migrate")],
            expect,
        },
        rollback: Some(Rollback {
            possible: true,
            downgrade_at_or_below: None,
            says: format!(
                "while Milvus is stopped: the third pod writes the backup back, then start {} again; the volume claim keeps the backup",
                leg.from
            ),
            commands: vec![apply(&[ROLLBACK]), done("rollback"), restart(site)],
        }),
        ..Step::default()
    }
}

fn start(site: &mut Site, leg: &Leg) -> Step {
    let chart = Chart::of(site, leg, true);
    let mut commands = chart::upgrade_image(site, leg, &chart, false);
    commands.shell = chart::further_repository(&chart);
    commands.then = vec![restart(site)];
    let ready = site
        .workloads
        .iter()
        .map(|w| site.kubectl(&[format!("rollout status {}", w.target()), "--timeout=10m".to_owned()]));
    let step = Step {
        id: format!("{}-start", leg.to),
        title: format!("start Milvus {}", leg.to),
        why: "the metadata is that of 2.2 now; without the post-renderer, which refuses this step (MU110) as it cannot see the migration".into(),
        to: Some(leg.to.to_string()),
        commands,
        unavailable: vec!["everything, until all components are ready".into()],
        check: Check {
            commands: ready.collect(),
            expect: vec![
                "collections and row counts are those of before; then the pods, the ConfigMap and, last, the claim of the migration can be deleted".into(),
                format!("where it must be undone: stop Milvus, then {}", script(site, leg, "rollback")),
            ],
        },
        rollback: Some(rollback(site, leg)),
        ..Step::default()
    };
    site.upgraded(chart.version.as_ref());
    step
}

/// Every workload back at the replicas it had.
fn restart(site: &Site) -> String {
    scale(site, site.workloads.iter().map(|w| (w, w.replicas.unwrap_or(1))))
}

/// `kubectl scale`, once for each number of replicas.
fn scale<'w>(site: &Site, each: impl Iterator<Item = (&'w Workload, i64)>) -> String {
    let mut by_number: Vec<(i64, Vec<String>)> = Vec::new();
    let mut known: HashMap<i64, usize> = HashMap::default();
    for (workload, replicas) in each {
        let which = *known.entry(replicas).or_insert(by_number.len());
        match by_number.get_mut(which) {
            Some((_, names)) => names.push(workload.target()),
            None => by_number.push((replicas, vec![workload.target()])),
        }
    }
    let lines = by_number.iter().map(|(replicas, names)| {
        let mut parts = vec![format!("scale --replicas={replicas}")];
        parts.extend(names.iter().cloned());
        site.kubectl(&parts)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The guide's script with its flags.
fn script(site: &Site, leg: &Leg, operation: &str) -> String {
    let image = match operation {
        "rollback" => site.image(&leg.from),
        _ => site.image(&leg.to),
    };
    let mut parts = vec![
        format!("curl -fsSLO {SCRIPT} && bash migrate.sh"),
        format!("-i {}", quote(&site.instance)),
        format!("-n {}", quote(&site.namespace)),
        format!("-s {}", leg.from),
        format!("-t {}", leg.to),
        format!("-r {}", quote(&site.etcd.root)),
        format!("-w {}", quote(&image)),
        format!("-m {}", quote(migration::tool_image())),
        format!("-o {operation}"),
    ];
    if let (None, Some(endpoint)) = (&site.etcd.pod, site.etcd.endpoints.first()) {
        parts.push(format!("-e {}", quote(endpoint)));
    }
    parts.join(" ")
}

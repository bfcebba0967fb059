//! What is judged circle by circle is judged as it would be as a whole: every case of `testdata` beside another release.

mod support;

use std::path::Path;

use libtest_mimic::{Arguments, Trial};
use milvus_uplift::judge::{Current, Held, Judgement, Request, judge};
use support::scenario::{Deployed, Scenario};

const TARGET: &str = include_str!("../testdata/example/target.yaml");
const CURRENT: &str = include_str!("../testdata/example/current.yaml");

fn main() {
    let args = Arguments::from_args();
    let mut trials = support::case_trials(run);
    trials.push(Trial::test("many", || many().map_err(Into::into)));
    trials.push(Trial::test("what_is_looked_at_across_all", || {
        across().map_err(Into::into)
    }));
    libtest_mimic::run(&args, trials).exit();
}

/// All that a judgement says, but for what it read and how long that took.
fn said(judgement: &Judgement) -> Vec<String> {
    let mut all = vec![format!("{:?} {:?}", judgement.host, judgement.text())];
    all.extend(judgement.releases.iter().map(|release| format!("{release:?}")));
    all.extend(judgement.findings.iter().map(|finding| format!("{finding:?}")));
    all.extend(judgement.changes.iter().map(|change| format!("{change:?}")));
    all
}

/// Judges both ways and compares; whether the one was circle by circle.
fn same(request: impl Fn(Held) -> Request) -> Result<bool, String> {
    let [whole, apart] = [Held(usize::MAX), Held(0)].map(|held| judge(&request(held)));
    let (a, b) = (said(&whole), said(&apart));
    let of_a = a.iter().find(|line| !b.contains(line));
    let of_b = b.iter().find(|line| !a.contains(line));
    if of_a.is_some() || of_b.is_some() {
        return Err(format!("as a whole:\n{of_a:#?}\ncircle by circle:\n{of_b:#?}"));
    }
    if let Some((a, b)) = a.iter().zip(&b).find(|(a, b)| a != b) {
        return Err(format!("in another order, first\n{a}\n{b}"));
    }
    Ok(apart.read.0.is_none() && whole.read.0.is_some())
}

fn named(text: &str, name: &str) -> String {
    text.replace("my-release", name)
}

fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let ended = texts
        .into_iter()
        .map(|text| format!("{}\n", text.trim_end_matches('\n')));
    ended.collect::<Vec<_>>().join("---\n")
}

/// A case before the example, and behind it.
fn run(folder: &Path) -> Result<(), String> {
    let Some(scenario) = Scenario::read(folder).or_else(|| Scenario::read_refused(folder)) else {
        return Ok(());
    };
    let Deployed::Text(current) = &scenario.current else {
        return Ok(());
    };
    let Ok(current) = std::str::from_utf8(current) else {
        return Ok(());
    };
    let (target, deployed) = (named(TARGET, "zebra"), named(CURRENT, "zebra"));
    for case_first in [true, false] {
        let order = |case: &str, other: &str| match case_first {
            true => joined([case, other]),
            false => joined([other, case]),
        };
        let beside = scenario
            .with_target(order(&scenario.target, &target))
            .with_current(order(current, &deployed));
        same(|held| Request {
            held,
            ..beside.request()
        })?;
    }
    Ok(())
}

fn umbrella(names: &[&str], held: Held) -> Request {
    let all = |text: &str| {
        let each: Vec<String> = names.iter().map(|name| named(text, name)).collect();
        joined(each.iter().map(String::as_str))
    };
    upgrade(all, held)
}

/// The example's upgrade, made of both its streams alike.
fn upgrade(all: impl Fn(&str) -> String, held: Held) -> Request {
    Request {
        target: all(TARGET).into(),
        current: Current::Manifests(all(CURRENT).into()),
        held,
        ..Request::default()
    }
}

fn many() -> Result<(), String> {
    let names = ["north", "south.eu", "east-1", "west"];
    let interleaved = |text: &str| {
        let mut documents: Vec<&str> = text.split("---\n").filter(|d| !d.trim().is_empty()).collect();
        // As Helm orders them: by kind, whichever release they are of.
        documents.sort_by_key(|d| d.lines().find(|l| l.starts_with("kind: ")));
        joined(documents)
    };
    let by_kind = |held| {
        let request = umbrella(&names, held);
        let Current::Manifests(current) = &request.current else {
            unreachable!("it is manifests")
        };
        Request {
            target: interleaved(request.target.text().expect("text")).into(),
            current: Current::Manifests(interleaved(current.text().expect("text")).into()),
            ..request
        }
    };
    let apart = [same(|held| umbrella(&names, held))?, same(by_kind)?];
    let alone = same(|held| umbrella(&names[..1], held))?;
    if apart != [true, true] || alone {
        return Err(format!("circle by circle: {apart:?}, of one release: {alone}"));
    }
    let request = aliases(&names, Held(0));
    let is_apart = same(|held| aliases(&names, held))?;
    let releases = judge(&request).releases.len();
    if !is_apart || releases != names.len() {
        return Err(format!("aliases: circle by circle: {is_apart}, {releases} releases"));
    }
    Ok(())
}

/// Releases as an umbrella chart renders its subcharts under aliases: all carry the umbrella's instance, and stand on the
/// same stores.
fn aliases(names: &[&str], held: Held) -> Request {
    let is_store = |d: &&str| {
        let stores = ["-etcd", "-minio", "-pulsar"];
        stores
            .iter()
            .any(|w| d.contains(&format!("name: my-release{w}")) && !d.contains("name: my-release-milvus"))
    };
    let all = |text: &str| {
        let (stores, own): (Vec<&str>, Vec<&str>) = text.split("---\n").partition(is_store);
        let own = own.join("---\n");
        let each = names.iter().map(|name| {
            own.replace(
                "app.kubernetes.io/name: milvus",
                &format!("app.kubernetes.io/name: {name}"),
            )
            .replace("my-release-milvus", &format!("my-release-{name}"))
            .replace("# Source: milvus/", &format!("# Source: umbrella/charts/{name}/"))
        });
        let each: Vec<String> = each.chain([stores.join("---\n")]).collect();
        joined(each.iter().map(String::as_str))
    };
    upgrade(all, held)
}

/// Something beside two releases, and whether they are judged circle by circle all the same.
fn across() -> Result<(), String> {
    let object =
        |kind: &str, rest: &str| format!("---\napiVersion: v1\nkind: {kind}\nmetadata:\n  name: beside\n{rest}");
    let cases = [
        ("a comment", "---\n# nothing\n".to_owned(), true),
        ("an object", object("ConfigMap", "data:\n  a: b\n"), true),
        (
            "a long name",
            object("ConfigMap", &format!("data:\n  a: {}\n", "x".repeat(300))),
            true,
        ),
        (
            "what names one of them",
            object("ConfigMap", "data:\n  a: http://north-milvus:1\n"),
            true,
        ),
        (
            "what names both",
            object("ConfigMap", "data:\n  a: north-milvus south-milvus\n"),
            true,
        ),
        (
            "both, with escapes",
            object("ConfigMap", "data:\n  a: \"\\x6eorth-milvus\\tsouth-milvus\"\n"),
            true,
        ),
        (
            "what selects both",
            object("Service", "spec:\n  selector:\n    component: proxy\n"),
            true,
        ),
        (
            "what selects what comes to both",
            object("Service", "spec:\n  selector:\n    component: mixcoord\n"),
            true,
        ),
        (
            "what selects a role that leaves and one that stays",
            object(
                "PodDisruptionBudget",
                "spec:\n  selector:\n    matchExpressions: [{key: component, operator: In, values: [rootcoord, proxy]}]\n",
            ),
            true,
        ),
        (
            "what selects both, of one",
            object(
                "Service",
                "  labels: {release: north}\nspec:\n  selector:\n    component: proxy\n",
            ),
            false,
        ),
        (
            "what selects a role of both that leaves",
            object("Service", "spec:\n  selector:\n    component: indexnode\n"),
            true,
        ),
        (
            "what scales what comes to one",
            object(
                "HorizontalPodAutoscaler",
                "spec:\n  scaleTargetRef: {kind: Deployment, name: north-milvus-mixcoord}\n",
            ),
            true,
        ),
        (
            "what selects one",
            object("Service", "spec:\n  selector:\n    app.kubernetes.io/instance: north\n"),
            true,
        ),
        (
            "a List",
            "---\napiVersion: v1\nkind: List\nitems: []\n".to_owned(),
            false,
        ),
        ("what is live", object("ConfigMap", "  uid: a\n"), false),
        ("no object", "---\na: b\n".to_owned(), false),
        ("no YAML", "---\na: [\n".to_owned(), false),
        (
            "a release record",
            object("Secret", "  labels:\n    owner: helm\ntype: helm.sh/release.v1\n"),
            false,
        ),
    ];
    let stays = |held| {
        let request = umbrella(&["north", "south"], held);
        let beside = object("Service", "spec:\n  selector:\n    component: indexnode\n");
        let all = [named(TARGET, "north"), named(CURRENT, "south"), beside];
        Request {
            target: joined(all.iter().map(|text| text.trim_start_matches("---\n"))).into(),
            ..request
        }
    };
    if same(stays).map_err(|e| format!("what serves nobody in one circle alone: {e}"))? {
        return Err("what one circle drops and another keeps is for both to say".into());
    }
    let new = |names: &[&str]| {
        let comes = umbrella(&["north", "south", "east"], Held(0)).target;
        same(|held| Request {
            target: comes.clone(),
            ..umbrella(names, held)
        })
    };
    if new(&["north", "south"])? || !new(&["north", "south", "east"])? {
        return Err("a release that is not deployed is judged as a whole".into());
    }
    for (what, beside, wanted) in cases {
        let request = |held| {
            let request = umbrella(&["north", "south"], held);
            let target = format!("{}{beside}", request.target.text().expect("text"));
            Request {
                target: target.into(),
                ..request
            }
        };
        let apart = same(request).map_err(|e| format!("{what}: {e}"))?;
        if apart != wanted {
            return Err(format!("{what}: circle by circle {apart}, wanted {wanted}"));
        }
    }
    Ok(())
}

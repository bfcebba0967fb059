//! A stream of several releases: each is judged as it would be alone, however many stand beside it.

use std::collections::BTreeSet;

use milvus_uplift::judge::{Current, Judgement, Request, judge};
use milvus_uplift::options::Options;
use milvus_uplift::order::Order;
use milvus_uplift::stage::Stage;

const TARGET: &str = include_str!("../testdata/example/target.yaml");
const CURRENT: &str = include_str!("../testdata/example/current.yaml");

/// What makes a release of the example one that has to be refused, or warned of.
type Fault = fn(&str) -> String;

const FAULTS: [(&str, Fault); 4] = [
    ("none", str::to_owned),
    ("another bucket", |text| {
        text.replace("bucketName: ", "bucketName: other-")
    }),
    ("a downgrade", |text| {
        text.replace("milvusdb/milvus:v2.6", "milvusdb/milvus:v2.4")
    }),
    ("no proxy", |text| {
        let documents = text.split("\n---\n");
        let others: Vec<&str> = documents
            .filter(|d| !(d.contains("kind: Deployment") && d.contains("-proxy\n")))
            .collect();
        others.join("\n---\n")
    }),
];

fn named(text: &str, name: &str) -> String {
    text.replace("my-release", name)
}

fn judged(target: String, current: String, options: Options) -> Judgement {
    judge(&Request {
        target: target.into(),
        current: Current::Manifests(current.into()),
        options,
        ..Request::default()
    })
}

/// What is said and done, without the places, which follow from what stands before.
fn said(judgement: &Judgement) -> BTreeSet<String> {
    let findings = judgement
        .findings
        .iter()
        .map(|f| format!("{} {:?} {} {:?}", f.code, f.object, f.message, f.help));
    let changes = judgement
        .changes
        .iter()
        .map(|c| format!("{:?} {:?} {:?} {}", c.op, c.object, c.patch, c.text));
    findings.chain(changes).collect()
}

/// Releases, each with a fault of its own, say together what they say one by one.
fn say_the_same(release: impl Fn(&str, &str) -> String, names: [&str; FAULTS.len()], options: impl Fn() -> Options) {
    let each: Vec<(String, String)> = names
        .iter()
        .zip(FAULTS)
        .map(|(name, (_, fault))| (release(&fault(TARGET), name), release(CURRENT, name)))
        .collect();
    let (targets, currents): (Vec<String>, Vec<String>) = each.iter().cloned().unzip();
    let mut alone = BTreeSet::new();
    for ((target, current), (what, _)) in each.iter().zip(FAULTS) {
        let judgement = judged(target.clone(), current.clone(), options());
        assert_eq!(judgement.refused(), what != "none", "{what}: {:?}", judgement.findings);
        alone.extend(said(&judgement));
    }
    let together = judged(targets.join("\n---\n"), currents.join("\n---\n"), options());
    assert_eq!(together.releases.len(), names.len());
    let together = said(&together);
    let missing: Vec<_> = alone.difference(&together).collect();
    let new: Vec<_> = together.difference(&alone).collect();
    assert!(
        missing.is_empty() && new.is_empty(),
        "{:?}\nmissing: {missing:#?}\nnew: {new:#?}",
        options()
    );
}

#[test]
fn each_release_is_judged_as_it_would_be_alone() {
    for options in [
        || Options::default(),
        || Options {
            stage: Stage::At(1),
            ..Options::default()
        },
        || Options {
            stage: Stage::Next,
            ..Options::default()
        },
        || Options {
            order: Order::ArgoCd,
            ..Options::default()
        },
    ] {
        say_the_same(named, ["north", "south.eu", "east-1", "west"], options);
    }
}

/// A release as the subchart of an umbrella renders it under an alias: all carry the umbrella's instance, each its own
/// application, and what they stand on is the umbrella's.
fn aliased(text: &str, alias: &str) -> String {
    let own = text.split("---\n").filter(|d| {
        !["-etcd", "-minio", "-pulsar"]
            .iter()
            .any(|w| d.contains(&format!("\n  name: my-release{w}")))
    });
    own.collect::<Vec<_>>()
        .join("---\n")
        .replace(
            "app.kubernetes.io/name: milvus",
            &format!("app.kubernetes.io/name: {alias}"),
        )
        .replace("my-release-milvus", &format!("my-release-{alias}"))
        .replace("# Source: milvus/", &format!("# Source: umbrella/charts/{alias}/"))
}

#[test]
fn so_is_each_alias_of_an_umbrella() {
    say_the_same(aliased, ["north", "south", "east", "west"], Options::default);
}

#[test]
fn what_belongs_to_none_is_judged_beside_any_number_of_releases() {
    let claim = |size: &str| {
        format!(
            "\n---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: lonely\nspec:\n  accessModes: [{size}]\n"
        )
    };
    for names in [&["one"][..], &["one", "two", "three"]] {
        let all = |text: &str| {
            names
                .iter()
                .map(|name| named(text, name))
                .collect::<Vec<_>>()
                .join("\n---\n")
        };
        let judgement = judged(
            all(TARGET) + &claim("ReadWriteOnce"),
            all(CURRENT) + &claim("ReadWriteMany"),
            Options::default(),
        );
        let told = judgement.findings.iter().filter(|f| f.code == "MU114").count();
        assert_eq!(told, 1, "{names:?}: {:?}", judgement.findings);
    }
}

//! Many releases, many items of Lists, long comments: what is said of all is looked at once, not for each.

use milvus_uplift::judge::{Current, Held, Places, Request, ValuesFile, judge};
use milvus_uplift::milvus::release::{ByName, Release};
use milvus_uplift::options::Options;
use milvus_uplift::stage::Stage;

use crate::shapes::{FROM, TO, by_instance, many};
use crate::{cpu_time, grows, linear, linear_with};

/// A release of one workload.
fn alone(number: usize) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r{number}\n  labels: {{release: r{number}}}\nspec:\n  template:\n    \
         metadata:\n      labels: {{release: r{number}}}\n    spec:\n      containers:\n      - name: s\n        image: milvusdb/milvus:{FROM}\n        \
         args: [milvus, run, standalone]\n"
    )
}

/// Some documents as the items of one List.
fn list(documents: &str) -> String {
    let items = documents.split("---\n").filter(|item| !item.is_empty());
    let items = items.map(|item| format!("- {}\n", item.trim_end().replace('\n', "\n  ")));
    format!("---\napiVersion: v1\nkind: List\nitems:\n{}", items.collect::<String>())
}

/// An upgrade of what is deployed, with a values file.
fn with_values(current: String, values: String, held: Held) -> Request {
    Request {
        target: current.replace(FROM, TO).into(),
        current: Current::Manifests(current.into()),
        values: vec![ValuesFile {
            name: "values.yaml".into(),
            bytes: values.into_bytes(),
        }],
        places: Places::IfRefused,
        held,
        ..Request::default()
    }
}

#[test]
fn values_are_merged_once_for_all_releases() {
    for (way, held) in [("", Held::default()), (", circle by circle", Held(0))] {
        grows(&format!("values{way}"), ["30", "120"], |n| {
            let n = n.parse().expect("a number");
            let current = many(n, alone);
            let values = format!("extra:\n{}", many(150 * n, |i| format!("  k{i}: v\n")));
            let request = with_values(current, values, held);
            cpu_time(|| drop(judge(&request)))
        });
    }
}

#[test]
fn values_that_many_would_read_again_are_refused() {
    let of = |releases: usize, bytes: usize, held: Held| {
        let values = format!("extra: {}\n", "v".repeat(bytes));
        judge(&with_values(many(releases, alone), values, held))
    };
    for held in [Held::default(), Held(0)] {
        let refused = of(80, 1 << 20, held);
        let [finding] = &refused
            .findings
            .iter()
            .filter(|f| f.code == "MU001")
            .collect::<Vec<_>>()[..]
        else {
            panic!("{:?}", refused.findings)
        };
        assert!(
            finding
                .message
                .starts_with("80 releases would each be judged by the same values, 83887120 bytes of them"),
            "{}",
            finding.message
        );
        assert!(refused.refused() && refused.output.is_none());
        let fine = of(60, 1 << 20, held);
        assert!(fine.findings.iter().all(|f| f.code != "MU001"), "{:?}", fine.findings);
    }
}

#[test]
fn a_release_is_found_among_many() {
    let release = |namespace: String, name: String| Release {
        namespace,
        name,
        app: "milvus".into(),
        components: vec![],
    };
    let each = |i: usize| release(String::new(), format!("r{i}"));
    let spaces = |i: usize| release(format!("n{i}"), "r".into());
    let all: [(&str, &dyn Fn(usize) -> Release); 2] = [("names", &each), ("namespaces", &spaces)];
    for (name, of) in all {
        grows(name, ["10000", "40000"], |n| {
            let releases: Vec<Release> = (0..n.parse().expect("a number")).map(of).collect();
            cpu_time(|| {
                let known = ByName::of(&releases);
                for (i, release) in releases.iter().enumerate() {
                    assert_eq!((known.which(release), known.all(release).len()), (Some(i), 1));
                }
            })
        });
    }
}

#[test]
fn so_are_items_of_a_list() {
    let release = by_instance(1);
    let budget = |i| {
        format!(
            "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: p{i}\nspec:\n  minAvailable: 1\n  selector:\n    \
             matchExpressions: [{{key: component, operator: In, values: [indexnode, proxy]}}]\n"
        )
    };
    let service = |i| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s{i}\nspec:\n  selector: {{app.kubernetes.io/instance: r1, component: \
             indexnode}}\n  ports: [{{port: 1}}]\n"
        )
    };
    let map = |i| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{i}\n");
    let lists = |i| list(&(service(i) + &map(i)));
    let all: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("items that change", &|n| list(&(release.clone() + &many(n, budget)))),
        ("items that leave", &|n| list(&(release.clone() + &many(n, service)))),
        ("Lists that items leave", &|n| release.clone() + &many(n, lists)),
    ];
    for (name, shape) in all {
        linear(name, &shape(400), &shape(1600), Held::default());
    }
}

#[test]
fn comments_above_many_objects_are_read_once() {
    let next = Options {
        stage: Stage::Next,
        ..Options::default()
    };
    let comments = |n| "# c\n".repeat(n);
    let source = "# Source: milvus/templates/x.yaml\n";
    let first = |n| {
        let mut release = by_instance(1);
        release.insert_str("---\n".len(), &format!("{}{source}", comments(40 * n)));
        release
    };
    let map = |i| format!("---\n{source}apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{i}\n");
    let items = |n| {
        let list = list(&many(n, |i| map(i).replace(source, "")));
        list.replacen("---\n", &format!("---\n{}{source}", comments(40 * n)), 1)
    };
    let all: [(&str, &dyn Fn(usize) -> String); 2] = [
        ("above the first workload", &|n| first(n) + &many(n, map)),
        ("above a List", &|n| first(1) + &items(n)),
    ];
    for (name, shape) in all {
        linear_with(name, &shape(100), &shape(400), Held::default(), &next);
    }
}

#[test]
fn stages_of_many_workloads_are_told_once() {
    let next = Options {
        stage: Stage::Next,
        ..Options::default()
    };
    let release = by_instance(1);
    let documents: Vec<&str> = release.split("---\n").collect();
    let node = documents.iter().find(|d| d.contains("name: r1-milvus-indexnode"));
    let node = node.expect("an indexnode");
    let nodes = |n| {
        many(n, |i| {
            let named = format!("name: r1-milvus-indexnode-{i}");
            format!("---\n{}", node.replace("name: r1-milvus-indexnode", &named))
        })
    };
    let service = |i| {
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s{i}\nspec:\n  selector: {{app.kubernetes.io/instance: r1, component: \
             indexnode}}\n  ports: [{{port: 1}}]\n"
        )
    };
    let shape = |n| release.clone() + &nodes(n) + &many(n, service);
    linear_with(
        "workloads that leave, the next stage",
        &shape(100),
        &shape(400),
        Held::default(),
        &next,
    );
}

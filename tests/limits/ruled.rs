//! What the rules look at, n times.

use milvus_uplift::judge::{Current, Request, judge};

use crate::inside::configured;
use crate::shapes::{FROM, TO, by_instance, many, object};
use crate::{cpu_time, grows};

/// Measures a judgement of what `target` and `current` make of a number and of four times as much.
fn ruled(name: &str, n: usize, target: impl Fn(usize) -> String, current: impl Fn(usize) -> String) {
    const APART: &str = "\n#####\n";
    let both = |n| format!("{}{APART}{}", target(n), current(n));
    grows(name, [&both(n), &both(4 * n)], |text| {
        let (target, current) = text.split_once(APART).expect("two sides");
        let request = Request {
            target: target.replace(FROM, TO).into(),
            current: Current::Manifests(current.into()),
            ..Request::default()
        };
        cpu_time(|| drop(judge(&request)))
    });
}

fn workload(kind: &str, name: &str, labels: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\n{rest}spec:\n  selector:\n    matchLabels: &l {labels}\n  template:\n    \
         metadata:\n      labels: *l\n    spec:\n      containers:\n      - {{name: c, image: 'busybox:1'}}\n"
    )
}

fn service(name: &str, selector: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector: {selector}\n")
}

/// Standalones, each a release of its own and of Helm.
fn small(n: usize, rest: &str) -> String {
    many(n, |i| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: r{i}\n  labels: {{release: r{i}}}\n{}spec:\n  template:\n    metadata:\n      \
             labels: {{release: r{i}}}\n    spec:\n      containers:\n      - {{name: s, image: 'milvusdb/milvus:{FROM}', args: [milvus, run, standalone]}}\n",
            rest.replace("NUMBER", &i.to_string())
        )
    })
}

#[test]
fn releases_that_are_gone() {
    let live = "  uid: u\n  annotations: {meta.helm.sh/release-name: rNUMBER}\n";
    ruled("lost", 500, |n| small(n / 2, ""), |n| small(n, live));
}

#[test]
fn what_an_operator_keeps() {
    let resource = |i| object("Milvus", i, "").replace("version: v1", "version: milvus.io/v1beta1");
    let kept = |n| {
        small(
            n,
            "  ownerReferences: [{apiVersion: milvus.io/v1beta1, kind: Milvus, name: mNUMBER}]\n",
        )
    };
    ruled("Milvus resources", 150, |n| kept(n) + &many(n, resource), kept);
}

#[test]
fn what_is_mounted_and_lost() {
    let mounting = |n| {
        let volumes = many(n, |i| format!("      - {{name: v{i}, configMap: {{name: c{i}}}}}\n"));
        by_instance(0).replace(
            "      containers:\n      - name: querynode\n",
            &format!("      volumes:\n{volumes}      containers:\n      - name: querynode\n"),
        )
    };
    let maps = |n| many(n, |i| object("ConfigMap", i, ""));
    ruled("mounted", 1500, mounting, |n| mounting(n) + &maps(n));
}

#[test]
fn what_is_behind_addresses_and_lost() {
    let asking = |n| {
        let all = many(n, |i| format!("'etcd:{}', ", i + 1));
        configured(0, format!("etcd:\n  endpoints: [{all}]\n"))
    };
    let behind = |n| {
        let each = |i| workload("StatefulSet", &format!("x{i}"), "{a: b, x: y}", "");
        service("etcd", "{a: b}") + &many(n, each)
    };
    ruled("behind one", 100, asking, |n| asking(n) + &behind(n));
    let each = |n| {
        let all = many(n, |i| format!("'etcd{i}:1', "));
        configured(0, format!("etcd:\n  endpoints: [{all}]\n"))
    };
    let behind = |n| {
        let pair = |i| {
            let labels = format!("{{a: b, x: y{i}}}");
            service(&format!("etcd{i}"), &labels) + &workload("StatefulSet", &format!("x{i}"), &labels, "")
        };
        many(n, pair)
    };
    ruled("behind each", 220, each, |n| each(n) + &behind(n));
}

#[test]
fn one_name_in_many_namespaces() {
    let maps = |n| {
        let each = |i| object("ConfigMap", 0, &format!("  namespace: n{i}\ndata: {{a: b}}\n"));
        by_instance(0) + &many(n, each)
    };
    ruled("namespaces", 1300, maps, |n| maps(n).replace("a: b", "a: c"));
    ruled(
        "one namespace",
        1300,
        |n| maps(n).replace("namespace: n", "namespace: n #"),
        |n| maps(n).replace("namespace: n", "namespace: n #"),
    );
}

/// Another text for the container of a role, and for its pod.
fn given(text: &str, role: &str, container: &str, pod: &str) -> String {
    let (args, name) = (
        format!("        args: [milvus, run, {role}]\n"),
        format!("      containers:\n      - name: {role}\n"),
    );
    text.replace(&args, &format!("{args}{container}"))
        .replace(&name, &format!("{pod}{name}"))
}

#[test]
fn settings_of_an_indexnode() {
    let both = |role: &str, of: fn(&str, usize) -> String| {
        let role = role.to_owned();
        move |n| {
            let text = given(&by_instance(0), "indexnode", &of("a", n), "");
            given(&text, &role, &of("b", n), "")
        }
    };
    let env = |word: &str, n| {
        format!(
            "        env:\n{}",
            many(n, |i| format!("        - {{name: {word}{i}, value: x}}\n"))
        )
    };
    let mounts = |word: &str, n| {
        let each = |i| format!("        - {{name: c, mountPath: /{word}{i}}}\n");
        format!("        volumeMounts:\n{}", many(n, each))
    };
    for (name, of) in [("variables", env as fn(&str, usize) -> String), ("mounts", mounts)] {
        let made = both("datanode", of);
        ruled(name, 800, &made, &made);
    }
    let tolerations = |n| {
        let each = |word: &str| {
            let all = many(n, |i| format!("      - {{key: {word}{i}, operator: Exists}}\n"));
            format!("      tolerations:\n{all}")
        };
        given(
            &given(&by_instance(0), "indexnode", "", &each("a")),
            "datanode",
            "",
            &each("b"),
        )
    };
    ruled("tolerations", 800, tolerations, tolerations);
}

/// A release whose log is with some brokers.
fn with_brokers(brokers: &str) -> String {
    configured(0, format!("kafka:\n  brokerList: [{brokers}]\n")).replace("type: pulsar", "type: kafka")
}

#[test]
fn brokers_and_what_is_behind_them() {
    let ports = |word: &'static str| move |n| with_brokers(&many(n, |i| format!("'{word}:{}', ", i + 1)));
    let one = |n: usize| {
        let each = |i| workload("StatefulSet", &format!("x{i}"), "{a: b}", "");
        service("k", "{a: b}") + &many(n / 5, each)
    };
    let all = |n| ports("k")(n) + &one(n);
    ruled("addresses of many workloads", 200, all, all);
    let moved = |word: &'static str| {
        move |n| {
            ports(word)(n)
                + &service("k", "{a: b}")
                + &service("l", "{a: c}")
                + &one(20)
                + &one(20).replace("a: b", "a: c").replace("x", "y")
        }
    };
    ruled("brokers that move", 250, moved("l"), moved("k"));
    let named = |n| with_brokers(&many(n, |i| format!("'k{i}:1', ")));
    let services = |n| named(n) + &many(n / 4, |i| service(&format!("s{i}"), &format!("{{a: b{i}}}")));
    ruled("brokers beside Services", 3000, services, services);
    let chosen = |n| {
        let pair = |i| {
            let own = workload("StatefulSet", &format!("w{i}"), &format!("{{c: b{i}}}"), "");
            service(&format!("k{i}"), &format!("{{a: b{i}}}")) + &own
        };
        named(n) + &many(n, pair)
    };
    ruled("Services beside workloads", 400, chosen, chosen);
    let containers = |tag: &'static str| {
        move |n| {
            let all = many(n, |i| format!("      - {{name: c{i}, image: 'a:{tag}{i}'}}\n"));
            let etcd =
                workload("StatefulSet", "etcd", "{a: b}", "").replace("      - {name: c, image: 'busybox:1'}\n", &all);
            configured(0, "etcd:\n  endpoints: ['etcd:1']\n".into()) + &service("etcd", "{a: b}") + &etcd
        }
    };
    ruled("containers of etcd", 800, containers("a"), containers("b"));
}

#[test]
fn what_points_at_what_leaves() {
    const INDEXNODE: &str = "{app.kubernetes.io/instance: r0, component: indexnode}";
    let services = |n| many(n, |i| service(&format!("s{i}"), INDEXNODE));
    let monitors = |n| {
        let each = |i| {
            let spec = "spec:\n  selector: {matchLabels: {q: w}}\n";
            object("ServiceMonitor", i, spec).replace("version: v1", "version: monitoring.coreos.com/v1")
        };
        by_instance(0) + &many(n, each)
    };
    let labelled = |n| services(n).replace("spec:\n  selector", "  labels: {a: b}\nspec:\n  selector");
    ruled("monitors", 500, monitors, |n| monitors(n) + &labelled(n));
    let affinity = |n| {
        let term = format!(
            "          - {{weight: 1, podAffinityTerm: {{topologyKey: h, labelSelector: {{matchLabels: {INDEXNODE}}}}}}}\n"
        );
        let terms = format!(
            "      affinity:\n        podAntiAffinity:\n          preferredDuringSchedulingIgnoredDuringExecution:\n{}",
            term.repeat(n)
        );
        let others = many(n, |i| {
            workload("Deployment", &format!("x{i}"), &format!("{{x: y{i}}}"), "")
        });
        given(&by_instance(0), "querynode", "", &terms) + &others
    };
    ruled("affinity", 500, affinity, affinity);
}

/// A release with more querynodes, each with lines of its own.
fn querynodes(text: &str, n: usize, lines: impl Fn(usize) -> String) -> String {
    let all = by_instance(0);
    let node = all
        .split("---\n")
        .find(|one| one.contains("run, querynode]"))
        .expect("one");
    let each = |i| {
        format!(
            "---\n{}",
            given(node, "querynode", &lines(i), "").replace("-querynode\n", &format!("-querynode-{i}\n"))
        )
    };
    text.to_owned() + &many(n, each)
}

#[test]
fn settings_and_workloads() {
    let keys = |n| {
        let config = format!("indexNode:\n  grpc:\n{}", many(4 * n, |i| format!("    k{i}: v\n")));
        configured(0, config)
    };
    let many_nodes = |text: String, n| {
        let mounts =
            "        volumeMounts:\n        - {name: c, mountPath: /milvus/configs/user.yaml, subPath: user.yaml}\n";
        let node = |i| {
            let one = querynodes("", 1, |_| mounts.to_owned()).replace("-querynode-0\n", &format!("-querynode-{i}\n"));
            one + "      volumes:\n      - {name: c, configMap: {name: r0-milvus}}\n"
        };
        text + &many(n, node)
    };
    let plain = |n| many_nodes(configured(0, String::new()), n);
    ruled("dead keys", 350, |n| many_nodes(keys(n), n), plain);
}

#[test]
fn policies_between_components() {
    let more = |role: &'static str| {
        move |n| {
            let all = by_instance(0);
            let one = all.split("---\n").find(|one| one.contains("run, proxy]")).expect("one");
            let own = |i| one.replace("-proxy\n", &format!("-proxy-{i}\n")).replace("proxy", role);
            many(n, |i| format!("---\n{}", own(i)))
        }
    };
    let policies = |n| {
        let spec = "spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: 1}]}, {}], egress: [{}]}\n";
        let each = |i| object("NetworkPolicy", i, spec).replace("version: v1", "version: networking.k8s.io/v1");
        by_instance(0) + &more("proxy")(n) + &many(n, each)
    };
    ruled("policies", 30, |n| policies(n) + &more("streamingnode")(n), policies);
}

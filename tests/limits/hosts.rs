//! What hosts hand over and what is said of it, n times: items of a ResourceList, items of a List below comments, findings,
//! secrets, pairs of a diff.

use milvus_uplift::apply::items;
use milvus_uplift::diff::pair;
use milvus_uplift::finding::Input;
use milvus_uplift::host;
use milvus_uplift::judge::{Current, Request, judge};
use milvus_uplift::milvus::version::Version;
use milvus_uplift::options::Allowances;
use milvus_uplift::report::{krm, mask};
use milvus_uplift::rewrite::{self, Change, ChangeOp, place};
use milvus_uplift::stream::Stream;
use milvus_uplift::value::json;
use milvus_uplift::yaml;

use crate::shapes::{FROM, TO, by_instance, many, object};
use crate::{cpu_time, grows};

/// The objects of a stream as items, each with the place in a file that it came from.
fn as_items(stream: &str) -> String {
    let objects = stream.split("---\n").filter(|object| !object.trim().is_empty());
    let item = |(i, object): (usize, &str)| {
        let note = format!(
            "\n  annotations:\n    config.kubernetes.io/path: all.yaml\n    config.kubernetes.io/index: \"{i}\"\n  name:"
        );
        let noted = object.replacen("\n  name:", &note, 1);
        let lines = noted.lines().map(|line| format!("  {line}\n")).collect::<String>();
        format!("-{}", &lines[1..])
    };
    objects.enumerate().map(item).collect()
}

fn list(stream: &str) -> String {
    let items = as_items(stream);
    format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}")
}

fn objects(text: &str) -> Stream {
    Stream::read(text.as_bytes(), Input::Target).expect("a stream")
}

/// Something for each item: it changes, leaves, or gets another before it.
fn changes(stream: &Stream) -> Vec<Change> {
    let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}});
    let each = stream.objects.iter().enumerate().map(|(i, object)| match i % 3 {
        0 => Change::patch(object, vec![rewrite::add("/data/c", "d")], ""),
        1 => Change::drop(object, ""),
        _ => Change {
            op: ChangeOp::Inject,
            ..Change::patch(object, vec![rewrite::add("", value.clone())], "")
        },
    });
    each.collect()
}

#[test]
fn items_of_a_resource_list_come_leave_and_change_in_linear_time() {
    let configs = |n| list(&many(n, |i| object("ConfigMap", i, "data: {a: b}\n")));
    grows("changes of items", [&configs(600), &configs(2400)], |text| {
        let stream = objects(text);
        let mut changes = changes(&stream);
        cpu_time(|| {
            place::note(&stream, &mut changes);
            items::render(&stream, &changes).expect("an output");
        })
    });
}

#[test]
fn items_get_their_notes_in_linear_time() {
    let configs = |n| list(&many(n, |i| object("ConfigMap", i, "")));
    grows("notes of items", [&configs(600), &configs(2400)], |text| {
        let stream = objects(text);
        let mut changes = changes(&stream);
        cpu_time(|| place::note(&stream, &mut changes))
    });
}

#[test]
fn results_find_their_items_in_linear_time() {
    let release = by_instance(0);
    let judged = || {
        judge(&Request {
            target: release.replace(FROM, TO).into(),
            current: Current::Manifests(release.as_str().into()),
            ..Request::default()
        })
    };
    let configs = |n| list(&many(n, |i| object("ConfigMap", i, "")));
    grows("findings about items", [&configs(1500), &configs(6000)], |text| {
        let items = objects(text).objects;
        let mut judgement = judged();
        let mut finding = judgement.findings.remove(0);
        finding.field = None;
        finding.object = items.last().map(|item| item.reference.clone());
        judgement.findings = vec![finding; items.len()];
        cpu_time(|| assert_eq!(krm::results(&judgement, &items).len(), items.len()))
    });
}

#[test]
fn a_list_is_asked_for_its_template_once() {
    let below = |n: usize| {
        let item = |i| format!("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c{i}\n");
        let comments = "# a licence\n".repeat(n);
        let list = format!("{comments}apiVersion: v1\nkind: List\nitems:\n{}", many(n, item));
        format!(
            "{list}---\n# Source: m/templates/x.yaml\n{}",
            &object("ConfigMap", n, "")[4..]
        )
    };
    let [small, large] = [500, 2000].map(below);
    grows("templates of items", [&small, &large], |text| {
        let stream = objects(text);
        cpu_time(|| {
            let asked = stream.objects.iter().map(|o| host::template_of(&stream, o.document));
            assert_eq!(asked.flatten().count(), 1);
        })
    });
    // A part of the stream has to read what it does not hold.
    let [small, large] = [small, large].map(|text| {
        let noted =
            "    annotations:\n      postrenderer.helm.sh/postrender-filename: m/templates/y.yaml\n    name: c0\n";
        text.replacen("    name: c0\n", noted, 1)
    });
    grows("templates of items elsewhere", [&small, &large], |text| {
        let stream = objects(text);
        let part = stream.with(vec![]);
        cpu_time(|| {
            let asked = stream.objects.iter().map(|o| host::template_of(&part, o.document));
            assert_eq!(asked.flatten().count(), stream.objects.len() - 1);
        })
    });
}

#[test]
fn what_is_hidden_in_one_place_is_found_in_others_in_linear_time() {
    let words = |n: usize| many(n, |i| format!("s{i}: p{i}\nk{i}: v{i}\nl{i}: p{i}\n"));
    grows("secrets and other words", [&words(700), &words(2800)], |text| {
        let read = |text: &str| yaml::read(text).expect("YAML").expect("a value");
        let masked = |line: &str| match line.strip_prefix('s') {
            Some(rest) => format!("s{}: '***'\n", rest.split(':').next().expect("a key")),
            None => format!("{line}\n"),
        };
        let before = read(text);
        let mut shown = read(&text.lines().map(masked).collect::<String>());
        let time = cpu_time(|| mask::reused("&a *a", &before, &mut shown));
        assert_eq!([&shown["l7"], &shown["k7"]], ["***", "v7"]);
        time
    });
}

#[test]
fn objects_of_two_sides_pair_in_linear_time() {
    let spaced = |i| object("ConfigMap", 0, &format!("  namespace: n{i}\n"));
    let turned = |n: usize| (many(n, spaced), many(n, |i| spaced(n - 1 - i)));
    let same = |n: usize| {
        [
            object("ConfigMap", 0, "").repeat(n),
            object("ConfigMap", 0, "").repeat(n),
        ]
        .into()
    };
    let unsaid = |n: usize| (many(n, spaced), object("ConfigMap", 0, "").repeat(n));
    for (name, sides) in [
        (
            "namespaces the other way round",
            &turned as &dyn Fn(usize) -> (String, String),
        ),
        ("twins", &same),
        ("namespaces that one side leaves to the client", &unsaid),
    ] {
        grows(name, ["1000", "4000"], |n| {
            let n = n.parse().expect("a number");
            let (before, after) = sides(n);
            let (before, after) = (objects(&before).objects, objects(&after).objects);
            cpu_time(|| {
                let pairs = pair::pair(&before, &after);
                assert!(pairs.len() == n && pairs.iter().all(|(b, a)| b.is_some() && a.is_some()));
            })
        });
    }
}

#[test]
fn allowances_are_looked_up_in_linear_time() {
    grows("allowances", ["1000", "4000"], |n| {
        let n: usize = n.parse().expect("a number");
        let codes: Vec<String> = (0..n).map(|i| format!("MU301@2.6.{i}")).collect();
        let allowed = Allowances::parse(codes.iter().map(String::as_str), &["MU301"], false).expect("codes");
        let last = Version::parse(&format!("2.6.{}", n - 1)).expect("a version");
        cpu_time(|| assert!((0..n).all(|_| allowed.allows("MU301", Some(&last)))))
    });
}

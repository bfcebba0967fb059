//! What an input may ask of the program: everything under 64 MiB takes time linear in its size, and what no reader of
//! Kubernetes would take is MU001 with its place.

use std::io::Write;
#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use milvus_uplift::finding::Finding;
use milvus_uplift::judge::{Current, Held, Judgement, Places, Request, ValuesFile, judge};
use milvus_uplift::milvus::version::Version;
use milvus_uplift::options::Options;
use milvus_uplift::order::Order;
use milvus_uplift::plan;
use milvus_uplift::stage::Stage;
use milvus_uplift::stream::Bytes;
use serde_json::json;

mod cluster;
mod hosts;
mod inside;
mod judged;
mod patches;
mod reading;
mod rewritten;
mod ruled;
mod shapes;
mod states;
mod workload;

use shapes::{FROM, TO, by_instance, many, object, release, shapes};

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

fn of_target(target: impl Into<Bytes>) -> Judgement {
    judge(&Request {
        target: target.into(),
        current: Current::Nothing,
        ..Request::default()
    })
}

/// The one MU001 of a judgement, as `input line:column message`.
fn unreadable(judgement: &Judgement) -> String {
    let [finding] = &judgement
        .findings
        .iter()
        .filter(|f| f.code == "MU001")
        .collect::<Vec<_>>()[..]
    else {
        panic!("not one MU001: {:?}", judgement.findings);
    };
    assert!(judgement.refused() && judgement.output.is_none());
    let place = finding.location.as_ref().expect("a place");
    format!("{:?} {}:{} {}", place.stream, place.line, place.column, finding.message)
}

/// Refused alike wherever it comes in: as manifests, as what is deployed, as values.
fn refused_everywhere(name: &str, bytes: &[u8], words: &str) {
    let said = unreadable(&of_target(bytes));
    assert!(said.contains(words), "{name}: {said}");
    let current = judge(&Request {
        target: OBJECT.into(),
        current: Current::Manifests(bytes.into()),
        ..Request::default()
    });
    let said = unreadable(&current);
    assert!(said.starts_with("Current") && said.contains(words), "{name}: {said}");
    let values = judge(&Request {
        target: OBJECT.into(),
        current: Current::Nothing,
        values: vec![ValuesFile {
            name: "values.yaml".into(),
            bytes: bytes.to_vec(),
        }],
        ..Request::default()
    });
    let said = unreadable(&values);
    assert!(
        said.starts_with("Values") && said.contains("values.yaml"),
        "{name}: {said}"
    );
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units
        .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
        .collect()
}

/// Each name ten times the one before.
fn aliases(levels: usize) -> String {
    let mut text = format!("{OBJECT}x0: &x0 [lol]\n");
    for level in 1..=levels {
        let items = vec![format!("*x{}", level - 1); 10].join(", ");
        text += &format!("x{level}: &x{level} [{items}]\n");
    }
    text
}

fn merges(levels: usize) -> String {
    let mut text = format!("{OBJECT}x0: &x0 {{a: b}}\n");
    for level in 1..=levels {
        let entries: Vec<String> = (0..10).map(|i| format!("k{i}: *x{}", level - 1)).collect();
        text += &format!(
            "x{level}: &x{level} {{{}}}\ny{level}: {{<<: *x{level}}}\n",
            entries.join(", ")
        );
    }
    text
}

/// A long text that many names stand for.
fn long_text_again(length: usize, again: usize) -> String {
    let names = vec!["*x"; again].join(", ");
    format!("{OBJECT}x: &x \"{}\"\ny: [{names}]\n", "y".repeat(length))
}

/// Anchors one inside the other, each of which keeps what it names.
fn anchors(levels: usize, items: usize) -> String {
    let open: String = (0..levels).map(|i| format!("&x{i} [")).collect();
    format!("{OBJECT}x: {open}{}{}\n", "a,".repeat(items), "]".repeat(levels))
}

/// Keys of a length, one below the other, and many values below all of them.
fn long_ways(keys: usize, length: usize, values: usize) -> String {
    let open: String = (0..keys).map(|_| format!("{{{}: ", "k".repeat(length))).collect();
    let values: String = (0..values).map(|i| format!("a{i}: 1, ")).collect();
    format!("{OBJECT}x: {open}{{{values}}}{}\n", "}".repeat(keys))
}

#[test]
fn what_no_reader_takes_is_refused_with_its_place() {
    let nested = |open: &str, n: usize| format!("{OBJECT}x: {}", open.repeat(n));
    let stairs: String = (0..2000).map(|n| format!("{}k:\n", " ".repeat(n))).collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an alias bomb", aliases(9).into(), "multiplies itself through aliases"),
        ("a merge bomb", merges(9).into(), "multiplies itself through aliases"),
        (
            "a long text again and again",
            long_text_again(20_000, 30_000).into(),
            "multiplies itself through aliases",
        ),
        (
            "anchors in anchors",
            anchors(80, 20_000).into(),
            "multiplies itself through aliases",
        ),
        (
            "long ways to many values",
            long_ways(50, 900, 20_000).into(),
            "the keys that lead to the values in here are",
        ),
        (
            "an alias of itself",
            format!("{OBJECT}x: &a [*a]\n").into(),
            "contains itself",
        ),
        (
            "deep brackets",
            nested("[", 100_000).into(),
            "nested deeper than 100 levels",
        ),
        (
            "deep braces",
            nested("{a: ", 100_000).into(),
            "nested deeper than 100 levels",
        ),
        (
            "deep dashes",
            format!("{OBJECT}x:\n{}a\n", "- ".repeat(5_000)).into(),
            "nested deeper than 100 levels",
        ),
        ("deep keys", stairs.into(), "nested deeper than 100 levels"),
        (
            "deep questions",
            format!("{OBJECT}x:\n  {}a\n", "? ".repeat(5_000)).into(),
            "nested deeper than 100 levels",
        ),
        ("NUL", b"a: 1\nb: x\0y\n".to_vec(), "2:5 "),
        ("NUL alone", vec![0], "control characters are not allowed (U+0000)"),
        (
            "UTF-16, little end first",
            utf16(OBJECT, false),
            "byte 0xff is no UTF-8",
        ),
        ("UTF-16, big end first", utf16(OBJECT, true), "byte 0xfe is no UTF-8"),
        (
            "UTF-16 without a mark",
            utf16(OBJECT, false)[2..].to_vec(),
            "control characters are not allowed (U+0000)",
        ),
        ("a lone surrogate", format!("{OBJECT}x: \"\\ud800\"\n").into(), "5:"),
        (
            "a pair of surrogates",
            format!("{OBJECT}x: \"\\ud83c\\udf89\"\n").into(),
            "5:",
        ),
        ("a surrogate's bytes", b"x: \xed\xa0\x80\n".to_vec(), "1:4 "),
        ("a tab that indents", format!("{OBJECT}x:\n\ty: 1\n").into(), "6:"),
        (
            "a tab below a dash",
            format!("{OBJECT}x:\n-\ta: 1\n\tb: 2\n").into(),
            ":",
        ),
        ("half a document", format!("{OBJECT}x: \"").into(), "5:"),
    ];
    for (name, bytes, words) in &cases {
        refused_everywhere(name, bytes, words);
    }
}

/// What aliases copy is counted over all documents that are held together.
#[test]
fn many_small_bombs_are_one() {
    let bomb = format!("{OBJECT}x: &x [{}]\ny: [{}]\n", "1,".repeat(50), "*x,".repeat(40));
    let several = |n: usize| format!("---\n{bomb}").repeat(n);
    assert!(!of_target(several(2)).refused());
    let said = of_target(several(200));
    assert!(said.refused() && said.findings[0].message.contains("multiplies itself through aliases"));
    let current = judge(&Request {
        target: OBJECT.into(),
        current: Current::Manifests(several(200).into()),
        ..Request::default()
    });
    assert!(current.refused());
}

#[test]
fn what_lies_below_the_limits_passes() {
    for text in [
        format!("{OBJECT}x: {}{}\n", "[".repeat(98), "]".repeat(98)),
        aliases(3),
        long_text_again(20_000, 10),
        anchors(10, 1_000),
        long_ways(8, 20, 1_000),
        format!("{OBJECT}x: a\tb\n"),
        format!("{OBJECT}x: \"\\U0001F389\"\n"),
        format!("\u{feff}{OBJECT}"),
    ] {
        let judgement = of_target(text.clone());
        assert_eq!(judgement.text().as_deref(), Some(&text[..]), "{:?}", judgement.findings);
    }
}

fn gzip(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    parts.for_each(|part| out.write_all(&part).expect("memory"));
    out.finish().expect("memory")
}

#[test]
fn a_record_that_unpacks_without_end_is_refused() {
    let megabyte = || vec![b' '; 1 << 20];
    let bomb = gzip(std::iter::repeat_with(megabyte).take(80));
    // Members one behind the other are one stream.
    let members = gzip(std::iter::repeat_with(megabyte).take(5)).repeat(16);
    for bytes in [bomb, members] {
        let payload = STANDARD.encode(&bytes);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": "sh.helm.release.v1.x.v1", "labels": {"owner": "helm"}}, "data": {"release": STANDARD.encode(&payload)}});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [secret, secret]});
        for current in [
            bytes,
            payload.into_bytes(),
            secret.to_string().into_bytes(),
            list.to_string().into_bytes(),
        ] {
            let judgement = judge(&Request {
                target: OBJECT.into(),
                current: Current::Manifests(current.into()),
                ..Request::default()
            });
            let all: Vec<_> = judgement.findings.iter().filter(|f| f.code == "MU001").collect();
            assert!(
                !all.is_empty() && all.iter().all(|f| f.message.contains("more than 64 MiB")),
                "{all:?}"
            );
        }
    }
}

#[test]
fn records_that_unpack_to_too_much_together_are_refused() {
    let release = |revision: usize| {
        let says =
            json!({"name": "x", "version": revision, "info": {"status": "superseded"}, "manifest": ""}).to_string();
        let blank = std::iter::repeat_with(|| vec![b' '; 1 << 20]).take(40);
        let payload = STANDARD.encode(STANDARD.encode(gzip(blank.chain([says.into_bytes()]))));
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": format!("sh.helm.release.v1.x.v{revision}"), "labels": {"owner": "helm"}}, "data": {"release": payload}})
    };
    let all: Vec<_> = (1..10).map(release).collect();
    let of = |records: &[serde_json::Value]| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": records});
        judge(&Request {
            target: OBJECT.into(),
            current: Current::Manifests(list.to_string().into()),
            ..Request::default()
        })
    };
    let said = |judgement: &Judgement| {
        judgement
            .findings
            .iter()
            .filter(|f| f.message.contains("together") || f.message.contains("with it"))
            .count()
    };
    assert_eq!(said(&of(&all[..5])), 0);
    let refused = of(&all);
    assert!(refused.refused());
    let message = &refused.findings[0].message;
    assert!(
        message.contains("with it the records unpack to more than releases of this size do"),
        "{message}"
    );
}

#[test]
fn records_that_are_no_records_are_refused() {
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    let payloads = [
        gzip(std::iter::once(deep.into_bytes())),
        gzip(std::iter::once(b"{\"name\": \"\\ud800\"}".to_vec())),
        gzip(std::iter::once(vec![0; 4096])),
        gzip(std::iter::once(vec![b'x'; 4096]))[..30].to_vec(),
    ];
    for bytes in payloads {
        let judgement = judge(&Request {
            target: OBJECT.into(),
            current: Current::Manifests(STANDARD.encode(&bytes).into()),
            ..Request::default()
        });
        assert!(judgement.refused(), "{bytes:?}");
        assert!(
            judgement.findings.iter().all(|f| ["MU001", "MU003"].contains(&f.code)),
            "{:?}",
            judgement.findings
        );
    }
}

#[test]
fn long_scalars_and_many_documents_pass_unchanged() {
    let size = 50 << 20;
    let texts = [
        format!("{OBJECT}x: {}\n", "y".repeat(size)),
        format!("{OBJECT}x: |\n{}", "  some words of a text\n".repeat(size / 200)),
        format!("---\n{OBJECT}").repeat(100_000),
    ];
    for text in texts {
        let judgement = of_target(text.clone());
        assert!(
            judgement.text().as_deref() == Some(&text[..]),
            "{:?}",
            judgement.findings
        );
    }
}

/// CPU time of this thread where the kernel tells it, since other tests share the machine.
fn cpu_time(run: impl FnOnce()) -> Duration {
    let used = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let (start, before) = (Instant::now(), used());
    run();
    match (before, used()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed(),
    }
}

#[test]
fn time_is_linear_in_the_size() {
    for (name, unit, shape) in shapes() {
        linear(name, &shape(unit), &shape(4 * unit), Held::default());
    }
}

#[test]
fn so_it_is_beside_releases_circle_by_circle() {
    let two = many(2, |i| release(9000 + i));
    for (name, unit, shape) in shapes() {
        let [small, large] = [unit, 4 * unit].map(|n| format!("{two}---\n{}", shape(n)));
        linear(name, &small, &large, Held(0));
    }
}

#[test]
fn so_it_is_stage_by_stage() {
    let first = by_instance(9000);
    let many = ["documents", "items of a List", "Services"];
    for (name, unit, shape) in shapes().into_iter().filter(|(name, ..)| many.contains(name)) {
        let [small, large] = [8 * unit, 32 * unit].map(|n| format!("{first}---\n{}", shape(n)));
        for (way, stage, order) in [
            ("the next stage", Stage::Next, Order::Unsaid),
            ("waves", Stage::All, Order::ArgoCd),
        ] {
            let options = Options {
                stage,
                order,
                ..Options::default()
            };
            linear_with(&format!("{name}, {way}"), &small, &large, Held::default(), &options);
        }
    }
}

#[test]
fn so_it_is_inside_one_release() {
    let next = Options {
        stage: Stage::Next,
        ..Options::default()
    };
    let waves = Options {
        order: Order::ArgoCd,
        ..Options::default()
    };
    for (name, unit, shape) in inside::shapes() {
        let [small, large] = [unit, 4 * unit].map(&shape);
        for (way, options) in [
            ("at once", &Options::default()),
            ("the next stage", &next),
            ("waves", &waves),
        ] {
            linear_with(&format!("{name}, {way}"), &small, &large, Held::default(), options);
        }
    }
}

#[test]
fn so_it_is_where_releases_share_a_configuration() {
    let [small, large] = [20, 80].map(|n| inside::sharing(n, 200 * n));
    let next = Options {
        stage: Stage::Next,
        ..Options::default()
    };
    linear("a configuration of all", &small, &large, Held::default());
    linear("a configuration of all, circle by circle", &small, &large, Held(0));
    linear_with(
        "a configuration of all, the next stage",
        &small,
        &large,
        Held::default(),
        &next,
    );
}

#[test]
fn findings_beyond_number_are_refused() {
    let of = |releases, settings| {
        let config = format!("natsmq:\n{}", many(settings, |i| format!("  key{i}: 1\n")));
        let text = many(releases, |i| inside::configured(i, config.clone()));
        judge(&Request {
            target: text.replace(FROM, TO).into(),
            current: Current::Manifests(text.into()),
            places: Places::IfRefused,
            ..Request::default()
        })
    };
    let told = |judgement: &Judgement, words: &str| {
        let all: Vec<_> = judgement.findings.iter().filter(|f| f.code == "MU001").collect();
        assert!(all.len() == 1 && all[0].message.contains(words), "{all:?}");
        assert!(judgement.refused() && judgement.output.is_none());
    };
    told(
        &of(1, 10_001),
        "10001 settings of which something is known for the upgrade stand in ConfigMap",
    );
    let few = of(2, 10_000);
    assert!(!few.refused() && few.findings.iter().all(|f| f.code != "MU001"));
    told(&of(12, 10_000), "findings were made for 10 of 12 releases");
}

/// A stream of objects with a patch for each that such a name means.
fn patched(objects: usize, patches: &[String]) -> Judgement {
    let beside = many(objects, |i| object("ConfigMap", i, "data:\n  a: b\n"));
    let each = patches.iter().map(|name| {
        format!("- target: {{kind: ConfigMap, name: \"{name}\"}}\n  patch:\n  - {{op: add, path: /data/c, value: d}}\n")
    });
    patches::judged(&beside, each.collect())
}

#[test]
fn so_are_patches() {
    let each = |n: usize| (0..n).map(|i| format!("c{i}")).collect::<Vec<_>>();
    let again = |n: usize| vec!["c1".to_owned(); n];
    for (name, patches) in [
        ("a patch for each", &each as &dyn Fn(usize) -> Vec<String>),
        ("patches for one", &again),
    ] {
        grows(name, ["200", "800"], |n| {
            let n = n.parse().expect("a number");
            cpu_time(|| assert!(!patched(n, &patches(n)).refused()))
        });
    }
    let refused = patched(23_000, &vec!["*c77".to_owned(); 2700]);
    let [finding] = &refused.findings.iter().filter(|f| f.refuses()).collect::<Vec<_>>()[..] else {
        panic!("{:?}", refused.findings)
    };
    assert!(
        finding
            .message
            .contains("so many patches on so many objects that they take minutes"),
        "{finding:?}"
    );
}

/// The plans of what is deployed, to a release of 2.6.
fn planned(current: impl Into<Bytes>) -> Result<plan::Plans, Vec<Finding>> {
    let order = plan::Order {
        current: &Current::Manifests(current.into()),
        to: &Version::parse("2.6.16").expect("a version"),
        options: &Options::default(),
        namespace: None,
        context: None,
        stated: &[],
        migration: None,
    };
    plan::plan(&order)
}

#[test]
fn so_are_plans() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: pull}\n";
    let [small, large] = [10, 40].map(|n| many(n, by_instance) + secret);
    grows("plans", [&small, &large], |text| {
        cpu_time(|| drop(planned(text).expect("plans")))
    });
    let live = [small, large].map(|text| {
        let objects = text.split("---\n").filter(|object| !object.trim().is_empty());
        let items: Vec<serde_json::Value> = objects
            .map(|object| {
                let mut object: serde_json::Value = serde_yaml::from_str(object).expect("an object");
                object["metadata"]["uid"] = "u".into();
                object
            })
            .collect();
        json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
    });
    grows("plans of live objects", [&live[0], &live[1]], |text| {
        cpu_time(|| drop(planned(text).expect("plans")))
    });
}

#[test]
fn plans_that_take_more_are_refused() {
    // What is neither rendered nor listed is planned as a whole.
    let live = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: pull, uid: u}\n";
    let much = format!("# {}\n", "x".repeat(5 << 20));
    let few = planned(many(16, by_instance) + live + &much);
    assert_eq!(few.expect("plans").plans.len(), 16);
    let refused = planned(many(17, by_instance) + live + &much).expect_err("too much");
    let [finding] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(finding.code, "MU001");
    assert!(
        finding
            .message
            .starts_with("17 releases would each have to be planned beside all of the 52"),
        "{finding:?}"
    );
}

#[test]
fn what_is_beyond_that_is_refused() {
    let workloads = |n| {
        let one = by_instance(1);
        let first = one
            .split_inclusive("---\n")
            .nth(1)
            .expect("a workload")
            .replace("---\n", "");
        let nth = |i| {
            format!(
                "---\n{}",
                first.replace("name: r1-milvus-", &format!("name: r1-milvus-{i}-"))
            )
        };
        format!("{one}{}", many(n, nth))
    };
    let objects = many(10_000, |i| shapes::object("ConfigMap", i, "data: {}\n"));
    let text = format!("{}{objects}", workloads(5000));
    let judgement = judge(&Request {
        target: text.replace(FROM, TO).into(),
        current: Current::Manifests(text.as_str().into()),
        ..Request::default()
    });
    let [finding] = &judgement.findings[..] else {
        panic!("{:?}", judgement.findings)
    };
    assert_eq!(finding.code, "MU001");
    assert!(
        finding
            .message
            .starts_with("the 5005 workloads of Milvus in one release"),
        "{}",
        finding.message
    );
    assert!(finding.message.contains("150200050 times"), "{}", finding.message);
    assert!(judgement.output.is_none());
}

fn linear(name: &str, small: &str, large: &str, held: Held) {
    linear_with(name, small, large, held, &Options::default());
}

fn linear_with(name: &str, small: &str, large: &str, held: Held, options: &Options) {
    grows(name, [small, large], |text| {
        let request = Request {
            target: text.replace(FROM, TO).into(),
            current: Current::Manifests(text.into()),
            places: Places::IfRefused,
            held,
            options: options.clone(),
            ..Request::default()
        };
        cpu_time(|| drop(judge(&request)))
    });
}

/// Measures something with a text and with one of four times as much.
fn grows(name: &str, [small, large]: [&str; 2], time: impl Fn(&str) -> Duration) {
    // Squared it would be 16 times, however often it is measured; what shares the machine only ever adds.
    let limit = |of_small: Duration| 9 * of_small.max(Duration::from_millis(5));
    let (mut of_small, mut of_large) = (time(small), time(large));
    for _ in 0..10 {
        if of_large < limit(of_small) {
            break;
        }
        (of_small, of_large) = (of_small.min(time(small)), of_large.min(time(large)));
    }
    assert!(
        of_large < limit(of_small),
        "{name}: {} bytes take {of_small:?}, {} take {of_large:?}",
        small.len(),
        large.len()
    );
}

/// Runs the program with no more address space than this many MiB.
#[cfg(target_os = "linux")]
fn within(mebibytes: usize, input: &[u8]) -> std::process::Output {
    within_beside(mebibytes, input, std::path::Path::new("none"))
}

#[cfg(target_os = "linux")]
fn within_beside(mebibytes: usize, input: &[u8], current: &std::path::Path) -> std::process::Output {
    let script = format!("ulimit -v {}; exec \"$0\" --current \"$1\"", mebibytes << 10);
    let mut child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_milvus-uplift")])
        .arg(current)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let (mut pipe, input) = (child.stdin.take().expect("piped"), input.to_vec());
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().expect("an end");
    let _ = writer.join();
    output
}

/// As values both streams take 64 MiB; circle by circle this program, unoptimised, needs 24.
#[test]
#[cfg(target_os = "linux")]
fn many_releases_take_little_more_memory_than_their_text() {
    let folder = tempfile::tempdir().expect("a directory");
    let target = many(1200, release);
    let current = folder.path().join("current.yaml");
    std::fs::write(&current, target.replace("v2.5.10", "v2.5.9")).expect("a file");
    let passed = within_beside(36, target.as_bytes(), &current);
    let said = String::from_utf8_lossy(&passed.stderr);
    assert_eq!(passed.status.code(), Some(0), "{} bytes: {said}", target.len());
    assert!(passed.stdout == target.as_bytes());
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    let long = format!("{OBJECT}x: {}\n", "y".repeat(50 << 20));
    let passed = within(400, long.as_bytes());
    assert_eq!(
        passed.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&passed.stderr)
    );
    assert!(passed.stdout == long.as_bytes());
    for bomb in [
        aliases(9),
        merges(9),
        format!("x: {}", "[".repeat(5 << 20)),
        format!("x: {}", "- ".repeat(1 << 20)),
    ] {
        let refused = within(400, bomb.as_bytes());
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("MU001") && refused.stdout.is_empty(), "{said}");
    }
}

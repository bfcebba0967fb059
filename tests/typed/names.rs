//! Release names of every length, and of every shape that Helm takes: what comes is named as the chart names it, and
//! nothing that comes has a name that the API server refuses.
//!
//! A case of `testdata` with every name in it replaced must give its own output with the same names replaced.
//!
//! Sources: Helm's `pkg/chart/common/util` (at most 53 characters, dots allowed); the chart's `_helpers.tpl` (the full
//! name is the release's where that holds `milvus`, else `RELEASE-milvus`, cut at 63; a component appends its role).

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use milvus_uplift::judge::Judgement;
use milvus_uplift::options::Allowances;
use milvus_uplift::rewrite::ChangeOp;
use milvus_uplift::rules;
use milvus_uplift::value::Value;

use super::limits;
use super::support::scenario::{Deployed, Scenario};

/// The cases whose names are replaced: the folder, and the release.
const CASES: [(&str, &str); 4] = [
    ("example", "my-release"),
    ("rewrite/consolidate", "search"),
    ("rewrite/resource-groups", "search"),
    ("rewrite/resource-groups-values", "search"),
];

const LONGEST: usize = 53;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![Trial::test("names/as-a-word-of-yaml", || {
        words_of_yaml().map_err(Failed::from)
    })];
    for (folder, release) in CASES {
        let case = Case::read(folder, release);
        trials.push(Trial::test(format!("names/{folder}"), move || {
            every_name(&case).map_err(Failed::from)
        }));
    }
    trials
}

struct Case {
    scenario: Scenario,
    release: &'static str,
    /// What comes out of the case as it is.
    output: String,
}

/// A release's names: its own, and the full name that the chart's objects begin with.
#[derive(Clone, Debug)]
struct Names {
    release: String,
    full: String,
}

impl Names {
    fn of(release: &str) -> Names {
        let full = match release.contains("milvus") {
            true => release.to_owned(),
            false => format!("{release}-milvus"),
        };
        Names::overridden(release, &full)
    }

    fn overridden(release: &str, full: &str) -> Names {
        let cut = &full[..full.len().min(63)];
        Names {
            release: release.to_owned(),
            full: cut.strip_suffix('-').unwrap_or(cut).to_owned(),
        }
    }
}

impl Case {
    fn read(folder: &'static str, release: &'static str) -> Case {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
        let scenario = Scenario::read(&path).expect("a case that passes");
        let output = scenario.judge_quickly().text().expect("the case passes");
        Case {
            scenario,
            release,
            output,
        }
    }

    fn renamed(&self, text: &str, names: &Names) -> String {
        let full = format!("{}-milvus", self.release);
        // In two steps: the new names may hold the old ones.
        let marked = text
            .replace(&full, "\u{1}")
            .replace(&format!("{}-", self.release), "\u{2}-");
        let marked = marked.replace(&format!("instance: {}", self.release), "instance: \u{2}");
        marked.replace('\u{1}', &names.full).replace('\u{2}', &names.release)
    }

    fn judge(&self, names: &Names, allow: &[&str]) -> Judgement {
        let mut scenario = self.scenario.with_target(self.renamed(&self.scenario.target, names));
        if let Deployed::Text(bytes) = &self.scenario.current {
            let text = String::from_utf8(bytes.clone()).expect("manifests");
            scenario.current = Deployed::Text(self.renamed(&text, names).into_bytes());
        }
        scenario.options.allow = Allowances::parse(allow.iter().copied(), &rules::codes(), false).expect("codes");
        scenario.judge_quickly()
    }

    /// The metrics Services that the release has, and those that come.
    fn services(&self, names: &Names) -> (Vec<String>, Vec<String>) {
        let of = |text: &str| -> Vec<String> {
            let objects = super::objects(&self.renamed(text, names));
            let metrics = |o: &&Value| {
                o["spec"]["ports"]
                    .as_array()
                    .is_some_and(|p| p.iter().any(|p| p["name"] == "metrics"))
            };
            let own = objects.iter().filter(|o| o["kind"] == "Service").filter(metrics);
            own.filter_map(|o| o["metadata"]["name"].as_str())
                .map(str::to_owned)
                .collect()
        };
        let (before, after) = (of(&self.scenario.target), of(&self.output));
        let came = after.into_iter().filter(|name| !before.contains(name)).collect();
        (before, came)
    }

    fn holds(&self, names: &Names) -> Result<(), String> {
        let (before, came) = self.services(names);
        let refused = |name: &&String| limits::not_a_label(name).is_some();
        let wrong: Vec<&String> = came.iter().filter(refused).collect();
        let theirs = before.iter().any(|name| refused(&name));
        if !wrong.is_empty() && !theirs {
            self.is_refused(names, &wrong)?;
            return self.comes(names, &self.judge(names, &["MU007"]), &wrong, false);
        }
        self.comes(names, &self.judge(names, &[]), &[], theirs)
    }

    fn is_refused(&self, names: &Names, wrong: &[&String]) -> Result<(), String> {
        let judgement = self.judge(names, &[]);
        let refusals: Vec<_> = judgement.findings.iter().filter(|f| f.refuses()).collect();
        for name in wrong {
            let said = |f: &&&milvus_uplift::finding::Finding| f.code == "MU007" && f.message.contains(name.as_str());
            let finding = refusals
                .iter()
                .find(said)
                .ok_or(format!("{name} comes and is not refused"))?;
            let length = name.len().to_string();
            if name.len() > 63 && !(finding.message.contains(&length) && finding.message.contains("63")) {
                return Err(format!("does not say how long it is: {}", finding.message));
            }
        }
        match refusals.len() == wrong.len() && judgement.output.is_none() {
            true => Ok(()),
            false => Err(format!(
                "refused by {:?}",
                refusals.iter().map(|f| &f.message).collect::<Vec<_>>()
            )),
        }
    }

    /// The case's own output with the names replaced, without the Services that cannot be.
    fn comes(&self, names: &Names, judgement: &Judgement, without: &[&String], theirs: bool) -> Result<(), String> {
        let refusals = || {
            judgement
                .findings
                .iter()
                .filter(|f| f.refuses())
                .map(|f| f.message.as_str())
        };
        let output = judgement
            .text()
            .ok_or_else(|| refusals().collect::<Vec<_>>().join("\n"))?;
        let left_out =
            |o: &Value| o["kind"] == "Service" && without.iter().any(|name| o["metadata"]["name"] == ***name);
        let mut wanted = super::objects(&self.renamed(&self.output, names));
        wanted.retain(|o| !left_out(o));
        let mut got = super::objects(&output);
        wanted.iter_mut().chain(&mut got).for_each(without_checksum);
        if let Some((w, g)) = wanted.iter().zip(&got).find(|(w, g)| w != g) {
            return Err(format!("not as the chart names it:\n{w}\n{g}"));
        }
        if wanted.len() != got.len() {
            return Err(format!("{} objects, not {}", got.len(), wanted.len()));
        }
        for change in judgement.changes.iter().filter(|c| c.op == ChangeOp::Inject) {
            let object = change.patch[0].value.as_ref().expect("the object");
            let mut faults = limits::faults(object);
            faults.retain(|f| !(theirs && change.object.kind == "Service" && f.at == "/metadata/name"));
            if let Some(fault) = faults.first() {
                return Err(format!("{}: {} {}", change.object, fault.at, fault.what));
            }
        }
        Ok(())
    }
}

/// The digest of a configuration that holds names is another one with each.
fn without_checksum(object: &mut Value) {
    if let Some(map) = object
        .pointer_mut("/spec/template/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        map.retain(|key, _| key != "checksum/config");
    }
}

fn every_name(case: &Case) -> Result<(), String> {
    for names in all_names() {
        case.holds(&names).map_err(|why| format!("{names:?}: {why}"))?;
    }
    Ok(())
}

/// Names of every length, each in one shape or another; where the limits are near, in every shape.
fn all_names() -> Vec<Names> {
    let shapes = [
        "x",
        "9a",
        "milvus-",
        "a.b",
        "datanode-",
        "rootcoord-streamingnode-",
        "v-1-",
        "mixcoord.milvus-",
    ];
    let mut all = Vec::new();
    for length in 1..=LONGEST {
        for (i, shape) in shapes.iter().enumerate() {
            let mut name: String = shape.chars().cycle().take(length).collect();
            if !name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                name.replace_range(length - 1.., "z");
            }
            let names = Names::of(&name);
            let near = (48..=54).contains(&names.full.len());
            // All digits are a number in YAML, which no chart's label survives.
            if (near || length % shapes.len() == i) && name.parse::<f64>().is_err() {
                all.push(names);
            }
        }
    }
    // The full name may be given: of every length that its own limit is near.
    for length in 48..=66 {
        let full: String = "full-name-".chars().cycle().take(length).collect();
        all.push(Names::overridden("re.lease.1", &full));
    }
    all
}

/// Names that YAML takes for something else unless they are quoted: unreadable without quotes, and quoted again with.
fn words_of_yaml() -> Result<(), String> {
    let case = Case::read("rewrite/consolidate", "search");
    for word in ["1", "12", "0x1f", "1e3", "on", "y", "null", "true", "1.5"] {
        let quoted = Names {
            release: format!("\"{word}\""),
            full: "full".into(),
        };
        let judgement = case.judge(&quoted, &[]);
        case.comes(&quoted, &judgement, &[], false)
            .map_err(|why| format!("{word}: {why}"))?;
        if word == "null" {
            // A label without a value, which Kubernetes reads as an empty one.
            continue;
        }
        let plain = Names {
            release: word.into(),
            full: "full".into(),
        };
        let judgement = case.judge(&plain, &[]);
        if judgement.output.is_some() || !judgement.findings.iter().any(|f| f.code == "MU001") {
            return Err(format!("a label {word} that is no text is let pass"));
        }
    }
    Ok(())
}

//! SARIF 2.1.0 (OASIS), as code scanning services read it: a small model of what is said here, and nothing more.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::view::{View, group};
use crate::finding::{Finding, Severity};
use crate::kube::ObjectRef;
use crate::rules::{RULES, Rule};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What file names are relative to: the directory the program ran in, which in CI is the checkout.
const ROOT: &str = "%SRCROOT%";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    invocations: [Invocation; 1],
    original_uri_base_ids: BTreeMap<&'static str, Described>,
    column_kind: &'static str,
    results: Vec<Res<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    id: &'a str,
    name: &'a str,
    short_description: Message,
    full_description: Message,
    help: Help<'a>,
    default_configuration: Configuration,
    properties: Tags,
}

#[derive(Serialize)]
struct Help<'a> {
    text: &'a str,
    markdown: &'a str,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Tags {
    tags: [&'static str; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Serialize)]
struct Described {
    description: Message,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Res<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    #[serde(skip_serializing_if = "crate::value::Map::is_empty")]
    properties: crate::value::Map,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<Logical>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    /// Left out where a finding is about the stream as a whole: without a region that is what SARIF says (3.29.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

/// The whole log.
pub fn render(view: &View) -> String {
    let mut seen = BTreeMap::new();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "milvus-uplift",
                    version: env!("CARGO_PKG_VERSION"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: RULES.iter().map(|r| descriptor(r)).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: !view.judgement.unvouched,
            }],
            original_uri_base_ids: BTreeMap::from([(
                ROOT,
                Described {
                    description: Message {
                        text: "The directory milvus-uplift ran in.".into(),
                    },
                },
            )]),
            column_kind: "unicodeCodePoints",
            results: view
                .judgement
                .findings
                .iter()
                .map(|f| result(view, f, &mut seen))
                .collect(),
        }],
    };
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Refuse => "error",
        Severity::Warn => "warning",
        Severity::Info => "note",
    }
}

fn descriptor<'a>(rule: &Rule) -> Descriptor<'a> {
    Descriptor {
        id: rule.code,
        name: rule.name,
        short_description: Message { text: rule.says.into() },
        full_description: Message {
            text: opening(rule.page).unwrap_or_else(|| rule.says.to_owned()),
        },
        help: Help {
            text: rule.page,
            markdown: rule.page,
        },
        default_configuration: Configuration {
            level: level(rule.severity),
        },
        properties: Tags {
            tags: ["milvus", group(rule.code)],
        },
    }
}

/// What a page says is wrong, in its first paragraph. GitHub takes 1,024 characters of it.
fn opening(page: &str) -> Option<String> {
    let (_, section) = page.split_once("\n## What is wrong\n")?;
    let paragraph = section.trim_start().split("\n\n").next()?.replace('\n', " ");
    (!paragraph.is_empty() && paragraph.chars().count() <= 1024).then_some(paragraph)
}

fn result<'a>(view: &View, finding: &'a Finding, seen: &mut BTreeMap<String, usize>) -> Res<'a> {
    let mut text = format!("{}\nhelp: {}", finding.message, finding.help);
    let mut properties = crate::value::Map::new();
    if let Some(template) = &finding.template {
        text.push_str(&format!("\ntemplate: {template}"));
        properties.insert("template".into(), template.as_str().into());
    }
    if let Some(field) = &finding.field {
        properties.insert("field".into(), field.path.as_str().into());
    }
    Res {
        rule_id: finding.code,
        rule_index: RULES.iter().position(|r| r.code == finding.code).unwrap_or_default(),
        level: level(finding.severity),
        message: Message { text },
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact {
                    uri: uri(&view.file(finding)),
                    uri_base_id: ROOT,
                },
                region: finding.location.as_ref().map(|l| Region {
                    start_line: l.line,
                    start_column: l.column,
                }),
            },
            logical_locations: finding.object.iter().map(logical).collect(),
        }],
        partial_fingerprints: BTreeMap::from([("milvusUpliftFinding/v1", fingerprint(finding, seen))]),
        suppressions: match finding.allowed {
            true => vec![Suppression {
                kind: "external",
                status: "accepted",
                justification: format!("--allow {}", finding.code),
            }],
            false => vec![],
        },
        properties,
    }
}

fn logical(object: &ObjectRef) -> Logical {
    Logical {
        name: object.name.clone(),
        fully_qualified_name: [&object.namespace, &object.kind, &object.name]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("/"),
        kind: "object",
    }
}

/// What stays the same when lines move and versions change: rule, object and field; the n-th of its kind where those
/// do not tell two apart.
fn fingerprint(finding: &Finding, seen: &mut BTreeMap<String, usize>) -> String {
    let mut key = format!("{}\0", finding.code);
    if let Some(o) = &finding.object {
        key.push_str(&format!("{}\0{}\0{}\0{}\0", o.api_version, o.kind, o.namespace, o.name));
    }
    if let Some(field) = &finding.field {
        key.push_str(&field.path);
    }
    let nth = seen.entry(key.clone()).or_default();
    *nth += 1;
    let digest = Sha256::digest(format!("{key}\0{nth}"));
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// A relative path as a URI reference (RFC 3986, 4.2): a colon in its first segment would make that a scheme.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{finding, shown};
    use super::*;
    use crate::value::Value;

    fn log(findings: Vec<Finding>) -> Value {
        serde_json::from_str(&shown(findings, false, render)).unwrap()
    }

    #[test]
    fn a_result_names_rule_place_object_and_template() {
        let mut one = finding("MU301", "pulsar -> kafka");
        one.template = Some("milvus/templates/configmap.yaml".into());
        one.object = Some(ObjectRef {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: "ns".into(),
            name: "rel-milvus".into(),
        });
        let log = log(vec![one]);
        let run = &log["runs"][0];
        let result = &run["results"][0];
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        let place = &result["locations"][0];
        assert_eq!(
            place["physicalLocation"]["artifactLocation"]["uri"],
            "out/manifests.yaml"
        );
        assert_eq!(place["physicalLocation"]["region"]["startLine"], 3);
        assert_eq!(
            place["logicalLocations"][0]["fullyQualifiedName"],
            "ns/ConfigMap/rel-milvus"
        );
        assert_eq!(result["properties"]["template"], "milvus/templates/configmap.yaml");
        assert_eq!(result["level"], "error");
    }

    #[test]
    fn an_allowed_refusal_is_suppressed() {
        let mut allowed = finding("MU301", "x");
        allowed.allowed = true;
        let log = log(vec![allowed, finding("MU002", "x")]);
        let results = &log["runs"][0]["results"];
        assert_eq!(results[0]["suppressions"][0]["status"], "accepted");
        assert!(results[1].get("suppressions").is_none());
        assert_eq!(results[1]["level"], "warning");
    }

    #[test]
    fn fingerprints_outlive_lines_and_tell_twins_apart() {
        let prints = |log: &Value| -> Vec<String> {
            let results = log["runs"][0]["results"].as_array().unwrap();
            let print = |r: &Value| {
                r["partialFingerprints"]["milvusUpliftFinding/v1"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            results.iter().map(print).collect()
        };
        let mut moved = finding("MU301", "other words");
        moved.location.as_mut().unwrap().line = 99;
        let (before, after) = (
            log(vec![finding("MU301", "x")]),
            log(vec![moved, finding("MU301", "x")]),
        );
        assert_eq!(prints(&before)[0], prints(&after)[0]);
        assert_ne!(prints(&after)[0], prints(&after)[1]);
    }

    #[test]
    fn uris_are_references_and_no_schemes() {
        assert_eq!(uri("a b/ü:c.yaml"), "a%20b/%C3%BC%3Ac.yaml");
        assert_eq!(
            opening("# T\n\nx\n\n## What is wrong\n\nThis\nand that.\n\nMore.\n").as_deref(),
            Some("This and that.")
        );
        assert_eq!(opening("# T\n"), None);
        assert!(RULES.iter().all(|r| opening(r.page).is_some()));
    }
}

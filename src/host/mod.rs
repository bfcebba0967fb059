//! Who handed the stream over, and the bookkeeping that host keeps in it. Hosts know nothing else.

pub mod krm;
pub mod parent;

use std::sync::{Mutex, PoisonError};

use foldhash::HashMap;

use crate::kube::Object;
use crate::stream::Stream;
use crate::value::{Map, Value};
use crate::yaml;

/// Helm 4 names the template a document came from in this annotation and takes it away again
/// (helm v4 pkg/action/action.go, annotateAndMerge).
pub const FILENAME: &str = "postrenderer.helm.sh/postrender-filename";

/// Who hands the stream over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// `# Source:` comments.
    Helm3,
    /// The filename annotation. Never told by HELM_PLUGIN_DIR, which helm-diff sets under Helm 3 too.
    Helm4,
    /// A ResourceList of the KRM functions specification: kustomize, kpt.
    Krm,
    /// None of them: a file, `kubectl get`, another tool.
    Plain,
}

/// Tells the host by what stands in the stream. A ResourceList is told when it is read.
pub fn detect(stream: &Stream) -> Host {
    if stream.objects.iter().any(|o| o.annotation(FILENAME).is_some()) {
        Host::Helm4
    } else {
        sources(&stream.text)
    }
}

/// Whether Helm 3 wrote a text: by its comments.
pub(crate) fn sources(text: &str) -> Host {
    if text.lines().any(|l| l.starts_with("# Source: ")) {
        Host::Helm3
    } else {
        Host::Plain
    }
}

/// The templates that texts named, by document: a List is asked for each of its items.
pub type Templates = Mutex<HashMap<usize, Option<String>>>;

/// The chart's template a document was rendered from, as the host noted it.
pub fn template_of(stream: &Stream, document: usize) -> Option<String> {
    // What is injected behind the last document has no document of its own in the stream.
    stream.documents.get(document)?;
    let named = |objects: &[Object]| objects.first()?.annotation(FILENAME).map(str::to_owned);
    match stream.host {
        Host::Plain | Host::Krm => None,
        Host::Helm4 => match held(stream, document) {
            [] => remembered(stream, document, || named(&read(stream, document))),
            held => named(held),
        },
        // A template that begins with an empty document leaves the comment alone in a document of its own (hosts.md 1.8).
        Host::Helm3 => remembered(stream, document, || {
            source_comment(stream.body(document)).or_else(|| {
                let before = document.checked_sub(1)?;
                let empty = held(stream, before).is_empty() && read(stream, before).is_empty();
                empty.then(|| source_comment(stream.body(before))).flatten()
            })
        }),
    }
}

/// What the text of a document says, found once: comments above it may be long.
fn remembered(stream: &Stream, document: usize, find: impl FnOnce() -> Option<String>) -> Option<String> {
    let known = || stream.templates.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(template) = known().get(&document) {
        return template.clone();
    }
    let template = find();
    known().insert(document, template.clone());
    template
}

/// The objects of a document that the stream holds: it may be a part of one.
fn held(stream: &Stream, document: usize) -> &[Object] {
    let before = stream.objects.partition_point(|o| o.document < document);
    let held = stream.objects[before..].partition_point(|o| o.document == document);
    &stream.objects[before..before + held]
}

/// The objects of a document as its text says them.
fn read(stream: &Stream, document: usize) -> Vec<Object> {
    let read = yaml::read(stream.body(document)).ok().flatten();
    read.and_then(|value| Object::all_in(document, value).ok())
        .unwrap_or_default()
}

/// The template of the document around a line (from 1) of a text that could not be read: by its lines alone.
pub fn template_near(lines: &[&str], line: usize) -> Option<String> {
    let at = line.saturating_sub(1).min(lines.len().checked_sub(1)?);
    let separator = |l: &str| l.starts_with("---");
    let start = lines[..=at].iter().rposition(|l| separator(l)).map_or(0, |i| i + 1);
    let end = lines[at..]
        .iter()
        .skip(1)
        .position(|l| separator(l))
        .map_or(lines.len(), |i| at + 1 + i);
    let named = |l: &&str| {
        let path = l.strip_prefix("# Source: ").or_else(|| {
            let value = l.trim_start().strip_prefix(FILENAME)?.strip_prefix(':')?;
            Some(value.trim().trim_matches(['"', '\'']))
        })?;
        Some(path.trim().to_owned()).filter(|path| !path.is_empty())
    };
    lines[start..end.max(start)].iter().find_map(named)
}

/// Whether Helm 3 left the Secrets out of the stream and said so (`--hide-secret`, hosts.md T13).
pub fn hides_secrets(stream: &Stream) -> bool {
    let hidden = |l: &str| l.starts_with("# HIDDEN: ") && l.contains("Secret");
    *stream.hides_secrets.get_or_init(|| stream.text.lines().any(hidden))
}

fn source_comment(body: &str) -> Option<String> {
    body.lines()
        .map(|l| l.trim_end_matches('\r'))
        .take_while(|l| l.trim().is_empty() || l.starts_with('#'))
        .find_map(|l| l.strip_prefix("# Source: "))
        .map(|path| path.trim().to_owned())
}

/// The folder of a chart's templates: `umbrella/charts/milvus/templates/` for `umbrella/charts/milvus/templates/x/y.yaml`.
pub fn template_folder(path: &str) -> Option<&str> {
    path.rfind("/templates/").map(|i| &path[..i + "/templates/".len()])
}

/// The keys under which a subchart's values stand in the values of the whole: `["milvus"]` for
/// `umbrella/charts/milvus/templates/x.yaml`, none for the chart itself.
pub fn values_path(template: &str) -> Vec<String> {
    let folder = template.split("/templates/").next().unwrap_or("");
    folder.split("/charts/").skip(1).map(str::to_owned).collect()
}

/// Whether an annotation is a host's own: it belongs to the document it stands on, is copied to no other, and stays.
pub fn is_bookkeeping(annotation: &str) -> bool {
    annotation == FILENAME || krm::is_bookkeeping(annotation)
}

/// Takes the host's own annotations out of an object.
pub fn without_bookkeeping(object: &mut Value) {
    let annotations = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    if let Some(annotations) = annotations {
        annotations.retain(|key, _| !is_bookkeeping(key));
    }
}

/// The host's own annotations of an object.
pub fn bookkeeping(object: &Value) -> Map {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let own = annotations.into_iter().flatten().filter(|(key, _)| is_bookkeeping(key));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Sets annotations of an object.
pub fn annotate(object: &mut Value, with: Map) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if with.is_empty() {
        return;
    }
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    match annotations.as_object_mut() {
        Some(annotations) => annotations.extend(with),
        None => *annotations = Value::Object(with),
    }
}

/// Text of an injected document with the host's bookkeeping: begins with its own separator.
pub fn dress(host: Host, template: Option<&str>, mut value: Value) -> (Value, String) {
    let mut text = String::from("---\n");
    match (host, template) {
        (Host::Helm3, Some(path)) => text.push_str(&format!("# Source: {path}\n")),
        (Host::Helm4, Some(path)) => {
            let name = Map::from_iter([(FILENAME.to_owned(), Value::String(path.into()))]);
            annotate(&mut value, name);
        }
        // What it replaces may have had no annotations but the host's.
        (Host::Krm, _) => {
            if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
                && metadata
                    .get("annotations")
                    .and_then(Value::as_object)
                    .is_some_and(Map::is_empty)
            {
                metadata.remove("annotations");
            }
        }
        _ => {}
    }
    text.push_str(&yaml::emit(&value));
    (value, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_paths_tell_where_values_root() {
        assert_eq!(
            template_folder("milvus/templates/mixcoord-svc.yaml"),
            Some("milvus/templates/")
        );
        assert_eq!(
            template_folder("u/charts/milvus/templates/a/b.yaml"),
            Some("u/charts/milvus/templates/")
        );
        assert!(values_path("milvus/templates/x.yaml").is_empty());
        assert_eq!(
            values_path("u/charts/vectors/charts/milvus/templates/x.yaml"),
            ["vectors", "milvus"]
        );
    }

    #[test]
    fn a_broken_document_still_names_its_template() {
        let text = "---\n# Source: a/templates/x.yaml\na: 1\n---\n# Source: a/templates/y.yaml\nb: [\n---\nc: 1\n";
        let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
        let near = |line| template_near(&lines(text), line);
        assert_eq!(near(3).as_deref(), Some("a/templates/x.yaml"));
        assert_eq!(near(6).as_deref(), Some("a/templates/y.yaml"));
        assert_eq!((near(8), near(0).as_deref()), (None, Some("a/templates/x.yaml")));
        assert_eq!(template_near(&[], 1), None);
        let helm4 =
            "a: b: c\nmetadata:\n  annotations:\n    postrenderer.helm.sh/postrender-filename: 'm/templates/z.yaml'\n";
        assert_eq!(template_near(&lines(helm4), 1).as_deref(), Some("m/templates/z.yaml"));
        assert_eq!(template_near(&lines(helm4), 99).as_deref(), Some("m/templates/z.yaml"));
    }

    #[test]
    fn a_part_of_a_stream_names_the_templates_of_the_whole() {
        let read = |text: String| Stream::read(text.into_bytes(), crate::finding::Input::Target).unwrap();
        let object = |name: &str, notes: &str| format!("kind: A\napiVersion: v1\nmetadata: {{name: {name}{notes}}}\n");
        let note = format!(", annotations: {{{FILENAME}: m/templates/x.yaml}}");
        let helm3 = format!(
            "# Source: m/templates/x.yaml\n---\n{}---\n{}---\n# Source: m/templates/y.yaml\n{}",
            object("a", ""),
            object("b", ""),
            object("c", "")
        );
        let helm4 = format!("{}---\n{}", object("a", &note), object("b", ""));
        for (text, templates) in [
            (
                helm3,
                &[
                    Some("m/templates/x.yaml"),
                    Some("m/templates/x.yaml"),
                    None,
                    Some("m/templates/y.yaml"),
                    None,
                ][..],
            ),
            (helm4, &[Some("m/templates/x.yaml"), None, None]),
        ] {
            let stream = read(text);
            // Asked before and after the whole.
            let parts = [stream.with(vec![]), read(stream.text.to_string()).with(vec![])];
            for stream in [&parts[0], &stream, &parts[0], &parts[1]] {
                let named: Vec<Option<String>> = (0..templates.len()).map(|i| template_of(stream, i)).collect();
                let named: Vec<Option<&str>> = named.iter().map(Option::as_deref).collect();
                assert_eq!(named, templates, "{}", stream.text);
            }
        }
    }

    #[test]
    fn the_source_comment_stands_before_any_content() {
        assert_eq!(
            source_comment("# Source: a/templates/x.yaml\n# licence\na: 1\n").as_deref(),
            Some("a/templates/x.yaml")
        );
        assert_eq!(source_comment("a: 1\n# Source: a/templates/x.yaml\n"), None);
        assert_eq!(
            source_comment("\r\n# Source: a/templates/x.yaml\r\na: 1\r\n").as_deref(),
            Some("a/templates/x.yaml")
        );
    }
}

//! The findings as results of a KRM function.

use crate::finding::{Finding, Input, Severity};
use crate::host::krm;
use crate::judge::Judgement;
use crate::kube::Object;
use crate::value::{Map, Value, json};

/// The results of a judgement, worst first. `items` are those that came in: they say from which file each was read.
/// A refusal that is allowed is a warning: orchestrators know no other word for it.
pub fn results(judgement: &Judgement, items: &[Object]) -> Vec<Value> {
    judgement
        .findings
        .iter()
        .map(|finding| result(finding, items))
        .collect()
}

/// A result about the call itself.
pub fn error(message: &str) -> Value {
    json!({"message": message, "severity": "error"})
}

fn result(finding: &Finding, items: &[Object]) -> Value {
    let severity = match (finding.severity, finding.allowed) {
        (Severity::Refuse, false) => "error",
        (Severity::Refuse, true) | (Severity::Warn, _) => "warning",
        (Severity::Info, _) => "info",
    };
    let mut out = Map::new();
    let message = format!(
        "{} {}: {}\nhelp: {}",
        finding.code, finding.name, finding.message, finding.help
    );
    out.insert("message".into(), json!(message));
    out.insert("severity".into(), json!(severity));
    if let Some(object) = &finding.object {
        let mut reference = json!({"apiVersion": object.api_version, "kind": object.kind, "name": object.name});
        if !object.namespace.is_empty() {
            reference["namespace"] = json!(object.namespace);
        }
        out.insert("resourceRef".into(), reference);
        let item = items.iter().find(|item| item.reference.same_object(object));
        let elsewhere = finding.location.as_ref().is_some_and(|l| l.stream != Input::Target);
        if let Some((path, index)) = item.filter(|_| !elsewhere).and_then(krm::file) {
            out.insert("file".into(), json!({"path": path, "index": index}));
        }
    }
    if let Some(field) = &finding.field {
        let mut shown = json!({"path": path(&field.path)});
        for (key, value) in [("currentValue", &field.current), ("proposedValue", &field.proposed)] {
            if !value.is_null() {
                shown[key] = value.clone();
            }
        }
        out.insert("field".into(), shown);
    }
    let mut tags = json!({"code": finding.code, "name": finding.name});
    if finding.allowed {
        tags["allowed"] = json!("true");
    }
    out.insert("tags".into(), tags);
    Value::Object(out)
}

/// A JSON pointer as orchestrators write fields: `spec.template.spec.containers[0].image`. A key that is no plain word
/// stands in brackets, and what leads into the text of a ConfigMap behind a `#`: `data["user.yaml"]#mq.type`.
pub fn path(pointer: &str) -> String {
    let mut out = String::new();
    for (i, part) in pointer.split("#/").enumerate() {
        let part = if i == 0 {
            part.strip_prefix('/').unwrap_or(part)
        } else {
            part
        };
        if i > 0 {
            out.push('#');
        }
        let start = out.len();
        for step in part.split('/').filter(|s| !s.is_empty()) {
            let key = step.replace("~1", "/").replace("~0", "~");
            let word = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if key.bytes().all(|b| b.is_ascii_digit()) {
                out.push_str(&format!("[{key}]"));
            } else if word {
                out.push_str(if out.len() > start { "." } else { "" });
                out.push_str(&key);
            } else {
                out.push_str(&format!("[{}]", json!(key)));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_orchestrators_do() {
        for (pointer, wanted) in [
            (
                "/spec/template/spec/containers/0/image",
                "spec.template.spec.containers[0].image",
            ),
            ("/data/user.yaml#/mq/type", "data[\"user.yaml\"]#mq.type"),
            ("/metadata/annotations/a~1b", "metadata.annotations[\"a/b\"]"),
            ("/a/b#/0/c", "a.b#[0].c"),
            ("", ""),
        ] {
            assert_eq!(path(pointer), wanted, "{pointer}");
        }
    }
}

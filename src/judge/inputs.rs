//! Reads what the judgement is given, and says what cannot be read.

use super::{Current, Request, ValuesFile};
use crate::finding::{Finding, Input};
use crate::host;
use crate::overlay::{self, Overlay};
use crate::rules;
use crate::state::Source;
use crate::stream::{Bytes, Stream, Unreadable};
use crate::value::Value;
use crate::yaml;

/// Puts the values of the release record among the files, where they are asked for.
pub(super) fn stored_values(
    request: &Request,
    current: Option<&Source>,
    mut files: Vec<Value>,
    findings: &mut Vec<Finding>,
) -> Option<Vec<Value>> {
    let Some(at) = request.stored_values else {
        return Some(files);
    };
    match current {
        Some(source) => match &source.values {
            Some(values) => {
                files.insert(at.min(files.len()), values.clone());
                Some(files)
            }
            None => {
                findings.push(rules::mu003_state_unknown::no_values(&source.taken_from));
                None
            }
        },
        // The source itself could not be had, which is said already.
        None if !matches!(request.current, Current::Unsaid | Current::Nothing) => None,
        None => {
            findings.push(rules::mu003_state_unknown::no_values("nothing"));
            None
        }
    }
}

/// Reads the manifests; what cannot be read is said.
pub(super) fn read_target(bytes: &Bytes, findings: &mut Vec<Finding>) -> Option<Stream> {
    match Stream::read(bytes, Input::Target) {
        Ok(stream) => Some(stream),
        Err(all) => {
            let text = String::from_utf8_lossy(bytes);
            let lines: Vec<&str> = text.lines().collect();
            findings.extend(all.into_iter().map(|u| Finding {
                template: host::template_near(&lines, u.position.line),
                ..rules::mu001_unreadable_input::finding(&u, Input::Target, None)
            }));
            None
        }
    }
}

pub(super) fn read_values(files: &[ValuesFile], findings: &mut Vec<Finding>) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let mut good = true;
    for file in files {
        let parsed = std::str::from_utf8(&file.bytes)
            .map_err(|e| Unreadable {
                message: format!("no UTF-8: {e}"),
                document: 0,
                position: yaml::Position { line: 1, column: 1 },
            })
            .and_then(|text| match yaml::read(text) {
                Ok(None) => Ok(Value::Null),
                Ok(Some(value)) if value.is_object() => Ok(value),
                Ok(Some(_)) => Err(Unreadable {
                    message: "values are a mapping".into(),
                    document: 0,
                    position: yaml::Position { line: 1, column: 1 },
                }),
                Err(e) => Err(Unreadable {
                    position: yaml::position(text, e.offset),
                    message: e.message,
                    document: 0,
                }),
            });
        match parsed {
            Ok(value) => all.push(value),
            Err(u) => {
                good = false;
                findings.push(rules::mu001_unreadable_input::finding(
                    &u,
                    Input::Values,
                    Some(&file.name),
                ));
            }
        }
    }
    good.then_some(all)
}

/// Reads the files of patches; `None` where one cannot be read.
pub(super) fn read_patches(files: &[ValuesFile], findings: &mut Vec<Finding>) -> Option<Vec<Overlay>> {
    let mut all = Vec::new();
    for file in files {
        match overlay::read(&file.name, &file.bytes) {
            Ok(overlays) => all.extend(overlays),
            Err(why) => {
                findings.push(rules::mu001_unreadable_input::of_patch(&why));
                return None;
            }
        }
    }
    Some(all)
}

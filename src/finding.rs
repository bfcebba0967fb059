//! What a rule has to say: data, never an error. The report and every output format are views of it.

use serde::Serialize;

use crate::kube::ObjectRef;
use crate::value::Value;

/// How much a finding weighs. Each rule has one severity; `--strict` counts a warning as a refusal, nothing else moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The manifests must not be applied.
    Refuse,
    /// They may be applied; somebody should know.
    Warn,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The word used in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Refuse => "refuse",
            Severity::Warn => "warn",
            Severity::Info => "info",
        }
    }
}

/// Which input a location points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// The manifests that came in on stdin.
    Target,
    /// What `--current` named.
    Current,
    /// A `--values` file.
    Values,
}

/// A place in an input. Lines and columns count from 1, documents from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Which input.
    pub stream: Input,
    /// The document's index in it.
    pub document: usize,
    /// Line in the whole input.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// The field a finding is about, with what it was and what it would become.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// JSON pointer; `/data/default.yaml#/mq/type` looks inside the text of a ConfigMap.
    pub path: String,
    /// The value in what is deployed.
    pub current: Value,
    /// The value that would be applied.
    pub proposed: Value,
}

/// Where a finding's location comes from, before lines are known: an input, an object's document and a pointer in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Which input.
    pub stream: Input,
    /// The document's index in it.
    pub document: usize,
    /// JSON pointer inside the document.
    pub pointer: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// `MU301`.
    pub code: &'static str,
    /// `mq-type-changed`.
    pub name: &'static str,
    /// The rule's severity.
    pub severity: Severity,
    /// Whether `--allow` let it pass.
    pub allowed: bool,
    /// One sentence with the values in it.
    pub message: String,
    /// What to do, ready to paste.
    pub help: String,
    /// The object it is about.
    pub object: Option<ObjectRef>,
    /// The field it is about.
    pub field: Option<Field>,
    /// The place it is about.
    pub location: Option<Location>,
    /// Resolved into `location` once, when the report is made.
    #[serde(skip)]
    pub anchor: Option<Anchor>,
    /// The chart's template that rendered the document it points at, where the host left its name. Shown, and no part
    /// of the report's schema.
    #[serde(skip)]
    pub template: Option<String>,
    /// The values file it points into, as it was named on the command line.
    #[serde(skip)]
    pub file: Option<String>,
}

impl Finding {
    /// Whether it refuses the output.
    pub fn refuses(&self) -> bool {
        self.severity == Severity::Refuse && !self.allowed
    }

    /// Names the object it is about.
    pub fn on(mut self, object: &ObjectRef) -> Self {
        self.object = Some(object.clone());
        self
    }

    /// Names the field, with both values (`Value::Null` where there is none).
    pub fn field(mut self, path: impl Into<String>, current: impl Into<Value>, proposed: impl Into<Value>) -> Self {
        self.field = Some(Field {
            path: path.into(),
            current: current.into(),
            proposed: proposed.into(),
        });
        self
    }

    /// Points at a place in an input.
    pub fn at(mut self, stream: Input, document: usize, pointer: impl Into<String>) -> Self {
        self.anchor = Some(Anchor {
            stream,
            document,
            pointer: pointer.into(),
        });
        self
    }
}

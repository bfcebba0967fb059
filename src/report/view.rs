//! What every view of a judgement takes beside it: what counts, and what the inputs are called.

use std::path::{Component, Path, PathBuf};

use crate::finding::{Finding, Input, Severity};
use crate::judge::Judgement;

/// What the inputs are called where a file name is wanted. Names are as given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The manifests; `None` for stdin.
    pub target: Option<PathBuf>,
    /// `--current`.
    pub current: Option<String>,
    /// The directory the program runs in: what file names are relative to.
    pub root: PathBuf,
}

/// A judgement on its way to a reader.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The judgement.
    pub judgement: &'a Judgement,
    /// Whether a warning counts as a refusal.
    pub strict: bool,
    /// What the inputs are called.
    pub names: &'a Names,
}

/// What manifests from stdin are called.
pub const STDIN: &str = "stdin.yaml";

impl View<'_> {
    /// Whether a finding counts against the manifests.
    pub fn counts(&self, finding: &Finding) -> bool {
        finding.refuses() || (self.strict && finding.severity == Severity::Warn)
    }

    /// Whether nothing counts against them.
    pub fn passes(&self) -> bool {
        !self.judgement.unvouched && !self.judgement.findings.iter().any(|f| self.counts(f))
    }

    /// The verdict in one line. Where only `--strict` refuses, it says so.
    pub fn verdict(&self) -> String {
        let said = super::text::verdict(self.judgement);
        match self.judgement.refused() || self.passes() {
            true => said,
            false => said.replacen("milvus-uplift: pass", "milvus-uplift: refused by --strict", 1),
        }
    }

    /// The manifests' name.
    pub fn target(&self) -> String {
        match &self.names.target {
            Some(path) => relative(path, &self.names.root),
            None => STDIN.into(),
        }
    }

    /// The name of the file a finding points into; the manifests where it points nowhere.
    pub fn file(&self, finding: &Finding) -> String {
        let input = finding.location.as_ref().map_or(Input::Target, |l| l.stream);
        let named = match input {
            Input::Target => return self.target(),
            Input::Current => self.names.current.as_deref().unwrap_or("current.yaml"),
            Input::Values => finding.file.as_deref().unwrap_or("values.yaml"),
        };
        relative(Path::new(named), &self.names.root)
    }
}

/// A path as it is named from `root`, with forward slashes on every platform and no `.` in it.
pub fn relative(path: &Path, root: &Path) -> String {
    let within = match path.is_absolute() {
        true => path
            .strip_prefix(root)
            .map_or_else(|_| climb(path, root), Path::to_owned),
        false => path.to_owned(),
    };
    let parts: Vec<String> = within
        .components()
        .filter(|c| !matches!(c, Component::CurDir | Component::RootDir | Component::Prefix(_)))
        .map(|c| c.as_os_str().to_string_lossy().into_owned())
        .collect();
    parts.join("/")
}

/// The way from `root` up and down to a path elsewhere.
fn climb(path: &Path, root: &Path) -> PathBuf {
    let shared = path
        .components()
        .zip(root.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = root.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// The group of rules a code belongs to: its hundred.
pub fn group(code: &str) -> &'static str {
    match code.as_bytes().get(2) {
        Some(b'0') => "input",
        Some(b'1') => "path",
        Some(b'2') => "topology",
        Some(b'3') => "queue-and-storage",
        Some(b'4') => "configuration",
        Some(b'5') => "sizing",
        Some(b'6') => "surroundings",
        _ => "output",
    }
}

/// `1 warning`, `2 warnings`.
pub fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rules::RULES;

    /// One finding of each given rule, at line 3 of the manifests, for the tests of the formats.
    pub fn finding(code: &str, message: &str) -> Finding {
        let rule = RULES.iter().find(|r| r.code == code).expect("a rule");
        let mut finding = rule.finding(message, "do this");
        finding.location = Some(crate::finding::Location {
            stream: Input::Target,
            document: 0,
            line: 3,
            column: 5,
        });
        finding
    }

    /// A judgement of nothing but findings.
    pub fn judgement(findings: Vec<Finding>) -> Judgement {
        Judgement {
            releases: vec![],
            findings,
            changes: vec![],
            output: None,
            host: crate::host::Host::Plain,
            unvouched: false,
            read: (None, None),
            timings: vec![],
        }
    }

    /// Judgement and names as one view, handed to a format.
    pub fn shown(findings: Vec<Finding>, strict: bool, format: fn(&View) -> String) -> String {
        let names = Names {
            target: Some("out/manifests.yaml".into()),
            current: Some("/builds/here/current.yaml".into()),
            root: "/builds/here".into(),
        };
        format(&View {
            judgement: &judgement(findings),
            strict,
            names: &names,
        })
    }

    #[test]
    fn paths_are_relative_with_forward_slashes() {
        let named = |path: &str| relative(Path::new(path), Path::new("/a/b"));
        assert_eq!(named("./x/./y.yaml"), "x/y.yaml");
        assert_eq!(named("/a/b/x.yaml"), "x.yaml");
        assert_eq!(named("/a/c/x.yaml"), "../c/x.yaml");
        assert_eq!(named("../x.yaml"), "../x.yaml");
    }

    #[test]
    fn findings_point_into_the_file_they_are_about() {
        let mut current = finding("MU001", "x");
        current.location.as_mut().unwrap().stream = Input::Current;
        let mut values = finding("MU001", "x");
        values.location.as_mut().unwrap().stream = Input::Values;
        values.file = Some("./v/values.yaml".into());
        let files = |view: &View| {
            let names: Vec<_> = view.judgement.findings.iter().map(|f| view.file(f)).collect();
            names.join(" ")
        };
        let all = vec![finding("MU002", "x"), current, values];
        assert_eq!(
            shown(all, false, files),
            "out/manifests.yaml current.yaml v/values.yaml"
        );
    }

    #[test]
    fn strict_makes_a_warning_count_and_says_so() {
        let verdict = |view: &View| format!("{} {}", view.passes(), view.verdict());
        let warned = || vec![finding("MU002", "x")];
        assert_eq!(shown(warned(), false, verdict), "true milvus-uplift: pass, 1 warning");
        assert_eq!(
            shown(warned(), true, verdict),
            "false milvus-uplift: refused by --strict, 1 warning"
        );
        let mut allowed = finding("MU301", "x");
        allowed.allowed = true;
        assert_eq!(shown(vec![allowed], true, verdict), "true milvus-uplift: pass");
    }
}

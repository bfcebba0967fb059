//! Milvus versions: what an image tag says of them, and when it does not say.
//!
//! Plain semantic versioning sorts Milvus' tags wrongly twice: `v2.5.16-gpu` is no pre-release of 2.5.16 but a build
//! of it, and `v2.4.13-hotfix` comes after 2.4.13. Tag shapes were collected from the published repositories, the
//! operator's tests and the upstream pipelines (`ci/jenkins/Publish*.groovy`).

use std::cmp::Ordering;
use std::fmt;

use super::image::ImageRef;

/// Where a version stands relative to its `x.y.z`. Compares the words and numbers of its text: `rc1` equals `rc.1`
/// and comes before `rc10`.
#[derive(Debug, Clone)]
pub enum Stage {
    /// Before the base: rc, beta, alpha, dev, pre-ga, testing. Carries the text after the base, lower-case, without
    /// build variants (`rc5-hotfix1`).
    Pre(String),
    /// The release itself.
    Base,
    /// After the base: `hotfix…`. Carries the text after the base, lower-case, without build variants.
    Post(String),
}

/// A Milvus version. Equality and order ignore [`Version::variant`] and [`Version::text`].
#[derive(Debug, Clone)]
pub struct Version {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
    /// The third number; 0 for a pre-release of two numbers (`v3.0-beta`).
    pub patch: u64,
    /// Before, at or after `major.minor.patch`.
    pub stage: Stage,
    /// The build variant, words in the order written (`arm64-debug`): the same code for another machine.
    pub variant: Option<String>,
    /// The text it was read from.
    pub text: String,
}

/// What a tag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A version that can be compared.
    Known(Version),
    /// No such version; somebody has to state it.
    Undecidable(Undecidable),
}

/// A tag (or digest) that names no comparable version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Undecidable {
    /// The tag, the digest, or the text given; empty when there is none.
    pub text: String,
    /// The release line (major, minor) where the tag names one. The patch stays unknown: it may be any, also one
    /// before the first release of that line.
    pub line: Option<(u64, u64)>,
    /// What kind of tag it is.
    pub why: Why,
}

/// Why a tag names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Neither tag nor digest.
    NoTag,
    /// A digest and no tag.
    DigestOnly,
    /// `latest`, or `<branch>-latest`: a moving tag.
    Latest,
    /// A build of some day: `2.6-20260723-d73c8e53`, `v2.1.0-20220928-9122e34c`, `master-20250613-1bf960b1`.
    DatedBuild,
    /// A branch or a moving tag of a line: `master`, `hotfix-2.6.10`, `v2.6`.
    Branch,
    /// Anything else, `v2.6.6-corp1` included.
    Custom,
}

impl Why {
    /// The reason as the end of a sentence whose subject is the tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Why::NoTag => "there is no tag",
            Why::DigestOnly => "a digest alone names no version",
            Why::Latest => "the tag moves from version to version",
            Why::DatedBuild => "a dated build has a release line but no patch version",
            Why::Branch => "the tag names a branch or a release line, not a version",
            Why::Custom => "the tag is not one that Milvus publishes",
        }
    }
}

impl fmt::Display for Undecidable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return f.write_str(self.why.as_str());
        }
        write!(f, "`{}`: {}", self.text, self.why.as_str())
    }
}

impl std::error::Error for Undecidable {}

impl Version {
    /// The release `major.minor.patch`.
    #[must_use]
    pub fn new(major: u64, minor: u64, patch: u64) -> Version {
        Version {
            major,
            minor,
            patch,
            stage: Stage::Base,
            variant: None,
            text: format!("{major}.{minor}.{patch}"),
        }
    }

    /// Reads a version as a person states one: `2.5.16`, `v2.5.16`, `2.6.0-rc1`, also with a build variant.
    ///
    /// # Errors
    /// When the text names no single version: the same shapes that [`read_tag`] finds undecidable.
    pub fn parse(text: &str) -> Result<Version, Undecidable> {
        match read_tag(text.trim()) {
            Read::Known(version) => Ok(version),
            Read::Undecidable(why) => Err(why),
        }
    }

    /// The release line (major, minor).
    #[must_use]
    pub fn line(&self) -> (u64, u64) {
        (self.major, self.minor)
    }

    /// Whether it comes before its base version (a release candidate and the like).
    #[must_use]
    pub fn is_pre(&self) -> bool {
        matches!(self.stage, Stage::Pre(_))
    }

    /// Its text with the build variant: `2.6.16-gpu`.
    #[must_use]
    pub fn with_variant(&self) -> String {
        let variant = self.variant.as_deref().map(|v| format!("-{v}")).unwrap_or_default();
        format!("{self}{variant}")
    }

    /// Whether it is of the same build variant, in whatever order its words stand.
    #[must_use]
    pub fn is_built_as(&self, other: &Version) -> bool {
        let words = |version: &Version| {
            let variant = version.variant.clone().unwrap_or_default();
            let mut words: Vec<String> = variant.split('-').map(str::to_owned).collect();
            words.sort();
            words
        };
        words(self) == words(other)
    }

    /// Whether it is at or after the release `major.minor.patch`; pre-releases of exactly that one are before it.
    #[must_use]
    pub fn at_least(&self, major: u64, minor: u64, patch: u64) -> bool {
        *self >= Version::new(major, minor, patch)
    }
}

impl fmt::Display for Version {
    /// The comparable part: `2.6.0-rc1`, without `v` and without the build variant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match &self.stage {
            Stage::Base => Ok(()),
            Stage::Pre(text) | Stage::Post(text) => write!(f, "-{text}"),
        }
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| self.stage.order(&other.stage))
    }
}

impl Stage {
    fn order(&self, other: &Stage) -> Ordering {
        let side = |s: &Stage| match s {
            Stage::Pre(_) => 0,
            Stage::Base => 1,
            Stage::Post(_) => 2,
        };
        side(self).cmp(&side(other)).then_with(|| match (self, other) {
            (Stage::Pre(a), Stage::Pre(b)) | (Stage::Post(a), Stage::Post(b)) => words(a).cmp(&words(b)),
            _ => Ordering::Equal,
        })
    }
}

/// A word of a stage's text. A number is its digits without leading zeros, by length and then by digits, so that none
/// is too long to compare.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Word<'a> {
    Number(usize, &'a str),
    /// The rank of a known kind of pre-release, then the word.
    Text(u8, &'a str),
}

/// Splits `rc5-hotfix1` into words and numbers; separators say nothing.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for part in text.split(['-', '.', '_', '+']) {
        let mut rest = part;
        while let Some(first) = rest.bytes().next() {
            let digit = first.is_ascii_digit();
            let end = rest
                .bytes()
                .position(|b| b.is_ascii_digit() != digit)
                .unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            words.push(if digit {
                let word = word.trim_start_matches('0');
                Word::Number(word.len(), word)
            } else {
                Word::Text(rank(word), word)
            });
            rest = tail;
        }
    }
    words
}

/// The order of the kinds of pre-release; Milvus' 2.0 went from rc8 to pre-ga to 2.0.0.
fn rank(word: &str) -> u8 {
    match word {
        "dev" => 0,
        "testing" => 1,
        "alpha" => 2,
        "beta" => 3,
        "rc" => 4,
        _ => 5,
    }
}

/// What an image says of its version. With tag and digest the tag is taken: the digest pins what the tag names.
#[must_use]
pub fn read_image(image: &ImageRef) -> Read {
    match (&image.tag, &image.digest) {
        (Some(tag), _) => read_tag(tag),
        (None, Some(digest)) => undecidable(digest, None, Why::DigestOnly),
        (None, None) => undecidable("", None, Why::NoTag),
    }
}

/// What a tag says of the version, whatever the repository.
///
/// Two numbers are a version only with a pre-release (`v3.0-beta` is one of 3.0.0); alone (`v2.6`) they are a moving
/// tag. Everything that is not published by Milvus in that shape is undecidable: `v2.6.6-corp1` may hold any code.
#[must_use]
pub fn read_tag(tag: &str) -> Read {
    // Most tags are three numbers and nothing else.
    if let Some(Numbers {
        major,
        minor,
        patch: Some(patch),
        more: false,
    }) = Numbers::read(tag)
    {
        return Read::Known(Version {
            major,
            minor,
            patch,
            stage: Stage::Base,
            variant: None,
            text: tag.to_owned(),
        });
    }
    let lower = tag.to_ascii_lowercase();
    if lower.is_empty() {
        return undecidable(tag, None, Why::NoTag);
    }
    // A branch's GPU build carries the word in front.
    let body = lower.strip_prefix("gpu-").unwrap_or(&lower);
    let parts: Vec<&str> = body.split('-').collect();
    let head = Numbers::read(parts[0]);
    let line = head.as_ref().map(|n| (n.major, n.minor));
    if parts.contains(&"latest") {
        return undecidable(tag, line, Why::Latest);
    }
    let dated = parts[1..].iter().any(|p| is_date(p));
    if dated {
        return undecidable(tag, line.or_else(|| line_within(&parts)), Why::DatedBuild);
    }
    let Some(numbers) = head else {
        let branch = matches!(
            parts[0],
            "master" | "main" | "hotfix" | "branch" | "release" | "pr" | "nightly" | "feature"
        );
        let why = if branch { Why::Branch } else { Why::Custom };
        return undecidable(tag, line_within(&parts), why);
    };
    if numbers.more {
        return undecidable(tag, line, Why::Custom);
    }
    if body.len() != lower.len() {
        return undecidable(tag, line, Why::Branch);
    }
    // What no registry takes as a tag is no version of Milvus (`2.6.6-hotfix -arm64`).
    let is_tag = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if !body.bytes().all(is_tag) {
        return undecidable(tag, line, Why::Custom);
    }
    let (variants, stage): (Vec<&str>, Vec<&str>) = parts[1..].iter().partition(|p| is_variant(p));
    let text = stage.join("-");
    let stage = match stage.first() {
        None => Stage::Base,
        Some(word) if is_pre(word, stage.get(1).copied()) => Stage::Pre(text),
        Some(word) if word.starts_with("hotfix") => Stage::Post(text),
        Some(_) => return undecidable(tag, line, Why::Custom),
    };
    let patch = match (numbers.patch, &stage) {
        (Some(patch), _) => patch,
        (None, Stage::Pre(_)) => 0,
        (None, _) => return undecidable(tag, line, Why::Branch),
    };
    Read::Known(Version {
        major: numbers.major,
        minor: numbers.minor,
        patch,
        stage,
        variant: (!variants.is_empty()).then(|| variants.join("-")),
        text: tag.to_owned(),
    })
}

fn undecidable(text: &str, line: Option<(u64, u64)>, why: Why) -> Read {
    Read::Undecidable(Undecidable {
        text: text.to_owned(),
        line,
        why,
    })
}

/// The numbers a tag begins with.
struct Numbers {
    major: u64,
    minor: u64,
    patch: Option<u64>,
    /// Something follows the numbers that no version has (`2.6.6.1`, `2.6.6+corp`).
    more: bool,
}

impl Numbers {
    /// Reads `2.6`, `v2.6.6`, `2.6.6+corp.1`; `None` when it does not begin with two numbers.
    fn read(part: &str) -> Option<Numbers> {
        let part = part.strip_prefix('v').unwrap_or(part);
        let (part, build) = match part.split_once('+') {
            Some((part, _)) => (part, true),
            None => (part, false),
        };
        let mut pieces = part.split('.');
        let (major, minor) = (number(pieces.next()?)?, number(pieces.next()?)?);
        let third = pieces.next();
        let patch = third.and_then(number);
        Some(Numbers {
            major,
            minor,
            patch,
            more: build || patch.is_some() != third.is_some() || pieces.next().is_some(),
        })
    }
}

/// A number of a version: digits without a leading zero, short enough to hold.
fn number(text: &str) -> Option<u64> {
    if !text.bytes().all(|b| b.is_ascii_digit()) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

/// The release line a branch name carries (`hotfix-2.6.10`), where exactly one does.
fn line_within(parts: &[&str]) -> Option<(u64, u64)> {
    let mut lines = parts
        .iter()
        .filter_map(|p| Numbers::read(p))
        .map(|n| (n.major, n.minor));
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

/// A build variant: the same code, built for another machine or with other checks.
fn is_variant(part: &str) -> bool {
    matches!(part, "gpu" | "cpu" | "amd64" | "arm64" | "arm" | "debug" | "asan")
}

/// A day as eight digits of this century.
fn is_date(part: &str) -> bool {
    part.len() == 8 && part.starts_with("20") && part.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a pre-release begins with this word: a known kind, alone or with a number (`rc1`, `rc.1`).
fn is_pre(word: &str, next: Option<&str>) -> bool {
    let end = word
        .bytes()
        .position(|b| !b.is_ascii_alphabetic())
        .unwrap_or(word.len());
    let (kind, number) = word.split_at(end);
    let number = number.strip_prefix('.').unwrap_or(number);
    if kind == "pre" {
        return number.is_empty() && next == Some("ga");
    }
    matches!(kind, "rc" | "beta" | "alpha" | "dev" | "testing")
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests;

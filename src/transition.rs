//! From what to what: the kind of an upgrade, by the versions and the topology on both sides.

use serde::Serialize;

use crate::facts;
use crate::milvus::release::{Mode, Release, Versions};
use crate::milvus::version::Version;

/// The kind of a transition (contract: the table of kinds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same immutable tag: an ordinary change.
    None,
    /// A new install.
    Fresh,
    /// Both below 2.5.16, or within 2.5 with nothing to consolidate.
    Older,
    /// To 2.5.16 … below 2.6, with separate coordinators.
    Consolidate,
    /// Below 2.6 to 2.6 or later.
    Streaming,
    /// 2.6 to 2.6, or within a later line.
    Within,
    /// 2.6 to 3.0.
    #[serde(rename = "to-3.0")]
    To30,
    /// To a lower version.
    Downgrade,
}

impl Kind {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::None => "none",
            Kind::Fresh => "fresh",
            Kind::Older => "older",
            Kind::Consolidate => "consolidate",
            Kind::Streaming => "streaming",
            Kind::Within => "within",
            Kind::To30 => "to-3.0",
            Kind::Downgrade => "downgrade",
        }
    }

    /// Whether it has stages, and the last of them.
    pub fn last_stage(self) -> Option<u8> {
        matches!(self, Kind::Streaming | Kind::Within | Kind::To30).then_some(5)
    }
}

/// What is known of the release that is deployed.
#[derive(Clone, Debug)]
pub enum From {
    /// Nobody said.
    Unsaid,
    /// Nothing is deployed.
    Nothing,
    /// A release with these versions.
    Release {
        /// The versions its images say, assumptions applied.
        versions: Versions,
        /// The highest version seen anywhere: failed and rolled-back revisions included.
        highest: Option<Version>,
        /// Whether it runs separate coordinators.
        separate_coordinators: bool,
        /// Its images, to tell the same immutable tag.
        images: Vec<String>,
    },
}

/// One release's way from its current to its target state.
#[derive(Clone, Debug)]
pub struct Transition {
    /// Its kind; `None` where the versions do not tell.
    pub kind: Option<Kind>,
    /// What is deployed.
    pub from: From,
    /// What the target's images say, assumptions applied.
    pub to: Versions,
}

impl Transition {
    /// Tells the kind. `separate` says whether the target stream holds separate coordinators.
    pub fn new(from: From, to: Versions, target: &Release, target_images: &[String]) -> Transition {
        let separate = target.legacy_coordinators().next().is_some() && target.mode() == Mode::Cluster;
        let kind = kind(&from, &to, separate, target_images);
        Transition { kind, from, to }
    }

    /// The target version: the highest where they are mixed.
    pub fn target(&self) -> Option<&Version> {
        self.to.highest()
    }

    /// The target's release line, also of a tag that names no patch.
    pub fn target_line(&self) -> Option<(u64, u64)> {
        self.to.line()
    }

    /// The lowest version deployed, which the floors count.
    pub fn source(&self) -> Option<&Version> {
        match &self.from {
            From::Release { versions, .. } => versions.lowest(),
            _ => None,
        }
    }

    /// The highest version seen, which the downgrade rules count.
    pub fn highest(&self) -> Option<&Version> {
        match &self.from {
            From::Release { highest, versions, .. } => highest.as_ref().max(versions.highest()),
            _ => None,
        }
    }

    /// The source's release line.
    pub fn source_line(&self) -> Option<(u64, u64)> {
        match &self.from {
            From::Release { versions, .. } => versions.lowest().map(Version::line).or_else(|| versions.line()),
            _ => None,
        }
    }

    /// Whether the target is 2.6 or later, as far as its images tell.
    pub fn to_26(&self) -> bool {
        self.target_line().is_some_and(|line| line >= facts::streaming_line())
    }

    /// Whether this crosses from below 2.6 to 2.6 or later.
    pub fn crosses_26(&self) -> bool {
        self.to_26() && self.source_line().is_some_and(|line| line < facts::streaming_line())
    }

    /// Whether this is an ordinary change of one version (rules MU101 to MU104 and MU107 do not apply).
    pub fn is_ordinary(&self) -> bool {
        self.kind == Some(Kind::None)
    }
}

fn kind(from: &From, to: &Versions, separate: bool, target_images: &[String]) -> Option<Kind> {
    let (versions, highest, separate_before, images) = match from {
        From::Unsaid => return None,
        From::Nothing => return Some(Kind::Fresh),
        From::Release {
            versions,
            highest,
            separate_coordinators,
            images,
        } => (versions, highest, *separate_coordinators, images),
    };
    let marks = &facts::versions().marks;
    let source_line = versions.lowest().map(Version::line).or_else(|| versions.line());
    let crossed = source_line.zip(to.line()).and_then(|(source, target)| {
        let kinds = [(&marks.streaming, Kind::Streaming), (&marks.third, Kind::To30)];
        let crosses = |mark: &facts::Mark| source < mark.version.line() && target >= mark.version.line();
        kinds.into_iter().find(|(mark, _)| crosses(mark)).map(|(_, kind)| kind)
    });
    let seen = highest.as_ref().max(versions.highest());
    // Before the same tag: what was tried in between has left its marks. What is deployed and has still to cross to the
    // target's line needs its stages, whatever was tried.
    if let (Some(target), Some(seen), None) = (to.highest(), seen, crossed)
        && to.undecidable.is_empty()
        && target < seen
    {
        return Some(Kind::Downgrade);
    }
    if same_tag(images, target_images) && is_one_version(versions, to, images) {
        return Some(Kind::None);
    }
    let (source_line, target_line) = (source_line?, to.line()?);
    if target_line < source_line {
        return Some(Kind::Downgrade);
    }
    Some(match crossed {
        Some(kind) => kind,
        None if source_line >= marks.streaming.version.line() => Kind::Within,
        _ if (separate || separate_before) && to.highest().is_some_and(|v| *v >= marks.consolidate.version) => {
            Kind::Consolidate
        }
        _ => Kind::Older,
    })
}

/// Whether one tag means one version on both sides: a tag that moves (`latest`) is what was stated of it on each.
fn is_one_version(from: &Versions, to: &Versions, images: &[String]) -> bool {
    match (from.decided(), to.decided()) {
        (true, true) => from.known == to.known,
        _ => images.iter().all(|i| i.contains("@sha256:")),
    }
}

fn same_tag(a: &[String], b: &[String]) -> bool {
    let tags = |images: &[String]| {
        let mut tags: Vec<String> = images
            .iter()
            .map(|i| i.rsplit('/').next().unwrap_or(i).to_owned())
            .collect();
        tags.sort();
        tags.dedup();
        tags
    };
    !a.is_empty() && tags(a) == tags(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milvus::version::{Read, read_tag};

    fn versions(tags: &[&str]) -> Versions {
        let mut v = Versions::default();
        for tag in tags {
            match read_tag(tag) {
                Read::Known(version) => v.known.push(version),
                Read::Undecidable(u) => v.undecidable.push(u),
            }
        }
        v.known.sort();
        v
    }

    fn of(from: &str, to: &str, separate: bool) -> Option<Kind> {
        let image = |tag: &str| vec![format!("milvusdb/milvus:{tag}")];
        let release = From::Release {
            versions: versions(&[from]),
            highest: None,
            separate_coordinators: false,
            images: image(from),
        };
        kind(&release, &versions(&[to]), separate, &image(to))
    }

    #[test]
    fn the_table_of_kinds() {
        for (from, to, separate, want) in [
            ("v2.5.16", "v2.5.16", true, Some(Kind::None)),
            ("v2.4.5", "v2.5.10", true, Some(Kind::Older)),
            ("v2.5.16", "v2.5.22", false, Some(Kind::Older)),
            ("v2.5.10", "v2.5.16", true, Some(Kind::Consolidate)),
            ("v2.4.5", "v2.5.22", true, Some(Kind::Consolidate)),
            ("v2.5.16", "v2.6.6", true, Some(Kind::Streaming)),
            ("v2.5.16", "v3.0.0", false, Some(Kind::Streaming)),
            ("v2.6.4", "v2.6.15", true, Some(Kind::Within)),
            ("v2.6.0-rc1", "v2.6.6", false, Some(Kind::Within)),
            ("v2.6.20", "v3.0.0", false, Some(Kind::To30)),
            ("v3.0.0", "v3.0.1", false, Some(Kind::Within)),
            ("v2.6.6", "v2.5.22", true, Some(Kind::Downgrade)),
            ("v2.6.8", "v2.6.6", false, Some(Kind::Downgrade)),
            ("v3.0.0", "v2.6.20", false, Some(Kind::Downgrade)),
            ("v2.5.16", "2.6-20250801-d73c8e53", true, Some(Kind::Streaming)),
            ("v2.5.16", "latest", true, None),
            ("latest", "latest", true, None),
        ] {
            assert_eq!(of(from, to, separate), want, "{from} -> {to}");
        }
    }

    #[test]
    fn a_tag_that_moves_is_what_was_stated_of_it() {
        let one = |text: &str| versions(&[text]);
        let between = |from: &Versions, to: &Versions, image: &str| {
            let release = From::Release {
                versions: from.clone(),
                highest: None,
                separate_coordinators: false,
                images: vec![image.to_owned()],
            };
            kind(&release, to, false, &[image.to_owned()])
        };
        let (old, new, moving) = (one("v2.5.22"), one("v2.6.16"), one("latest"));
        let digest = format!("milvus@sha256:{}", "0".repeat(64));
        for image in ["milvusdb/milvus:latest", "registry/milvus:company-7", &digest] {
            assert_eq!(between(&old, &new, image), Some(Kind::Streaming), "{image}");
            assert_eq!(between(&new, &old, image), Some(Kind::Downgrade), "{image}");
            assert_eq!(between(&new, &new, image), Some(Kind::None), "{image}");
        }
        assert_eq!(between(&moving, &moving, &digest), Some(Kind::None));
        assert_eq!(between(&moving, &new, "milvusdb/milvus:latest"), None);
        assert_eq!(between(&old, &moving, "milvusdb/milvus:latest"), None);
    }

    #[test]
    fn what_has_still_to_cross_has_its_stages_whatever_was_tried() {
        let between = |from: &[&str], highest: &str, to: &str| {
            let release = From::Release {
                versions: versions(from),
                highest: versions(&[highest]).highest().cloned(),
                separate_coordinators: false,
                images: from.iter().map(|tag| format!("milvus:{tag}")).collect(),
            };
            kind(&release, &versions(&[to]), false, &[format!("milvus:{to}")])
        };
        assert_eq!(between(&["v2.5.22"], "v2.6.16", "v2.6.15"), Some(Kind::Streaming));
        assert_eq!(
            between(&["v2.5.22", "v2.6.16"], "v2.6.16", "v2.6.15"),
            Some(Kind::Streaming)
        );
        assert_eq!(between(&["v2.6.20"], "v3.0.1", "v3.0.0"), Some(Kind::To30));
        assert_eq!(between(&["v2.6.14"], "v2.6.20", "v2.6.16"), Some(Kind::Downgrade));
        assert_eq!(between(&["v2.5.16"], "v2.6.16", "v2.5.22"), Some(Kind::Downgrade));
        assert_eq!(
            between(&["v2.5.22", "v2.6.16"], "v2.6.16", "v2.5.22"),
            Some(Kind::Downgrade)
        );
    }

    #[test]
    fn a_failed_attempt_at_2_6_makes_the_retry_at_2_5_a_downgrade() {
        let image = vec!["milvusdb/milvus:v2.5.22".to_owned()];
        let from = From::Release {
            versions: versions(&["v2.5.16"]),
            highest: Some(Version::new(2, 6, 6)),
            separate_coordinators: false,
            images: vec!["milvusdb/milvus:v2.5.16".into()],
        };
        assert_eq!(
            kind(&from, &versions(&["v2.5.22"]), false, &image),
            Some(Kind::Downgrade)
        );
        assert_eq!(
            kind(&from, &versions(&["v2.6.6"]), false, &image),
            Some(Kind::Streaming)
        );
        let same = vec!["milvusdb/milvus:v2.5.16".to_owned()];
        assert_eq!(
            kind(&from, &versions(&["v2.5.16"]), false, &same),
            Some(Kind::Downgrade),
            "the tag that is deployed, after an attempt at 2.6"
        );
    }

    #[test]
    fn a_moved_registry_is_the_same_tag() {
        assert!(same_tag(&["a/milvus:v1".into()], &["b:5000/mirror/milvus:v1".into()]));
        assert!(!same_tag(
            &["a/milvus:v1".into(), "a/milvus:v2".into()],
            &["a/milvus:v2".into()]
        ));
    }
}

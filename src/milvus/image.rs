//! Image references: where a registry's port ends and the tag begins, and whether an image is Milvus.

use std::fmt;

/// A container image reference, split. `registry:5000/x/milvus:v2.6.6@sha256:…` has all three parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Registry (with its port) and path, without tag and digest.
    pub repository: String,
    /// The tag; `None` when there is none (or an empty one).
    pub tag: Option<String>,
    /// The digest with its algorithm, `sha256:…`.
    pub digest: Option<String>,
}

impl ImageRef {
    /// Splits a reference. Never fails: what is not a valid reference becomes a repository that is not Milvus.
    #[must_use]
    pub fn parse(text: &str) -> ImageRef {
        let text = text.trim();
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let last = name.rfind('/').unwrap_or(0);
        let (repository, tag) = match name[last..].find(':') {
            Some(i) => (&name[..last + i], Some(&name[last + i + 1..])),
            None => (name, None),
        };
        let some = |s: Option<&str>| s.filter(|s| !s.is_empty()).map(str::to_owned);
        ImageRef {
            repository: repository.to_owned(),
            tag: some(tag),
            digest: some(digest),
        }
    }

    /// Whether the repository is one of Milvus itself, see [`is_milvus_repository`].
    #[must_use]
    pub fn is_milvus(&self) -> bool {
        is_milvus_repository(&self.repository)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether a repository holds the Milvus server: its last path segment is `milvus`, or `milvus` with words that name
/// a build (`milvus-dev`, `milvus-gpu`, `milvus_arm64`), also behind an organisation's prefix (`corp-milvus`).
/// Companions (`milvus-operator`, `milvus-config-tool`, `attu`, `birdwatcher`, …) are not. A hint only: what a
/// container runs is told by its command line.
#[must_use]
pub fn is_milvus_repository(repository: &str) -> bool {
    const BUILDS: &[&str] = &[
        "dev",
        "gpu",
        "cpu",
        "amd64",
        "arm64",
        "arm",
        "debug",
        "asan",
        "release",
        "standalone",
        "cluster",
        "server",
        "enterprise",
        "ee",
        "nightly",
        "private",
        "custom",
        "db",
        "image",
        "base",
        "fips",
        "hardened",
        "mirror",
        "prod",
        "staging",
        "test",
    ];
    let segment = repository.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let mut words = segment.split(['-', '_', '.']);
    let found = words.any(|w| w == "milvus" || w == "milvusdb");
    found && words.all(|w| BUILDS.contains(&w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_references() {
        let digest = "sha256:0123456789abcdef";
        for (text, repository, tag, sum) in [
            ("milvusdb/milvus:v2.6.6", "milvusdb/milvus", Some("v2.6.6"), None),
            (
                "registry:5000/x/milvus:v2.6.6",
                "registry:5000/x/milvus",
                Some("v2.6.6"),
                None,
            ),
            ("registry:5000/x/milvus", "registry:5000/x/milvus", None, None),
            ("milvus", "milvus", None, None),
            ("milvus:", "milvus", None, None),
            (
                "milvusdb/milvus@sha256:0123456789abcdef",
                "milvusdb/milvus",
                None,
                Some(digest),
            ),
            (
                "r:1/milvus:v2.5.16@sha256:0123456789abcdef",
                "r:1/milvus",
                Some("v2.5.16"),
                Some(digest),
            ),
            (" milvusdb/milvus:v2 ", "milvusdb/milvus", Some("v2"), None),
            ("", "", None, None),
        ] {
            let image = ImageRef::parse(text);
            assert_eq!(image.repository, repository, "{text}");
            assert_eq!(image.tag.as_deref(), tag, "{text}");
            assert_eq!(image.digest.as_deref(), sum, "{text}");
        }
        let text = "r:1/milvus:v2.5.16@sha256:0123456789abcdef";
        assert_eq!(ImageRef::parse(text).to_string(), text);
    }

    #[test]
    fn knows_milvus_from_its_companions() {
        for yes in [
            "milvusdb/milvus",
            "milvusdb/milvus-dev",
            "milvusdb/milvus-gpu",
            "r:5000/milvus",
            "harbor.example/milvus/milvus",
            "corp/corp-milvus",
            "x/milvus_arm64",
            "x/MILVUS",
        ] {
            assert!(is_milvus_repository(yes), "{yes}");
        }
        for no in [
            "milvusdb/milvus-operator",
            "zilliz/attu",
            "milvusdb/milvus-config-tool",
            "milvusdb/birdwatcher",
            "milvusdb/meta-migration",
            "milvusdb/heaptrack",
            "milvusdb/etcd",
            "milvus/attu",
            "milvus-backup",
            "milvus-cdc",
            "x/milvus-exporter",
            "",
            "minio/minio",
        ] {
            assert!(!is_milvus_repository(no), "{no}");
        }
    }
}

//! The release: packages, notes, pins, plugin and image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;

use crate::{executable, root, said, text};

/// Packs a release of two platforms, its program a script that says its version.
pub fn release(temp: &Path) -> PathBuf {
    let program = format!("#!/bin/sh\necho milvus-uplift {}\n", env!("CARGO_PKG_VERSION"));
    executable(&temp.join("binaries/linux-amd64/milvus-uplift"), &program);
    executable(&temp.join("binaries/windows-amd64/milvus-uplift.exe"), &program);
    let dist = temp.join("dist");
    let out = Command::new(root().join("scripts/package-release"))
        .arg("--binaries")
        .arg(temp.join("binaries"))
        .arg("--out")
        .arg(&dist)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", said(&out));
    dist
}

#[test]
#[cfg(target_os = "linux")]
fn the_release_is_packed_the_same_each_time() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dist, again) = (release(one.path()), release(two.path()));
    let version = env!("CARGO_PKG_VERSION");
    let sums = format!("milvus-uplift-{version}-checksums.txt");
    assert_eq!(
        fs::read(dist.join(&sums)).unwrap(),
        fs::read(again.join(&sums)).unwrap()
    );
    let check = Command::new("sha256sum")
        .args(["--check", "--strict", &sums])
        .current_dir(&dist)
        .output();
    let check = said(&check.unwrap());
    for (platform, program) in [("linux-amd64", "milvus-uplift"), ("windows-amd64", "milvus-uplift.exe")] {
        let name = format!("milvus-uplift-{version}-{platform}");
        let plugin = format!("milvus-uplift-{version}-{platform}-helm-plugin.tgz");
        assert!(
            check.contains(&format!("{name}.tar.gz: OK")) && check.contains(&format!("{plugin}: OK")),
            "{check}"
        );
        let list = Command::new("tar")
            .arg("-tzf")
            .arg(dist.join(&plugin))
            .output()
            .unwrap();
        let wanted =
            format!("milvus-uplift/\nmilvus-uplift/bin/\nmilvus-uplift/bin/{program}\nmilvus-uplift/plugin.yaml\n");
        assert_eq!(said(&list), wanted);
        let list = Command::new("tar")
            .arg("-tzf")
            .arg(dist.join(format!("{name}.tar.gz")))
            .output()
            .unwrap();
        for file in [program, "LICENSE", "README.md", "CHANGELOG.md"] {
            assert!(said(&list).contains(&format!("{name}/{file}\n")), "{}", said(&list));
        }
    }
}

#[test]
fn the_notes_are_what_the_changelog_says_of_that_version() {
    let changelog = tempfile::NamedTempFile::new().unwrap();
    let text = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-02\n\n### Added\n\n- Two.\n\n## [1.2.0-rc.1]\n\n- One.\n\n\
                [1.2.0]: https://example.org\n";
    fs::write(changelog.path(), text).unwrap();
    let notes = |version: &str| {
        let script = root().join("scripts/release-notes");
        let out = Command::new(script)
            .arg(version)
            .arg(changelog.path())
            .output()
            .unwrap();
        (out.status.success(), said(&out))
    };
    assert_eq!(notes("1.2.0"), (true, "### Added\n\n- Two.\n".into()));
    assert_eq!(notes("v1.2.0-rc.1"), (true, "- One.\n".into()));
    for (version, why) in [
        ("1.2", "says nothing"),
        ("Unreleased", "says nothing"),
        ("9.0.0", "says nothing"),
    ] {
        let (passed, said) = notes(version);
        assert!(!passed && said.contains(why), "{version}: {said}");
    }
}

#[test]
fn versions_agree_and_actions_are_pinned() {
    let action: Value = serde_yaml::from_str(&text("action.yml")).unwrap();
    assert_eq!(
        action["inputs"]["version"]["default"].as_str(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    let mut pins = 0;
    for file in [
        "action.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/release.yml",
    ] {
        for line in text(file)
            .lines()
            .filter_map(|l| l.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        {
            if line == "./" {
                continue;
            }
            let (sha, comment) = line
                .split_once('@')
                .and_then(|(_, r)| r.split_once(' '))
                .unwrap_or((line, ""));
            let is_sha = sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_sha && comment.starts_with("# v"), "{file}: {line}");
            pins += 1;
        }
    }
    assert!(pins >= 5);
}

#[test]
fn the_plugin_and_the_image_say_what_helm_and_kubernetes_need() {
    let plugin: Value = serde_yaml::from_str(&text("plugin/plugin.yaml")).unwrap();
    let commands = plugin["runtimeConfig"]["platformCommand"].as_sequence().unwrap();
    let on = |os: Option<&str>| {
        let found = commands.iter().find(|c| c["os"].as_str() == os);
        found.and_then(|c| c["command"].as_str()).unwrap_or_default()
    };
    assert_eq!(on(None), "${HELM_PLUGIN_DIR}/bin/milvus-uplift");
    assert_eq!(on(Some("windows")), "${HELM_PLUGIN_DIR}\\bin\\milvus-uplift.exe");
    let image = text("Dockerfile");
    let line = |start: &str| image.lines().rfind(|l| l.starts_with(start)).unwrap_or_default();
    assert_eq!(line("FROM "), "FROM scratch");
    let user = line("USER ").trim_start_matches("USER ").split(':').next().unwrap();
    assert!(
        user.parse::<u32>().is_ok_and(|id| id > 0),
        "runAsNonRoot needs a number: {user}"
    );
}

/// The sidecar's image is built from the whole repository (`COPY . .`), the release's from its licence.
#[test]
fn what_an_image_copies_is_not_ignored() {
    let ignored = text(".dockerignore");
    let ignored: Vec<&str> = ignored.lines().filter(|line| !line.is_empty()).collect();
    assert!(ignored.contains(&"target"), "{ignored:?}");
    for line in &ignored {
        let own = [".git", "target"].contains(line);
        assert!(own, "{line}: is it in no `COPY`?");
    }
    for image in ["Dockerfile", "plugin/argocd/Dockerfile"] {
        let text = text(image);
        let from_here = text
            .lines()
            .filter(|l| l.starts_with("COPY ") && !l.contains("--from="));
        for line in from_here {
            let words: Vec<&str> = line
                .split_whitespace()
                .skip(1)
                .filter(|w| !w.starts_with("--"))
                .collect();
            let (_, sources) = words.split_last().unwrap();
            for source in sources {
                assert!(root().join(source).exists(), "{image}: {line}");
            }
        }
    }
}

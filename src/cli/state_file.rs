//! State files on disk.

use std::path::Path;

use anyhow::Context as _;

/// The state file that stands at a path; `None` where nothing does.
pub fn existing(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes a file beside its place and moves it there: what was remembered is never half written.
pub fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    if path.exists() && !path.is_file() {
        return std::fs::write(path, text).with_context(|| format!("--write-state {}", path.display()));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let done = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    done.with_context(|| format!("--write-state {}", path.display()))
}

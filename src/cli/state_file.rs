//! State files on disk.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;

/// The state file that stands at a path; `None` where nothing does, or where what stands there is no file (`/dev/stdout`).
pub fn existing(path: &Path) -> anyhow::Result<Option<String>> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(None);
    }
    match std::fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e).with_context(|| format!("--write-state {}: cannot read what is there", path.display())),
    }
}

//! The files the program writes: all of one, or what stood there before; never half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::anyhow;

use crate::plan::shell::quote;

/// How many symbolic links lead to one file at most, as in Linux.
const LINKS: usize = 40;

/// Writes a file that `option` named. A regular file is replaced as a whole by one that was written beside it; what is a
/// pipe, a device or a descriptor is written to.
///
/// # Errors
/// Where it could not be written: with the path, why, and what mends it. What stood there before then still does, except
/// where nothing can be put beside it: such a file is left empty.
pub fn write(option: &str, path: &Path, text: &str) -> anyhow::Result<()> {
    put(path, text.as_bytes()).map_err(|e| anyhow!("{option} {}: {}", path.display(), explained(option, path, &e)))
}

/// Makes a directory that `option` named, with those above it.
///
/// # Errors
/// Where it could not be made: with the path, why, and what mends it.
pub fn make_folder(option: &str, path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).map_err(|e| anyhow!("{option} {}: {}", path.display(), explained(option, path, &e)))
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match destination(path) {
        Destination::File(file) => replace(&file, bytes),
        Destination::Stdout => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        Destination::Stderr => io::stderr().write_all(bytes),
        // Opened anew it has an offset of its own: in front of what is there, it would write over it.
        Destination::Descriptor => OpenOptions::new().append(true).open(path)?.write_all(bytes),
        Destination::Other => in_place(path, bytes),
    }
}

/// What a path leads to.
enum Destination {
    /// A regular file, or nothing yet: here, behind all symbolic links.
    File(PathBuf),
    Stdout,
    Stderr,
    /// Another open file of this process.
    Descriptor,
    /// A pipe or a device; a file that has several names; what cannot be looked at.
    Other,
}

fn destination(path: &Path) -> Destination {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        match at.to_str() {
            Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => return Destination::Stdout,
            Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => return Destination::Stderr,
            _ if at.starts_with("/dev/fd") || at.starts_with("/proc") => return Destination::Descriptor,
            _ => {}
        }
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => match fs::read_link(&at) {
                Ok(to) => at = folder(&at).join(to),
                Err(_) => return Destination::Other,
            },
            Ok(found) if found.is_file() && names(&found) == 1 => return Destination::File(at),
            Err(e) if e.kind() == ErrorKind::NotFound => return Destination::File(at),
            _ => return Destination::Other,
        }
    }
    Destination::Other
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn names(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(found)
}

#[cfg(not(unix))]
fn names(_: &fs::Metadata) -> u64 {
    1
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let before = match OpenOptions::new().write(true).open(path) {
        Ok(file) => Some(file.metadata()?),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        // What may not be written to is not replaced either.
        Err(e) => return Err(e),
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!(".milvus-uplift-{}-{}", std::process::id(), since.as_nanos());
    let beside = folder(path).join(name);
    let file = match OpenOptions::new().write(true).create_new(true).open(&beside) {
        Ok(file) => file,
        Err(e) if before.is_some() && is_denied(&e) => return in_place(path, bytes),
        Err(e) => return Err(e),
    };
    let written = fill(&file, bytes);
    drop(file);
    let alike = written.is_ok() && before.as_ref().is_none_or(|before| make_alike(&beside, before).is_ok());
    let done = match (written, alike) {
        (Ok(()), true) if fs::rename(&beside, path).is_ok() => return Ok(()),
        (Err(e), _) => Err(e),
        // A mount of this one file, another owner in a directory that keeps the files apart.
        _ => in_place(path, bytes),
    };
    let _ = fs::remove_file(&beside);
    done
}

fn is_denied(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// All of it, on the disk: some file systems say only then that it is full.
fn fill(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    match file.sync_data() {
        Err(e) if !matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(e),
        _ => Ok(()),
    }
}

/// Gives a new file the mode and the owner of the one it is to replace.
fn make_alike(path: &Path, before: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let now = fs::metadata(path)?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            std::os::unix::fs::chown(path, Some(before.uid()), Some(before.gid()))?;
        }
    }
    fs::set_permissions(path, before.permissions())
}

fn in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    let done = file.write_all(bytes);
    if done.is_err() && file.metadata().is_ok_and(|m| m.is_file()) {
        let _ = file.set_len(0);
    }
    done
}

/// Why a path could not be written, and what mends it.
fn explained(option: &str, path: &Path, e: &io::Error) -> String {
    let place = match destination(path) {
        Destination::File(file) => folder(&file).to_owned(),
        _ => folder(path).to_owned(),
    };
    let elsewhere = || {
        let name = path.file_name().unwrap_or_default();
        format!(
            "{option} {}",
            quote(&std::env::temp_dir().join(name).display().to_string())
        )
    };
    match e.kind() {
        ErrorKind::NotFound => format!(
            "there is no directory {0} ({e}); make it: mkdir -p {1}",
            place.display(),
            quote(&place.display().to_string())
        ),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            let file = path.ancestors().find(|above| above.is_file()).unwrap_or(path);
            format!("{} is no directory ({e}); name a file elsewhere", file.display())
        }
        ErrorKind::IsADirectory => format!("it is a directory ({e}); name a file in it"),
        ErrorKind::PermissionDenied => format!(
            "{} may not write in {} ({e}); let it, or name a file where it may, such as {}",
            user(),
            place.display(),
            elsewhere()
        ),
        ErrorKind::ReadOnlyFilesystem => format!(
            "the file system of {} is read-only ({e}); name a file on another, such as {}",
            place.display(),
            elsewhere()
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => format!(
            "not all of it fits in {} ({e}), so none of it was kept; free some space there, or name a file elsewhere",
            place.display()
        ),
        _ => e.to_string(),
    }
}

/// Who runs this, in words.
fn user() -> String {
    #[cfg(unix)]
    return format!("user {}", rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    "this user".to_owned()
}

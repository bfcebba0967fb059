//! No file that is read is written over.

use std::fs;
use std::path::Path;

use super::Usage;
use super::args::Context;

/// A file with the option that names it.
pub type Named<'a> = (&'a str, &'a Path);

/// Turns a command line away that would write over a file it reads. `written` and `read` come on top of what every command
/// writes and reads.
pub fn none(context: &Context, written: &[Named], read: &[Named]) -> Result<(), Usage> {
    let current = context
        .current
        .as_deref()
        .map(|source| ("--current", Path::new(source)));
    let values = context.values.iter().map(|path| ("--values", path.as_path()));
    let patches = context.patch.iter().map(|path| ("--patch", path.as_path()));
    let inputs: Vec<Named> = read
        .iter()
        .copied()
        .chain(current)
        .chain(values)
        .chain(patches)
        .collect();
    let report = context.report.as_deref().map(|path| ("--report", path));
    for (output, to) in written.iter().copied().chain(report) {
        if let Some((input, from)) = inputs.iter().find(|(_, from)| is_one(to, from)) {
            return Err(Usage(format!(
                "{output} {} would write over what {input} reads, {}: name another file for {output}",
                to.display(),
                from.display()
            )));
        }
    }
    Ok(())
}

/// Whether two paths lead to one regular file. What is written to `-` or `/dev/stdout` overwrites nothing.
fn is_one(one: &Path, other: &Path) -> bool {
    let (Ok(a), Ok(b)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    if !a.is_file() || !b.is_file() || one == Path::new("-") || other == Path::new("-") {
        return false;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    }
    #[cfg(not(unix))]
    {
        let path = |path: &Path| fs::canonicalize(path).ok();
        path(one).is_some_and(|one| Some(one) == path(other))
    }
}

//! `inspect`: what a state holds, for people and as a state file.

use std::path::Path;

use anyhow::anyhow;

use super::args::{Context, Format};
use super::state_file::existing;
use super::{EXIT_OK, EXIT_REFUSED, Io, current, out_file, put, read_file, read_stdin};
use crate::judge::Current;
use crate::options::Options;
use crate::report::text;
use crate::rules::mu007_role_undecidable;
use crate::state::{self, file, view};
use crate::stream::Bytes;
use crate::yaml;

pub fn run(
    context: &Context,
    options: &Options,
    format: Format,
    from: Option<&Path>,
    write_state: Option<&Path>,
    io: &mut Io,
) -> anyhow::Result<u8> {
    let given = match (from, context.current.as_deref()) {
        (Some(path), _) if path != Path::new("-") => Current::Manifests(Bytes::from(read_file(path)?).or_json()),
        (None, Some(source)) if source != "none" => current(context)?,
        _ => Current::Manifests(Bytes::from(read_stdin(io)?).or_json()),
    };
    let mut source = match state::read(&given, None) {
        Ok(Some(source)) => source,
        Ok(None) => unreachable!("something was given"),
        Err(findings) => return refuse(&findings, io),
    };
    source.place(context.namespace.as_deref().unwrap_or_default());
    let old = match write_state {
        Some(path) => existing(path)?,
        None => None,
    };
    if let (Some(old), Some(path)) = (old, write_state) {
        state::file::remember(&mut source, &old).map_err(|why| anyhow!("--write-state {}: {why}", path.display()))?;
    }
    let found = source.inventory();
    let releases = view::releases(&source, options.assume.current_version.as_ref());
    let strays = mu007_role_undecidable::check(&source.stream, &found);
    let wants_state = write_state.is_some() || format != Format::Text;
    if releases.is_empty() && strays.is_empty() && wants_state {
        let _ = io
            .stderr
            .write_all(b"milvus-uplift: nothing in it runs Milvus, so there is no state to write\n");
        return Ok(EXIT_REFUSED);
    }
    let state = wants_state.then(|| file::write(&source, &releases));
    if let (Some(path), Some(state)) = (write_state, &state) {
        out_file::write("--write-state", path, &yaml::emit(state))?;
    }
    let said = match (format, &state) {
        (Format::Yaml, Some(state)) => yaml::emit(state),
        (Format::Json, Some(state)) => format!("{}\n", serde_json::to_string_pretty(state)?),
        _ => text::visible(view::text(&source, &releases)),
    };
    put(io.stdout, said.as_bytes())?;
    match strays.is_empty() {
        true => Ok(EXIT_OK),
        false => refuse(&strays, io),
    }
}

fn refuse(findings: &[crate::finding::Finding], io: &mut Io) -> anyhow::Result<u8> {
    let mut said = String::new();
    for finding in findings {
        text::one(&mut said, finding);
    }
    let _ = io.stderr.write_all(said.as_bytes());
    Ok(EXIT_REFUSED)
}

//! `verify`: whether a stage, or the upgrade, is complete in the cluster.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::args::{Context, Format, VerifyArgs};
use super::{EXIT_OK, EXIT_REFUSED, Io, Usage, current, out_file, put, read_file, read_stdin, state_file};
use crate::judge::Current;
use crate::milvus::version::Version;
use crate::options::Options;
use crate::state::helm::Unavailable;
use crate::state::kubectl::{Asking, Place};
use crate::state::{self, file, view};
use crate::verify::{Missing, Outcome, Request, say, verify};
use crate::yaml;

/// Reads the version of `--to`.
pub fn version(to: Option<&str>) -> Result<Option<Version>, Usage> {
    let parsed = to.map(|text| {
        Version::parse(text).map_err(|why| Usage(format!("--to takes a full version such as 2.6.16; {why}")))
    });
    parsed.transpose()
}

pub fn run(
    context: &Context,
    options: Options,
    args: &VerifyArgs,
    to: Option<Version>,
    format: Format,
    io: &mut Io,
) -> anyhow::Result<u8> {
    let said = |option: &Option<String>| option.clone().filter(|s| !s.is_empty());
    let current = current(context)?;
    let mut place = Place {
        namespace: said(&context.namespace).unwrap_or_default(),
        context: said(&context.kube_context),
    };
    let file = args.file.as_deref();
    let names = match file {
        None => releases(&current, &mut place),
        Some(_) => vec![],
    };
    let applied = match &args.applied {
        Some(path) => Some(read_file(path).with_context(|| "--applied".to_owned())?),
        None => None,
    };
    let mut request = Request {
        live: vec![],
        from_file: file.is_some_and(|f| f != Path::new("-")),
        current,
        options,
        to,
        applied,
        place,
        revisions: vec![],
    };
    let asked = match file {
        Some(path) if path == Path::new("-") => {
            request.live = read_stdin(io)?;
            Ok(())
        }
        Some(path) => {
            request.live = read_file(path)?;
            Ok(())
        }
        None => ask(&mut request, &names, Duration::from_secs(context.helm_timeout)),
    };
    let outcome = match asked {
        Ok(()) => verify(&request),
        Err(why) => unavailable(&why),
    };
    if let Some(path) = &context.report {
        let text = format!("{}\n", serde_json::to_string_pretty(&say::json(&outcome))?);
        out_file::write("--report", path, &text)?;
    }
    let complete = outcome.complete();
    let text = match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&say::json(&outcome))?),
        _ => say::text(&outcome),
    };
    if let Some(path) = args.write_state.as_deref().filter(|_| complete) {
        write_state(path, outcome, &request.options)?;
    }
    put(io.stdout, text.as_bytes())?;
    Ok(if complete { EXIT_OK } else { EXIT_REFUSED })
}

/// The releases that `--current` names, for Helm's records; its namespace counts where none was given.
fn releases(current: &Current, place: &mut Place) -> Vec<String> {
    let Ok(Some(source)) = state::read(current, None) else {
        return vec![];
    };
    let found = source.inventory().releases;
    if place.namespace.is_empty() {
        let mut said: Vec<&str> = found.iter().map(|r| r.namespace.as_str()).collect();
        said.dedup();
        if let [only] = said[..] {
            only.clone_into(&mut place.namespace);
        }
    }
    found.into_iter().map(|r| r.name).collect()
}

fn ask(request: &mut Request, names: &[String], limit: Duration) -> Result<(), Unavailable> {
    let place = request.place.clone();
    let asking = Asking::new(&place, limit)?;
    request.live = asking.list()?;
    request.revisions = names
        .iter()
        .map(|name| (name.clone(), asking.revisions(name)))
        .collect();
    Ok(())
}

fn unavailable(why: &Unavailable) -> Outcome {
    Outcome {
        missing: vec![Missing::unavailable(&why.message, &why.help)],
        ..Outcome::default()
    }
}

/// Records the state that was found complete. The highest version that the file remembers stays.
fn write_state(path: &Path, outcome: Outcome, options: &Options) -> anyhow::Result<()> {
    let Some(mut source) = outcome.state else {
        return Ok(());
    };
    if let Some(old) = state_file::existing(path)? {
        file::remember(&mut source, &old).map_err(|why| anyhow!("--write-state {}: {why}", path.display()))?;
    }
    let releases = view::releases(&source, options.assume.target_version.as_ref());
    out_file::write("--write-state", path, &yaml::emit(&file::write(&source, &releases)))
}

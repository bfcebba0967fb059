//! `check`: the same judgement, findings instead of manifests.

use std::path::Path;

use super::args::{Context, Format};
use super::{EXIT_FAILED, EXIT_OK, EXIT_REFUSED, Io, put, read_file, read_stdin, request, write_report};
use crate::finding::Severity;
use crate::judge::judge;
use crate::options::{Options, RewriteMode};
use crate::report::{self, text};

pub fn run(
    context: &Context,
    mut options: Options,
    file: Option<&Path>,
    as_is: bool,
    strict: bool,
    io: &mut Io,
) -> anyhow::Result<u8> {
    let target = match file {
        Some(path) if path != Path::new("-") => read_file(path)?,
        _ => read_stdin(io)?,
    };
    if as_is {
        options.rewrite = RewriteMode::Never;
    }
    let judgement = judge(&request(context, options, target)?);
    write_report(context, &judgement)?;
    let said = match context.format {
        Format::Text | Format::Yaml => format!("{}{}\n", text::findings(&judgement), text::verdict(&judgement)),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&report::json(&judgement))?),
    };
    put(io.stdout, said.as_bytes())?;
    let warned = strict && judgement.findings.iter().any(|f| f.severity == Severity::Warn);
    Ok(match (judgement.unvouched, judgement.refused() || warned) {
        (true, _) => EXIT_FAILED,
        (false, true) => EXIT_REFUSED,
        (false, false) => EXIT_OK,
    })
}

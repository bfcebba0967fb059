//! `check`: the same judgement, findings instead of manifests.

use std::path::{Path, PathBuf};

use super::args::{CheckArgs, Context, Format};
use super::outputs::Sink;
use super::{
    EXIT_FAILED, EXIT_OK, EXIT_REFUSED, Io, out_file, put, read_file, read_stdin, request, tell_timings,
    write_report_with,
};
use crate::judge::judge;
use crate::options::{Options, RewriteMode};
use crate::report::view::{Names, View};
use crate::report::{self, github, junit, markdown, sarif, text};
use crate::value::Value;

pub fn run(
    context: &Context,
    mut options: Options,
    args: &CheckArgs,
    sinks: &[Sink],
    io: &mut Io,
) -> anyhow::Result<u8> {
    let file: Option<PathBuf> = args.file.clone().filter(|path| path != Path::new("-"));
    let target = match &file {
        Some(path) => read_file(path)?,
        None => read_stdin(io)?,
    };
    if args.as_is {
        options.rewrite = RewriteMode::Never;
    }
    let judgement = judge(&request(context, options, target)?);
    let names = Names {
        target: file,
        current: context
            .current
            .clone()
            .filter(|source| source != "none" && !source.starts_with("release:")),
        root: std::env::current_dir().unwrap_or_default(),
    };
    let view = View {
        judgement: &judgement,
        strict: args.strict,
        names: &names,
    };
    write_report_with(context, || report(&view))?;
    // Files first: what reads stdout may take its end for the end of the run.
    for sink in sinks {
        if let Some(path) = &sink.file {
            let said = render(&view, sink.format)?;
            out_file::write("--output", path, &said)?;
        }
    }
    for sink in sinks.iter().filter(|s| s.file.is_none()) {
        put(io.stdout, render(&view, sink.format)?.as_bytes())?;
    }
    tell_timings(context, &judgement, io);
    Ok(match (judgement.unvouched, view.passes()) {
        (true, _) => EXIT_FAILED,
        (false, true) => EXIT_OK,
        (false, false) => EXIT_REFUSED,
    })
}

fn report(view: &View) -> Value {
    report::with_verdict(view.judgement, !view.passes())
}

fn render(view: &View, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        // The last four are turned away with the command line.
        Format::Text | Format::Yaml | Format::Jsonpatch | Format::Flux | Format::Mermaid => {
            text::visible(format!("{}{}\n", text::findings(view.judgement), view.verdict()))
        }
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&report(view))?),
        Format::Sarif => sarif::render(view),
        Format::Github => text::visible(github::render(view)),
        Format::Junit => junit::render(view),
        Format::Markdown => markdown::render(view),
    })
}

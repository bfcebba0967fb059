//! Which formats are wanted, and where each goes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Usage;
use super::args::{Context, Format};

/// A format and the file it goes to; stdout where there is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Sink {
    /// The format.
    pub format: Format,
    /// The file.
    pub file: Option<PathBuf>,
}

/// What stood where on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// A `--format`.
    Format,
    /// An `--output`.
    Output,
}

/// The order of `--format` and `--output` among the arguments. Not asked of clap: it numbers the arguments before a
/// command's name and those after it apart, and gives both the same values.
pub fn order(args: &[OsString]) -> Vec<Given> {
    let options = args.iter().map(|a| a.to_string_lossy()).take_while(|a| a != "--");
    let given = options.filter_map(|arg| match arg.split_once('=').map_or(&*arg, |(name, _)| name) {
        "--format" => Some(Given::Format),
        "--output" => Some(Given::Output),
        _ => None,
    });
    given.collect()
}

/// Pairs formats with outputs: by position where there are as many of both, else each output belongs to the format in
/// front of it. A format without an output goes to stdout.
pub fn pair(context: &Context, outputs: &[OsString], order: &[Given]) -> Result<Vec<Sink>, Usage> {
    let mut formats: Vec<Format> = context.format.iter().flatten().copied().collect();
    if formats.contains(&Format::Yaml) {
        return Err(Usage(
            "--format yaml is the state file of `milvus-uplift inspect`".to_owned(),
        ));
    }
    if let Some(format) = formats.iter().find(|f| matches!(f, Format::Jsonpatch | Format::Flux)) {
        return Err(Usage(format!(
            "--format {} is one of `milvus-uplift diff`",
            format.name()
        )));
    }
    if formats.is_empty() {
        formats.push(Format::Text);
    }
    let used = outputs.iter().rposition(|o| !o.is_empty()).map_or(0, |i| i + 1);
    let outputs = &outputs[..used];
    let mut files: Vec<Option<&OsString>> = vec![None; formats.len()];
    let homeless = |output: &OsString| {
        Usage(format!(
            "--output {} has no --format of its own: they come in pairs, --format sarif --output uplift.sarif",
            output.display()
        ))
    };
    if outputs.len() > formats.len() {
        return Err(homeless(&outputs[formats.len()]));
    }
    let flags = |which: Given| order.iter().filter(|g| **g == which).count();
    let ordered = flags(Given::Format) == formats.len() && flags(Given::Output) == outputs.len();
    if outputs.len() == formats.len() || !ordered {
        files
            .iter_mut()
            .zip(outputs)
            .for_each(|(file, output)| *file = Some(output));
    } else {
        let (mut rest, mut slot) = (outputs.iter(), None::<usize>);
        for given in order {
            match given {
                Given::Format => slot = Some(slot.map_or(0, |i| i + 1)),
                Given::Output => {
                    let Some(output) = rest.next() else { break };
                    match slot.and_then(|i| files.get_mut(i)) {
                        Some(file) if file.is_none() => *file = Some(output),
                        _ => return Err(homeless(output)),
                    }
                }
            }
        }
    }
    let named = |file: Option<&OsString>| {
        file.filter(|f| !f.is_empty() && f.as_os_str() != "-")
            .map(PathBuf::from)
    };
    let sinks: Vec<Sink> = formats
        .into_iter()
        .zip(files)
        .map(|(format, file)| Sink {
            format,
            file: named(file),
        })
        .collect();
    distinct(&sinks, context.report.as_deref())?;
    Ok(sinks)
}

/// No two may end in one place.
fn distinct(sinks: &[Sink], report: Option<&Path>) -> Result<(), Usage> {
    for (i, sink) in sinks.iter().enumerate() {
        let twin = sinks[..i].iter().find(|s| s.file == sink.file);
        match (twin, &sink.file) {
            (Some(twin), None) => {
                return Err(Usage(format!(
                    "--format {} and --format {} would both go to stdout: give all but one an --output FILE",
                    twin.format.name(),
                    sink.format.name()
                )));
            }
            (Some(_), Some(file)) => return Err(Usage(format!("--output {} is given twice", file.display()))),
            (None, Some(file)) if report == Some(file.as_path()) => {
                return Err(Usage(format!("--output and --report both name {}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The one format of a command that knows no other than `text` and `json`.
pub fn single(context: &Context, command: &str) -> Result<Format, Usage> {
    let formats: Vec<Format> = context.format.iter().flatten().copied().collect();
    match formats[..] {
        [] => Ok(Format::Text),
        [format @ (Format::Text | Format::Json)] => Ok(format),
        [Format::Yaml] => Err(Usage(format!(
            "{command} knows the formats text and json; yaml is the state file of `milvus-uplift inspect`"
        ))),
        [other @ (Format::Jsonpatch | Format::Flux)] => Err(Usage(format!(
            "{command} knows the formats text and json, not {}; `milvus-uplift diff` knows it",
            other.name()
        ))),
        [other] => Err(Usage(format!(
            "{command} knows the formats text and json, not {}; `milvus-uplift check` knows it",
            other.name()
        ))),
        _ => Err(Usage(format!(
            "{command} takes one --format; `milvus-uplift check` takes several, each with its --output"
        ))),
    }
}

/// The one format of `diff`.
pub fn of_diff(context: &Context) -> Result<Format, Usage> {
    let formats: Vec<Format> = context.format.iter().flatten().copied().collect();
    match formats[..] {
        [] => Ok(Format::Text),
        [format @ (Format::Text | Format::Json | Format::Jsonpatch | Format::Markdown | Format::Flux)] => Ok(format),
        [other] => Err(Usage(format!(
            "diff knows the formats text, json, jsonpatch, markdown and flux, not {}",
            other.name()
        ))),
        _ => Err(Usage("diff takes one --format".into())),
    }
}

/// The one format of `inspect`: as the others, and `yaml`.
pub fn of_inspect(context: &Context) -> Result<Format, Usage> {
    let mut formats = context.format.iter().flatten();
    match (formats.next(), formats.next()) {
        (Some(Format::Yaml), None) => Ok(Format::Yaml),
        _ => single(context, "inspect"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::super::args::{Cli, Command};
    use super::*;

    /// `format:file` of each pair, or what is wrong.
    fn paired(line: &str) -> Result<String, String> {
        let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let matches = Cli::command().try_get_matches_from(&args).map_err(|e| e.to_string())?;
        let cli = Cli::from_arg_matches(&matches).expect("parsed");
        let Some(Command::Check(check)) = cli.command else {
            panic!("no check")
        };
        let sinks = pair(&cli.context, &check.output, &order(&args)).map_err(|Usage(why)| why)?;
        let file = |s: &Sink| s.file.as_ref().map_or("-".into(), |f| f.display().to_string());
        Ok(sinks
            .iter()
            .map(|s| format!("{}:{}", s.format.name(), file(s)))
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn formats_and_outputs_come_in_pairs() {
        for (line, wanted) in [
            ("u check", "text:-"),
            ("u check --output a", "text:a"),
            ("u check --format sarif", "sarif:-"),
            (
                "u check --format sarif --output a --format junit --output b",
                "sarif:a junit:b",
            ),
            ("u check --output a --format sarif", "sarif:a"),
            (
                "u check --format sarif --format junit --output a --output b",
                "sarif:a junit:b",
            ),
            ("u check --format text --format sarif --output a", "text:- sarif:a"),
            ("u check --format=text --format=sarif --output=a x", "text:- sarif:a"),
            ("u check --format sarif --output a --format text", "sarif:a text:-"),
            ("u --format text --format sarif check --output a", "text:- sarif:a"),
            (
                "u check --format text --output - --format sarif --output a",
                "text:- sarif:a",
            ),
        ] {
            assert_eq!(paired(line).as_deref(), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_does_not_pair_is_said() {
        for (line, wanted) in [
            (
                "u check --format text --format sarif",
                "--format text and --format sarif would both go to stdout",
            ),
            (
                "u check --format sarif --output a --output b",
                "--output b has no --format of its own",
            ),
            ("u check --output a --output b", "--output b has no --format of its own"),
            (
                "u check --output a --format text --format sarif",
                "--output a has no --format of its own",
            ),
            (
                "u check --format text --format junit --format sarif --output a --output b",
                "--output b has no",
            ),
            (
                "u check --format sarif --output a --format junit --output a",
                "--output a is given twice",
            ),
            (
                "u check --report a --format sarif --output a",
                "--output and --report both name a",
            ),
            (
                "u check --format toml",
                "[possible values: text, json, yaml, sarif, github, junit, markdown, jsonpatch, flux]",
            ),
            ("u check --format yaml", "`milvus-uplift inspect`"),
            ("u check --format flux", "`milvus-uplift diff`"),
        ] {
            let why = paired(line).unwrap_err();
            assert!(why.contains(wanted), "{line}: {why}");
        }
    }
}

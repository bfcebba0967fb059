//! The program: command line in, exit status out.

pub mod args;
mod check;
mod diff;
mod inspect;
mod krm;
mod out_file;
mod outputs;
mod overwrite;
mod parse;
mod plan;
mod render;
mod rules;
mod state_file;
mod verify;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

use crate::host::parent;
use crate::judge::{Current, Request, ValuesFile};
use crate::options::{Allowances, Assumptions, Options, RewriteMode};
use crate::order::Order;
use crate::stage::Stage;
use crate::state::helm;
use crate::stream::Bytes;
use args::{Cli, Command, Context, OrderBy, Rewrite};

/// Nothing to object to.
pub const EXIT_OK: u8 = 0;
/// Refused.
pub const EXIT_REFUSED: u8 = 1;
/// The command line is wrong.
pub const EXIT_USAGE: u8 = 2;
/// Reading or writing failed, or the output could not be vouched for.
pub const EXIT_FAILED: u8 = 3;

/// Where the program reads and writes, so that tests can stand in its place.
pub struct Io<'a> {
    /// Where manifests come from.
    pub stdin: &'a mut dyn Read,
    /// Where manifests and findings go.
    pub stdout: &'a mut dyn Write,
    /// Where refusals and errors go.
    pub stderr: &'a mut dyn Write,
}

/// A wrong command line, in words.
struct Usage(String);

/// Runs the program with its arguments (the first is its own name) and returns the exit status.
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>, io: &mut Io) -> u8 {
    let args: Vec<std::ffi::OsString> = args.into_iter().collect();
    let matches = match matches(&args) {
        Ok(matches) => matches,
        Err(e) => return clap_exit(&e, io),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(e) => return clap_exit(&e, io),
    };
    match dispatch(cli, &matches, &args, io) {
        Ok(Ok(status)) => status,
        Ok(Err(e)) => {
            complain(io, &format!("milvus-uplift: {e:#}\n"));
            EXIT_FAILED
        }
        Err(Usage(message)) => {
            complain(io, &format!("milvus-uplift: {message}\n"));
            EXIT_USAGE
        }
    }
}

/// Reads the arguments. To take the description of the command line apart again costs more than that: it is left.
fn matches(args: &[std::ffi::OsString]) -> Result<clap::ArgMatches, clap::Error> {
    let read = |command: clap::Command| Box::leak(Box::new(command)).try_get_matches_from_mut(args);
    let short = args::to_render(args).and_then(|command| read(command).ok());
    short.map_or_else(|| read(args::command()), Ok)
}

/// Runs the command that was asked for.
fn dispatch(
    cli: Cli,
    matches: &clap::ArgMatches,
    args: &[std::ffi::OsString],
    io: &mut Io,
) -> Result<anyhow::Result<u8>, Usage> {
    let context = &cli.context;
    let from_env = allow_from_env(matches);
    files_are_named(matches)?;
    Ok(match cli.command.unwrap_or(Command::Render) {
        Command::Render => {
            let format = outputs::single(context, "render")?;
            overwrite::none(context, &[], &[])?;
            let mut options = options(context, from_env)?;
            guard_only(matches, &mut options, None, io)?;
            read_stdin(io).and_then(|stdin| match krm::List::read(&stdin) {
                Some(list) => krm::run(&list, matches, args, io),
                None => render::run(context, options, format, stdin, io),
            })
        }
        Command::Check(check) => {
            let sinks = outputs::pair(context, &check.output, &outputs::order(args))?;
            let written = sinks
                .iter()
                .filter_map(|sink| Some(("--output", sink.file.as_deref()?)));
            let read: Vec<_> = check.file.iter().map(|file| ("FILE", file.as_path())).collect();
            overwrite::none(context, &written.collect::<Vec<_>>(), &read)?;
            let mut options = options(context, from_env)?;
            guard_only(matches, &mut options, check.as_is.then_some("as_is"), io)?;
            check::run(context, options, &check, &sinks, io)
        }
        Command::Diff(args) => {
            let format = outputs::of_diff(context)?;
            let read: Vec<_> = args.files.iter().map(|file| ("FILE", file.as_path())).collect();
            overwrite::none(context, &[], &read)?;
            let mut options = options(context, from_env)?;
            guard_only(matches, &mut options, None, io)?;
            diff::run(context, options, &args, format, io)?
        }
        Command::Inspect { file, write_state } => {
            let format = outputs::of_inspect(context)?;
            let options = options(context, from_env)?;
            inspect::run(context, &options, format, file.as_deref(), write_state.as_deref(), io)
        }
        Command::Verify(args) => {
            let format = outputs::single(context, "verify")?;
            let to = verify::version(args.to.as_deref())?;
            let file = args.file.iter().map(|file| ("FILE", file.as_path()));
            let applied = args.applied.iter().map(|file| ("--applied", file.as_path()));
            overwrite::none(context, &[], &file.chain(applied).collect::<Vec<_>>())?;
            verify::run(context, options(context, from_env)?, &args, to, format, io)
        }
        Command::Plan(args) => {
            let format = outputs::of_plan(context)?;
            let to = plan::target(&args)?;
            plan::source_is_said(context)?;
            let written: Vec<_> = args.output.iter().map(|file| ("--output", file.as_path())).collect();
            overwrite::none(context, &written, &[])?;
            plan::run(context, &options(context, from_env)?, format, &to, &args, io)
        }
        Command::Rules { facts: false } => rules::table(outputs::single(context, "rules")?, io),
        Command::Rules { facts: true } => rules::facts(outputs::single(context, "rules")?, io),
        Command::Explain { code } => rules::explain(&code, outputs::single(context, "explain")?, io)?,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "milvus-uplift", &mut text);
            put(io.stdout, &text)
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut text)
                .map_err(Into::into)
                .and_then(|()| put(io.stdout, &text))
        }
    })
}

/// Help and version are no errors; everything else clap says is about the command line.
fn clap_exit(e: &clap::Error, io: &mut Io) -> u8 {
    let text = e.render().to_string();
    if e.use_stderr() {
        complain(io, &text);
        EXIT_USAGE
    } else {
        put(io.stdout, text.as_bytes()).unwrap_or(EXIT_FAILED)
    }
}

/// An error on stderr; as a Helm 4 plugin also on Helm's, which drops ours.
fn complain(io: &mut Io, text: &str) {
    let text = &crate::report::text::visible(text.to_owned());
    let _ = io.stderr.write_all(text.as_bytes());
    if std::env::var_os("HELM_PLUGIN_NAME").is_some_and(|name| name == "milvus-uplift") {
        parent::tell(text);
    }
}

/// Whether `--allow` came from the environment: there each must name its target.
fn allow_from_env(matches: &clap::ArgMatches) -> bool {
    let level = matches.subcommand().map_or(matches, |(_, sub)| sub);
    [matches, level]
        .iter()
        .any(|m| m.value_source("allow") == Some(ValueSource::EnvVariable))
}

/// `--rewrite never` and `--as-is` (its id) only guard, and a stage is had by rewriting: what belongs to later ones is held
/// back. A stage that is set for every call does not count where somebody asks for the guard.
fn guard_only(
    matches: &clap::ArgMatches,
    options: &mut Options,
    as_is: Option<&str>,
    io: &mut Io,
) -> Result<(), Usage> {
    if options.stage == Stage::All || as_is.is_none() && options.rewrite == RewriteMode::Auto {
        return Ok(());
    }
    let own = matches.subcommand().map_or(matches, |(_, own)| own);
    let typed = |m: &clap::ArgMatches, id: &str| m.value_source(id) == Some(ValueSource::CommandLine);
    let (guard, asked) = match as_is {
        Some(id) => ("--as-is", typed(own, id)),
        None => ("--rewrite never", typed(own, "rewrite") || typed(matches, "rewrite")),
    };
    if asked && !typed(own, "stage") && !typed(matches, "stage") {
        let note =
            format!("milvus-uplift: {guard} judges the manifests as they are: MILVUS_UPLIFT_STAGE does not count\n");
        let _ = io.stderr.write_all(note.as_bytes());
        options.stage = Stage::All;
        return Ok(());
    }
    Err(Usage(format!(
        "{guard} changes nothing, and --stage would hold back what belongs to later stages: leave {guard} out to apply that stage, or \
         --stage to judge the manifests as they are (the environment may set either, as MILVUS_UPLIFT_REWRITE, _AS_IS, _STAGE; \
         an empty variable is none)"
    )))
}

/// An empty `--values` on the command line is a variable that is not set. In the environment, where there is one to a
/// line, an empty line names nothing.
fn files_are_named(matches: &clap::ArgMatches) -> Result<(), Usage> {
    let level = matches.subcommand().map_or(matches, |(_, sub)| sub);
    for m in [matches, level] {
        for option in ["values", "patch"] {
            let typed = m.value_source(option) == Some(ValueSource::CommandLine);
            let blank = || {
                let mut files = m.get_many::<PathBuf>(option).into_iter().flatten();
                files.any(|f| is_blank(f))
            };
            if typed && blank() {
                return Err(Usage(format!("--{option} names no file: --{option} FILE")));
            }
        }
    }
    Ok(())
}

fn is_blank(path: &Path) -> bool {
    path.to_string_lossy().trim().is_empty()
}

fn options(context: &Context, allow_from_env: bool) -> Result<Options, Usage> {
    let given = |list: &[String]| {
        list.iter()
            .map(|s| s.trim().to_owned())
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
    };
    let assume = given(&context.assume);
    let allow = given(&context.allow);
    Ok(Options {
        assume: Assumptions::parse(assume.iter().map(String::as_str)).map_err(Usage)?,
        allow: Allowances::parse(allow.iter().map(String::as_str), &crate::rules::codes(), allow_from_env)
            .map_err(Usage)?,
        rewrite: match context.rewrite {
            Rewrite::Auto => RewriteMode::Auto,
            Rewrite::Never => RewriteMode::Never,
        },
        stage: context.stage,
        order: match context.order {
            OrderBy::None => Order::Unsaid,
            OrderBy::ArgoCd => Order::ArgoCd,
        },
    })
}

/// Gathers the inputs of a judgement.
fn request(context: &Context, options: Options, target: Vec<u8>) -> anyhow::Result<Request> {
    let current = current(context)?;
    let mut values = Vec::new();
    let mut stored_values = None;
    for path in context.values.iter().filter(|p| !is_blank(p)) {
        if is_stored(path) {
            stored_values = Some(values.len());
            continue;
        }
        let name = path.display().to_string();
        values.push(ValuesFile {
            bytes: read_file(path).with_context(|| format!("--values {name}"))?,
            name,
        });
    }
    let mut patches = Vec::new();
    for path in context.patch.iter().filter(|p| !is_blank(p)) {
        let name = path.display().to_string();
        patches.push(ValuesFile {
            bytes: read_file(path).with_context(|| format!("--patch {name}"))?,
            name,
        });
    }
    Ok(Request {
        patches,
        target: target.into(),
        current,
        values,
        stored_values,
        options,
        ..Request::default()
    })
}

/// Whether `--values` asks for those of the release record.
fn is_stored(path: &Path) -> bool {
    path == Path::new("current")
}

/// What `--current` names, with the values of the release where they are asked for.
fn current(context: &Context) -> anyhow::Result<Current> {
    current_with(context, context.values.iter().any(|path| is_stored(path)))
}

/// What `--current` names. Helm is asked for the values of the release as well where they are `wanted`: each question is one
/// more that can fail.
fn current_with(context: &Context, wanted: bool) -> anyhow::Result<Current> {
    Ok(match context.current.as_deref() {
        None => Current::Unsaid,
        Some("none") => Current::Nothing,
        Some(source) => match source.strip_prefix("release:") {
            Some(name) => {
                let said = |option: &Option<String>| option.clone().filter(|s| !s.is_empty());
                let (namespace, kube_context) = (said(&context.namespace), said(&context.kube_context));
                let query = helm::Query {
                    name,
                    namespace: namespace.as_deref(),
                    context: kube_context.as_deref(),
                    values: wanted,
                    limit: Duration::from_secs(context.helm_timeout),
                };
                helm::ask(&query).map_or_else(Current::Unavailable, |records| {
                    Current::Records(records.into_iter().map(Arc::new).collect())
                })
            }
            None => {
                let bytes = read_file(Path::new(source)).with_context(|| format!("--current {source}"))?;
                Current::Manifests(Bytes::from(bytes).or_json())
            }
        },
    })
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_stdin(io: &mut Io) -> anyhow::Result<Vec<u8>> {
    // What a pipe hands over at once: a read into less makes many of one.
    let mut bytes = Vec::with_capacity(64 << 10);
    io.stdin.read_to_end(&mut bytes).context("cannot read stdin")?;
    Ok(bytes)
}

/// Writes all of it and makes sure it is out.
fn put(out: &mut dyn Write, bytes: &[u8]) -> anyhow::Result<u8> {
    put_all(out, [bytes])
}

/// The same for a text in pieces.
fn put_all<'p>(out: &mut dyn Write, pieces: impl IntoIterator<Item = &'p [u8]>) -> anyhow::Result<u8> {
    pieces
        .into_iter()
        .try_for_each(|piece| out.write_all(piece))
        .and_then(|()| out.flush())
        .context("cannot write to stdout")?;
    Ok(EXIT_OK)
}

/// Says what the steps cost, where that is asked for.
fn tell_timings(context: &Context, judgement: &crate::judge::Judgement, io: &mut Io) {
    if context.timings {
        let _ = io
            .stderr
            .write_all(crate::timings::table(&judgement.timings).as_bytes());
    }
}

/// Writes the report where one is wanted: before the output, so that a full disk leaves stdout empty.
fn write_report(context: &Context, judgement: &crate::judge::Judgement) -> anyhow::Result<()> {
    write_report_with(context, || crate::report::json(judgement))
}

fn write_report_with(context: &Context, report: impl FnOnce() -> crate::value::Value) -> anyhow::Result<()> {
    if let Some(path) = &context.report {
        let mut text = serde_json::to_string_pretty(&report())?;
        text.push('\n');
        out_file::write("--report", path, &text)?;
    }
    Ok(())
}

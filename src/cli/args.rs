//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{
    EnumValueParser, NonEmptyStringValueParser, OsStringValueParser, PathBufValueParser, PossibleValue,
    StringValueParser, TypedValueParser,
};
use clap::{Arg, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::parse::{OneLine, is_unset, switch};
use crate::stage::{LAST, Stage};

/// Lifts rendered Milvus manifests from the 2.5 to the 2.6 architecture, and refuses them when the transition is invalid.
#[derive(Debug, Parser)]
#[command(
    name = "milvus-uplift",
    version,
    max_term_width = 110,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Without a command: render. Every option can also be set as MILVUS_UPLIFT_<OPTION>; of those that may be\n\
    repeated, the variable holds one per line. An empty one is not set. The command line replaces the environment.\n\n\
    Exit status: 0 rendered, nothing to object to, complete; 1 refused, not complete; 2 wrong command line; 3 reading or writing failed."
)]
pub struct Cli {
    /// What to judge by.
    #[command(flatten)]
    pub context: Context,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The command line, in which an empty variable of the environment is one that is not set.
pub fn command() -> clap::Command {
    Cli::command()
        .mut_args(heard)
        .mut_subcommands(|own| own.mut_args(heard))
}

/// The names of the commands but `render`.
const OTHERS: [&str; 9] = [
    "check",
    "diff",
    "inspect",
    "verify",
    "plan",
    "rules",
    "explain",
    "completions",
    "man",
];

/// The same for a call that names no other command than `render`: so a post-renderer is called, and to describe every
/// command with every option takes as long as a tenth of the judgement. What it does not take is [`command`]'s to judge.
pub fn to_render(args: &[OsString]) -> Option<clap::Command> {
    let other = args.iter().skip(1).any(|arg| OTHERS.iter().any(|name| arg == name));
    (!other).then(|| {
        let options = Context::augment_args(clap::Command::new("milvus-uplift")).mut_args(heard);
        options.subcommand(clap::Command::new("render"))
    })
}

/// An option that its variable gives, where that is not empty.
fn heard(arg: Arg) -> Arg {
    match arg.get_env().map(std::env::var_os) {
        Some(Some(value)) if is_unset(&value) => arg.env(None::<&'static str>),
        _ => arg,
    }
}

/// What every judgement takes.
#[derive(Debug, Args)]
pub struct Context {
    /// What is deployed now: a file (manifest stream, `kubectl get -o yaml` or `-o json` List, release records as Helm
    /// stores them, a state file of `inspect`), `release:NAME` to ask Helm, or `none` for a fresh install
    #[arg(long, value_name = "SOURCE", global = true, env = "MILVUS_UPLIFT_CURRENT", hide_env = true, value_parser = OneLine(NonEmptyStringValueParser::new()))]
    pub current: Option<String>,

    /// The namespace of `release:NAME`, and the one that `verify` looks at
    #[arg(
        long,
        short = 'n',
        value_name = "NAMESPACE",
        global = true,
        env = "MILVUS_UPLIFT_NAMESPACE",
        hide_env = true, value_parser = OneLine(StringValueParser::new())
    )]
    pub namespace: Option<String>,

    /// The context of `release:NAME` and `verify`, where the kubeconfig has several
    #[arg(
        long,
        value_name = "CONTEXT",
        global = true,
        env = "MILVUS_UPLIFT_KUBE_CONTEXT",
        hide_env = true, value_parser = OneLine(StringValueParser::new())
    )]
    pub kube_context: Option<String>,

    /// How many seconds Helm (`release:NAME`) or kubectl (`verify`) may take
    #[arg(
        long,
        value_name = "SECONDS",
        global = true,
        default_value_t = 20,
        env = "MILVUS_UPLIFT_HELM_TIMEOUT",
        hide_env = true,
        value_parser = OneLine(clap::value_parser!(u64).range(1..=3600))
    )]
    pub helm_timeout: u64,

    /// The values Helm was given (`helm get values` plus this call's), or `current`: those stored in the release record;
    /// repeatable, later wins
    #[arg(
        long,
        value_name = "FILE|current",
        global = true,
        env = "MILVUS_UPLIFT_VALUES",
        hide_env = true,
        value_delimiter = '\n',
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub values: Vec<PathBuf>,

    /// Patches to make after the rewrite: a list of `target` (kind, name, role, group, namespace) and `patch` (RFC 6902 or
    /// strategic merge); repeatable
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "MILVUS_UPLIFT_PATCH",
        hide_env = true,
        value_delimiter = '\n',
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub patch: Vec<PathBuf>,

    /// Tell on stderr what each step of the judgement cost
    #[arg(long, global = true, env = "MILVUS_UPLIFT_TIMINGS", hide_env = true, value_parser = switch)]
    pub timings: bool,

    /// How much to change
    #[arg(
        long,
        value_name = "MODE",
        global = true,
        default_value = "auto",
        env = "MILVUS_UPLIFT_REWRITE",
        hide_env = true, value_parser = OneLine(EnumValueParser::<Rewrite>::new())
    )]
    pub rewrite: Rewrite,

    /// Apply the upgrade up to one stage; `next` finds it by --current
    #[arg(long, value_name = "all|next|0..5", global = true, default_value = "all", env = "MILVUS_UPLIFT_STAGE", hide_env = true, value_parser = OneLine(stage))]
    pub stage: Stage,

    /// Who keeps the order of the upgrade: `argocd` writes the stages as sync waves, and refuses to answer with nothing
    #[arg(
        long,
        value_name = "none|argocd",
        global = true,
        default_value = "none",
        env = "MILVUS_UPLIFT_ORDER",
        hide_env = true, value_parser = OneLine(EnumValueParser::<OrderBy>::new()),
        hide_possible_values = true
    )]
    pub order: OrderBy,

    /// State what the manifests cannot show: current-version, target-version, current-mq, target-mq, same-queue,
    /// no-dynamic-fields, helm-version, kube-version; repeatable
    #[arg(
        long,
        value_name = "KEY=VALUE",
        global = true,
        env = "MILVUS_UPLIFT_ASSUME",
        hide_env = true,
        value_delimiter = '\n'
    )]
    pub assume: Vec<String>,

    /// Let one named refusal pass, for one target version where given (MU304@2.6.16); repeatable
    #[arg(
        long,
        value_name = "CODE[@TARGET]",
        global = true,
        env = "MILVUS_UPLIFT_ALLOW",
        hide_env = true,
        value_delimiter = '\n'
    )]
    pub allow: Vec<String>,

    /// Write the report as JSON, on success and on refusal
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "MILVUS_UPLIFT_REPORT",
        hide_env = true, value_parser = OneLine(PathBufValueParser::new())
    )]
    pub report: Option<PathBuf>,

    /// How to say it; text where not given. `check` knows text, json, sarif, github, junit and markdown and takes several,
    /// each with its --output; `diff` text, json, jsonpatch, markdown and flux; `plan` text, json, markdown and mermaid;
    /// `inspect` text, json and yaml; the other commands text and json
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        env = "MILVUS_UPLIFT_FORMAT",
        hide_env = true,
        value_delimiter = '\n',
        value_parser = FormatParser
    )]
    pub format: Vec<Option<Format>>,
}

fn stage(text: &str) -> Result<Stage, String> {
    match text {
        "all" => Ok(Stage::All),
        "next" => Ok(Stage::Next),
        _ => match text.parse() {
            Ok(n) if n <= LAST => Ok(Stage::At(n)),
            _ => Err(format!("a stage is all, next or 0 to {LAST}")),
        },
    }
}

/// `--order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderBy {
    /// Whoever applies it
    None,
    /// Argo CD, by sync waves
    #[value(name = "argocd")]
    ArgoCd,
}

/// `--rewrite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rewrite {
    /// Mend the topology
    Auto,
    /// Only guard
    Never,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
    /// The state file of `inspect`
    Yaml,
    /// For code scanning (SARIF 2.1.0)
    Sarif,
    /// For a step of GitHub Actions: workflow commands
    Github,
    /// For a test dashboard: a test case for each rule
    Junit,
    /// For a comment on a pull request
    Markdown,
    /// RFC 6902 for each object (`diff`)
    Jsonpatch,
    /// Patches for a Flux HelmRelease (`diff`)
    Flux,
    /// The topologies of `plan`, as a flowchart that GitHub draws
    Mermaid,
}

impl Format {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |v| v.get_name().to_owned())
    }
}

/// Reads a format; the empty line at the end of a variable is none.
#[derive(Clone, Debug)]
struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = Option<Format>;

    fn parse_ref(&self, cmd: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<Self::Value, clap::Error> {
        let line = value.to_str().and_then(|text| text.strip_suffix('\r')).map(OsStr::new);
        let value = line.unwrap_or(value);
        match value.is_empty() {
            true => Ok(None),
            false => EnumValueParser::<Format>::new().parse_ref(cmd, arg, value).map(Some),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            Format::value_variants().iter().filter_map(ValueEnum::to_possible_value),
        ))
    }
}

/// What `check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the manifests are; stdin where not given or `-`
    pub file: Option<PathBuf>,
    /// Judge the stream without rewriting it first
    #[arg(long, env = "MILVUS_UPLIFT_AS_IS", hide_env = true, value_parser = switch)]
    pub as_is: bool,
    /// A warning counts as a refusal
    #[arg(long, env = "MILVUS_UPLIFT_STRICT", hide_env = true, value_parser = switch)]
    pub strict: bool,
    /// Write the --format in front of it to this file, not to stdout (`-`); repeatable
    #[arg(
        long,
        value_name = "FILE",
        env = "MILVUS_UPLIFT_OUTPUT",
        hide_env = true,
        value_delimiter = '\n'
    )]
    pub output: Vec<OsString>,
}

/// What `verify` takes.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The live objects: `kubectl get … -o json` or `-o yaml`, Pods and ReplicaSets included; `-` for stdin. Where not
    /// given, kubectl is asked
    pub file: Option<PathBuf>,
    /// The version the upgrade goes to; where not given, the highest one that the live workloads ask for and --current
    /// does not
    #[arg(long, value_name = "VERSION", env = "MILVUS_UPLIFT_TO", hide_env = true, value_parser = OneLine(NonEmptyStringValueParser::new()))]
    pub to: Option<String>,
    /// The report that was written (--report) when Helm applied it: tells the version and the stage
    #[arg(long, value_name = "REPORT", env = "MILVUS_UPLIFT_APPLIED", hide_env = true, value_parser = OneLine(PathBufValueParser::new()))]
    pub applied: Option<PathBuf>,
    /// Write the state file, once complete; over an older one the highest version seen is kept
    #[arg(long, value_name = "FILE", env = "MILVUS_UPLIFT_WRITE_STATE", hide_env = true, value_parser = OneLine(PathBufValueParser::new()))]
    pub write_state: Option<PathBuf>,
}

/// What `diff` compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// What `--current` names
    Current,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// At a terminal, unless NO_COLOR is set
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// What `diff` takes.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Where the manifests are; stdin where not given or `-`. Of two files: what differs between them
    #[arg(value_name = "FILE", num_args = 0..=2)]
    pub files: Vec<PathBuf>,
    /// Compare what is deployed (--current) with what would be applied
    #[arg(long, value_name = "WHAT", env = "MILVUS_UPLIFT_AGAINST", hide_env = true, value_parser = OneLine(EnumValueParser::<Against>::new()))]
    pub against: Option<Against>,
    /// Lines of context around what differs
    #[arg(
        long,
        short = 'U',
        value_name = "N",
        default_value_t = 3,
        env = "MILVUS_UPLIFT_UNIFIED",
        hide_env = true, value_parser = OneLine(StringValueParser::new().try_map(|n| n.parse::<usize>()))
    )]
    pub unified: usize,
    /// Whether to colour the text
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        env = "MILVUS_UPLIFT_COLOR",
        hide_env = true, value_parser = OneLine(EnumValueParser::<Color>::new())
    )]
    pub color: Color,
    /// Show secrets as they are
    #[arg(long, env = "MILVUS_UPLIFT_SHOW_SECRETS", hide_env = true, value_parser = switch)]
    pub show_secrets: bool,
}

/// What `plan` takes.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The version to come, such as 2.6.16
    #[arg(long, value_name = "VERSION", env = "MILVUS_UPLIFT_TO", hide_env = true, value_parser = OneLine(NonEmptyStringValueParser::new()))]
    pub to: String,
    /// Write the manifests that migrate the metadata of 2.1 into this directory
    #[arg(long, value_name = "DIR", env = "MILVUS_UPLIFT_EMIT_MIGRATION", hide_env = true, value_parser = OneLine(PathBufValueParser::new()))]
    pub emit_migration: Option<PathBuf>,
    /// Write the plan to this file, not to stdout (`-`)
    #[arg(long, value_name = "FILE", env = "MILVUS_UPLIFT_OUTPUT", hide_env = true, value_parser = OneLine(PathBufValueParser::new()))]
    pub output: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Manifests on stdin, manifests on stdout; nothing on refusal (the default)
    Render,
    /// The same judgement, findings instead of manifests
    Check(CheckArgs),
    /// What render changes in the manifests; with --against current what the upgrade changes in the cluster
    Diff(DiffArgs),
    /// What is in there: versions, components, queue and stores; as YAML a state file that `--current` accepts
    Inspect {
        /// A file as `--current` takes it; where not given what `--current` names, else stdin
        file: Option<PathBuf>,
        /// Write the state file; over an older one the highest version seen is kept
        #[arg(long, value_name = "FILE", env = "MILVUS_UPLIFT_WRITE_STATE", hide_env = true, value_parser = OneLine(PathBufValueParser::new()))]
        write_state: Option<PathBuf>,
    },
    /// Whether the stage, or the upgrade, is complete in the cluster, against --current as it was before; exit 1 while
    /// it is not
    Verify(VerifyArgs),
    /// The way from --current to a version, step by step, each with the command to paste
    Plan(PlanArgs),
    /// The table of all rules
    Rules {
        /// The facts the rules stand on instead, each with where and when it was read
        #[arg(long, env = "MILVUS_UPLIFT_FACTS", hide_env = true, value_parser = switch)]
        facts: bool,
    },
    /// The page of one rule
    Explain {
        /// Its code, such as MU301
        code: String,
    },
    /// Completions for a shell, on stdout
    #[command(hide = true)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// The man page, on stdout
    #[command(hide = true)]
    Man,
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn the_commands_are_known_by_name() {
        let all = Cli::command();
        let names: Vec<&str> = all.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!((names[0], &names[1..]), ("render", &OTHERS[..]));
        assert!(all.get_subcommands().next().unwrap().get_arguments().next().is_none());
    }

    #[test]
    fn a_call_to_render_reads_the_same_without_the_other_commands() {
        for (line, good) in [
            ("", true),
            ("--current current.yaml --values a --values b", true),
            (
                "-n milvus --stage 2 --allow MU101,MU209@2.6.16 --assume source=2.5.22 --timings",
                true,
            ),
            ("--current=plan --report r.json --rewrite never", true),
            ("render", true),
            ("render --current x -n milvus", true),
            ("--current render", true),
            ("--current x render --values y", true),
            ("render render", false),
            ("render x", false),
            ("render --help", false),
            ("--help", false),
            ("-V", false),
            ("chek", false),
            ("--no-such-option", false),
            ("--stage 9", false),
            ("--current", false),
        ] {
            let args: Vec<OsString> = std::iter::once("milvus-uplift")
                .chain(line.split_whitespace())
                .map(OsString::from)
                .collect();
            let read = |command: clap::Command| {
                let matches = command.try_get_matches_from(&args).ok()?;
                Some(format!("{:?}", Cli::from_arg_matches(&matches).unwrap()))
            };
            let alone = read(to_render(&args).unwrap());
            assert_eq!(alone, read(command()), "{line}");
            assert_eq!(alone.is_some(), good, "{line}");
        }
        let with = ["milvus-uplift", "--current", "x", "check"].map(OsString::from);
        assert!(to_render(&with).is_none());
    }
}

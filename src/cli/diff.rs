//! `diff`: what render changes, what the upgrade changes in the cluster, or what differs between two files.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use foldhash::HashSet;

use super::args::{Color, Context, DiffArgs, Format};
use super::{EXIT_FAILED, EXIT_OK, EXIT_REFUSED, Io, Usage, put, read_file, read_stdin, request, write_report};
use crate::apply;
use crate::diff::text::Style;
use crate::diff::{self, Diff, How, Only, Side, flux, json as diff_json, jsonpatch, markdown, text as diff_text};
use crate::finding::Input;
use crate::host;
use crate::judge::{Current, Judgement, Request, judge};
use crate::kube::Object;
use crate::milvus::release::inventory;
use crate::options::Options;
use crate::report::{self, text};
use crate::state::{self, Form, Source};
use crate::stream::{Bytes, Stream};
use crate::value::json;

/// What is compared, and what is known beside it.
struct Compared<'a> {
    diff: Option<Diff>,
    judgement: Option<&'a Judgement>,
}

/// Runs the command; what is wrong with the command line is said before anything is read.
pub fn run(
    context: &Context,
    options: Options,
    args: &DiffArgs,
    format: Format,
    io: &mut Io,
) -> Result<anyhow::Result<u8>, Usage> {
    if args.files.len() == 2 {
        if args.against.is_some() {
            let why = "--against current (or MILVUS_UPLIFT_AGAINST) compares one stream with what is deployed; here are two files";
            return Err(Usage(why.into()));
        }
        return two_files(context, args, format, io);
    }
    if args.against.is_some() {
        if format == Format::Flux {
            let why = "--format flux is what is to be patched in the chart's rendering; it does not go with --against current";
            return Err(Usage(why.into()));
        }
        if context.current.is_none() {
            let why = "--against current compares with what --current names: give it, --current current.yaml or --current release:NAME";
            return Err(Usage(why.into()));
        }
    }
    one_stream(context, options, args, format, io)
}

fn read_input(path: Option<&PathBuf>, io: &mut Io) -> anyhow::Result<Vec<u8>> {
    match path.filter(|p| p.as_path() != Path::new("-")) {
        Some(path) => read_file(path),
        None => read_stdin(io),
    }
}

/// `diff [FILE]`: judged as `render` judges it.
fn one_stream(
    context: &Context,
    options: Options,
    args: &DiffArgs,
    format: Format,
    io: &mut Io,
) -> Result<anyhow::Result<u8>, Usage> {
    let request = match read_input(args.files.first(), io).and_then(|target| request(context, options, target)) {
        Ok(request) => request,
        Err(e) => return Ok(Err(e)),
    };
    let judgement = judge(&request);
    let stream = Stream::read(&request.target, Input::Target).ok();
    let came = stream.as_ref().map(|s| inventory(&s.objects));
    let source = state::read(&request.current, stream.as_ref().zip(came.as_ref()));
    if args.against.is_some()
        && let Ok(Some(Source {
            form: Form::StateFile, ..
        })) = source
    {
        let why = "--against current needs the deployed manifests: --current names a state file, which keeps no whole objects; \
                   give --current release:NAME --namespace NAMESPACE";
        return Err(Usage(why.into()));
    }
    let diff = match (&stream, &source) {
        (Some(stream), Ok(source)) if is_decided(&judgement, &request) => {
            compare(args, stream, source.as_ref(), &judgement)
        }
        _ => None,
    };
    let compared = Compared {
        diff,
        judgement: Some(&judgement),
    };
    Ok(write_report(context, &judgement).and_then(|()| say(args, format, &compared, io)))
}

/// Whether the judgement came as far as the changes: without an input it decides none, which is not the same as no difference.
fn is_decided(judgement: &Judgement, request: &Request) -> bool {
    let refused_by = |code: &str| judgement.findings.iter().any(|f| f.code == code && f.refuses());
    let no_values = request.stored_values.is_some() && refused_by("MU003");
    !judgement.unvouched && !refused_by("MU001") && !no_values
}

fn compare(args: &DiffArgs, stream: &Stream, source: Option<&Source>, judgement: &Judgement) -> Option<Diff> {
    let proposed = apply::proposed(stream, &judgement.changes).ok()?;
    let after = Side::of(&proposed);
    if args.against.is_none() {
        let how = How {
            show_secrets: args.show_secrets,
            ..How::default()
        };
        return Some(diff::diff(&Side::of(&stream.objects), &after, &how));
    }
    let deployed: &[Object] = source.map_or(&[], |s| &s.stream.objects);
    let before = Side::of(deployed);
    let ours = Ours {
        releases: judgement.releases.iter().map(|r| r.name.as_str()).collect(),
        helms: deployed.iter().any(|o| o.annotation(RELEASE_NAME).is_some()),
        live: before.live,
        secrets_hidden: host::hides_secrets(stream),
    };
    let how = How {
        show_secrets: args.show_secrets,
        leave_out: &|object, only| ours.leave_out(object, only),
    };
    Some(diff::diff(&before, &after, &how))
}

/// Helm names the release in this annotation of live objects.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";

/// What of the deployed objects the upgrade is about.
struct Ours<'a> {
    /// The names of its releases.
    releases: HashSet<&'a str>,
    /// Whether Helm's annotation tells what is of a release.
    helms: bool,
    live: bool,
    secrets_hidden: bool,
}

impl Ours<'_> {
    /// Why an object that one side alone has neither comes nor leaves with the upgrade.
    fn leave_out(&self, object: &Object, only: Only) -> Option<String> {
        if object.is_hook() {
            return Some("hooks of Helm run beside the release".into());
        }
        if only == Only::After {
            return None;
        }
        if self.secrets_hidden && object.reference.kind == "Secret" {
            return Some("Helm hides Secrets from the rendering under --hide-secret".into());
        }
        if self.live && !self.is_of_release(object) {
            return Some("in the cluster, and not of this release".into());
        }
        None
    }

    fn is_of_release(&self, object: &Object) -> bool {
        let named = |name: Option<&str>| name.is_some_and(|name| self.releases.contains(name));
        if self.helms {
            return named(object.annotation(RELEASE_NAME));
        }
        // Applied without Helm: what a controller made of it carries the same labels.
        const MADE: [&str; 6] = [
            "Pod",
            "ReplicaSet",
            "PersistentVolumeClaim",
            "Endpoints",
            "EndpointSlice",
            "ControllerRevision",
        ];
        named(object.label("app.kubernetes.io/instance"))
            && object.at(&["metadata", "ownerReferences"]).is_none()
            && !MADE.contains(&object.reference.kind.as_str())
    }
}

/// `diff A B`: nothing is judged.
fn two_files(context: &Context, args: &DiffArgs, format: Format, io: &mut Io) -> Result<anyhow::Result<u8>, Usage> {
    if args.files.iter().all(|f| f == Path::new("-")) {
        return Err(Usage("only one of two files can be stdin (`-`)".into()));
    }
    if context.report.is_some() {
        let why = "--report is the report of a judgement, and two files are compared without one; --format json says what differs";
        return Err(Usage(why.into()));
    }
    let mut sides = Vec::new();
    for path in &args.files {
        let bytes = match read_input(Some(path), io) {
            Ok(bytes) => bytes,
            Err(e) => return Ok(Err(e)),
        };
        match objects(&bytes) {
            Ok(objects) => sides.push(objects),
            Err(Unfit::StateFile) => {
                let why = format!(
                    "{} is a state file, which keeps no whole objects; compare manifests",
                    path.display()
                );
                return Err(Usage(why));
            }
            Err(Unfit::Unreadable(all)) => {
                let said: String = all
                    .iter()
                    .map(|why| format!("milvus-uplift: {} {why}\n", path.display()))
                    .collect();
                let _ = io.stderr.write_all(text::visible(said).as_bytes());
                return Ok(Ok(EXIT_REFUSED));
            }
        }
    }
    let how = How {
        show_secrets: args.show_secrets,
        ..How::default()
    };
    let diff = diff::diff(&Side::of(&sides[0]), &Side::of(&sides[1]), &how);
    let compared = Compared {
        diff: Some(diff),
        judgement: None,
    };
    Ok(say(args, format, &compared, io))
}

enum Unfit {
    StateFile,
    Unreadable(Vec<String>),
}

/// The objects of a file: a stream, a List, or a release record.
fn objects(bytes: &[u8]) -> Result<Vec<Object>, Unfit> {
    let text = String::from_utf8_lossy(bytes);
    if state::file::recognise(&text).is_some() {
        return Err(Unfit::StateFile);
    }
    let bytes = Bytes::from(bytes).or_json();
    let unreadable = match Stream::read(bytes.clone(), Input::Target) {
        Ok(stream) => return Ok(stream.objects),
        Err(all) => all,
    };
    match state::read(&Current::Manifests(bytes), None) {
        Ok(Some(source)) if source.form == Form::Record => Ok(source.stream.objects),
        _ => {
            let place = |u: &crate::stream::Unreadable| {
                format!(
                    "cannot be read, line {}, column {}: {}",
                    u.position.line, u.position.column, u.message
                )
            };
            Err(Unfit::Unreadable(unreadable.iter().map(place).collect()))
        }
    }
}

/// Writes the diff, and on stderr what a judgement has to say; the exit status.
fn say(args: &DiffArgs, format: Format, compared: &Compared, io: &mut Io) -> anyhow::Result<u8> {
    let judgement = compared.judgement;
    let refused = judgement.is_some_and(|j| j.refused() || j.unvouched);
    let applied = matches!(format, Format::Jsonpatch | Format::Flux);
    let diff = compared.diff.as_ref().filter(|_| !(refused && applied));
    if let Some(diff) = diff.filter(|_| format == Format::Flux)
        && let [first, ..] = &flux::masked(diff)[..]
    {
        return Err(anyhow!(
            "the patch of {first} holds secrets, and masked it would put the masks into the cluster: --show-secrets writes them as \
             they are; then keep the patches where secrets may be kept"
        ));
    }
    let said = rendered(args, format, diff, judgement, refused)?;
    put(io.stdout, said.as_bytes())?;
    let notes = stderr(format, diff, judgement, refused);
    let _ = io.stderr.write_all(notes.as_bytes());
    Ok(match (judgement, diff) {
        (Some(j), _) if j.unvouched => EXIT_FAILED,
        (_, Some(diff)) if !refused && diff.is_empty() => EXIT_OK,
        _ => EXIT_REFUSED,
    })
}

fn rendered(
    args: &DiffArgs,
    format: Format,
    diff: Option<&Diff>,
    judgement: Option<&Judgement>,
    refused: bool,
) -> anyhow::Result<String> {
    let findings = judgement.map(report::json);
    let reasons = || {
        let refusals = judgement.into_iter().flat_map(|j| &j.findings).filter(|f| f.refuses());
        refusals
            .map(|f| format!("{} {}: {}", f.code, f.name, f.message))
            .collect::<Vec<_>>()
    };
    Ok(match (format, diff) {
        (Format::Json, _) => {
            let verdict = findings.as_ref().and_then(|r| r["verdict"].as_str());
            let found = findings.as_ref().map_or_else(|| json!([]), |r| r["findings"].clone());
            pretty(&diff_json::render(diff, verdict, &found))?
        }
        (Format::Markdown, _) => markdown::render(diff, &reasons(), args.unified),
        (_, None) => String::new(),
        (Format::Jsonpatch, Some(diff)) => pretty(&jsonpatch::render(diff))?,
        (Format::Flux, Some(diff)) => flux::render(diff, &advice(judgement)),
        (_, Some(diff)) => {
            let style = Style {
                context: args.unified,
                colour: coloured(args.color),
            };
            let text = diff_text::render(diff, &style);
            match refused {
                true => format!("REFUSED, nothing of this would be applied: stderr says why\n\n{text}"),
                false => text,
            }
        }
    })
}

fn pretty(value: &crate::value::Value) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// What stderr says beside the diff.
fn stderr(format: Format, diff: Option<&Diff>, judgement: Option<&Judgement>, refused: bool) -> String {
    let mut out = String::new();
    if let Some(judgement) = judgement {
        if refused {
            out.push_str(&text::refusal(judgement));
        } else if let Some(line) = text::warnings(judgement) {
            out.push_str(&format!("{line}\n"));
        }
    }
    let Some(diff) = diff else { return out };
    if format == Format::Jsonpatch && diff.masked() {
        out.push_str("milvus-uplift: secrets are masked in these patches, they cannot be applied; --show-secrets writes them as they are\n");
    }
    let missing = flux::missing(diff);
    if format == Format::Flux && !missing.is_empty() {
        out.push_str(&format!(
            "milvus-uplift: INCOMPLETE: patches cannot add {}; the comments say what to do instead\n",
            missing.join(", ")
        ));
    }
    out
}

/// How the chart comes to render by itself what no patch can add.
fn advice(judgement: Option<&Judgement>) -> String {
    let values = judgement
        .into_iter()
        .flat_map(|j| &j.findings)
        .find(|f| f.code == "MU606");
    match values {
        Some(finding) => format!(
            "{}\nWith these values under spec.values no patch is needed.",
            finding.help
        ),
        None => "set the values that turn them on under spec.values, or commit their manifests beside the HelmRelease"
            .into(),
    }
}

fn coloured(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let unset = |key: &str| std::env::var_os(key).is_none_or(|v| v.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
            unset("NO_COLOR") && !dumb && std::io::stdout().is_terminal()
        }
    }
}

//! `plan`: the way from what is deployed to a version.

use std::path::Path;

use super::args::{Context, Format, PlanArgs};
use super::{EXIT_OK, EXIT_REFUSED, Io, Usage, current_with, out_file, put};
use crate::milvus::version::Version;
use crate::options::Options;
use crate::plan::{self, Order, Plans, Verdict, write};
use crate::report::text;

/// The version to come.
pub fn target(args: &PlanArgs) -> Result<Version, Usage> {
    let given = args.to.trim();
    Version::parse(given).map_err(|why| Usage(format!("--to takes a full version such as 2.6.16; {why}")))
}

pub fn run(
    context: &Context,
    options: &Options,
    format: Format,
    to: &Version,
    args: &PlanArgs,
    io: &mut Io,
) -> anyhow::Result<u8> {
    // The commands of a plan say what the stored values do not.
    let current = current_with(context, true)?;
    let said = |option: &Option<String>| option.clone().filter(|s| !s.is_empty());
    let (namespace, kube_context) = (said(&context.namespace), said(&context.kube_context));
    let stated = stated(context);
    let migration = args.emit_migration.as_ref().map(|p| p.display().to_string());
    let order = Order {
        current: &current,
        to,
        options,
        namespace: namespace.as_deref(),
        context: kube_context.as_deref(),
        stated: &stated,
        migration: migration.as_deref(),
    };
    let plans = match plan::plan(&order) {
        Ok(plans) => plans,
        Err(findings) => {
            let mut why = String::new();
            findings.iter().for_each(|f| text::one(&mut why, f));
            let _ = io.stderr.write_all(why.as_bytes());
            return Ok(EXIT_REFUSED);
        }
    };
    if let Some(folder) = &args.emit_migration {
        emit(&plans, folder, io)?;
    }
    // A patch for what a later version brings fits nothing before, so it cannot be handed on with every command.
    for patch in &context.patch {
        let note = format!(
            "milvus-uplift: --patch {0} is not in the plan's commands: give it to the steps that it fits, with Helm as --post-renderer-args=--patch={0}\n",
            patch.display()
        );
        let _ = io.stderr.write_all(note.as_bytes());
    }
    let text = match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&plans)?),
        Format::Markdown => text::visible(write::markdown(&plans)),
        Format::Mermaid => text::visible(write::mermaid(&plans)),
        _ => text::visible(write::text(&plans)),
    };
    match args
        .output
        .as_deref()
        .filter(|p| !p.as_os_str().is_empty() && *p != Path::new("-"))
    {
        Some(path) => out_file::write("--output", path, &text)?,
        None => {
            put(io.stdout, text.as_bytes())?;
        }
    }
    Ok(match plans.verdict {
        Verdict::Go => EXIT_OK,
        Verdict::Blocked => EXIT_REFUSED,
    })
}

/// What was stated, as arguments for the commands of the plan.
fn stated(context: &Context) -> Vec<String> {
    let each = |name: &str, list: &[String]| -> Vec<String> {
        let given = list.iter().map(|s| s.trim()).filter(|s| !s.is_empty());
        given.map(|s| format!("--{name}={s}")).collect()
    };
    [each("assume", &context.assume), each("allow", &context.allow)].concat()
}

/// Writes the manifests of the metadata migration; says so where there are none to write.
fn emit(plans: &Plans, folder: &Path, io: &mut Io) -> anyhow::Result<()> {
    let several = plans.plans.len() > 1;
    let mut written = 0;
    for plan in plans.plans.iter().filter(|p| !p.manifests.is_empty()) {
        let folder = if several {
            folder.join(&plan.release.name)
        } else {
            folder.to_owned()
        };
        out_file::make_folder("--emit-migration", &folder)?;
        for manifest in &plan.manifests {
            let path = folder.join(manifest.file);
            out_file::write("--emit-migration", &path, &manifest.text)?;
            written += 1;
        }
    }
    if written == 0 {
        let _ = io.stderr.write_all(
            b"milvus-uplift: no migration of metadata lies on this way, so --emit-migration wrote nothing\n",
        );
    }
    Ok(())
}

/// `plan` cannot begin from nowhere.
pub fn source_is_said(context: &Context) -> Result<(), Usage> {
    match context.current {
        Some(_) => Ok(()),
        None => Err(Usage(
            "plan needs to know what is deployed: --current release:NAME --namespace NAMESPACE, a file, or none for a fresh install".to_owned(),
        )),
    }
}

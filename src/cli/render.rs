//! `render`: manifests in, manifests out.

use memchr::memmem;

use super::args::{Context, Format};
use super::{EXIT_FAILED, EXIT_OK, EXIT_REFUSED, Io, put_all, request, tell_timings, write_report};
use crate::host::{FILENAME, Host, parent};
use crate::judge::{Places, Request, judge};
use crate::options::Options;
use crate::order::Order;
use crate::report::{self, text};

pub fn run(context: &Context, options: Options, format: Format, stdin: Vec<u8>, io: &mut Io) -> anyhow::Result<u8> {
    if stdin.is_empty() && options.order != Order::ArgoCd {
        // Helm 3 runs a post-renderer without input for `helm template --output-dir` (hosts.md 1.11), and shows nothing of
        // stderr then. A report that is there says what was judged before.
        write_report(context, &judge(&Request::default()))?;
        let said = "milvus-uplift: stdin is empty: nothing was judged, and nothing is written\n";
        let _ = io.stderr.write_all(said.as_bytes());
        return Ok(EXIT_OK);
    }
    // Where the stream cannot be read, its host still must be told how to reach the user.
    let helm4 = memmem::find(&stdin, FILENAME.as_bytes()).is_some();
    let mut request = request(context, options, stdin)?;
    request.host_command = parent::command_line();
    if context.report.is_none() {
        request.places = Places::IfRefused;
    }
    let judgement = judge(&request);
    let reported = write_report(context, &judgement);
    if let Some(output) = &judgement.output {
        reported?;
        put_all(io.stdout, output.pieces().map(str::as_bytes))?;
        if let Some(line) = text::warnings(&judgement) {
            let line = format!("{line}\n");
            let _ = io.stderr.write_all(line.as_bytes());
            parent::tell(&line);
        }
        tell_timings(context, &judgement, io);
        // The process ends here: to take everything apart piece by piece costs a tenth of the run and frees nothing.
        std::mem::forget((judgement, request));
        return Ok(EXIT_OK);
    }
    let said = match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&report::json(&judgement))?),
        _ => text::refusal(&judgement),
    };
    let _ = io.stderr.write_all(said.as_bytes());
    tell_timings(context, &judgement, io);
    if helm4 || judgement.host == Host::Helm4 {
        parent::tell(&format!("\n{said}"));
    }
    reported?;
    Ok(if judgement.unvouched { EXIT_FAILED } else { EXIT_REFUSED })
}

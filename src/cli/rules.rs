//! `rules` and `explain`.

use serde_json::json;

use super::args::Format;
use super::{Io, Usage, put};
use crate::rules::{RULES, rule};

/// The table of all rules.
pub fn table(format: Format, io: &mut Io) -> anyhow::Result<u8> {
    let text = match format {
        Format::Json => {
            let rows: Vec<_> = RULES
                .iter()
                .map(|r| json!({"code": r.code, "name": r.name, "severity": r.severity, "says": r.says}))
                .collect();
            format!("{}\n", serde_json::to_string_pretty(&rows)?)
        }
        _ => RULES
            .iter()
            .map(|r| format!("{}  {:<8}{:<36}{}\n", r.code, r.severity.as_str(), r.name, r.says))
            .collect(),
    };
    put(io.stdout, text.as_bytes())
}

/// The page of one rule.
pub fn explain(code: &str, format: Format, io: &mut Io) -> Result<anyhow::Result<u8>, Usage> {
    let wanted = code.trim().to_ascii_uppercase();
    let Some(rule) = rule(&wanted) else {
        return Err(Usage(format!("no rule `{code}`; `milvus-uplift rules` lists them")));
    };
    let text = match format {
        Format::Json => {
            let page = json!({"code": rule.code, "name": rule.name, "severity": rule.severity, "says": rule.says, "page": rule.page});
            format!("{page:#}\n")
        }
        _ => rule.page.to_owned(),
    };
    Ok(put(io.stdout, text.as_bytes()))
}

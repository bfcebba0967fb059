//! `rules` and `explain`.

use std::fmt::Write;

use super::args::Format;
use super::{Io, Usage, put};
use crate::facts;
use crate::rules::{RULES, rule};
use crate::value::{Map, Value, json};

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

/// The facts the rules stand on, table by table.
pub fn facts(format: Format, io: &mut Io) -> anyhow::Result<u8> {
    let mut tables = Map::new();
    for table in facts::TABLES {
        tables.insert(table.name.into(), table.parsed()?);
    }
    let text = match format {
        Format::Json => format!("{:#}\n", json!({"schema": "milvus-uplift/facts/v1", "tables": tables})),
        _ => tables.iter().map(|(name, table)| listed(name, table)).collect(),
    };
    put(io.stdout, text.as_bytes())
}

/// One table for people: a line for each row, and one for where and when it was read.
fn listed(name: &str, table: &Value) -> String {
    let mut out = format!("{name}\n");
    for row in facts::rows(table) {
        let fields: Vec<String> = row
            .fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let path = if row.path.is_empty() {
            String::new()
        } else {
            format!("{} · ", row.path)
        };
        let _ = writeln!(out, "  {path}{}", fields.join(" · "));
        let _ = writeln!(out, "      {} ({})", row.source, row.checked);
    }
    out.push('\n');
    out
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

#[cfg(test)]
mod tests {
    use crate::rules::rule;

    #[test]
    fn a_rule_is_found_by_its_code_alone() {
        assert_eq!(rule("MU301").map(|r| r.code), Some("MU301"));
        assert!(rule("MU999").is_none());
    }
}

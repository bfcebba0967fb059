//! Markdown for the comment on a pull request. What comes from the manifests stays text: it cannot open a tag, a link, a
//! mention or a fence of its own.

use super::view::{View, plural};
use crate::finding::{Finding, Severity};
use crate::report::ReleaseReport;
use crate::transition::Kind;

/// GitHub takes 65,536 characters in a comment; this leaves room for what a workflow may add.
pub const LIMIT: usize = 65_000;

/// What the closing tag and the note about what is left out may take of it.
const RESERVE: usize = 500;

/// By it a workflow finds its comment again, to replace it.
const MARKER: &str = "<!-- milvus-uplift -->";

/// The whole comment.
pub fn render(view: &View) -> String {
    let mut page = Page::default();
    page.push(&format!("{MARKER}\n### {}\n", headline(view)));
    releases(&mut page, &view.judgement.releases);
    let groups = [
        ("Refused", Severity::Refuse, false),
        ("Warnings", Severity::Warn, false),
        ("Refusals that were allowed", Severity::Refuse, true),
        ("Worth knowing", Severity::Info, false),
    ];
    let mut left = Vec::new();
    for (title, severity, allowed) in groups {
        let of = |f: &&Finding| f.severity == severity && f.allowed == allowed;
        let all: Vec<&Finding> = view.judgement.findings.iter().filter(of).collect();
        let missing = section(&mut page, view, title, &all);
        if missing > 0 {
            left.push(format!("{missing} of {} under \"{title}\"", all.len()));
        }
    }
    if !left.is_empty() {
        page.text.push_str(&format!(
            "\n> A comment has room for {LIMIT} characters; left out: {}. `milvus-uplift check` tells them all.\n",
            left.join(", ")
        ));
    }
    page.text
}

fn headline(view: &View) -> String {
    let count = |severity: Severity| {
        let of = |f: &&Finding| f.severity == severity && !f.allowed;
        view.judgement.findings.iter().filter(of).count()
    };
    let (refusals, warnings) = (count(Severity::Refuse), count(Severity::Warn));
    let verdict = match (refusals, view.passes()) {
        (0, true) => "pass".to_owned(),
        (0, false) => "refused by --strict".to_owned(),
        (n, _) => format!("refused, {}", plural(n, "reason")),
    };
    match warnings {
        0 => format!("milvus-uplift: {verdict}"),
        n => format!("milvus-uplift: {verdict}, {}", plural(n, "warning")),
    }
}

fn releases(page: &mut Page, all: &[ReleaseReport]) {
    if all.is_empty() {
        return;
    }
    page.push("\n| release | from | to | mode | message queue |\n|---|---|---|---|---|\n");
    let unknown = |v: &Option<String>| v.clone().unwrap_or_else(|| "unknown".into());
    for (i, release) in all.iter().enumerate() {
        let name = match release.namespace.as_str() {
            "" => release.name.clone(),
            namespace => format!("{namespace}/{}", release.name),
        };
        let from = match (&release.current, release.kind) {
            (Some(current), _) => unknown(&current.version),
            (None, Some(Kind::Fresh)) => "nothing".into(),
            (None, _) => "unknown".into(),
        };
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            prose(&name),
            prose(&from),
            prose(&unknown(&release.target.version)),
            serde_json::to_value(release.mode)
                .ok()
                .as_ref()
                .and_then(|m| m.as_str())
                .unwrap_or_default(),
            prose(&queue(release))
        );
        // Half of the page at most: findings are what it is for.
        if page.length + row.chars().count() > LIMIT / 2 {
            page.push(&format!("\nand {}.\n", plural(all.len() - i, "more release")));
            return;
        }
        page.push(&row);
    }
}

fn queue(release: &ReleaseReport) -> String {
    let after = release.target.mq.as_deref().unwrap_or("unknown");
    match release.current.as_ref().map(|c| c.mq.as_deref().unwrap_or("unknown")) {
        Some(before) if before != after => format!("{before} → {after}"),
        _ => after.to_owned(),
    }
}

/// The findings of a kind; returns how many had no room.
fn section(page: &mut Page, view: &View, title: &str, findings: &[&Finding]) -> usize {
    let folded = findings.first().is_some_and(|f| f.severity == Severity::Info);
    let head = match folded {
        true => format!("\n<details>\n<summary>{title} ({})</summary>\n", findings.len()),
        false => format!("\n#### {title}\n"),
    };
    let mut opened = false;
    let mut missing = 0;
    for finding in findings {
        let block = block(view, finding);
        let needed = if opened { 0 } else { head.chars().count() };
        if !page.has_room(needed + block.chars().count()) {
            missing += 1;
            continue;
        }
        if !opened {
            page.push(&head);
            opened = true;
        }
        page.push(&block);
    }
    if folded && opened {
        page.push("\n</details>\n");
    }
    missing
}

fn block(view: &View, finding: &Finding) -> String {
    let mut out = format!(
        "\n**{}** `{}`: {}\n",
        finding.code,
        finding.name,
        prose(&finding.message)
    );
    let mut places = Vec::new();
    if let Some(object) = &finding.object {
        places.push(code(&object.to_string()));
    }
    if let Some(field) = &finding.field {
        places.push(code(&field.path));
    }
    if let Some(location) = &finding.location {
        places.push(code(&format!(
            "{}:{}:{}",
            view.file(finding),
            location.line,
            location.column
        )));
    }
    if let Some(template) = &finding.template {
        places.push(format!("rendered by {}", code(template)));
    }
    if !places.is_empty() {
        out.push_str(&format!("\nat {}\n", places.join(", ")));
    }
    if !finding.help.is_empty() {
        out.push_str(&format!("\n{}\n", fence(&finding.help)));
    }
    out
}

/// The comment so far, and how many characters it has.
#[derive(Default)]
pub struct Page {
    /// The text.
    pub text: String,
    length: usize,
}

impl Page {
    /// Writes further.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.length += text.chars().count();
    }

    /// Whether so many characters fit, with room for the note about what is left out.
    pub fn has_room(&self, characters: usize) -> bool {
        self.length + characters + RESERVE <= LIMIT
    }
}

/// A sentence: on one line, with everything escaped that Markdown, HTML or GitHub would make something of.
pub fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = one_line(text);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention survives every escape and notifies somebody; a space of no width ends it.
            '@' => out.push_str("@\u{200b}"),
            // The end of a clause is none of an address or an emoji.
            ':' if rest.peek().is_none_or(|next| *next == ' ') => out.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | ':' | '$' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    // The other form of address that is linked without being asked for.
    out.replace("www.", "www\\.")
}

/// A span of code, delimited by more backticks than it holds in a row.
pub fn code(text: &str) -> String {
    let text = one_line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

fn fence(text: &str) -> String {
    fenced("text", text)
}

/// A block of code in a language, delimited by more backticks than it holds in a row.
pub fn fenced(language: &str, text: &str) -> String {
    let ticks = "`".repeat((longest_run(text) + 1).max(3));
    let text: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\n' { c } else { shown(c) })
        .collect();
    format!("{ticks}{language}\n{text}\n{ticks}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn one_line(text: &str) -> String {
    let spaced = text.replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
    spaced.trim().chars().map(shown).collect()
}

/// Control characters, and those that turn the direction of writing, made visible.
fn shown(c: char) -> char {
    match c {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ if c.is_control() => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{finding, shown as viewed};
    use super::*;

    #[test]
    fn content_cannot_break_out() {
        assert_eq!(
            prose("</details> [x](http://e) `c` a|b @team\n# h &copy; *b* www.e.org"),
            "&lt;/details&gt; \\[x\\](http\\://e) \\`c\\` a\\|b @\u{200b}team \\# h &amp;copy; \\*b\\* www\\.e.org"
        );
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(fence("x\n```\n</details>"), "````text\nx\n```\n</details>\n````");
        assert_eq!(one_line("a\u{202e}b\u{1b}[31m"), "a\u{fffd}b\u{fffd}[31m");
    }

    #[test]
    fn findings_stand_by_severity_and_infos_are_folded() {
        let mut info = finding("MU113", "know");
        info.severity = Severity::Info;
        let mut allowed = finding("MU301", "let pass");
        allowed.allowed = true;
        let mut refused = finding("MU301", "changed");
        refused.template = Some("m/templates/x.yaml".into());
        let text = viewed(vec![refused, allowed, finding("MU002", "none"), info], false, render);
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is missing in {text}"));
        let order = [
            "<!-- milvus-uplift -->",
            "### milvus-uplift: refused, 1 reason, 1 warning",
            "#### Refused\n",
            "#### Warnings\n",
        ];
        assert!(order.windows(2).all(|w| at(w[0]) < at(w[1])));
        assert!(at("let pass") > at("#### Refusals that were allowed"));
        assert!(at("<details>") < at("know") && at("know") < at("</details>"));
        assert!(text.contains("at `out/manifests.yaml:3:5`, rendered by `m/templates/x.yaml`"));
        assert!(text.contains("```text\ndo this\n```"));
    }

    #[test]
    fn a_comment_has_a_size_and_says_what_it_left_out() {
        let many: Vec<_> = (0..900)
            .map(|i| finding("MU002", &format!("{i} {}", "é".repeat(200))))
            .collect();
        let text = viewed(many, false, render);
        assert!(text.chars().count() <= LIMIT, "{}", text.chars().count());
        assert!(text.contains("left out: ") && text.contains(" of 900 under \"Warnings\""));
        let huge = viewed(
            vec![finding("MU301", &"x".repeat(LIMIT)), finding("MU002", "small")],
            false,
            render,
        );
        assert!(huge.contains("1 of 1 under \"Refused\"") && huge.contains("small"));
    }
}

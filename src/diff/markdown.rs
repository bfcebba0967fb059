//! The diff as a comment on a pull request: a section to unfold for each object, as many as a comment has room for.

use super::{Diff, text};
use crate::report::markdown::{Page, code, fenced, prose};

/// By it a workflow finds its comment again, to replace it.
const MARKER: &str = "<!-- milvus-uplift diff -->";

/// The whole comment. `refused` are the reasons for which nothing of it would be applied, one a line.
pub fn render(diff: Option<&Diff>, refused: &[String], context: usize) -> String {
    let mut page = Page::default();
    let head = diff.map_or_else(|| "milvus-uplift: nothing could be compared".into(), text::total);
    page.push(&format!("{MARKER}\n### {}\n", prose(&head)));
    if !refused.is_empty() {
        page.push("\n**Refused: nothing of this would be applied.**\n\n");
        for (i, reason) in refused.iter().enumerate() {
            let line = format!("- {}\n", prose(reason));
            if !page.has_room(line.chars().count() * 2) {
                page.push(&format!("- and {} more\n", refused.len() - i));
                break;
            }
            page.push(&line);
        }
    }
    let Some(diff) = diff else { return page.text };
    for note in text::notes(diff) {
        page.push(&format!("\n{}\n", prose(&note)));
    }
    let mut left_out = Vec::new();
    for one in &diff.objects {
        let title = text::headline(one);
        let section = |body: &str| {
            let title = html(&title);
            format!("\n<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>\n")
        };
        let whole = section(&fenced("diff", text::body(one, context).trim_end_matches('\n')));
        match page.has_room(whole.chars().count()) {
            true => page.push(&whole),
            false => left_out.push(title),
        }
    }
    if !left_out.is_empty() {
        page.text.push_str(&format!(
            "\n> A comment has no room for {} of {} objects: ",
            left_out.len(),
            diff.objects.len()
        ));
        // In what is kept free for this note.
        let mut named = 0;
        for title in &left_out {
            let item = format!("{}{}", if named > 0 { ", " } else { "" }, code(title));
            if named > 0 && page.text.chars().count() + item.chars().count() + 120 > crate::report::markdown::LIMIT {
                break;
            }
            page.text.push_str(&item);
            named += 1;
        }
        if named < left_out.len() {
            page.text.push_str(&format!(" and {} more", left_out.len() - named));
        }
        page.text.push_str(". `milvus-uplift diff` shows them all.\n");
    }
    page.text
}

/// Text inside a tag, where Markdown is not read.
fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('@', "@\u{200b}").replace(char::is_control, " ")
}

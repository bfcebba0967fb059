//! Links within the repository lead somewhere.

use super::{pages, root};

/// The targets of a page's links, code left out.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        let ends = prose.match_indices("](").map(|(at, _)| &prose[at + 2..]);
        found.extend(
            ends.filter_map(|rest| rest.split_once(')'))
                .map(|(to, _)| to.to_owned()),
        );
    }
    found
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

fn anchors(page: &str) -> Vec<String> {
    page.lines()
        .filter(|l| l.starts_with('#'))
        .map(|l| anchor(l.trim_start_matches('#')))
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let all = pages();
    let mut seen = 0;
    for (name, text) in &all {
        let folder = root().join(name).parent().expect("a folder").to_owned();
        for link in links(text).iter().filter(|l| !l.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() {
                root().join(name)
            } else {
                folder.join(file)
            };
            assert!(path.exists(), "{name}: {link} leads nowhere");
            if !heading.is_empty() {
                let page = std::fs::read_to_string(&path).unwrap();
                assert!(
                    anchors(&page).iter().any(|a| a == heading),
                    "{name}: {link}: no such heading"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} links were found");
}

#[test]
fn headings_get_the_anchors_of_github() {
    assert_eq!(
        anchor(" `--patch`: what is changed, and when"),
        "--patch-what-is-changed-and-when"
    );
    assert_eq!(links("[a](b.md#c) and `[d](e)` [f](g)"), ["b.md#c", "g"]);
    assert_eq!(anchors("# One\ntext\n## Two words\n"), ["one", "two-words"]);
}

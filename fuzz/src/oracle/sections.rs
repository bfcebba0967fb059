//! Several inputs in one: each begins with a line `=== NAME`.

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'d> {
    /// What stands behind `=== `.
    pub name: &'d str,
    /// What follows, up to the next.
    pub body: &'d [u8],
}

const MARK: &[u8] = b"=== ";

/// Cuts an input. What stands before the first mark belongs to none.
pub fn cut(data: &[u8]) -> Vec<Section<'_>> {
    let mut found: Vec<Section> = Vec::new();
    let (mut at, mut start) = (0, 0);
    for line in data.split_inclusive(|b| *b == b'\n') {
        if let Some(name) = line.strip_prefix(MARK) {
            if let Some(last) = found.last_mut() {
                last.body = &data[start..at];
            }
            let name = std::str::from_utf8(name).map_or("", |n| n.trim_end());
            start = at + line.len();
            found.push(Section { name, body: &[] });
        }
        at += line.len();
    }
    if let Some(last) = found.last_mut() {
        last.body = &data[start..];
    }
    found
}

/// The first of that name.
pub fn get<'d>(sections: &[Section<'d>], name: &str) -> Option<&'d [u8]> {
    sections.iter().find(|s| s.name == name).map(|s| s.body)
}

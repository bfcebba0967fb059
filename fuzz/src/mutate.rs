//! Mutations that keep an input readable: whole lines, whole values. Every other one is libFuzzer's own, of bytes.

use libfuzzer_sys::fuzzer_mutate;
use milvus_uplift::yaml::{self, Op, PatchOp, Value};

/// Values that mean something here, or are odd.
const WORDS: [&str; 40] = [
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "0",
    "-1",
    "1.5",
    "\"a\\nb\\n\"",
    "\"~\"",
    "\"yes\"",
    "\"0777\"",
    "\"rootcoord\"",
    "\"mixcoord\"",
    "\"datanode\"",
    "\"indexnode\"",
    "\"streamingnode\"",
    "\"querynode\"",
    "\"proxy\"",
    "\"standalone\"",
    "\"mixture\"",
    "\"milvus\"",
    "\"run\"",
    "\"Deployment\"",
    "\"Service\"",
    "\"ConfigMap\"",
    "\"List\"",
    "\"v1\"",
    "\"apps/v1\"",
    "\"milvusdb/milvus:v2.5.10\"",
    "\"milvusdb/milvus:v2.5.22\"",
    "\"milvusdb/milvus:v2.6.6\"",
    "\"milvusdb/milvus:v3.0.0\"",
    "\"milvusdb/milvus:latest\"",
    "\"kafka\"",
    "\"pulsar\"",
    "\"woodpecker\"",
    "\"1Gi\"",
    "\"\u{e9}\"",
    "[\"milvus\",\"run\",\"proxy\"]",
];

/// A small generator of numbers, seeded by libFuzzer.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Mutates in place; returns the new size.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut chance = Chance(u64::from(seed) << 16 | 0x5eed);
    let mutated = match chance.below(8) {
        0..=3 => None,
        4 | 5 => lines(&data[..size], &mut chance),
        _ => nodes(&data[..size], &mut chance),
    };
    match mutated.filter(|m| m.len() <= max_size.min(data.len())) {
        Some(mutated) => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
}

/// Drops, doubles, moves or indents lines.
fn lines(data: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = data.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return None;
    }
    let (at, to) = (chance.below(lines.len()), chance.below(lines.len()));
    let count = 1 + chance.below(6).min(lines.len() - at - 1);
    match chance.below(6) {
        0 => drop(lines.drain(at..at + count)),
        1 => drop(lines.splice(to..to, lines[at..at + count].to_vec())),
        2 => lines.swap(at, to),
        3 => lines[at].insert(0, b' '),
        4 => drop(lines[at].starts_with(b" ").then(|| lines[at].remove(0))),
        _ => {
            let moved: Vec<_> = lines.drain(at..at + count).collect();
            let to = to.min(lines.len());
            lines.splice(to..to, moved);
        }
    }
    Some(lines.concat())
}

/// Changes one value of one document where it stands: removed, replaced, taken from elsewhere.
fn nodes(data: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(data).ok()?;
    let mut marks: Vec<usize> = vec![0];
    marks.extend(
        text.match_indices("\n---")
            .chain(text.match_indices("\n==="))
            .map(|(i, _)| i + 1),
    );
    marks.sort_unstable();
    let which = chance.below(marks.len());
    let end = marks.get(which + 1).copied().unwrap_or(text.len());
    let piece = &text[marks[which]..end];
    let head = if piece.starts_with("---") || piece.starts_with("===") {
        piece.find('\n')? + 1
    } else {
        0
    };
    let body = &piece[head..];
    let value = yaml::read(body).ok()??;
    let mut all = Vec::new();
    places(&value, String::new(), &mut all);
    let (path, found) = &all[chance.below(all.len())];
    let new = match chance.below(3) {
        0 => all[chance.below(all.len())].1.clone(),
        _ => serde_json::from_str(WORDS[chance.below(WORDS.len())]).ok()?,
    };
    let (op, path, value) = match chance.below(4) {
        0 => (Op::Remove, path.clone(), None),
        1 if found.is_array() => (Op::Add, format!("{path}/-"), Some(new)),
        _ => (Op::Replace, path.clone(), Some(new)),
    };
    let body = yaml::patch(body, &[PatchOp { op, path, value }]).ok()?;
    let from = marks[which] + head;
    Some([&data[..from], body.as_bytes(), &data[end..]].concat())
}

fn places<'v>(value: &'v Value, path: String, out: &mut Vec<(String, &'v Value)>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(k, v)| places(v, format!("{path}/{}", escaped(k)), out)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, v)| places(v, format!("{path}/{i}"), out)),
        _ => {}
    }
    out.push((path, value));
}

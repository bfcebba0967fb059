//! RFC 6902 for each object. What is done to an object is called as in the report: `inject`, `drop`, `patch`.

use super::{Diff, Op};
use crate::value::{Value, json};

/// The schema's name, written into every document.
pub const SCHEMA: &str = "milvus-uplift/jsonpatch/v1";

/// The whole document. Each `patch` applied to the object makes the later one of it; of an object that comes it is one `add`
/// at the root, of one that leaves it is empty. Where secrets are masked in a patch it says so, and cannot be applied.
pub fn render(diff: &Diff) -> Value {
    let objects = diff.objects.iter().map(|one| {
        let op = match one.op {
            Op::Add => "inject",
            Op::Remove => "drop",
            Op::Change => "patch",
        };
        let mut out = json!({"op": op, "object": one.object, "patch": one.patch});
        if one.masked {
            out["masked"] = json!(true);
        }
        out
    });
    json!({"schema": SCHEMA, "masked": diff.masked(), "objects": objects.collect::<Vec<_>>()})
}

//! Plans that would take more than a time linear in the size.

use super::Order;
use super::apart::Part;
use crate::finding::Finding;
use crate::judge::Current;
use crate::rules::mu001_unreadable_input;
use crate::state::Source;

/// How many bytes may be looked at again for a release that is planned beside all, in all: seconds. Up to [`FEW`] releases
/// are planned whatever they take, as long as it is no more than what came in, once for each of so many: records unpack to
/// much more.
const AGAIN: usize = 64 << 20;
const FEW: usize = 16;

/// What refuses plans that take more than a time linear in the size.
pub fn too_much(came: &Current, beside_all: &Order, source: &Source, parts: &[Option<Part>]) -> Option<Finding> {
    let releases = parts.iter().filter(|part| part.is_none()).count();
    let size = looked_at(beside_all.current, source);
    let allowed = match releases {
        0..=FEW => AGAIN.max(FEW.saturating_mul(given(came))),
        _ => AGAIN,
    };
    let more = releases.saturating_mul(size) > allowed;
    more.then(|| mu001_unreadable_input::too_much_to_plan(releases, size))
}

/// The bytes that came in.
fn given(current: &Current) -> usize {
    match current {
        Current::Manifests(bytes) => bytes.len(),
        Current::Records(records) => records.iter().map(|record| record.manifest.len()).sum(),
        _ => 0,
    }
}

/// The bytes that each release is planned by: the objects, and what is told beside them.
fn looked_at(current: &Current, source: &Source) -> usize {
    const EACH: usize = 64;
    let records = match current {
        Current::Records(records) => EACH * records.len(),
        _ => 0,
    };
    let seen = source
        .seen
        .iter()
        .map(|seen| EACH + seen.images.iter().map(String::len).sum::<usize>());
    let values = source.values.as_ref().map_or(0, |values| values.to_string().len());
    // One that was deployed and that is all adds nothing.
    let beside = records.saturating_sub(EACH) + seen.sum::<usize>() + values;
    source.stream.text.len() + beside
}

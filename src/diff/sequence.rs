//! Which elements of two sequences are the same, in order.

use std::collections::HashMap;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Up to which product of the lengths Myers' algorithm decides: it takes time with the length times what differs.
const SHORT: usize = 1 << 24;

/// What makes the later sequence of the earlier one.
pub fn ops(before: &[String], after: &[String]) -> Vec<DiffOp> {
    match before.len().saturating_mul(after.len()) <= SHORT {
        true => capture_diff_slices(Algorithm::Myers, before, after),
        false => between(&in_order(before, after), before.len(), after.len()),
    }
}

/// Elements that are the same on both sides (the second of a kind with the second), as many as stand in one order: the longest
/// increasing run among the places of the partners.
fn in_order(before: &[String], after: &[String]) -> Vec<(usize, usize)> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (i, element) in before.iter().enumerate().rev() {
        places.entry(element).or_default().push(i);
    }
    let partner = |(j, element): (usize, &String)| Some((places.get_mut(element.as_str())?.pop()?, j));
    let pairs: Vec<(usize, usize)> = after.iter().enumerate().filter_map(partner).collect();
    // For each length the pair that ends such a run with the least place, and for each pair the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (n, (i, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].0 < *i);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = n,
            None => ends.push(n),
        }
    }
    let mut run: Vec<(usize, usize)> = std::iter::successors(ends.last().copied(), |n| previous[*n])
        .map(|n| pairs[n])
        .collect();
    run.reverse();
    run
}

/// The operations around the pairs that stay.
fn between(pairs: &[(usize, usize)], before: usize, after: usize) -> Vec<DiffOp> {
    let mut out: Vec<DiffOp> = Vec::new();
    let (mut old_index, mut new_index) = (0, 0);
    for &(i, j) in pairs.iter().chain([&(before, after)]) {
        let (old_len, new_len) = (i - old_index, j - new_index);
        match (old_len, new_len) {
            (0, 0) => {}
            (0, _) => out.push(DiffOp::Insert {
                old_index,
                new_index,
                new_len,
            }),
            (_, 0) => out.push(DiffOp::Delete {
                old_index,
                old_len,
                new_index,
            }),
            _ => out.push(DiffOp::Replace {
                old_index,
                old_len,
                new_index,
                new_len,
            }),
        }
        if i < before {
            match out.last_mut() {
                Some(DiffOp::Equal { len, .. }) => *len += 1,
                _ => out.push(DiffOp::Equal {
                    old_index: i,
                    new_index: j,
                    len: 1,
                }),
            }
        }
        (old_index, new_index) = (i + 1, j + 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(numbers: &[u8]) -> Vec<String> {
        numbers.iter().map(ToString::to_string).collect()
    }

    fn long(before: &[String], after: &[String]) -> Vec<DiffOp> {
        between(&in_order(before, after), before.len(), after.len())
    }

    fn equal(ops: &[DiffOp]) -> usize {
        let same = ops.iter().filter(|op| matches!(op, DiffOp::Equal { .. }));
        same.map(|op| op.old_range().len()).sum()
    }

    #[test]
    fn long_sequences_are_told_as_short_ones() {
        for (before, after) in [
            (&[][..], &[1, 2][..]),
            (&[1, 2], &[]),
            (&[1, 2, 3, 4], &[1, 5, 3, 4]),
            (&[1, 1, 2], &[1, 2, 2]),
            (&[1, 2, 3], &[0, 1, 2, 3, 4]),
            (&[1, 2], &[3, 4, 5]),
        ] {
            let (before, after) = (texts(before), texts(after));
            assert_eq!(
                long(&before, &after),
                capture_diff_slices(Algorithm::Myers, &before, &after)
            );
        }
    }

    proptest! {
        #[test]
        fn the_operations_make_the_one_of_the_other(before: Vec<u8>, after: Vec<u8>) {
            let (before, after) = (texts(&before), texts(&after));
            let ops = long(&before, &after);
            let (mut old, mut new) = (0, 0);
            for op in &ops {
                prop_assert_eq!((op.old_range().start, op.new_range().start), (old, new));
                if let DiffOp::Equal { .. } = op {
                    prop_assert_eq!(&before[op.old_range()], &after[op.new_range()]);
                }
                (old, new) = (op.old_range().end, op.new_range().end);
            }
            prop_assert_eq!((old, new), (before.len(), after.len()));
            let is_equal = |op: &DiffOp| matches!(op, DiffOp::Equal { .. });
            let alternate = ops.windows(2).all(|two| is_equal(&two[0]) != is_equal(&two[1]));
            prop_assert!(alternate);
        }

        #[test]
        fn of_elements_that_are_there_once_as_many_stay_as_can(
            before in Just((0..40_u8).collect::<Vec<_>>()).prop_shuffle(),
            after in Just((20..60_u8).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let (before, after) = (texts(&before), texts(&after));
            let best = capture_diff_slices(Algorithm::Myers, &before, &after);
            prop_assert!(equal(&long(&before, &after)) >= equal(&best));
        }
    }
}

//! Which object of one side is which of the other, and the order in which both are told.

use std::hash::Hash;

use foldhash::HashMap;

use crate::kube::object::group;
use crate::kube::{Object, ObjectRef};

/// An item of each side that belong together, by index; one alone where the other side has none.
pub type Pair = (Option<usize>, Option<usize>);

/// Pairs objects by group, kind, namespace and name. A namespace left to the client agrees with any, after those that
/// say theirs have found each other; of several with one identity the first belongs to the first.
pub fn pair(before: &[Object], after: &[Object]) -> Vec<Pair> {
    fn said(object: &Object) -> (Key<'_>, &str) {
        (key(&object.reference), &object.reference.namespace)
    }
    let mut within = Queues::of(before.len(), |i| Some(said(&before[i])));
    let mut partners: Vec<Option<usize>> = after.iter().map(|object| within.take(&said(object))).collect();
    let kept = kept(before.len(), &partners);
    let mut left = Queues::of(before.len(), |i| (!kept[i]).then(|| key(&before[i].reference)));
    // Where there are both, those without a namespace have found each other: one side at most has some left.
    for (object, partner) in after.iter().zip(&mut partners).filter(|(_, p)| p.is_none()) {
        let key = key(&object.reference);
        *partner = match object.reference.namespace.is_empty() {
            true => left.take(&key),
            false => within.take(&(key, "")),
        };
    }
    merged(before.len(), &partners)
}

type Key<'o> = (&'o str, &'o str, &'o str);

fn key(reference: &ObjectRef) -> Key<'_> {
    (group(&reference.api_version), &reference.kind, &reference.name)
}

/// Numbers by what they have in common, to be taken from the least on.
struct Queues<K> {
    first: HashMap<K, usize>,
    next: Vec<Option<usize>>,
}

impl<K: Eq + Hash> Queues<K> {
    fn of(length: usize, key: impl Fn(usize) -> Option<K>) -> Queues<K> {
        let mut first = HashMap::default();
        let mut next = vec![None; length];
        for i in (0..length).rev() {
            next[i] = key(i).and_then(|key| first.insert(key, i));
        }
        Queues { first, next }
    }

    fn take(&mut self, key: &K) -> Option<usize> {
        let first = self.first.get_mut(key)?;
        let taken = *first;
        match self.next[taken] {
            Some(next) => *first = next,
            None => {
                self.first.remove(key);
            }
        }
        Some(taken)
    }
}

/// Which of the earlier items have a later one.
fn kept(before: usize, partners: &[Option<usize>]) -> Vec<bool> {
    let mut kept = vec![false; before];
    partners.iter().flatten().for_each(|i| kept[*i] = true);
    kept
}

/// One order for both sides: that of the later one, what only the earlier has behind what it stood behind. `partners` names
/// the earlier item of each later one.
pub fn merged(before: usize, partners: &[Option<usize>]) -> Vec<Pair> {
    let kept = kept(before, partners);
    let gone_from = |start: usize| (start..before).take_while(|i| !kept[*i]).map(|i| (Some(i), None));
    let mut out: Vec<Pair> = gone_from(0).collect();
    for (i, partner) in partners.iter().enumerate() {
        out.push((*partner, Some(i)));
        if let Some(b) = partner {
            out.extend(gone_from(b + 1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;
    use proptest::prelude::*;

    fn object(namespace: &str, name: &str) -> Object {
        let value =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace}});
        Object::all_in(0, value).unwrap().remove(0)
    }

    fn pairs(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<Pair> {
        let all = |list: &[(&str, &str)]| list.iter().map(|(ns, n)| object(ns, n)).collect::<Vec<_>>();
        pair(&all(before), &all(after))
    }

    #[test]
    fn a_namespace_that_is_said_counts_before_one_left_to_the_client() {
        assert_eq!(
            pairs(&[("", "a"), ("n", "a")], &[("n", "a"), ("", "a")]),
            [(Some(1), Some(0)), (Some(0), Some(1))]
        );
        assert_eq!(pairs(&[("", "a")], &[("n", "a")]), [(Some(0), Some(0))]);
        assert_eq!(pairs(&[("m", "a")], &[("n", "a")]), [(Some(0), None), (None, Some(0))]);
    }

    /// The same by looking at each for each.
    fn looked_for(before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<Pair> {
        let mut partners: Vec<Option<usize>> = vec![None; after.len()];
        for exact in [true, false] {
            for (j, (space, name)) in after.iter().enumerate() {
                let fits = |i: &usize| {
                    let (other, called) = before[*i];
                    let agree = other == *space || !exact && (other.is_empty() || space.is_empty());
                    agree && called == *name && !partners.contains(&Some(*i))
                };
                if partners[j].is_none() {
                    partners[j] = (0..before.len()).find(fits);
                }
            }
        }
        merged(before.len(), &partners)
    }

    proptest! {
        #[test]
        fn pairs_are_those_that_looking_at_each_finds(
            before in prop::collection::vec((0..4_usize, 0..2_usize), 0..9),
            after in prop::collection::vec((0..4_usize, 0..2_usize), 0..9),
        ) {
            let said = |numbers: &[(usize, usize)]| -> Vec<(&str, &str)> {
                numbers.iter().map(|(space, name)| (["", "", "x", "y"][*space], ["a", "b"][*name])).collect()
            };
            let (before, after) = (said(&before), said(&after));
            prop_assert_eq!(pairs(&before, &after), looked_for(&before, &after));
        }
    }

    #[test]
    fn what_left_stands_where_it_stood_and_twins_pair_in_order() {
        let before = [("", "x"), ("", "a"), ("", "y"), ("", "b"), ("", "b")];
        let after = [("", "n"), ("", "b"), ("", "a"), ("", "b")];
        assert_eq!(
            pairs(&before, &after),
            [
                (Some(0), None),
                (None, Some(0)),
                (Some(3), Some(1)),
                (Some(1), Some(2)),
                (Some(2), None),
                (Some(4), Some(3))
            ]
        );
    }
}

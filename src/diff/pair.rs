//! Which object of one side is which of the other, and the order in which both are told.

use std::collections::HashMap;

use crate::kube::object::group;
use crate::kube::{Object, ObjectRef};

/// An item of each side that belong together, by index; one alone where the other side has none.
pub type Pair = (Option<usize>, Option<usize>);

/// Pairs objects by group, kind, namespace and name. A namespace left to the client agrees with any, after those that
/// say theirs have found each other; of several with one identity the first belongs to the first.
pub fn pair(before: &[Object], after: &[Object]) -> Vec<Pair> {
    let mut named: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    for (i, object) in before.iter().enumerate() {
        named.entry(key(&object.reference)).or_default().push(i);
    }
    let mut taken = vec![false; before.len()];
    let mut partners: Vec<Option<usize>> = vec![None; after.len()];
    for exact in [true, false] {
        for (object, partner) in after.iter().zip(&mut partners).filter(|(_, p)| p.is_none()) {
            let reference = &object.reference;
            let fits = |i: &&usize| {
                let other = &before[**i].reference;
                !taken[**i]
                    && match exact {
                        true => other.namespace == reference.namespace,
                        false => other.same_object(reference),
                    }
            };
            let found = named
                .get(&key(reference))
                .and_then(|all| all.iter().find(fits))
                .copied();
            if let Some(i) = found {
                taken[i] = true;
                *partner = Some(i);
            }
        }
    }
    merged(before.len(), &partners)
}

fn key(reference: &ObjectRef) -> (&str, &str, &str) {
    (group(&reference.api_version), &reference.kind, &reference.name)
}

/// One order for both sides: that of the later one, what only the earlier has behind what it stood behind. `partners` names
/// the earlier item of each later one.
pub fn merged(before: usize, partners: &[Option<usize>]) -> Vec<Pair> {
    let kept: Vec<bool> = {
        let mut kept = vec![false; before];
        partners.iter().flatten().for_each(|i| kept[*i] = true);
        kept
    };
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

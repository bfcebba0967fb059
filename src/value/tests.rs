//! The type against `serde_json::Value`, whose ways it has.

use proptest::prelude::*;

use super::map::MANY;
use super::*;

type Theirs = serde_json::Value;

fn theirs() -> impl Strategy<Value = Theirs> {
    let leaf = prop_oneof![
        Just(Theirs::Null),
        any::<bool>().prop_map(Theirs::from),
        any::<i64>().prop_map(Theirs::from),
        any::<u64>().prop_map(Theirs::from),
        (-1e300..1e300f64).prop_map(Theirs::from),
        "[a-z/~#\" é\n]{0,40}".prop_map(Theirs::from),
    ];
    leaf.prop_recursive(4, 60, 8, |inner| {
        let key = "[a-c~/]{0,2}|[a-z]{20,30}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Theirs::from),
            prop::collection::vec((key, inner), 0..6).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// What is done to a mapping.
#[derive(Clone, Debug)]
enum Deed {
    Insert(u8, i64),
    Entry(u8, i64),
    Remove(u8),
    Leave(u8, u8, i64),
    First(u8, i64),
    Retain(u8),
    Sort,
}

fn deed() -> impl Strategy<Value = Deed> {
    let key = 0..2 * MANY as u8;
    prop_oneof![
        12 => (key.clone(), any::<i64>()).prop_map(|(key, n)| Deed::Insert(key, n)),
        4 => (key.clone(), any::<i64>()).prop_map(|(key, n)| Deed::Entry(key, n)),
        3 => key.clone().prop_map(Deed::Remove),
        2 => (key.clone(), key.clone(), any::<i64>()).prop_map(|(gone, new, n)| Deed::Leave(gone, new, n)),
        1 => (key.clone(), any::<i64>()).prop_map(|(key, n)| Deed::First(key, n)),
        1 => key.prop_map(Deed::Retain),
        1 => Just(Deed::Sort),
    ]
}

proptest! {
    #[test]
    fn it_is_what_theirs_is(one in theirs(), other in theirs()) {
        let (own, second) = (Value::from(one.clone()), Value::from(other.clone()));
        prop_assert_eq!(Theirs::from(own.clone()), one.clone());
        prop_assert_eq!(own.to_string(), one.to_string());
        prop_assert_eq!(format!("{own:#}"), format!("{one:#}"));
        prop_assert_eq!(&serde_json::from_str::<Value>(&one.to_string()).unwrap(), &own);
        prop_assert_eq!(&json!(own), &own);
        prop_assert_eq!(own == second, one == other);
        prop_assert_eq!(own.as_str(), one.as_str());
        prop_assert_eq!((own.as_i64(), own.as_u64(), own.as_f64()), (one.as_i64(), one.as_u64(), one.as_f64()));
        prop_assert_eq!(own.get("a").is_some(), one.get("a").is_some());
        prop_assert_eq!(own[1].to_string(), one[1].to_string());
    }

    #[test]
    fn order_does_not_make_maps_differ(one in theirs()) {
        let own = Value::from(one);
        let mut sorted = own.clone();
        sorted.sort_all_objects();
        prop_assert_eq!(own, sorted);
    }

    #[test]
    fn a_map_does_what_theirs_does(deeds in prop::collection::vec(deed(), 0..120)) {
        let (mut own, mut theirs) = (Map::new(), serde_json::Map::new());
        let name = |key: u8| format!("key-{key}");
        for deed in deeds {
            match deed {
                Deed::Insert(key, n) => {
                    let before = own.insert(name(key).into(), n.into());
                    prop_assert_eq!(before, theirs.insert(name(key), n.into()).map(Value::from));
                }
                Deed::Entry(key, n) => {
                    let there = own.entry(name(key)).or_insert(n.into()).clone();
                    prop_assert_eq!(there, Value::from(theirs.entry(name(key)).or_insert(n.into()).clone()));
                }
                Deed::Remove(key) => {
                    let gone = own.remove(&name(key));
                    prop_assert_eq!(gone, theirs.shift_remove(&name(key)).map(Value::from));
                }
                Deed::Leave(key, new, n) => {
                    for key in [name(key), name(key / 2)] {
                        prop_assert_eq!(own.vacate(&key), theirs.shift_remove(&key).map(Value::from));
                        prop_assert!(own.get(&key).is_none() && own.vacate(&key).is_none());
                    }
                    let before = own.insert(name(new).into(), n.into());
                    prop_assert_eq!(before, theirs.insert(name(new), n.into()).map(Value::from));
                    own.close();
                }
                Deed::First(key, n) => {
                    let before = own.shift_insert(0, name(key).into(), n.into());
                    prop_assert_eq!(before, theirs.shift_insert(0, name(key), n.into()).map(Value::from));
                }
                Deed::Retain(key) => {
                    own.retain(|k, _| k != name(key));
                    theirs.retain(|k, _| k != &name(key));
                }
                Deed::Sort => {
                    own.sort_keys();
                    theirs.sort_keys();
                }
            }
            prop_assert_eq!(own.len(), theirs.len());
            prop_assert_eq!(own.is_empty(), theirs.is_empty());
            prop_assert_eq!(Value::from(own.clone()).to_string(), Theirs::from(theirs.clone()).to_string());
            for key in 0..2 * MANY as u8 {
                let (key, there) = (name(key), theirs.get(&name(key)).cloned().map(Value::from));
                prop_assert_eq!(own.get(&key), there.as_ref());
                prop_assert_eq!(own.get_mut(&key).cloned(), there.clone());
                prop_assert_eq!(own.contains_key(&key), there.is_some());
            }
        }
    }
}

#[test]
fn a_value_takes_no_more_than_it_needs() {
    assert_eq!(size_of::<Value>(), 32);
    assert_eq!(size_of::<(Text, Value)>(), 56);
}

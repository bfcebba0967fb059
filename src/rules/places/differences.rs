//! What differs between the places of two components.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::rc::Rc;

use foldhash::HashMap;
use foldhash::fast::RandomState;

use super::behind::same_workloads;
use super::namespace;
use crate::milvus::config::Origin;
use crate::milvus::identity::{self, Field, Identity};
use crate::rules::case::Case;

/// Something that leads elsewhere, or to other members, and for whom.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What differs.
    pub identity: Identity,
    /// Where the proposed value was read; `None` for the image's default.
    pub origin: Option<Origin>,
    /// Where the current value was read.
    pub was: Option<Origin>,
    /// The components of the target it concerns.
    pub components: Vec<usize>,
}

/// Two lists of fields, by where they stand.
type Lists = [(*const Field, usize); 2];

/// What was compared already. Most components of a release share what they read.
#[derive(Debug, Default)]
pub(super) struct Compared(RefCell<HashMap<Lists, Rc<Vec<Difference>>>>);

/// Every field in which two identities of a component differ, of nobody yet. Where a field exists on one side only because
/// another already differs (an external etcd becomes an embedded one), the other says enough.
pub fn differences(case: &Case, current: &[Field], proposed: &[Field]) -> Rc<Vec<Difference>> {
    let compared = &super::places(case).compared.0;
    let lists = [current, proposed].map(|list| (list.as_ptr(), list.len()));
    if let Some(known) = compared.borrow().get(&lists) {
        return Rc::clone(known);
    }
    let found = Rc::new(found(case, current, proposed));
    compared.borrow_mut().insert(lists, Rc::clone(&found));
    found
}

fn found(case: &Case, current: &[Field], proposed: &[Field]) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let new = proposed.iter().filter(|p| !current.iter().any(|c| c.name == p.name));
    for field in current.iter().chain(new) {
        let of = |fields: &'_ [Field]| fields.iter().position(|f| f.name == field.name);
        let (was, is) = (of(current).map(|i| &current[i]), of(proposed).map(|i| &proposed[i]));
        match (was, is) {
            (Some(was), Some(is)) if was.value == is.value => continue,
            (Some(_), Some(_)) => {}
            _ if !found.is_empty() => continue,
            _ => {}
        }
        let alone = |field: Option<&Field>| field.cloned().into_iter().collect::<Vec<_>>();
        let identity = match identity::compare(&alone(was), &alone(is), namespace(case)) {
            Identity::Same => continue,
            different @ Identity::Different { .. } => {
                let same = was.zip(is).and_then(|(was, is)| same_workloads(case, was, is));
                same.unwrap_or(different)
            }
            members => members,
        };
        if identity != Identity::Same {
            found.push(Difference {
                identity,
                origin: is.and_then(|f| f.origin.clone()),
                was: was.and_then(|f| f.origin.clone()),
                components: vec![],
            });
        }
    }
    found
}

/// Differences of several components: the same difference is told once.
#[derive(Debug, Default)]
pub struct Gathered {
    all: Vec<Difference>,
    /// Which of them those are that were added together.
    of: HashMap<*const Vec<Difference>, Vec<usize>>,
    /// Those that were added together, so that none of them gives its place away.
    added: Vec<Rc<Vec<Difference>>>,
    /// Which of them say something of this hash.
    saying: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
}

impl Gathered {
    /// Those that are known, each for itself.
    pub fn of(all: Vec<Difference>) -> Gathered {
        let mut found = Gathered::default();
        for (i, one) in all.iter().enumerate() {
            let hash = found.hash(&one.identity);
            found.saying.entry(hash).or_default().push(i);
        }
        found.all = all;
        found
    }

    /// Adds what differs for a component.
    pub fn add(&mut self, component: usize, found: &Rc<Vec<Difference>>) {
        let key = Rc::as_ptr(found);
        if !self.of.contains_key(&key) {
            let places = found.iter().map(|one| self.place(one)).collect();
            self.of.insert(key, places);
            self.added.push(Rc::clone(found));
        }
        for place in &self.of[&key] {
            self.all[*place].components.push(component);
        }
    }

    /// Adds a difference with its components.
    pub fn add_all(&mut self, one: Difference) {
        let place = self.place(&one);
        self.all[place].components.extend(one.components);
    }

    /// All of them, in the order in which they came.
    pub fn into_all(self) -> Vec<Difference> {
        self.all
    }

    /// Where one of the same identity is, from now on.
    fn place(&mut self, one: &Difference) -> usize {
        let hash = self.hash(&one.identity);
        let alike = self.saying.entry(hash).or_default();
        if let Some(known) = alike.iter().find(|i| self.all[**i].identity == one.identity) {
            return *known;
        }
        alike.push(self.all.len());
        self.all.push(Difference {
            components: vec![],
            ..one.clone()
        });
        self.all.len() - 1
    }

    fn hash(&self, identity: &Identity) -> u64 {
        match identity {
            Identity::Same => 0,
            Identity::MembersChanged { field, added, removed } => self.hasher.hash_one((field, added, removed)),
            Identity::Different {
                field,
                current,
                proposed,
            } => self.hasher.hash_one((field, current, proposed)),
        }
    }
}

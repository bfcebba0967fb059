//! Objects by what names them.

use std::cell::RefCell;
use std::rc::Rc;

use foldhash::HashMap;

use super::object::{Object, ObjectRef, namespaces_agree};

/// Some objects by kind and name: to look among all of them for each of them takes time squared.
#[derive(Debug, Default)]
pub struct Named<'o> {
    of: HashMap<(&'o str, &'o str), Called<'o>>,
}

/// Those of one kind and name, in their order.
#[derive(Debug, Default)]
struct Called<'o> {
    all: Vec<&'o Object>,
    /// Where they are many: which of them are in each namespace.
    within: HashMap<&'o str, Vec<usize>>,
}

/// Up to how many objects of one kind and name are looked through one by one.
const FEW: usize = 16;

impl<'o> Called<'o> {
    fn add(&mut self, object: &'o Object) {
        self.all.push(object);
        let from = match self.all.len() {
            n if n <= FEW => return,
            n if n == FEW + 1 => 0,
            n => n - 1,
        };
        for (i, object) in self.all.iter().enumerate().skip(from) {
            self.within.entry(&object.reference.namespace).or_default().push(i);
        }
    }

    /// Those that may stand in a namespace.
    fn agreeing<'n>(&'n self, namespace: &'n str) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        let many = !self.within.is_empty() && !namespace.is_empty();
        let space = |space: &str| self.within.get(space).filter(|_| many).map_or(&[][..], Vec::as_slice);
        let (mut said, mut unsaid) = (space(namespace), space(""));
        // Both are ascending. Who asks for the first alone does not wait for all.
        let within = std::iter::from_fn(move || {
            let next = match (said.first(), unsaid.first()) {
                (Some(here), Some(anywhere)) if here < anywhere => &mut said,
                (Some(_), None) => &mut said,
                _ => &mut unsaid,
            };
            let (first, rest) = next.split_first()?;
            *next = rest;
            Some(*first)
        });
        let each = if many { &[] } else { &self.all[..] };
        let each = each
            .iter()
            .filter(move |o| namespaces_agree(&o.reference.namespace, namespace));
        each.copied().chain(within.map(|i| self.all[i]))
    }
}

impl<'o> Named<'o> {
    /// The objects, in their order below each name.
    pub fn of(objects: impl IntoIterator<Item = &'o Object>) -> Named<'o> {
        let mut of: HashMap<(&str, &str), Called> = HashMap::default();
        for object in objects {
            let named = (&object.reference.kind[..], &object.reference.name[..]);
            of.entry(named).or_default().add(object);
        }
        Named { of }
    }

    /// Those of a kind and name, in their order.
    pub fn called<'n>(&'n self, kind: &'n str, name: &'n str) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        self.of
            .get(&(kind, name))
            .into_iter()
            .flat_map(|called| &called.all)
            .copied()
    }

    /// Those of a kind and name that may stand in a namespace, in their order.
    pub fn within<'n>(
        &'n self,
        kind: &'n str,
        name: &'n str,
        namespace: &'n str,
    ) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        let called = self.of.get(&(kind, name)).into_iter();
        called.flat_map(move |called| called.agreeing(namespace))
    }

    /// Those that are the same object in a cluster as one of this reference ([`ObjectRef::same_object`]), in their order.
    pub fn same<'n>(&'n self, reference: &'n ObjectRef) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        let all = self.within(&reference.kind, &reference.name, &reference.namespace);
        all.filter(|o| o.reference.same_object(reference))
    }

    /// Those of this very reference, in their order.
    pub fn exactly<'n>(&'n self, reference: &'n ObjectRef) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        let all = self.within(&reference.kind, &reference.name, &reference.namespace);
        all.filter(|o| o.reference == *reference)
    }

    /// Whether any of them is the same object.
    pub fn holds(&self, reference: &ObjectRef) -> bool {
        self.same(reference).next().is_some()
    }
}

/// The names of sets of objects that several look into, each set gone through once.
#[derive(Debug, Default)]
pub struct Names<'o>(RefCell<HashMap<(*const Object, usize), Rc<Named<'o>>>>);

impl<'o> Names<'o> {
    /// Those of a set.
    pub fn of(&self, objects: &'o [Object]) -> Rc<Named<'o>> {
        let mut known = self.0.borrow_mut();
        let named = known.entry((objects.as_ptr(), objects.len()));
        Rc::clone(named.or_insert_with(|| Rc::new(Named::of(objects))))
    }
}

/// Of things (by their indices) that have one name in several namespaces the first in each. One without a namespace may stand
/// in any ([`namespaces_agree`]).
#[derive(Debug, Default)]
pub struct First<'o> {
    of_all: Option<usize>,
    nowhere: Option<usize>,
    of: HashMap<&'o str, usize>,
}

impl<'o> First<'o> {
    /// Takes the next one, in their order.
    pub fn add(&mut self, namespace: &'o str, index: usize) {
        self.of_all.get_or_insert(index);
        match namespace {
            "" => {
                self.nowhere.get_or_insert(index);
            }
            said => {
                self.of.entry(said).or_insert(index);
            }
        }
    }

    /// Says the namespace of the first one without.
    pub fn settle(&mut self, namespace: &'o str) {
        if let Some(index) = self.nowhere.filter(|_| !namespace.is_empty()) {
            self.nowhere = None;
            self.of.insert(namespace, index);
        }
    }

    /// The first that may stand in a namespace; of all where that is not said.
    pub fn agreeing(&self, namespace: &str) -> Option<usize> {
        match namespace {
            "" => self.of_all,
            said => self.of.get(said).copied().into_iter().chain(self.nowhere).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    #[test]
    fn the_first_that_agrees_is_the_one_that_looking_at_each_finds() {
        let spaces = ["", "x", "y"];
        let mut orders: Vec<Vec<&str>> = vec![vec![]];
        for _ in 0..4 {
            let longer = |order: &Vec<&'static str>| spaces.map(|space| [&order[..], &[space]].concat());
            orders = orders.iter().flat_map(longer).collect();
        }
        for order in orders {
            let mut first = First::default();
            for (i, space) in order.iter().enumerate() {
                first.add(space, i);
            }
            for space in ["", "x", "y", "z"] {
                let looked_for = order.iter().position(|other| namespaces_agree(other, space));
                assert_eq!(first.agreeing(space), looked_for, "{space:?} in {order:?}");
            }
        }
    }

    #[test]
    fn what_is_settled_stands_in_its_namespace_alone() {
        let mut first = First::default();
        first.add("", 7);
        assert_eq!([first.agreeing("x"), first.agreeing("y")], [Some(7), Some(7)]);
        first.settle("");
        assert_eq!(first.agreeing("y"), Some(7));
        first.settle("x");
        assert_eq!(
            [first.agreeing("x"), first.agreeing("y"), first.agreeing("")],
            [Some(7), None, Some(7)]
        );
    }

    #[test]
    fn of_many_with_one_name_those_that_agree_come_in_order() {
        let spaces = ["x", "", "y", "x", "", "z"];
        let all: Vec<Object> = spaces
            .iter()
            .cycle()
            .take(4 * FEW)
            .map(|space| {
                let metadata = json!({"name": "a", "namespace": space});
                let value = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata});
                Object::all_in(0, value).unwrap().remove(0)
            })
            .collect();
        let names = Named::of(&all);
        for space in ["", "x", "y", "other"] {
            let looked_for = all.iter().filter(|o| namespaces_agree(&o.reference.namespace, space));
            let looked_for: Vec<*const Object> = looked_for.map(std::ptr::from_ref).collect();
            let found = names.within("Service", "a", space).map(std::ptr::from_ref);
            assert_eq!(found.collect::<Vec<_>>(), looked_for, "{space:?}");
        }
    }

    #[test]
    fn what_is_the_same_object_is_found_in_order() {
        let object = |namespace: &str, version: &str| {
            let value =
                json!({"apiVersion": version, "kind": "Ingress", "metadata": {"name": "a", "namespace": namespace}});
            Object::all_in(0, value).unwrap().remove(0)
        };
        let all = [
            object("x", "networking.k8s.io/v1"),
            object("y", "networking.k8s.io/v1"),
            object("", "extensions/v1beta1"),
            object("x", "example.com/v1"),
        ];
        let names = Named::of(&all);
        let same = |i: usize| -> Vec<usize> {
            let place = |o: &Object| all.iter().position(|other| std::ptr::eq(other, o)).unwrap();
            names.same(&all[i].reference).map(place).collect()
        };
        assert_eq!(
            [same(0), same(1), same(2), same(3)],
            [vec![0, 2], vec![1, 2], vec![0, 1, 2], vec![3]]
        );
        let other = ObjectRef {
            name: "b".to_owned(),
            ..all[0].reference.clone()
        };
        assert!(names.holds(&all[0].reference) && !names.holds(&other));
    }
}

//! Objects by what names them.

use std::cell::RefCell;
use std::rc::Rc;

use foldhash::HashMap;

use super::object::{Object, ObjectRef};

/// Some objects by kind and name: to look among all of them for each of them takes time squared.
#[derive(Debug, Default)]
pub struct Named<'o> {
    of: HashMap<(&'o str, &'o str), Vec<&'o Object>>,
}

impl<'o> Named<'o> {
    /// The objects, in their order below each name.
    pub fn of(objects: impl IntoIterator<Item = &'o Object>) -> Named<'o> {
        let mut of: HashMap<(&str, &str), Vec<&Object>> = HashMap::default();
        for object in objects {
            let named = (&object.reference.kind[..], &object.reference.name[..]);
            of.entry(named).or_default().push(object);
        }
        Named { of }
    }

    /// Those of a kind and name, in their order.
    pub fn called<'n>(&'n self, kind: &'n str, name: &'n str) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        self.of.get(&(kind, name)).into_iter().flatten().copied()
    }

    /// Those that are the same object in a cluster as one of this reference ([`ObjectRef::same_object`]), in their order.
    pub fn same<'n>(&'n self, reference: &'n ObjectRef) -> impl Iterator<Item = &'o Object> + use<'n, 'o> {
        let all = self.called(&reference.kind, &reference.name);
        all.filter(|o| o.reference.same_object(reference))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

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

//! Releases by what names them.

use foldhash::HashMap;

use crate::kube::named::First;
use crate::milvus::release::Release;

/// The releases of one side: to look among all of them for each of the other side takes time squared.
#[derive(Debug)]
pub struct Releases<'r> {
    all: &'r [Release],
    named: HashMap<(&'r str, &'r str), First<'r>>,
}

impl<'r> Releases<'r> {
    /// Those of an inventory.
    pub fn of(all: &'r [Release]) -> Releases<'r> {
        let mut named: HashMap<(&str, &str), First> = HashMap::default();
        for (i, release) in all.iter().enumerate() {
            let of_name = named.entry((&release.name, &release.app)).or_default();
            of_name.add(&release.namespace, i);
        }
        Releases { all, named }
    }

    /// The first that can be a release, seen at another time ([`Release::is`]).
    pub fn first(&self, release: &Release) -> Option<&'r Release> {
        let of_name = self.named.get(&(&release.name[..], &release.app[..]))?;
        of_name.agreeing(&release.namespace).map(|i| &self.all[i])
    }

    /// Whether any of them can be a release.
    pub fn hold(&self, release: &Release) -> bool {
        self.first(release).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_can_be_it_is_found() {
        let release = |name: &str, app: &str, namespace: &str| Release {
            name: name.into(),
            app: app.into(),
            namespace: namespace.into(),
            components: vec![],
        };
        let mut all = Vec::new();
        for namespace in ["x", "", "y"] {
            for app in ["milvus", ""] {
                all.extend(["a", "b"].map(|name| release(name, app, namespace)));
            }
        }
        let known = Releases::of(&all);
        for name in ["a", "b", "c"] {
            for app in ["milvus", "", "other"] {
                for namespace in ["x", "y", "z", ""] {
                    let one = release(name, app, namespace);
                    let looked_for = all.iter().find(|r| r.is(&one));
                    let found = known.first(&one);
                    assert_eq!(found.map(std::ptr::from_ref), looked_for.map(std::ptr::from_ref));
                    assert_eq!(known.hold(&one), looked_for.is_some());
                }
            }
        }
        assert!(!Releases::of(&[]).hold(&all[0]));
    }
}

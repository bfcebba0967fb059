//! What is told of releases beside their structure: images that were seen, versions that are remembered.

use std::ops::Deref;
use std::sync::OnceLock;

use crate::milvus::image::ImageRef;
use crate::milvus::release::Release;
use crate::milvus::version::{self, Read, Version};

/// Images of one release that were seen beside its structure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Where, in words: `revision 4 (failed)`.
    pub place: String,
    /// The release's namespace.
    pub namespace: String,
    /// Its instance.
    pub name: String,
    /// Its chart's name.
    pub app: String,
    /// Its images, each once.
    pub images: Vec<String>,
    /// Whether pods of them may run now.
    pub running: bool,
}

impl Seen {
    pub(super) fn of(place: &str, release: &Release, running: bool) -> Seen {
        let mut images: Vec<String> = release.components.iter().map(|c| c.image.clone()).collect();
        images.sort();
        images.dedup();
        Seen {
            place: place.to_owned(),
            namespace: release.namespace.clone(),
            name: release.name.clone(),
            app: release.app.clone(),
            images,
            running,
        }
    }

    pub(super) fn reads(&self) -> impl Iterator<Item = Read> {
        self.images
            .iter()
            .map(|image| version::read_image(&ImageRef::parse(image)))
    }
}

/// The highest version a state file remembers of a release.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// Of which release; its images are empty.
    pub of: Seen,
    /// The version.
    pub highest: Version,
}

/// What is told of a release.
pub trait OfRelease {
    /// Its chart's name, its instance and its namespace.
    fn release(&self) -> [&str; 3];
}

impl OfRelease for Seen {
    fn release(&self) -> [&str; 3] {
        [&self.app, &self.name, &self.namespace]
    }
}

impl OfRelease for Remembered {
    fn release(&self) -> [&str; 3] {
        self.of.release()
    }
}

/// All of it, in its order, found by the release: to look through all for each of many releases takes time squared.
#[derive(Clone, Debug)]
pub struct Told<T> {
    all: Vec<T>,
    /// The indices by release, those of one release in their order; made when somebody looks.
    sorted: OnceLock<Vec<usize>>,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Told::from(vec![])
    }
}

impl<T> From<Vec<T>> for Told<T> {
    fn from(all: Vec<T>) -> Self {
        let sorted = OnceLock::new();
        Told { all, sorted }
    }
}

impl<T> Deref for Told<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.all
    }
}

impl<T> Extend<T> for Told<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, more: I) {
        self.sorted.take();
        self.all.extend(more);
    }
}

impl<T> IntoIterator for Told<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<T: OfRelease> Told<T> {
    /// What is told of a release, in its order. Where a namespace is not said, it may be any.
    pub fn of(&self, app: &str, name: &str, namespace: &str) -> impl Iterator<Item = &T> {
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<usize> = (0..self.all.len()).collect();
            sorted.sort_by_key(|i| self.all[*i].release());
            sorted
        });
        let key = |i: &usize| self.all[*i].release();
        let named = |i: &usize| [key(i)[0], key(i)[1]];
        let named = within(sorted, |i| named(i).cmp(&[app, name]));
        let mut found = match namespace {
            "" => named.to_vec(),
            said => [
                within(named, |i| key(i)[2].cmp("")),
                within(named, |i| key(i)[2].cmp(said)),
            ]
            .concat(),
        };
        found.sort_unstable();
        found.into_iter().map(|i| &self.all[i])
    }
}

/// Those of a sorted list that are equal to what is compared with.
fn within(sorted: &[usize], compare: impl Fn(&usize) -> std::cmp::Ordering) -> &[usize] {
    let from = sorted.partition_point(|i| compare(i).is_lt());
    let to = sorted.partition_point(|i| compare(i).is_le());
    &sorted[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::object::namespaces_agree;

    #[test]
    fn what_is_told_of_a_release_is_what_looking_at_each_finds() {
        let words = ["", "x", "y"];
        let mut all = Vec::new();
        for i in 0..60 {
            let [app, name, namespace] = [i, i / 3, i / 5].map(|n| words[n % 3].to_owned());
            let (place, images, running) = (i.to_string(), vec![], false);
            all.push(Seen {
                place,
                namespace,
                name,
                app,
                images,
                running,
            });
        }
        let (some, rest) = all.split_at(30);
        let mut told = Told::from(some.to_vec());
        assert_eq!(
            told.of("", "", "").count(),
            some.iter().filter(|s| s.app.is_empty() && s.name.is_empty()).count()
        );
        told.extend(rest.to_vec());
        for i in 0..27 {
            let [app, name, namespace] = [i, i / 3, i / 9].map(|n| words[n % 3]);
            let is = |s: &&Seen| s.app == app && s.name == name && namespaces_agree(&s.namespace, namespace);
            let looked_for: Vec<&Seen> = all.iter().filter(is).collect();
            let found: Vec<&Seen> = told.of(app, name, namespace).collect();
            assert_eq!(found, looked_for, "{app} {name} {namespace}");
        }
        assert_eq!(told.len(), 60);
        assert!(Told::<Seen>::default().of("", "", "").next().is_none());
    }
}

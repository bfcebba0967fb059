//! Mappings in the order of their keys' coming.

use std::mem;

use foldhash::HashMap;

use super::{Text, Value};

/// A mapping with as many keys has a table beside its entries; one with fewer is looked through, which takes less.
pub(super) const MANY: usize = 24;

/// A mapping: each key once, in the order in which the keys came.
#[derive(Clone)]
pub struct Map(Entries);

#[derive(Clone)]
enum Entries {
    Few(Vec<(Text, Value)>),
    Many(Box<Many>),
}

#[derive(Clone)]
struct Many {
    entries: Vec<(Text, Value)>,
    places: HashMap<Text, usize>,
    /// How many entries are gaps: none but between [`Map::vacate`] and [`Map::close`].
    gaps: usize,
}

impl Many {
    fn of(entries: Vec<(Text, Value)>) -> Entries {
        let places = entries
            .iter()
            .enumerate()
            .map(|(i, (key, _))| (key.clone(), i))
            .collect();
        let gaps = 0;
        Entries::Many(Box::new(Many { entries, places, gaps }))
    }
}

impl Map {
    /// A mapping without keys.
    pub const fn new() -> Self {
        Map(Entries::Few(Vec::new()))
    }

    /// One with room for so many keys.
    pub fn with_capacity(keys: usize) -> Self {
        Map(Entries::Few(Vec::with_capacity(keys)))
    }

    fn entries(&self) -> &Vec<(Text, Value)> {
        match &self.0 {
            Entries::Few(entries) => entries,
            Entries::Many(many) => &many.entries,
        }
    }

    fn entries_mut(&mut self) -> &mut [(Text, Value)] {
        match &mut self.0 {
            Entries::Few(entries) => entries,
            Entries::Many(many) => &mut many.entries,
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.0 {
            Entries::Few(entries) => entries.iter().position(is(key.as_bytes())),
            Entries::Many(many) => many.places.get(key).copied(),
        }
    }

    /// As [`Map::get`], by the bytes of a key.
    pub(super) fn get_bytes(&self, key: &[u8]) -> Option<&Value> {
        match &self.0 {
            Entries::Few(entries) => entries.iter().position(is(key)).map(|i| &entries[i].1),
            Entries::Many(_) => self.get(std::str::from_utf8(key).ok()?),
        }
    }

    /// As [`Map::get_mut`], by the bytes of a key.
    pub(super) fn get_bytes_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        let key = std::str::from_utf8(key).ok()?;
        self.get_mut(key)
    }

    /// Entries that were changed as a whole.
    fn rebuild(&mut self, change: impl FnOnce(&mut Vec<(Text, Value)>)) {
        let mut entries = mem::take(self).into_entries();
        change(&mut entries);
        self.0 = match entries.len() < MANY {
            true => Entries::Few(entries),
            false => Many::of(entries),
        };
    }

    fn into_entries(self) -> Vec<(Text, Value)> {
        match self.0 {
            Entries::Few(entries) => entries,
            Entries::Many(many) => many.entries,
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.place(key).map(|i| &self.entries()[i].1)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.place(key).map(|i| &mut self.entries_mut()[i].1)
    }

    /// Whether a key is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Gives a key a value: at its place where the key is there, else behind all others. What it had before.
    pub fn insert(&mut self, key: Text, value: Value) -> Option<Value> {
        match self.place(&key) {
            Some(i) => Some(mem::replace(&mut self.entries_mut()[i].1, value)),
            None => {
                self.push(key, value);
                None
            }
        }
    }

    fn push(&mut self, key: Text, value: Value) {
        match &mut self.0 {
            Entries::Many(many) => {
                many.places.insert(key.clone(), many.entries.len());
                many.entries.push((key, value));
            }
            Entries::Few(entries) => {
                entries.push((key, value));
                if entries.len() >= MANY {
                    self.0 = Many::of(mem::take(entries));
                }
            }
        }
    }

    /// The same at this place, so that others stand behind it; where the key is there already, it moves.
    ///
    /// # Panics
    /// Where there are fewer places.
    pub fn shift_insert(&mut self, place: usize, key: Text, value: Value) -> Option<Value> {
        let before = self.remove(&key);
        self.rebuild(|entries| entries.insert(place, (key, value)));
        before
    }

    /// Takes a key out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let i = self.place(key)?;
        let (_, value) = match &mut self.0 {
            Entries::Few(entries) => entries.remove(i),
            Entries::Many(many) => {
                many.places.remove(key);
                many.places
                    .values_mut()
                    .filter(|place| **place > i)
                    .for_each(|place| *place -= 1);
                many.entries.remove(i)
            }
        };
        Some(value)
    }

    /// Takes a key out, of which a gap is left: where many keys leave, the others get their new places once, by
    /// [`Map::close`]. Until then keys can be asked for, taken out and put in; what goes through all entries meets the gaps.
    pub(crate) fn vacate(&mut self, key: &str) -> Option<Value> {
        let Entries::Many(many) = &mut self.0 else {
            return self.remove(key);
        };
        let i = many.places.remove(key)?;
        many.gaps += 1;
        Some(mem::take(&mut many.entries[i].1))
    }

    /// Takes the gaps away that keys have left.
    pub(crate) fn close(&mut self) {
        let Entries::Many(many) = &mut self.0 else { return };
        if many.gaps == 0 {
            return;
        }
        let places = mem::take(&mut many.places);
        let mut at = 0..;
        self.rebuild(|entries| entries.retain(|(key, _)| places.get(key) == at.next().as_ref()));
    }

    /// Keeps the entries a test holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&Text, &mut Value) -> bool) {
        self.rebuild(|entries| entries.retain_mut(|(key, value)| keep(key, value)));
    }

    /// The place of a key, whether or not it is there.
    pub fn entry(&mut self, key: impl Into<Text>) -> Entry<'_> {
        Entry {
            map: self,
            key: key.into(),
        }
    }

    /// Keys and values.
    pub fn iter(&self) -> Iter<'_> {
        self.entries().iter().map(|(key, value)| (key, value))
    }

    /// Keys and values, to change these.
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        self.entries_mut().iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Puts the keys into their order.
    pub fn sort_keys(&mut self) {
        self.rebuild(|entries| entries.sort_by(|(a, _), (b, _)| a.cmp(b)));
    }

    /// The keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Text> + ExactSizeIterator + Clone {
        self.entries().iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator + Clone {
        self.entries().iter().map(|(_, value)| value)
    }

    /// The values, to change them.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Value> + ExactSizeIterator {
        self.entries_mut().iter_mut().map(|(_, value)| value)
    }
}

/// Whether an entry is that of a key. Keys of one length mostly differ in the first byte: they are not compared any further.
fn is(key: &[u8]) -> impl Fn(&(Text, Value)) -> bool {
    let first = key.first();
    move |(other, _)| {
        let other = other.as_bytes();
        other.len() == key.len() && other.first() == first && other == key
    }
}

/// A key of a mapping and where it is or would be.
pub struct Entry<'m> {
    map: &'m mut Map,
    key: Text,
}

impl<'m> Entry<'m> {
    /// Its value; where there is none, this one from now on.
    pub fn or_insert(self, value: Value) -> &'m mut Value {
        self.or_insert_with(|| value)
    }

    /// The same with a value that is made only where it is needed.
    pub fn or_insert_with(self, value: impl FnOnce() -> Value) -> &'m mut Value {
        let i = self.map.place(&self.key).unwrap_or_else(|| {
            self.map.push(self.key, value());
            self.map.len() - 1
        });
        &mut self.map.entries_mut()[i].1
    }
}

impl Default for Map {
    fn default() -> Self {
        Map::new()
    }
}

impl PartialEq for Map {
    /// Whatever the order. Two maps of manifests mostly have their keys in one order: then no key is looked up.
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let mut pairs = self.iter().zip(other.iter());
        loop {
            match pairs.next() {
                None => return true,
                Some(((key, x), (theirs, y))) if key == theirs => {
                    if x != y {
                        return false;
                    }
                }
                Some(_) => return self.iter().all(|(key, x)| other.get(key).is_some_and(|y| x == y)),
            }
        }
    }
}

impl Eq for Map {}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<Text>> Extend<(K, Value)> for Map {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key.into(), value);
        }
    }
}

impl<K: Into<Text>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut map = Map::with_capacity(entries.size_hint().0);
        map.extend(entries);
        map
    }
}

impl IntoIterator for Map {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_entries().into_iter()
    }
}

/// Keys and values of a mapping.
pub type Iter<'m> = std::iter::Map<std::slice::Iter<'m, (Text, Value)>, fn(&'m (Text, Value)) -> (&'m Text, &'m Value)>;

impl<'m> IntoIterator for &'m Map {
    type Item = (&'m Text, &'m Value);
    type IntoIter = Iter<'m>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Keys and values of a mapping, these to be changed.
pub type IterMut<'m> =
    std::iter::Map<std::slice::IterMut<'m, (Text, Value)>, fn(&'m mut (Text, Value)) -> (&'m Text, &'m mut Value)>;

impl<'m> IntoIterator for &'m mut Map {
    type Item = (&'m Text, &'m mut Value);
    type IntoIter = IterMut<'m>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl std::ops::Index<&str> for Map {
    type Output = Value;

    /// Null where the key is not there.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&super::NULL)
    }
}

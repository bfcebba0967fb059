//! Configuration texts, each read once.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash};
use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use crate::kube::Object;
use crate::milvus::config::{Config, File, FileLayer, Layer, Owner};
use crate::value::Value;
use crate::yaml::{self, Copies};

/// How many bytes of texts [`Texts::passing`] keeps.
const KEPT: usize = 1 << 20;

/// Texts already parsed: many components mount the same ConfigMap, and so may many releases. What is cloned knows what the
/// first one knows.
#[derive(Clone, Debug, Default)]
pub struct Texts(Rc<RefCell<Known>>);

#[derive(Debug, Default)]
struct Known {
    kept: Read,
    /// Where not all is kept.
    passing: Option<Passing>,
    copies: Copies,
}

/// What is read part by part, and let go with each.
#[derive(Debug, Default)]
struct Passing {
    of_part: Read,
    /// Texts and files that an earlier part asked for: what is asked for again is kept.
    seen: HashSet<u64>,
    /// The bytes that were read again.
    again: usize,
}

#[derive(Debug, Default)]
struct Read {
    /// The bytes of the texts.
    size: usize,
    parsed: HashMap<String, Parsed>,
    /// The addresses of what they say.
    values: HashSet<usize>,
    /// What the texts of an object say, by its address and their keys.
    of: HashMap<(usize, String), Parsed>,
    /// These objects, since another could come to stand at such an address.
    objects: HashMap<usize, Arc<Value>>,
    /// What files set.
    layers: HashMap<(Layer, Place), Arc<FileLayer>>,
}

type Parsed = Result<Arc<Value>, String>;

/// Where a text that was read stands: the address of what it says, which [`Read::parsed`] keeps, its object and the pointer to it.
type Place = (usize, Arc<Owner>, String);

/// A configuration file: its ConfigMap, the pointer to it, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub owner: Arc<Owner>,
    pub path: String,
    pub value: Arc<Value>,
}

impl Text {
    fn place(&self) -> Place {
        (address(&self.value), Arc::clone(&self.owner), self.path.clone())
    }

    fn file(&self) -> File<'_> {
        File {
            value: &self.value,
            owner: Arc::clone(&self.owner),
            path: &self.path,
        }
    }
}

impl Read {
    fn holds(&self, file: &Text) -> bool {
        self.values.contains(&address(&file.value))
    }

    fn insert(&mut self, text: &str, parsed: &Parsed) {
        self.size += text.len();
        self.values.extend(parsed.iter().map(address));
        self.parsed.insert(text.to_owned(), parsed.clone());
    }

    fn note(&mut self, place: (usize, String), object: &Object, parsed: &Parsed) {
        let kept = self.objects.entry(place.0);
        kept.or_insert_with(|| Arc::clone(&object.value));
        self.of.insert(place, parsed.clone());
    }
}

impl Known {
    fn read(&mut self, text: &str) -> Parsed {
        let of_part = self.passing.as_ref().map(|passing| &passing.of_part);
        let read = self.kept.parsed.get(text).or_else(|| of_part?.parsed.get(text));
        if let Some(read) = read {
            return read.clone();
        }
        self.copies.and(text.len());
        let parsed = match yaml::read_among(text, &mut self.copies) {
            Ok(value) => Ok(Arc::new(value.unwrap_or(Value::Null))),
            Err(e) => Err(format!("line {}: {}", yaml::position(text, e.offset).line, e.message)),
        };
        let Some(passing) = &mut self.passing else {
            self.kept.insert(text, &parsed);
            return parsed;
        };
        let again = !passing.seen.insert(hash(text));
        if again {
            passing.again += text.len();
        }
        match again && self.kept.size + text.len() <= KEPT {
            true => self.kept.insert(text, &parsed),
            false => passing.of_part.insert(text, &parsed),
        }
        parsed
    }

    /// What a file sets.
    fn layer(&mut self, layer: Layer, file: &Text) -> Arc<FileLayer> {
        let place = (layer, file.place());
        let read = match &mut self.passing {
            Some(passing) if !self.kept.layers.contains_key(&place) => {
                // Files of other names that say the same are another release's own.
                let known_here = passing.of_part.layers.contains_key(&place);
                match self.kept.holds(file) && !known_here && !passing.seen.insert(hash(&place)) {
                    true => &mut self.kept,
                    false => &mut passing.of_part,
                }
            }
            _ => &mut self.kept,
        };
        if let Some(known) = read.layers.get(&place) {
            return Arc::clone(known);
        }
        let made = Arc::new(FileLayer::of(&file.file(), &place.0));
        read.layers.insert(place, Arc::clone(&made));
        made
    }
}

impl Texts {
    /// Texts that are let go with each part ([`Texts::part_is_over`]), but for what several parts ask for, as far as that is
    /// a megabyte.
    #[must_use]
    pub fn passing() -> Texts {
        let known = Known {
            passing: Some(Passing::default()),
            ..Known::default()
        };
        Texts(Rc::new(RefCell::new(known)))
    }

    /// Lets go what this part alone asked for.
    pub fn part_is_over(&self) {
        let mut known = self.0.borrow_mut();
        if let Some(passing) = &mut known.passing {
            passing.of_part = Read::default();
        }
    }

    /// How many bytes were read more often than once.
    #[must_use]
    pub fn read_again(&self) -> usize {
        self.0.borrow().passing.as_ref().map_or(0, |passing| passing.again)
    }

    /// What the text under a key of a ConfigMap says; why it cannot be read.
    pub(super) fn read(&self, object: &Object, key: &str, text: &str) -> Parsed {
        let known = &mut *self.0.borrow_mut();
        let place = (address(&object.value), key.to_owned());
        let near = known.passing.as_ref().map_or(&known.kept, |passing| &passing.of_part);
        if let Some(read) = near.of.get(&place) {
            return read.clone();
        }
        let parsed = known.read(text);
        let near = known
            .passing
            .as_mut()
            .map_or(&mut known.kept, |passing| &mut passing.of_part);
        near.note(place, object, &parsed);
        parsed
    }

    /// The layers of the files alone: that of `default.yaml` and that of `user.yaml`.
    pub(super) fn layers(&self, [default_yaml, user_yaml]: [Option<Text>; 2]) -> Config {
        let known = &mut *self.0.borrow_mut();
        let files = [(Layer::DefaultYaml, default_yaml), (Layer::UserYaml, user_yaml)];
        Config::of_layers(files.map(|(layer, file)| match file {
            Some(file) => known.layer(layer, &file),
            None => Arc::default(),
        }))
    }
}

fn address(value: &Arc<Value>) -> usize {
    Arc::as_ptr(value).addr()
}

fn hash(of: impl Hash) -> u64 {
    foldhash::fast::FixedState::default().hash_one(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn map(name: &str) -> Object {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        Object::all_in(0, map).unwrap().remove(0)
    }

    /// Reads a text of a ConfigMap of its own and lays it out, as a part does.
    fn part(texts: &Texts, name: &str, text: &str) -> Arc<Value> {
        let object = map(name);
        let value = texts.read(&object, "user.yaml", text).unwrap();
        assert!(Arc::ptr_eq(&value, &texts.read(&object, "user.yaml", text).unwrap()));
        assert!(Arc::ptr_eq(
            &value,
            &texts.read(&map("other"), "user.yaml", text).unwrap()
        ));
        let owner = Arc::new(Owner {
            kind: "ConfigMap".into(),
            name: name.into(),
        });
        for _ in 0..2 {
            let file = Text {
                owner: Arc::clone(&owner),
                path: "/data/user.yaml#".into(),
                value: Arc::clone(&value),
            };
            assert_eq!(texts.layers([None, Some(file)]).value("a"), Some("b"));
        }
        texts.part_is_over();
        value
    }

    #[test]
    fn what_several_parts_ask_for_is_kept() {
        let texts = Texts::passing();
        let layered = || texts.0.borrow().kept.layers.len();
        let shared: Vec<_> = (0..3).map(|_| part(&texts, "shared", "a: b")).collect();
        assert!(!Arc::ptr_eq(&shared[0], &shared[1]) && Arc::ptr_eq(&shared[1], &shared[2]));
        assert_eq!((texts.read_again(), layered()), (4, 1));
        // The same text in ConfigMaps of other names is read once, and laid out for each.
        for name in ["one", "two", "three"] {
            assert!(Arc::ptr_eq(&shared[2], &part(&texts, name, "a: b")));
        }
        assert_eq!((texts.read_again(), layered()), (4, 1));
        assert_eq!(texts.0.borrow().kept.parsed.len(), 1);

        let long = format!("a: b\n# {}", "x".repeat(KEPT));
        let texts = Texts::passing();
        let each: Vec<_> = (0..3).map(|_| part(&texts, "long", &long)).collect();
        assert!(!Arc::ptr_eq(&each[1], &each[2]));
        assert_eq!(texts.read_again(), 2 * long.len());
        let whole = Texts::default();
        assert!(Arc::ptr_eq(&part(&whole, "long", &long), &part(&whole, "long", &long)));
        assert_eq!(whole.read_again(), 0);
    }
}

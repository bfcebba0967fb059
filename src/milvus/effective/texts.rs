//! Configuration texts, each read once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use crate::kube::Object;
use crate::milvus::config::{Config, File, Owner};
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
    /// Texts that an earlier part asked for: one that is asked for again is kept.
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
    /// What files say together: that of `default.yaml` and that of `user.yaml`.
    layered: HashMap<[Option<Place>; 2], Config>,
}

type Parsed = Result<Arc<Value>, String>;

/// Where a text that was read stands: the address of what it says, which [`Read::parsed`] keeps, its object and the pointer to it.
type Place = (usize, Owner, String);

/// A configuration file: its ConfigMap, the pointer to it, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub owner: Owner,
    pub path: String,
    pub value: Arc<Value>,
}

impl Text {
    fn place(&self) -> Place {
        (address(&self.value), self.owner.clone(), self.path.clone())
    }

    fn file(&self) -> File<'_> {
        File {
            value: &self.value,
            owner: self.owner.clone(),
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

    /// The layers of the files alone.
    pub(super) fn layers(&self, files: [Option<Text>; 2]) -> Config {
        let known = &mut *self.0.borrow_mut();
        let places = files.each_ref().map(|file| file.as_ref().map(Text::place));
        let read = match &mut known.passing {
            Some(passing) if !files.iter().flatten().all(|file| known.kept.holds(file)) => &mut passing.of_part,
            _ => &mut known.kept,
        };
        let layers = read.layered.entry(places).or_insert_with(|| {
            let [default_yaml, user_yaml] = files.each_ref().map(|f| f.as_ref().map(Text::file));
            Config::of_files(default_yaml.as_ref(), user_yaml.as_ref())
        });
        layers.clone()
    }
}

fn address(value: &Arc<Value>) -> usize {
    Arc::as_ptr(value).addr()
}

fn hash(text: &str) -> u64 {
    use std::hash::BuildHasher;
    foldhash::fast::FixedState::default().hash_one(text)
}

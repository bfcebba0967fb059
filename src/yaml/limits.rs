//! How much a document may ask of its reader.

/// How deep collections may nest. Deeper texts are refused; Kubernetes' own schemas stay far below.
pub const MAX_DEPTH: usize = 100;

/// What a value takes: kept for each that an alias may copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Its nodes, keys among them.
    pub nodes: usize,
    /// The bytes of its texts, keys among them.
    pub bytes: usize,
    /// The places in it that a path leads to, its own among them.
    pub places: usize,
    /// The bytes of the keys that lead to each of these from its own.
    pub paths: usize,
}

impl Cost {
    /// That of a scalar with a text of so many bytes, or of a collection with nothing in it.
    pub(super) fn one(bytes: usize) -> Cost {
        Cost {
            nodes: 1,
            bytes,
            places: 1,
            paths: 0,
        }
    }

    /// Adds an item of a list.
    pub(super) fn item(&mut self, item: Cost) {
        self.nodes += item.nodes;
        self.bytes += item.bytes;
        self.places += item.places;
        self.paths = self.paths.saturating_add(item.paths);
    }

    /// Adds an entry of a map: what a key of so many bytes takes, and its value.
    pub(super) fn entry(&mut self, key: Cost, length: usize, value: Cost) {
        self.item(value);
        self.nodes += key.nodes;
        self.bytes += key.bytes;
        self.paths = self.paths.saturating_add(value.places.saturating_mul(length));
    }

    fn weight(&self) -> usize {
        self.nodes.saturating_mul(NODE).saturating_add(self.bytes)
    }
}

/// What a node weighs beside its text: its memory.
const NODE: usize = 32;

/// How much may be copied by aliases beside [`COPIED`] for each byte that is written: a values file repeats a few lines, an
/// alias bomb multiplies with each.
const FREE: usize = 1 << 20;
const COPIED: usize = 16;

/// How many bytes of keys may lead to the values of a document for each byte of it, and beside that: Argo CD's
/// ApplicationSet, without a blank in its schema, has 14 (v3.1.16). Whoever names each value by its path needs as much memory.
const LEADING: usize = 32;
const ANYWAY: usize = 64 << 10;

/// How many bytes of keys may lead to the values of a text of so many bytes.
pub(super) fn leading(length: usize) -> usize {
    length.saturating_mul(LEADING).saturating_add(ANYWAY)
}

/// How much aliases may still copy in what is read.
#[derive(Clone, Copy, Debug)]
pub struct Copies(usize);

impl Default for Copies {
    fn default() -> Copies {
        Copies::of(0)
    }
}

impl Copies {
    /// For texts of so many bytes together.
    #[must_use]
    pub fn of(length: usize) -> Copies {
        Copies(length.saturating_mul(COPIED).saturating_add(FREE))
    }

    /// For so many bytes more.
    pub fn and(&mut self, length: usize) {
        self.0 = self.0.saturating_add(length.saturating_mul(COPIED));
    }

    /// What a text of so many bytes among them may copy.
    pub(super) fn for_one(self, length: usize) -> usize {
        self.0.min(Copies::of(length).0)
    }

    /// Takes off what it did copy.
    pub(super) fn spend(&mut self, copied: usize) {
        self.0 = self.0.saturating_sub(copied);
    }
}

/// Nodes made so far, and how many of them by aliases.
#[derive(Debug, Default)]
pub(super) struct Budget {
    nodes: usize,
    copies: usize,
    /// What was copied, and how much may be.
    pub copied: usize,
    allowed: usize,
}

impl Budget {
    /// Where aliases may copy so much.
    pub(super) fn of(allowed: usize) -> Budget {
        Budget {
            allowed,
            ..Budget::default()
        }
    }

    /// Counts a value that is copied; false where that is too much.
    pub(super) fn copy(&mut self, cost: Cost) -> bool {
        self.copied = self.copied.saturating_add(cost.weight());
        self.copied <= self.allowed
    }

    /// Counts nodes, some of them copies made by an alias. False for an alias bomb, by go-yaml's measure: nearly all
    /// of a small document may come from aliases, and less and less of a large one.
    pub(super) fn spend(&mut self, nodes: usize, copies: usize) -> bool {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.nodes = self.nodes.saturating_add(nodes);
        self.copies = self.copies.saturating_add(copies);
        if copies == 0 || self.copies <= 100 || self.nodes <= 1000 {
            return true;
        }
        let total = self.nodes as f64;
        let allowed = 0.99 - 0.89 * ((total - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        self.copies as f64 / total <= allowed
    }
}

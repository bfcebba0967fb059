//! What laying the patches may take: seconds, however many there are.

use super::{How, Overlay};
use crate::stream::Stream;
use crate::value::Value;

/// How often objects may be looked at for patches, and changes and values be read again, beside [`EACH`] for each byte: seconds.
const LEAST: usize = 50_000_000;
const EACH: usize = 4;

/// What a patch on an object counts beside the values it reads: up to a million are made.
const MADE: usize = 50;

/// How many bytes of texts are copied and compared while one value is read.
const BYTES: usize = 64;

/// How many steps of an edit ([`patch_value_within`](crate::yaml::patch_value_within)) take as long.
const STEPS: usize = 16;

/// From so much on texts are not written between the patches into them.
pub(super) const MANY_EDITS: usize = 1 << 17;

/// How many bytes patches that are for many objects may bring into those beyond the first.
const COPIES: usize = 64 << 20;

/// What making the patches may still take.
pub(super) struct Effort {
    left: usize,
    /// What edits have taken of it.
    pub edits: usize,
    copied: usize,
}

impl Effort {
    pub(super) fn of(stream: &Stream) -> Effort {
        Effort {
            left: LEAST.saturating_add(stream.text.len().saturating_mul(EACH)),
            edits: 0,
            copied: 0,
        }
    }

    pub(super) fn spend(&mut self, values: usize) {
        self.left = self.left.saturating_sub(values);
    }

    /// A patch on one more object.
    pub(super) fn lay(&mut self, size: &Size, before: usize) {
        self.spend(MADE + size.values);
        if before > 0 {
            self.copied += size.bytes;
        }
    }

    /// An edit, which says how many steps are left of those it may take.
    pub(super) fn edit<T>(&mut self, edit: impl FnOnce(&mut usize) -> T) -> T {
        let (before, mut steps) = (self.left, self.left.saturating_mul(STEPS));
        let made = edit(&mut steps);
        self.left = steps / STEPS;
        self.edits += before - self.left;
        made
    }

    pub(super) fn check(&self, overlay: &Overlay) -> Result<(), String> {
        let place = &overlay.place;
        if self.copied > COPIES {
            return Err(format!(
                "{place}: with it the patches would bring more than {} MiB into objects, each the same into many; name those that need it",
                COPIES >> 20
            ));
        }
        if self.left > 0 {
            return Ok(());
        }
        // More than half of it.
        if self.edits > LEAST / 2 {
            return Err(format!(
                "{place}: with it the patches take minutes: they read long texts (`#`) again and again, or move the items of long \
                 lists; give such a text or list whole"
            ));
        }
        Err(format!(
            "{place}: with it there are so many patches on so many objects that they take minutes; put those of one object into one patch"
        ))
    }
}

/// How much is in a patch.
pub(super) struct Size {
    values: usize,
    bytes: usize,
}

impl Size {
    pub(super) fn of(overlay: &Overlay) -> Size {
        let mut size = Size { values: 0, bytes: 0 };
        match &overlay.how {
            How::Strategic(patch) => size.count(patch),
            How::Json(ops) => {
                for op in ops {
                    size.text(&op.path);
                    op.value.iter().for_each(|value| size.count(value));
                }
            }
        }
        size
    }

    /// The values of an object, as [`BYTES`] counts its texts.
    pub(super) fn values(value: &Value) -> usize {
        let mut size = Size { values: 0, bytes: 0 };
        size.count(value);
        size.values + size.bytes / BYTES
    }

    fn count(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.count(item)),
            Value::Object(map) => {
                for (key, value) in map {
                    self.bytes += key.len();
                    self.count(value);
                }
            }
            Value::String(text) => self.bytes += text.len(),
            _ => {}
        }
        self.values += 1;
    }

    fn text(&mut self, text: &str) {
        self.values += 1;
        self.bytes += text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::json;

    fn overlay(patch: &str) -> Overlay {
        let text = format!("target: {{kind: ConfigMap}}\npatch: {patch}\n");
        super::super::read("p.yaml", text.as_bytes()).unwrap().remove(0)
    }

    fn effort(left: usize) -> Effort {
        Effort {
            left,
            edits: 0,
            copied: 0,
        }
    }

    #[test]
    fn long_texts_count_among_the_values_of_an_object() {
        let value = json!({"a": [1, null], "b": "x".repeat(10 * BYTES)});
        assert_eq!(Size::values(&value), 5 + 10);
        let strategic = Size::of(&overlay("{data: {abc: defg}}"));
        assert_eq!((strategic.values, strategic.bytes), (3, 11));
        let json = Size::of(&overlay(
            "[{op: add, path: /data/a, value: bc}, {op: remove, path: /b}]",
        ));
        assert_eq!((json.values, json.bytes), (3, 11));
    }

    #[test]
    fn what_is_spent_is_refused_and_says_on_what() {
        let said = |effort: &Effort| effort.check(&overlay("{a: b}")).unwrap_err();
        let mut looked = effort(MADE + 7);
        looked.lay(&Size { values: 4, bytes: 9 }, 0);
        looked.spend(2);
        assert_eq!(
            (looked.left, looked.copied, looked.check(&overlay("{a: b}"))),
            (1, 0, Ok(()))
        );
        looked.spend(2);
        assert!(said(&looked).contains("so many patches on so many objects"));

        let mut edited = effort(LEAST);
        edited.edit(|steps| *steps -= STEPS * LEAST / 4);
        assert_eq!((edited.left, edited.edits), (LEAST - LEAST / 4, LEAST / 4));
        edited.edit(|steps| *steps = 0);
        assert_eq!((edited.left, edited.edits), (0, LEAST));
        assert!(said(&edited).contains("they read long texts (`#`) again and again"));

        let mut copied = effort(LEAST);
        let size = Size {
            values: 1,
            bytes: COPIES / 2,
        };
        (0..3).for_each(|before| copied.lay(&size, before));
        assert_eq!(copied.check(&overlay("{a: b}")), Ok(()));
        copied.lay(&size, 3);
        assert!(said(&copied).contains("more than 64 MiB into objects"));
    }
}

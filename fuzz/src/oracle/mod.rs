//! What must hold of any input: one function for each fuzz target, which panics where it does not. The fuzz targets and
//! `tests/fuzz_regressions.rs` run the same ones.

pub mod inputs;
pub mod sections;
pub mod text;
pub mod whole;

/// What a target runs.
pub type Oracle = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Oracle); 9] = [
    ("split", text::split),
    ("read", text::read),
    ("edit", text::edit),
    ("scalar", text::scalar),
    ("record", inputs::record),
    ("values", inputs::values),
    ("version", inputs::version),
    ("render", whole::render),
    ("overlay", whole::overlay),
];

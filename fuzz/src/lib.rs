//! Fuzz targets of milvus-uplift; docs/fuzzing.md tells how to start them.

pub mod mutate;
pub mod oracle;

/// A target: what must hold, and the mutator that knows lines and YAML.
#[macro_export]
macro_rules! target {
    ($oracle:path) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $oracle(data));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate::mutate(data, size, max_size, seed)
        });
    };
}

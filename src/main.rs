//! The binary: hands the process's arguments and streams to the library.

use std::process::ExitCode;

/// The judgement makes and drops many small texts; with musl's allocator, which the released binaries would have, that is
/// most of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut io = milvus_uplift::cli::Io {
        stdin: &mut std::io::stdin().lock(),
        stdout: &mut std::io::stdout().lock(),
        stderr: &mut std::io::stderr().lock(),
    };
    ExitCode::from(milvus_uplift::cli::run(std::env::args_os(), &mut io))
}

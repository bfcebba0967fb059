#![forbid(unsafe_code)]
//! Every mutant of cargo-mutants' list in one build, each behind a switch (mutant schemata), so that a mutant costs the tests
//! that come by it and no build.
//!
//! `schemata build LIST SOURCES TREE WORK` plants and builds; `schemata run WORK PATTERN` lets the tests judge those whose name matches.

mod build;
mod find;
mod plant;
mod run;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["build", list, from, tree, work] => build::build(list.as_ref(), from.as_ref(), tree.as_ref(), work.as_ref()),
        ["run", work, pattern] => run::run(work.as_ref(), pattern),
        _ => bail!("usage: schemata build LIST SOURCES TREE WORK | schemata run WORK PATTERN"),
    }
}

// Goes into the copy of the crate as a module: says which mutant is alive, and who came by.
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Write;
use std::sync::LazyLock;

static ALIVE: LazyLock<u32> = LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|id| id.parse().ok()).unwrap_or(u32::MAX));
static SEEN: LazyLock<Option<std::path::PathBuf>> = LazyLock::new(|| std::env::var_os("MUTANTS_SEEN").map(Into::into));

thread_local! { static HERE: RefCell<HashSet<u32>> = RefCell::new(HashSet::new()); }

pub fn alive(id: u32) -> bool {
    if let Some(path) = SEEN.as_ref() {
        let new = HERE.try_with(|here| here.borrow_mut().insert(id)).unwrap_or(true);
        if new {
            let thread = std::thread::current();
            let line = format!("{}\t{id}\n", thread.name().unwrap_or("?"));
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the record of who came by");
        }
    }
    *ALIVE == id
}

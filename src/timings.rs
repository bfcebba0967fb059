//! What each step of a judgement cost (`--timings`).

use std::cell::RefCell;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A step, and how long it took.
pub type Lap = (&'static str, Duration);

/// A clock that is read at the end of each step.
#[derive(Debug)]
pub struct Clock {
    last: RefCell<Instant>,
    laps: RefCell<Vec<Lap>>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock {
            last: Instant::now().into(),
            laps: RefCell::default(),
        }
    }
}

impl Clock {
    /// Ends a step: what passed since the last one ended is its. A step that is named again goes on.
    pub fn lap(&self, step: &'static str) {
        let now = Instant::now();
        let took = now - self.last.replace(now);
        let mut laps = self.laps.borrow_mut();
        match laps.iter_mut().find(|(name, _)| *name == step) {
            Some((_, all)) => *all += took,
            None => laps.push((step, took)),
        }
    }

    /// The steps, in the order in which they first ended.
    pub fn laps(self) -> Vec<Lap> {
        self.laps.into_inner()
    }
}

/// The steps as a table, in milliseconds, with their sum.
pub fn table(laps: &[Lap]) -> String {
    let width = laps.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut out = "milvus-uplift: timings in milliseconds\n".to_owned();
    let all: Duration = laps.iter().map(|(_, took)| *took).sum();
    for (name, took) in laps.iter().copied().chain([("sum", all)]) {
        let _ = writeln!(out, "  {name:width$} {:>10.3}", took.as_secs_f64() * 1e3);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_named_twice_is_one_and_the_sum_is_of_all() {
        let clock = Clock::default();
        clock.lap("read");
        clock.lap("rules");
        clock.lap("read");
        let laps = clock.laps();
        let names: Vec<&str> = laps.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["read", "rules"]);
        let said = table(&[
            ("read", Duration::from_micros(1500)),
            ("rules", Duration::from_millis(12)),
        ]);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            lines[1..],
            ["  read       1.500", "  rules     12.000", "  sum       13.500"]
        );
    }
}

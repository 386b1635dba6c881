//! One line for each run, with the time that is left.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How far it has come.
pub(super) struct Progress {
    start: Instant,
    runs: usize,
    done: usize,
}

impl Progress {
    pub(super) fn new(runs: usize) -> Self {
        Self { start: Instant::now(), runs, done: 0 }
    }

    /// Prints what is about to run.
    pub(super) fn begin(&mut self, what: &str) {
        print!("[{}/{}, {}] {what} ... ", self.done + 1, self.runs, left(self.start.elapsed(), self.done, self.runs));
        // A line that comes late is no reason to stop.
        let _ = io::stdout().flush();
    }

    /// Prints how it went.
    pub(super) fn end(&mut self, how: &str) {
        self.done += 1;
        println!("{how}");
    }
}

/// How long the rest takes if its runs last as long as those before.
fn left(elapsed: Duration, done: usize, runs: usize) -> String {
    if done == 0 {
        return format!("{runs} runs");
    }
    let seconds = elapsed.as_secs_f64() / done as f64 * (runs - done) as f64;
    if seconds < 90.0 { format!("{seconds:.0} s left") } else { format!("{:.0} min left", seconds / 60.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_lasts_as_long_as_what_was() {
        assert_eq!(left(Duration::ZERO, 0, 7), "7 runs");
        assert_eq!(left(Duration::from_secs(10), 2, 4), "10 s left");
        assert_eq!(left(Duration::from_secs(100), 1, 10), "15 min left");
    }
}

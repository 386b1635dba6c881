//! How a store fares, in numbers.

use std::time::Duration;

use crate::gathering::Counts;

/// How a store fares: totals since it was opened, and what is there now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Commits that succeeded.
    pub commits: u64,
    /// Commits that failed; each is tried again.
    pub commits_failed: u64,
    /// How often stable storage was waited for.
    pub syncs: u64,
    /// Changes that were taken over, see [`Store::append`](midge_core::Store::append).
    pub changes: u64,
    /// Writes and removals that they came to. Divided by `commits`, how large commits are.
    pub writes: u64,
    /// Bytes of keys and values in those, as they were before the database packed them.
    pub bytes_written: u64,
    /// How long commits took, in seconds.
    pub commit_seconds: Histogram,
    /// How long the latest commit took.
    pub last_commit: Duration,
    /// Bytes that wait to be written.
    pub bytes_waiting: u64,
    /// Batches that wait to be written.
    pub batches_waiting: u64,
    /// Bytes on the disk, as of a second ago or less while the store is written to. A new journal counts for the 64 MiB that it
    /// is made long.
    pub disk_bytes: u64,
    /// Sessions that are kept.
    pub sessions: u64,
    /// Deliveries that are kept.
    pub deliveries: u64,
    /// Message bodies that are kept for them.
    pub bodies: u64,
}

impl Statistics {
    pub(crate) fn count(&mut self, counts: Counts) {
        self.sessions = counts.sessions as u64;
        self.deliveries = counts.deliveries as u64;
        self.bodies = counts.bodies as u64;
    }
}

/// Counts durations by how long they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// How many were at most as long as each of [`BOUNDS`](Self::BOUNDS), and longer than the bound before; the last counts
    /// those that were longer than all bounds.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// All of them together, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Upper bounds, in seconds.
    pub const BOUNDS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = Self::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Self::BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_once_under_the_first_bound_it_does_not_pass() {
        let mut histogram = Histogram::default();
        for millis in [0, 1, 2, 10_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        assert_eq!(histogram.counts, [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((histogram.count(), histogram.sum), (4, 10.003));
    }
}

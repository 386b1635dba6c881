//! How long to wait before trying again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// Doubles from `first` up to `max`, with jitter so that sinks that failed together do not return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// The wait after the first failure. Default 100 ms.
    pub(crate) first: Duration,
    /// The longest wait. Default 30 s.
    pub(crate) max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after so many failures in a row (none = no wait), at least `asked`, never above the ceiling.
    pub(super) fn wait(&self, failures: u32, asked: Duration) -> Duration {
        self.wait_with(failures, asked, jitter())
    }

    fn wait_with(&self, failures: u32, asked: Duration, jitter: f64) -> Duration {
        let own = match failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)),
        };
        // Jitter only lengthens: a plugin's "no sooner than" holds.
        own.max(asked).min(self.max).mul_f64(1.0 + jitter / 4.0).min(self.max)
    }
}

/// Anything from 0 to 1. Keys of the standard library's hasher are random enough for spreading load.
fn jitter() -> f64 {
    f64::from(RandomState::new().hash_one(0_u8) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling() {
        let backoff = Backoff::default();
        let waits: Vec<_> =
            (0..12).map(|failures| backoff.wait_with(failures, Duration::ZERO, 0.0).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(backoff.wait_with(u32::MAX, Duration::ZERO, 1.0), backoff.max);
    }

    #[test]
    fn a_plugins_no_sooner_than_holds_up_to_the_ceiling() {
        let backoff = Backoff::default();
        let asked = Duration::from_millis(250);
        assert_eq!(backoff.wait_with(0, asked, 0.0), asked);
        assert!(backoff.wait_with(1, asked, 1.0) > asked);
        assert_eq!(backoff.wait_with(0, Duration::from_secs(3600), 0.5), backoff.max);
        assert!((0..100).all(|_| (0.0..=1.0).contains(&jitter())));
    }
}

//! How fast new connections are taken: a bucket of one second's worth, filled continuously.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The pace of one listener, over all shards.
pub(super) struct Pace {
    per_second: u32,
    /// When the next connection would be due if connections came evenly; behind now by at most a second.
    next: Mutex<Instant>,
}

impl Pace {
    /// At most `per_second` connections a second; 0 is no limit.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, next: Mutex::new(Instant::now()) }
    }

    /// Waits until one more connection may be taken.
    pub(super) async fn keep(&self) {
        if self.per_second == 0 {
            return;
        }
        let wait = self.book(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the next place in time, and says how far ahead of `now` it is.
    fn book(&self, now: Instant) -> Duration {
        let step = Duration::from_secs(1) / self.per_second;
        let mut next = self.next.lock();
        let earliest = now.checked_sub(Duration::from_secs(1)).map_or(now, |start| start + step);
        let place = (*next).max(earliest);
        *next = place + step;
        place.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_rest_allows_a_burst_and_then_the_pace_holds() {
        let pace = Pace::new(10);
        let later = Instant::now() + Duration::from_secs(60);
        for place in 0..10 {
            assert_eq!(pace.book(later), Duration::ZERO, "place {place} of the burst");
        }
        assert_eq!(pace.book(later), Duration::from_millis(100));
        assert_eq!(pace.book(later), Duration::from_millis(200));
        assert_eq!(pace.book(later + Duration::from_millis(200)), Duration::from_millis(100));
    }
}

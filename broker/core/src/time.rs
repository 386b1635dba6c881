//! The broker's clock, which it is told rather than reads.

use std::ops::Add;
use std::time::Duration;

/// Milliseconds since the Unix epoch, on the server's monotonic clock: it never goes backwards while the process lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The moment `seconds` after this one.
    #[must_use]
    pub fn after_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(u64::from(seconds) * 1000))
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds from this moment until `deadline`, rounded up, so that a deadline not yet reached is never zero.
    ///
    /// This is how a Message Expiry Interval shrinks while a message waits [MQTT-3.3.2-6].
    #[must_use]
    pub fn seconds_until(self, deadline: Self) -> u32 {
        let seconds = deadline.0.saturating_sub(self.0).div_ceil(1000);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(milliseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_message_loses_only_whole_seconds() {
        let deadline = Time(10_000).after_seconds(5);
        assert_eq!(Time(10_000).seconds_until(deadline), 5);
        assert_eq!(Time(10_999).seconds_until(deadline), 5);
        assert_eq!(Time(11_000).seconds_until(deadline), 4);
        assert_eq!(Time(15_000).seconds_until(deadline), 0);
    }
}

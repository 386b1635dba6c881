//! The broker's clock: wall time that never runs backwards, not even over restarts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use midge_core::Time;

/// Reads the wall clock once, at start, and counts on from there with the monotonic clock: a step of the system's
/// time neither expires sessions early nor keeps them for ever.
///
/// What a store has kept ends at moments of the clock of an earlier start. Where the wall clock was set back since, this one
/// goes on from where that one was seen last: what was kept ends no later than it would have, less the time that the broker
/// was down. The rest of the world is told the wall clock's time all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    /// This clock at `started`.
    start: Time,
    /// How far it is ahead of the wall clock.
    ahead: Duration,
}

impl Clock {
    /// A clock that shows no moment before `latest`.
    pub(crate) fn start(latest: Time) -> Self {
        Self::at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO), latest)
    }

    fn at(wall: Duration, latest: Time) -> Self {
        let wall = Time(milliseconds(wall));
        Self { started: Instant::now(), start: wall.max(latest), ahead: latest.since(wall) }
    }

    pub(crate) fn now(&self) -> Time {
        self.start + self.started.elapsed()
    }

    /// A time of this clock with what the wall clock shows then.
    pub(crate) fn moment(&self, now: Time) -> Moment {
        Moment { now, wall_ms: now.0.saturating_sub(milliseconds(self.ahead)) }
    }

    /// How far it is ahead of the wall clock, because that was set back between two starts.
    pub(crate) fn ahead(&self) -> Duration {
        self.ahead
    }

    /// Since the broker started.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A moment for those who also tell the world when it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// As the broker counts.
    pub(crate) now: Time,
    /// As the wall clock shows it, in milliseconds since the Unix epoch.
    pub(crate) wall_ms: u64,
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_wall_clock_that_was_set_back_does_not_turn_this_one_back() {
        let before = Time(1_000_000) + DAY;
        let clock = Clock::at(Duration::from_secs(1000), before);
        assert!(clock.now() >= before);
        assert_eq!(clock.ahead(), DAY);
        assert_eq!(clock.moment(before).wall_ms, 1_000_000);
    }

    #[test]
    fn otherwise_it_is_the_wall_clock() {
        let clock = Clock::at(DAY, Time(5));
        assert!(clock.now() >= Time(86_400_000) && clock.ahead().is_zero());
        assert_eq!(clock.moment(Time(7)).wall_ms, 7);
    }
}

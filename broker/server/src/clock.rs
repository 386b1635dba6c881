//! The broker's clock: wall time that never runs backwards.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use midge_core::Time;

/// Reads the wall clock once, at start, and counts on from there with the monotonic clock: a step of the system's
/// time neither expires sessions early nor keeps them for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    /// Milliseconds since the Unix epoch at `started`.
    epoch_ms: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: Instant::now(), epoch_ms: milliseconds(since_epoch) }
    }

    pub(crate) fn now(&self) -> Time {
        Time(self.epoch_ms.saturating_add(milliseconds(self.started.elapsed())))
    }

    /// Since the broker started.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! Why publishers are slowed down, gathered so that the log has a line for each client they wait for, not for each wait.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use midge_core::Session;
use parking_lot::Mutex;
use tracing::info;

/// Why a publisher is not read for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// It publishes faster than it may.
    Rate,
    /// The store falls behind.
    Store,
    /// The outbox of a subscriber is nearly full.
    Outbox,
    /// The queue of a subscriber is.
    Queue,
    /// The broker is short of memory.
    Memory,
}

impl Cause {
    /// Its name in metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Store => "store",
            Self::Outbox => "outbox",
            Self::Queue => "queue",
            Self::Memory => "memory",
        }
    }
}

/// Whom publishers have waited for since the last report.
#[derive(Debug, Default)]
pub(crate) struct Slowed(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    by_client: HashMap<(Box<str>, Cause), Waits>,
    /// For clients beyond [`CLIENTS_MAX`]; they are in the metrics all the same.
    others: u64,
    reported: Option<Instant>,
}

#[derive(Debug, Default)]
struct Waits {
    count: u64,
    time: Duration,
}

impl Slowed {
    /// A publisher has waited for this subscriber.
    pub(crate) fn add(&self, subscriber: &Session, cause: Cause, waited: Duration) {
        let mut gathered = self.0.lock();
        let key = (subscriber.client_id().into(), cause);
        if gathered.by_client.len() >= CLIENTS_MAX && !gathered.by_client.contains_key(&key) {
            gathered.others += 1;
            return;
        }
        let waits = gathered.by_client.entry(key).or_default();
        waits.count += 1;
        waits.time += waited;
    }

    /// Logs what was gathered, at once where there was nothing for a while, else at intervals; called about once a second.
    pub(crate) fn report(&self) {
        let Some(Gathered { by_client, others, .. }) = self.0.lock().due(Instant::now()) else { return };
        for ((client_id, cause), Waits { count, time }) in by_client {
            info!(
                %client_id, reason = cause.name(), count, publishers_waited = ?time,
                "publishers are slowed down for a client that does not keep up"
            );
        }
        if others > 0 {
            info!(count = others, "publishers are slowed down for more clients than are listed");
        }
    }
}

impl Gathered {
    /// Takes what there is, if there is something and it is time.
    fn due(&mut self, now: Instant) -> Option<Self> {
        let is_early = self.reported.is_some_and(|reported| now.duration_since(reported) < INTERVAL);
        if self.by_client.is_empty() || is_early {
            return None;
        }
        Some(std::mem::replace(self, Self { reported: Some(now), ..Self::default() }))
    }
}

/// So many lines are enough for an operator to see what is wrong.
const CLIENTS_MAX: usize = 100;
/// So often, while it goes on.
const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_at_intervals() {
        let mut gathered = Gathered::default();
        let start = Instant::now();
        let mut due = |second, waits| {
            if waits {
                gathered.by_client.insert(("slow".into(), Cause::Queue), Waits::default());
            }
            gathered.due(start + Duration::from_secs(second)).is_some()
        };
        assert_eq!([due(0, false), due(1, true), due(2, true), due(10, false)], [false, true, false, false]);
        assert_eq!([due(11, false), due(12, false), due(30, false), due(31, true)], [true, false, false, true]);
    }
}

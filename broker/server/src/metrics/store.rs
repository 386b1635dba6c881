//! How the store fares, as metrics; nothing where there is none.

use std::fmt;

use midge_core::{Health, Store};
use midge_storage::{Handle, Histogram as Durations, Statistics};

use super::text::{Histogram, Text};

/// A store at one moment.
#[derive(Debug, Clone)]
pub(crate) struct StoreStatus {
    pub(crate) health: Health,
    pub(crate) statistics: Statistics,
}

impl From<&Handle> for StoreStatus {
    fn from(store: &Handle) -> Self {
        Self { health: store.health(), statistics: store.statistics() }
    }
}

pub(super) fn write(store: &StoreStatus, text: &mut Text<'_>) -> fmt::Result {
    let StoreStatus { health, statistics: now } = store;
    let health = match health {
        Health::Good => 0.0,
        Health::Behind => 1.0,
        Health::Refusing(_) => 2.0,
    };
    #[rustfmt::skip]
    let gauges = [
        ("midge_store_health", "0: keeps up, 1: falls behind and publishers are slowed down, 2: refuses what must survive", health),
        ("midge_store_waiting_bytes", "Bytes that wait to be written", now.bytes_waiting as f64),
        ("midge_store_waiting_batches", "Batches of changes that wait to be written", now.batches_waiting as f64),
        ("midge_store_last_commit_seconds", "How long the latest commit took", now.last_commit.as_secs_f64()),
        ("midge_store_disk_bytes", "Bytes on the disk", now.disk_bytes as f64),
        ("midge_store_sessions", "Sessions that survive", now.sessions as f64),
        ("midge_store_deliveries", "Messages that survive, by the session they wait for or were sent to", now.deliveries as f64),
        ("midge_store_bodies", "Messages that survive, each once", now.bodies as f64),
    ];
    gauges.into_iter().try_for_each(|(name, help, value)| text.gauge(name, help, value))?;
    #[rustfmt::skip]
    let counters = [
        ("midge_store_commits", "Commits", now.commits),
        ("midge_store_commits_failed", "Commits that failed; each is tried again", now.commits_failed),
        ("midge_store_syncs", "Commits that waited for stable storage", now.syncs),
        ("midge_store_changes", "Changes that were to survive", now.changes),
        ("midge_store_writes", "Writes and removals that they came to; by midge_store_commits: how large a commit is", now.writes),
        ("midge_store_written_bytes", "Bytes of keys and values written", now.bytes_written),
    ];
    counters.into_iter().try_for_each(|(name, help, value)| text.counter(name, help, value))?;
    text.histogram("midge_store_commit_seconds", "How long commits took", &seconds(&now.commit_seconds))
}

fn seconds(durations: &Durations) -> Histogram {
    let bounds = Durations::BOUNDS.into_iter().chain([f64::INFINITY]);
    Histogram { sum: durations.sum, count: durations.count(), buckets: bounds.zip(durations.counts).collect() }
}

//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fjall::PersistMode;
use midge_core::Durability;

use crate::Shared;
use crate::gathering::Writes;
use crate::layout::{self, Space};

/// Commits until the store is closed and everything is written.
pub(crate) fn run(shared: &Shared, committed: &dyn Fn()) {
    let mut last = None;
    let mut retry = RETRY_MIN;
    while let Some(Next { writes, ticket, awaited }) = next(shared, last) {
        last = Some(Instant::now());
        match commit(shared, &writes, awaited) {
            Ok(()) => {
                retry = RETRY_MIN;
                *shared.failure.lock() = None;
                // From here on the database has them.
                shared.waiting.lock().committing = None;
                shared.durable.store(ticket, Ordering::Release);
                committed();
            }
            Err(error) => {
                *shared.failure.lock() = Some(error.to_string());
                let mut waiting = shared.waiting.lock();
                waiting.committing = None;
                // A reader may still hold on to them.
                let writes = Arc::try_unwrap(writes).unwrap_or_else(|shared| (*shared).clone());
                waiting.gathering.give_back(writes);
                waiting.awaited = waiting.awaited.max(awaited);
                if waiting.closing {
                    return;
                }
                shared.more.wait_for(&mut waiting, retry);
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

/// What one commit writes.
struct Next {
    writes: Arc<Writes>,
    ticket: u64,
    awaited: Option<Durability>,
}

/// Waits for something to write; none when the store is to close and nothing is left.
fn next(shared: &Shared, last: Option<Instant>) -> Option<Next> {
    let mut waiting = shared.waiting.lock();
    loop {
        let due = last.map(|last| last + shared.settings.commit_interval).filter(|due| Instant::now() < *due);
        let idle = waiting.ticket == shared.durable.load(Ordering::Relaxed);
        if idle && waiting.closing {
            return None;
        }
        if idle {
            shared.more.wait(&mut waiting);
        } else if let Some(due) = due.filter(|_| !waiting.closing) {
            shared.more.wait_until(&mut waiting, due);
        } else {
            let writes = Arc::new(waiting.gathering.take());
            waiting.committing = Some(Arc::clone(&writes));
            return Some(Next { writes, ticket: waiting.ticket, awaited: waiting.awaited.take() });
        }
    }
}

fn commit(shared: &Shared, writes: &Writes, awaited: Option<Durability>) -> fjall::Result<()> {
    let keyspaces = &shared.keyspaces;
    let mut batch = shared.database.batch().durability(Some(persist_mode(awaited)));
    for session in &writes.cleared {
        let number = layout::session_key(*session);
        for space in [Space::Subscriptions, Space::Received] {
            for found in keyspaces.of(space).prefix(number) {
                batch.remove(keyspaces.of(space), found.key()?);
            }
        }
    }
    for ((space, key), value) in &writes.writes {
        match value {
            Some(value) => batch.insert(keyspaces.of(*space), &key[..], &value[..]),
            None if space.is_written_once() => batch.remove_weak(keyspaces.of(*space), &key[..]),
            None => batch.remove(keyspaces.of(*space), &key[..]),
        }
    }
    batch.commit()
}

fn persist_mode(awaited: Option<Durability>) -> PersistMode {
    match awaited {
        Some(Durability::Fsync) => PersistMode::SyncData,
        Some(Durability::Os | Durability::Memory) | None => PersistMode::Buffer,
    }
}

/// How soon a commit that failed is tried again, at first and at the longest.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

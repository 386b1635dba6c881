//! The one thread that writes.

mod recovery;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fjall::PersistMode;
use midge_core::{Durability, Time};

use crate::Event;
use crate::journal::Marker;
use crate::shared::{Commit, Shared, Sleep};

/// Commits until the store is closed and everything is written.
pub(crate) struct Committer<'a> {
    shared: &'a Shared,
    tell: &'a dyn Fn(Event),
    /// The latest commit, and the latest that is on stable storage.
    marker: Marker,
    /// Bytes of commits since then.
    unsynced_bytes: usize,
    /// Batches up to this one are committed.
    ticket: u64,
    /// The time where `started` is.
    start: Time,
    started: Instant,
    /// When the last commit began.
    last: Option<Instant>,
    /// When the disk's space was last looked at.
    measured: Instant,
}

/// What the next commit does.
struct Next {
    /// None if everything that was appended came to nothing.
    commit: Option<Arc<Commit>>,
    ticket: u64,
    mode: PersistMode,
}

impl<'a> Committer<'a> {
    pub(crate) fn new(shared: &'a Shared, marker: Marker, tell: &'a dyn Fn(Event)) -> Self {
        // What the database was found to hold was written again as it was opened.
        let marker = Marker { synced: marker.number, ..marker };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let start = Time(u64::try_from(wall).unwrap_or(u64::MAX)).max(marker.time);
        let started = Instant::now();
        Self { shared, tell, marker, unsynced_bytes: 0, ticket: 0, start, started, last: None, measured: started }
    }

    pub(crate) fn run(mut self) {
        while self.wait() {
            let next = self.next();
            let began = Instant::now();
            self.last = Some(began);
            match self.write(&next) {
                Ok(()) => self.committed(&next, began.elapsed()),
                Err(error) => {
                    if !self.get_over(&error, &next) {
                        return;
                    }
                }
            }
        }
        self.finish();
    }

    /// Waits until a commit is due; false when the store is to close and nothing is left.
    fn wait(&self) -> bool {
        let mut incoming = self.shared.incoming.lock();
        let mut seen = None;
        loop {
            incoming.sleep = Sleep::Busy;
            let is_idle = incoming.held || incoming.ticket == self.ticket;
            if incoming.closing {
                return !is_idle;
            }
            if is_idle {
                incoming.sleep = Sleep::UntilAny;
                self.shared.more.wait(&mut incoming);
                continue;
            }
            let now = Instant::now();
            let mut due = self.last.map_or(now, |last| last + self.shared.settings.commit_interval);
            if incoming.awaited.is_none() {
                incoming.sleep = Sleep::UntilAwaited;
                due = due.max(*seen.get_or_insert(now) + LAZY);
            }
            if due <= now {
                incoming.sleep = Sleep::Busy;
                return true;
            }
            self.shared.more.wait_until(&mut incoming, due);
        }
    }

    fn next(&mut self) -> Next {
        let mut reducing = self.shared.reducing.lock();
        let mut awaited = None;
        self.shared.reduce(&mut reducing, Some(&mut awaited));
        let ticket = reducing.ticket;
        let writes = reducing.gathering.take();
        self.unsynced_bytes += writes.bytes;
        let mode = match awaited {
            Some(Durability::Fsync) => PersistMode::SyncData,
            _ if self.unsynced_bytes > UNSYNCED_BYTES_MAX => PersistMode::SyncData,
            _ => PersistMode::Buffer,
        };
        if writes.is_empty() {
            return Next { commit: None, ticket, mode };
        }
        self.marker.number += 1;
        self.marker.time = self.start + self.started.elapsed();
        reducing.committing = writes.bytes;
        let commit = Arc::new(Commit { number: self.marker.number, writes });
        reducing.unsynced.push_back(Arc::clone(&commit));
        Next { commit: Some(commit), ticket, mode }
    }

    fn write(&self, next: &Next) -> fjall::Result<()> {
        let opened = self.shared.opened.read();
        let opened = opened.as_ref().ok_or(fjall::Error::Poisoned)?;
        match &next.commit {
            Some(commit) => opened.commit(self.marker, &commit.writes, next.mode),
            // What was committed before may only be with the operating system.
            None if next.mode != PersistMode::Buffer && self.is_unsynced() => opened.sync(next.mode),
            None => Ok(()),
        }
    }

    fn committed(&mut self, next: &Next, took: Duration) {
        let is_synced = next.mode != PersistMode::Buffer && self.is_unsynced();
        let mut reducing = self.shared.reducing.lock();
        if is_synced {
            self.marker.synced = self.marker.number;
            self.unsynced_bytes = 0;
            reducing.unsynced.clear();
        }
        reducing.committing = 0;
        self.shared.reduce(&mut reducing, None);
        drop(reducing);
        self.count(next, is_synced, took);
        self.ticket = next.ticket;
        self.shared.durable.store(next.ticket, Ordering::Release);
        (self.tell)(Event::Committed);
        self.measure();
    }

    fn count(&self, next: &Next, is_synced: bool, took: Duration) {
        let mut statistics = self.shared.statistics.lock();
        statistics.syncs += u64::from(is_synced);
        if let Some(commit) = &next.commit {
            statistics.commits += 1;
            statistics.writes += commit.writes.writes.len() as u64;
            statistics.bytes_written += commit.writes.bytes as u64;
            statistics.commit_seconds.observe(took);
            statistics.last_commit = took;
        }
    }

    /// Whether there are commits that may only be with the operating system.
    fn is_unsynced(&self) -> bool {
        self.marker.synced < self.marker.number
    }

    /// Looks at the disk's space now and then.
    fn measure(&mut self) {
        if self.measured.elapsed() >= MEASURE {
            self.measured = Instant::now();
            let bytes = self.shared.opened.read().as_ref().map(crate::database::Opened::disk_bytes);
            if let Some(bytes) = bytes {
                self.shared.statistics.lock().disk_bytes = bytes;
            }
        }
    }

    /// Everything is committed: brings it to stable storage.
    fn finish(self) {
        let opened = self.shared.opened.read();
        let Some(opened) = opened.as_ref() else { return };
        if let Err(error) = opened.sync(PersistMode::SyncAll)
            && self.is_unsynced()
        {
            let detail = format!("what was written last may not be on stable storage: {error}");
            (self.tell)(Event::Failed { detail, is_full: false });
        }
    }
}

/// How long what nobody waits for may wait to be written.
const LAZY: Duration = Duration::from_millis(100);

/// How much is kept in memory because it may not be on stable storage, until it is brought there.
const UNSYNCED_BYTES_MAX: usize = 8 << 20;

/// How often the disk's space is looked at.
const MEASURE: Duration = Duration::from_secs(1);

//! A disk that does not take what it is given, until it does.
//!
//! After a write or a sync that failed, nobody knows what the disk has: the operating system may have dropped what it could not
//! write, and says so once. The database refuses everything from then on. So it is closed; what its journal is read to hold is
//! written to a new file; it is opened again, asked for its latest commit, and given those that it lacks, which are in
//! memory. Only then do tickets become durable. Until then the closed one, where it still can, answers reads.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use fjall::PersistMode;
use midge_protocol::ReasonCode;

use super::{Committer, Next};
use crate::Event;
use crate::database::{Opened, sync_directory};
use crate::error::{OpenError, cause, is_full};
use crate::journal::Marker;

impl Committer<'_> {
    /// Tries until what failed is written; false if the store is closed before.
    pub(super) fn get_over(&mut self, error: &fjall::Error, next: &Next) -> bool {
        let began = Instant::now();
        let mut failure = match cause(error) {
            Some(kind) => Failure { detail: words(error), is_full: is_full(kind) },
            // The database failed in its background and does not say how; a look at the disk does.
            None => self.probe().err().unwrap_or_else(|| Failure { detail: words(error), is_full: false }),
        };
        self.note(&failure);
        (self.tell)(Event::Failed {
            detail: self.shared.failure.lock().clone().unwrap_or_default(),
            is_full: failure.is_full,
        });
        let mut retry = RETRY_MIN;
        loop {
            let is_closing = self.pause(retry);
            retry = (retry * 2).min(RETRY_MAX);
            match self.try_again() {
                Ok(()) => break,
                Err(again) => failure = again,
            }
            self.note(&failure);
            if is_closing {
                return false;
            }
        }
        *self.shared.failure.lock() = None;
        self.shared.set_failing(None);
        (self.tell)(Event::Recovered { after: began.elapsed() });
        self.committed(
            &Next { commit: next.commit.clone(), ticket: next.ticket, mode: PersistMode::SyncData },
            began.elapsed(),
        );
        true
    }

    fn note(&self, failure: &Failure) {
        let directory = self.shared.settings.directory.display();
        let advice = if failure.is_full { "make room on the disk" } else { "check the disk and who may write to it" };
        let detail = format!(
            "{directory} cannot be written to: {}; {advice}. Nothing is lost while Midge runs: it tries again by itself",
            failure.detail
        );
        *self.shared.failure.lock() = Some(detail);
        let reason = if failure.is_full { ReasonCode::QuotaExceeded } else { ReasonCode::UnspecifiedError };
        self.shared.set_failing(Some(reason));
        self.shared.statistics.lock().commits_failed += 1;
    }

    /// Waits a while, or until the store is to close; whether it is.
    fn pause(&self, retry: Duration) -> bool {
        let until = Instant::now() + retry;
        let mut incoming = self.shared.incoming.lock();
        while !incoming.closing && !self.shared.more.wait_until(&mut incoming, until).timed_out() {}
        incoming.closing
    }

    fn try_again(&mut self) -> Result<(), Failure> {
        // As long as nothing can be written, the database stays as it is, and can be read.
        self.probe()?;
        let mut opened = self.shared.opened.write();
        // All of it must be closed before it is opened again.
        *opened = None;
        let settings = &self.shared.settings;
        let reopened = Opened::reopen(&settings.directory, settings.cache_bytes)?;
        let found = reopened.marker(&settings.directory)?;
        let reopened = opened.insert(reopened);
        if found.number < self.marker.synced {
            let detail = format!(
                "it has lost commits {} to {}, which were on stable storage",
                found.number + 1,
                self.marker.synced
            );
            return Err(Failure { detail, is_full: false });
        }
        let missing: Vec<_> = {
            let mut reducing = self.shared.reducing.lock();
            reducing.unsynced.retain(|commit| commit.number > found.number);
            reducing.unsynced.iter().cloned().collect()
        };
        for commit in missing {
            let marker = Marker { number: commit.number, synced: found.number, time: self.marker.time };
            reopened.commit(marker, &commit.writes, PersistMode::Buffer).map_err(Failure::from)?;
        }
        reopened.sync(PersistMode::SyncData).map_err(Failure::from)
    }

    /// Whether the disk takes about what the database is going to write.
    fn probe(&self) -> Result<(), Failure> {
        let memory = self.shared.opened.read().as_ref().map_or(0, Opened::memory_bytes);
        let bytes = memory.clamp(PROBE_MIN, PROBE_MAX);
        let directory = &self.shared.settings.directory;
        let probe = directory.join("probe");
        let result = write_zeros(&probe, bytes);
        let removed = std::fs::remove_file(&probe).and_then(|()| sync_directory(directory));
        Ok(result.and(removed)?)
    }
}

fn write_zeros(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let chunk = vec![0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(chunk.len() as u64) as usize;
        file.write_all(&chunk[..length])?;
        left -= length as u64;
    }
    file.sync_all()
}

/// Why the disk does not take what it is given.
struct Failure {
    detail: String,
    is_full: bool,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { is_full: is_full(error.kind()), detail: error.to_string() }
    }
}

impl From<fjall::Error> for Failure {
    fn from(error: fjall::Error) -> Self {
        Self { is_full: cause(&error).is_some_and(is_full), detail: words(&error) }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let is_full = matches!(&error, OpenError::Directory { error, .. } if is_full(error.kind()));
        Self { is_full, detail: error.to_string() }
    }
}

fn words(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => error.to_string(),
        fjall::Error::Poisoned => "an earlier write failed".to_owned(),
        other => other.to_string(),
    }
}

/// How soon it is tried again, at first and at the longest.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// What the disk must take before the database is opened again.
const PROBE_MIN: u64 = 1 << 20;
const PROBE_MAX: u64 = 64 << 20;

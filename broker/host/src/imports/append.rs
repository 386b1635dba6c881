//! Files that plugins append to. Each has a bounded queue, which the blocking pool empties: no call ever waits for a disk,
//! and one that fails costs what has no room in the queue.
//!
//! Files belong to the process and not to a generation, so that a reload loses nothing, and two plugins that share one
//! never mix their records.

mod disk;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use self::disk::{Bounds, Disk, Failure};
use super::ImportError;
use crate::grants::Grants;

/// All files of the process that are appended to, by where they are.
#[derive(Debug)]
pub(super) struct Appends {
    runtime: Handle,
    all: Mutex<HashMap<PathBuf, Arc<AppendFile>>>,
}

/// One file, and what waits to be written to it.
#[derive(Debug)]
pub(super) struct AppendFile {
    path: PathBuf,
    runtime: Handle,
    state: Mutex<State>,
    /// Woken whenever nothing waits any more.
    idle: Notify,
    written: AtomicU64,
    lost: AtomicU64,
}

#[derive(Debug)]
struct State {
    bounds: Bounds,
    waiting_max: u64,
    /// Records stay here until they are written.
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: u64,
    /// How long the file was when it was last written to or looked at.
    length: u64,
    /// When somebody last had a full file looked at.
    looked: Option<Instant>,
    /// Whether a thread writes, or a failed attempt is about to be repeated.
    is_busy: bool,
    /// Whether the log knows that the file cannot be written to.
    is_failing: bool,
    /// The file as it is opened; a thread that writes has taken it.
    disk: Option<Disk>,
}

/// Nothing was taken: too much waits, or the file is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OverQuota;

impl Appends {
    pub(super) fn new(runtime: Handle) -> Self {
        Self { runtime, all: Mutex::default() }
    }

    /// The files a generation may append to, under the names its plugin knows them by. One that another generation or
    /// plugin appends to already is the same file, and gets the bounds now configured.
    ///
    /// # Errors
    /// A file that cannot be appended to, and why.
    pub(super) fn granted(
        &self,
        grants: &Grants,
        waiting_max: usize,
    ) -> Result<HashMap<String, Arc<AppendFile>>, ImportError> {
        let mut files = HashMap::new();
        for (name, grant) in grants.append() {
            let bounds = Bounds { bytes_max: grant.bytes_max, keep: grant.keep };
            let known = self.all.lock().get(&grant.path).map(Arc::clone);
            let length = disk::probe(&grant.path, known.is_some()).map_err(|reason| ImportError::Append {
                plugin: grants.plugin().to_owned(),
                path: grant.path.clone(),
                reason,
            })?;
            let new = || Arc::new(AppendFile::new(&grant.path, self.runtime.clone(), length));
            let file = Arc::clone(self.all.lock().entry(grant.path.clone()).or_insert_with(new));
            file.bound(bounds, waiting_max as u64);
            files.insert(name.to_owned(), file);
        }
        Ok(files)
    }

    /// Waits until everything is written, but not beyond `deadline`; says what is not.
    pub(super) async fn finish(&self, deadline: tokio::time::Instant) {
        let files: Vec<_> = self.all.lock().values().map(Arc::clone).collect();
        for file in files {
            if tokio::time::timeout_at(deadline, file.finished()).await.is_err() {
                let (records, bytes) = file.left();
                file.lost.fetch_add(records, Ordering::Relaxed);
                tracing::warn!(file = %file.path.display(), records, bytes, "records lost: they could not be written in time");
            }
        }
    }
}

impl AppendFile {
    fn new(path: &Path, runtime: Handle, length: u64) -> Self {
        let state = State {
            bounds: Bounds { bytes_max: 0, keep: 0 },
            waiting_max: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            length,
            looked: None,
            is_busy: false,
            is_failing: false,
            disk: Some(Disk::new(path)),
        };
        Self {
            path: path.to_owned(),
            runtime,
            state: Mutex::new(state),
            idle: Notify::new(),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn bound(&self, bounds: Bounds, waiting_max: u64) {
        let mut state = self.state.lock();
        (state.bounds, state.waiting_max) = (bounds, waiting_max);
    }

    /// Takes a record, or counts it as lost; never waits.
    pub(super) fn append(self: &Arc<Self>, record: Vec<u8>, now: Instant) -> Result<(), OverQuota> {
        if record.is_empty() {
            return Ok(());
        }
        let bytes = record.len() as u64;
        let mut state = self.state.lock();
        let is_full = state.bounds.is_full(state.length.saturating_add(state.waiting_bytes), bytes);
        // Somebody may have moved a full file away meanwhile.
        let look = is_full && state.looked.is_none_or(|at| now.saturating_duration_since(at) >= LOOK_INTERVAL);
        let has_room = !is_full && state.waiting_bytes.saturating_add(bytes) <= state.waiting_max;
        if has_room {
            state.waiting_bytes += bytes;
            state.waiting.push_back(record);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        if look {
            state.looked = Some(now);
        }
        if (has_room || look) && !state.is_busy {
            state.is_busy = true;
            drop(state);
            self.start();
        }
        if has_room { Ok(()) } else { Err(OverQuota) }
    }

    /// Bytes written so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Records that were refused or lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Bytes that wait to be written.
    pub(super) fn waiting(&self) -> u64 {
        self.state.lock().waiting_bytes
    }

    fn start(self: &Arc<Self>) {
        let file = Arc::clone(self);
        self.runtime.spawn_blocking(move || file.empty());
    }

    /// Writes what waits. Ends when nothing does, or with a failure, after which it is tried again a moment later.
    fn empty(self: &Arc<Self>) {
        let Some(mut disk) = self.state.lock().disk.take() else { return };
        loop {
            let (group, records, bounds) = self.state.lock().group();
            let outcome = disk.write(&group, bounds);
            let mut state = self.state.lock();
            match outcome {
                Ok(length) => {
                    state.done(records, length);
                    self.written.fetch_add(group.len() as u64, Ordering::Relaxed);
                    if !group.is_empty() && std::mem::take(&mut state.is_failing) {
                        tracing::info!(file = %self.path.display(), "a file can be appended to again");
                    }
                }
                Err(Failure::Full { length }) => {
                    state.done(records, length);
                    self.lost.fetch_add(records as u64, Ordering::Relaxed);
                    tracing::warn!(file = %self.path.display(), records, "records lost: the file has become full");
                }
                Err(Failure::System(error)) => {
                    state.disk = Some(disk);
                    let is_news = !std::mem::replace(&mut state.is_failing, true);
                    drop(state);
                    if is_news {
                        tracing::error!(
                            file = %self.path.display(), %error,
                            "a file cannot be appended to; what waits for it is kept while there is room"
                        );
                    }
                    self.start_later();
                    return;
                }
            }
            if state.waiting.is_empty() {
                (state.is_busy, state.disk) = (false, Some(disk));
                drop(state);
                self.idle.notify_waiters();
                return;
            }
        }
    }

    fn start_later(self: &Arc<Self>) {
        let file = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(RETRY_INTERVAL).await;
            file.start();
        });
    }

    /// Waits until nothing waits any more.
    async fn finished(&self) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if !self.state.lock().is_busy {
                return;
            }
            idle.await;
        }
    }

    /// Records and bytes that wait.
    fn left(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.waiting.len() as u64, state.waiting_bytes)
    }
}

impl State {
    /// The next records, as many as are good to write at once, and how many those are. None where a full file is only
    /// to be looked at.
    fn group(&self) -> (Vec<u8>, usize, Bounds) {
        let most = GROUP_BYTES_MAX.min(usize::try_from(self.bounds.bytes_max).unwrap_or(usize::MAX));
        let (mut group, mut records) = (Vec::new(), 0);
        for record in &self.waiting {
            if records > 0 && group.len() + record.len() > most {
                break;
            }
            group.extend_from_slice(record);
            records += 1;
        }
        (group, records, self.bounds)
    }

    /// The first records have been dealt with.
    fn done(&mut self, records: usize, length: u64) {
        let bytes: usize = self.waiting.drain(..records).map(|record| record.len()).sum();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes as u64);
        self.length = length;
    }
}

/// Bytes written at once; a record that is larger by itself is written by itself.
const GROUP_BYTES_MAX: usize = 64 << 10;
/// The pause after a failed attempt.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often a full file is looked at: somebody may have moved it away.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;

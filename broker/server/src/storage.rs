//! The store on disk: opened before anybody connects, put back into the broker, and closed when everybody has left.

mod progress;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use midge_core::{Effects, Kept, Time};
use midge_storage::{Event, Handle, OpenError, Progress, Settings, Storage};
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

use crate::config;
use crate::error::Cause;
use crate::node::Node;
use progress::{Display, Report};
pub(crate) use watch::Watch;

/// The store of a running broker.
pub(crate) struct Disk(Storage);

/// What came back from a store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Restored {
    pub(crate) sessions: u64,
    /// Messages that wait for them or were sent to them.
    pub(crate) messages: u64,
    pub(crate) retained: u64,
    pub(crate) took: Duration,
}

impl Disk {
    /// Opens the store; none where nothing is to survive the process.
    pub(crate) async fn open(config: &config::Store) -> Result<Option<Self>, Cause> {
        if !config.keeps_anything() {
            if config.directory.exists() {
                let directory = config.directory.display();
                warn!(%directory, "there is a store, and with durability = \"memory\" nobody reads it or writes to it");
            }
            return Ok(None);
        }
        let settings = settings(config);
        let opening = spawn_blocking(|| Storage::open(settings));
        let storage = Display::new().during(opening, || Report::new("opening the store")).await?;
        if let Some(cut) = storage.cut() {
            let file = cut.file.display();
            warn!(
                %file, cut.offset, cut.bytes,
                "the end of a journal was cut off: a write that a crash left half done, and that nobody was promised"
            );
        }
        Ok(Some(Self(storage)))
    }

    /// What the broker and whoever watches it need of it.
    pub(crate) fn handle(&self) -> Handle {
        self.0.handle()
    }

    /// The latest moment that the broker which wrote it has seen.
    pub(crate) fn latest(&self) -> Time {
        self.0.latest()
    }

    /// Puts everything that was kept back into the broker, and writes from now on.
    pub(crate) async fn restore(mut self, node: &Arc<Node>) -> Result<(Self, Restored), Cause> {
        let told = Arc::downgrade(node);
        self.0.start(move |event| happened(&told, event)).map_err(Cause::system("a thread for the store"))?;
        let restoring = Arc::new(Restoring::default());
        let (node, shown) = (Arc::clone(node), Arc::clone(&restoring));
        let started = Instant::now();
        let work = spawn_blocking(move || restoring.perform(&mut self.0, &node).map(|()| self));
        let disk = Display::new().during(work, || shown.report()).await?;
        let restored = Restored { took: started.elapsed(), ..shown.so_far() };
        let Restored { sessions, messages, retained, took } = restored;
        info!(sessions, messages, retained, ?took, "what the store kept is back");
        shown.warn_of_homeless();
        Ok((disk, restored))
    }

    /// Writes what is left to write, and gives the store up.
    pub(crate) async fn close(self) {
        let handle = self.handle();
        let report = || {
            let mebibytes = handle.statistics().bytes_waiting >> 20;
            Report { detail: format!("{mebibytes} MiB left to write"), ..Report::new("closing the store") }
        };
        Display::new().during(spawn_blocking(move || drop(self.0)), report).await;
        if let Some(failure) = handle.failure() {
            error!(failure, "the store is closed with changes that could not be written, and that nobody was promised");
        }
    }
}

fn settings(config: &config::Store) -> Settings {
    Settings {
        directory: config.directory.clone(),
        commit_interval: config.commit_interval,
        cache_bytes: config.cache_bytes_max,
        waiting_bytes_max: usize::try_from(config.waiting_bytes_max).unwrap_or(usize::MAX),
    }
}

/// Acknowledgements leave, and the operator learns what becomes of the disk.
fn happened(node: &Weak<Node>, event: Event) {
    match event {
        Event::Committed => {
            if let Some(node) = node.upgrade() {
                node.broker.committed();
            }
        }
        Event::Failed { detail, is_full } => {
            let code = if is_full { "0x97" } else { "0x80" };
            error!(
                code,
                "the store cannot be written: {detail}. Until it can, what must survive is refused; QoS 0 goes on"
            );
        }
        Event::Recovered { after } => info!(?after, "the store can be written again, and nothing is refused any more"),
    }
}

/// Puts back what was kept, while others look on.
#[derive(Default)]
struct Restoring {
    records: Progress,
    sessions: AtomicU64,
    messages: AtomicU64,
    retained: AtomicU64,
    /// Retained messages that the limits have no room for.
    homeless: AtomicU64,
}

impl Restoring {
    fn perform(&self, storage: &mut Storage, node: &Node) -> Result<(), OpenError> {
        let now = node.clock.now();
        let mut effects = Effects::new();
        let mut since = 0;
        storage.recover(&self.records, &mut |kept| {
            self.count(&kept);
            if !node.broker.restore(kept, now, &mut effects) {
                self.homeless.fetch_add(1, Ordering::Relaxed);
            }
            since += 1;
            if since == BATCH {
                since = 0;
                node.conclude(&mut effects, now);
            }
        })?;
        node.conclude(&mut effects, now);
        Ok(())
    }

    fn count(&self, kept: &Kept) {
        match kept {
            Kept::Retained(_) => self.retained.fetch_add(1, Ordering::Relaxed),
            Kept::Session(session) => {
                self.messages.fetch_add(session.deliveries.len() as u64, Ordering::Relaxed);
                self.sessions.fetch_add(1, Ordering::Relaxed)
            }
        };
    }

    fn so_far(&self) -> Restored {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sessions, messages, retained) = (of(&self.sessions), of(&self.messages), of(&self.retained));
        Restored { sessions, messages, retained, took: Duration::ZERO }
    }

    fn report(&self) -> Report {
        let Restored { sessions, messages, retained, .. } = self.so_far();
        Report {
            done: self.records.done(),
            total: self.records.total(),
            detail: format!("{sessions} sessions, {messages} messages for them, {retained} retained messages"),
            ..Report::new("reading the store")
        }
    }

    fn warn_of_homeless(&self) {
        let messages = self.homeless.load(Ordering::Relaxed);
        if messages > 0 {
            warn!(
                messages,
                "retained messages of the store are beyond limits.retained_messages_max or limits.retained_bytes_max: they \
                 stay in it, and nobody gets them before the limits are raised and the broker restarted"
            );
        }
    }
}

/// So much is put back before its effects are carried out.
const BATCH: u32 = 1000;

//! Sessions, queues and retained messages on disk: the [`Store`] of `midge-core` on an embedded database.
//!
//! Connections only append what they changed to a list. One thread takes the list, reduces it to as few writes as it comes to,
//! commits those together, and lets go of the acknowledgements that waited. A message's body is written once, however many
//! sessions wait for it.
//!
//! A commit waits for stable storage only if an acknowledgement does. What nobody waits for goes with the next commit, or in a
//! tenth of a second. What was not seen to reach stable storage is kept in memory: where the disk fails, it is made again once
//! the disk can be written to, and no ticket becomes durable before that.
//!
//! Rooms: `shared` (what threads share), `committer` (the thread that writes, and how it gets over a failing disk), `gathering`
//! (reduces changes to writes), `database` and `layout` (what is written where), `journal` (tells a torn end from damage),
//! `record` (values as bytes), `recovery` and `upgrade` (opening), [`tools`] (for a broker that is not running), `transfer`
//! (a store as text), `plugins` (what plugins keep).

mod committer;
mod database;
mod error;
mod event;
mod gathering;
mod journal;
mod layout;
mod lock;
mod plugins;
mod record;
mod recovery;
mod shared;
mod statistics;
pub mod tools;
mod transfer;
mod upgrade;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use midge_core::{BodyId, Change, Durability, Health, Kept, Message, Store, Ticket, Time, Unreadable};

pub use error::OpenError;
use error::directory_error;
pub use event::Event;
pub use journal::Cut;
pub use plugins::PluginEntry;
pub use record::BadRecord;
pub use recovery::Progress;
pub use statistics::{Histogram, Statistics};
pub use transfer::{Carried, Export, TransferError, import};

use committer::Committer;
use database::Opened;
use journal::Marker;
use lock::Lock;
use shared::Shared;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory, made if there is none.
    pub directory: PathBuf,
    /// The least time between two commits; more makes commits larger and acknowledgements later.
    pub commit_interval: Duration,
    /// Memory for parts of the disk that were read or are about to be, in bytes.
    pub cache_bytes: u64,
    /// Changes that may wait to be written, in bytes. Above, the store is [`Health::Behind`]; above four times as much, it
    /// takes no more.
    pub waiting_bytes_max: usize,
}

/// A store on disk. Dropping it, once started, commits what was appended and brings it to stable storage.
pub struct Storage {
    shared: Arc<Shared>,
    /// The latest commit that was found.
    marker: Marker,
    cut: Option<Cut>,
    committer: Option<JoinHandle<()>>,
    lock: Option<Lock>,
}

/// The broker's handle to a store.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Storage {
    /// Opens the store in a directory, or makes one there. A store that an earlier release wrote is upgraded first.
    ///
    /// # Errors
    /// [`OpenError`], with the file or record that cannot be used.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let directory = settings.directory.as_path();
        database::make_directory(directory).map_err(|error| directory_error(directory, error))?;
        let lock = Lock::take(directory)?;
        let mut opened = Opened::open(directory, settings.cache_bytes)?;
        upgrade::upgrade(directory, &mut opened)?;
        let marker = opened.marker(directory)?;
        let cut = opened.cut.take();
        let shared = Arc::new(Shared::new(settings, opened));
        Ok(Self { shared, marker, cut, committer: None, lock: Some(lock) })
    }

    /// Hands everything that was kept to `found`: retained messages, then sessions. To be called once, before anything but what
    /// follows from that is appended. What is appended meanwhile is committed afterwards.
    ///
    /// # Errors
    /// [`OpenError`], with the file or record that cannot be used.
    pub fn recover(&self, progress: &Progress, found: &mut dyn FnMut(Kept)) -> Result<(), OpenError> {
        recovery::recover(&self.shared, progress, found)
    }

    /// The latest moment that a broker with this store is known to have seen. Times of what was kept are not to be compared
    /// with an earlier one, to which the system's clock may have been set back since.
    #[must_use]
    pub fn latest(&self) -> Time {
        self.marker.time
    }

    /// What was cut off the journal when it was opened: a commit that a crash left half written, and that nobody was promised.
    #[must_use]
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// What a broker needs of it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Starts to write. `tell` is called on the store's thread, see [`Event`].
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub fn start(&mut self, tell: impl Fn(Event) + Send + 'static) -> std::io::Result<()> {
        let (shared, marker) = (Arc::clone(&self.shared), self.marker);
        let thread = std::thread::Builder::new().name("midge-store".to_owned());
        self.committer = Some(thread.spawn(move || Committer::new(&shared, marker, &tell).run())?);
        Ok(())
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.shared.incoming.lock().closing = true;
        self.shared.more.notify_one();
        if let Some(committer) = self.committer.take() {
            // One that panicked has said so.
            let _ = committer.join();
        }
        // Handles may outlive it; the files are given up now, and the lock after them.
        self.shared.opened.write().take();
        self.lock.take();
    }
}

impl Handle {
    /// Why the disk does not take what it is given, and what to do about it, if it does not: nothing more can be promised then.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.0.failure.lock().clone()
    }

    /// How it fares.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}

impl Store for Handle {
    fn is_volatile(&self) -> bool {
        false
    }

    fn append(&self, changes: &mut Vec<Change>, awaited: Option<Durability>) -> Ticket {
        self.0.append(changes, awaited)
    }

    fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.0.durable.load(Ordering::Acquire)
    }

    fn read(&self, body: BodyId) -> Result<Option<Message>, Unreadable> {
        Ok(self.0.find(body)?)
    }

    fn health(&self) -> Health {
        self.0.health()
    }
}

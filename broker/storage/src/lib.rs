//! Sessions, queues and retained messages on disk: the [`Store`] of `midge-core` on an embedded database.
//!
//! One thread writes. It gathers what all connections changed since its last commit, reduces that to as few writes as it comes
//! to, commits them together, and lets go of the acknowledgements that waited. A message's body is written once, however many
//! sessions wait for it.

mod committer;
mod error;
mod gathering;
mod layout;
mod lock;
mod record;
mod recovery;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use fjall::Database;
use midge_core::{BodyId, Change, Durability, Health, Kept, Message, Store, Ticket, Unreadable};
use midge_protocol::ReasonCode;
use parking_lot::{Condvar, Mutex};

pub use error::OpenError;
use error::ReadError;
pub use record::BadRecord;
pub use transfer::{Carried, Export, TransferError, import};

use gathering::{Gathering, Writes};
use layout::Keyspaces;
use lock::Lock;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory, made if there is none.
    pub directory: PathBuf,
    /// The least time between two commits; more makes commits larger and acknowledgements later.
    pub commit_interval: Duration,
    /// Memory for parts of the disk that were read or are about to be, in bytes.
    pub cache_bytes: u64,
    /// Changes that may wait to be written, in bytes. Above, [`Handle::is_behind`].
    pub waiting_bytes_max: usize,
}

/// A store on disk. Dropping it commits what was appended.
pub struct Storage {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
    /// Given up last.
    _lock: Lock,
}

struct Shared {
    settings: Settings,
    database: Database,
    keyspaces: Keyspaces,
    waiting: Mutex<Waiting>,
    /// Something waits, or the store is to close.
    more: Condvar,
    durable: AtomicU64,
    /// Why the last commit failed, if it did.
    failure: Mutex<Option<String>>,
}

#[derive(Default)]
struct Waiting {
    gathering: Gathering,
    /// What is being written right now.
    committing: Option<Arc<Writes>>,
    /// The ticket of the latest batch.
    ticket: u64,
    /// How safe it must become, by what waits for it; none waits for what is there so far.
    awaited: Option<Durability>,
    closing: bool,
}

/// The broker's handle to a store.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Storage {
    /// Opens the store in a directory, and hands everything in it to `found`, which is called for retained messages, then for
    /// sessions.
    ///
    /// # Errors
    /// [`OpenError`], with the file or record that cannot be used.
    pub fn open(settings: Settings, found: &mut dyn FnMut(Kept)) -> Result<Self, OpenError> {
        let directory = settings.directory.as_path();
        std::fs::create_dir_all(directory).map_err(|error| directory_error(directory, error))?;
        let lock = Lock::take(directory)?;
        let database = Database::builder(directory.join("data"))
            .cache_size(settings.cache_bytes)
            .manual_journal_persist(true)
            .worker_threads(1)
            .open()
            .map_err(|error| OpenError::database(directory, &error))?;
        let keyspaces = Keyspaces::open(&database).map_err(|error| OpenError::database(directory, &error))?;
        recovery::check_layout(directory, &database, &keyspaces)?;
        let mut gathering = Gathering::default();
        recovery::recover(directory, &keyspaces, &mut gathering, found)?;
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { gathering, ..Waiting::default() }),
            settings,
            database,
            keyspaces,
            more: Condvar::new(),
            durable: AtomicU64::new(0),
            failure: Mutex::default(),
        });
        Ok(Self { shared, committer: None, _lock: lock })
    }

    /// What a broker needs of it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Starts to write. `committed` is called, on the store's thread, whenever tickets have become durable.
    ///
    /// # Errors
    /// When the operating system has no thread to give.
    pub fn start(&mut self, committed: impl Fn() + Send + 'static) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("midge-store".to_owned());
        self.committer = Some(thread.spawn(move || committer::run(&shared, &committed))?);
        Ok(())
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.shared.waiting.lock().closing = true;
        self.shared.more.notify_one();
        if let Some(committer) = self.committer.take() {
            // One that panicked has said so.
            let _ = committer.join();
        }
    }
}

impl Handle {
    /// Whether more waits to be written than is good: publishers are to be slowed down.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.0.waiting.lock().gathering.bytes() > self.0.settings.waiting_bytes_max
    }

    /// A message by its body; none if the store has no such body.
    fn find(&self, body: BodyId) -> Result<Option<Message>, ReadError> {
        let waiting = self.0.waiting.lock();
        let unwritten = waiting.gathering.body(body).or_else(|| waiting.committing.as_ref()?.body(body));
        let unwritten = unwritten.map(<[u8]>::to_vec);
        // In this order: a body that is not there any more was committed or removed before the lock was taken.
        drop(waiting);
        if let Some(bytes) = unwritten {
            return Ok(Some(record::read_message(&bytes)?));
        }
        match self.0.keyspaces.bodies.get(layout::body_key(body))? {
            Some(bytes) => Ok(Some(record::read_message(&bytes)?)),
            None => Ok(None),
        }
    }

    /// Why the disk does not take what it is given, if it does not: nothing more can be promised then.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.0.failure.lock().clone()
    }
}

impl Store for Handle {
    fn is_volatile(&self) -> bool {
        false
    }

    fn append(&self, changes: &mut Vec<Change>, awaited: Option<Durability>) -> Ticket {
        let mut waiting = self.0.waiting.lock();
        waiting.awaited = waiting.awaited.max(awaited);
        for change in changes.drain(..) {
            waiting.gathering.change(change);
        }
        waiting.ticket += 1;
        let ticket = Ticket(waiting.ticket);
        drop(waiting);
        self.0.more.notify_one();
        ticket
    }

    fn is_durable(&self, ticket: Ticket) -> bool {
        ticket.0 <= self.0.durable.load(Ordering::Acquire)
    }

    fn read(&self, body: BodyId) -> Result<Option<Message>, Unreadable> {
        Ok(self.find(body)?)
    }

    fn health(&self) -> Health {
        if self.0.failure.lock().is_some() {
            Health::Refusing(ReasonCode::UnspecifiedError)
        } else if self.is_behind() {
            Health::Behind
        } else {
            Health::Good
        }
    }
}

fn directory_error(path: &Path, error: std::io::Error) -> OpenError {
    OpenError::Directory { path: path.to_owned(), error }
}

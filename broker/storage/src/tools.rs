//! A store whose broker does not run: what is in it, whether it is whole, and making it so.
//!
//! Each of these takes the store for itself, and fails with [`OpenError::InUse`] where a broker has it. As every start does,
//! they cut what a crash left half written at the end of the journal. None but [`compact`] upgrades the store of an earlier
//! release: [`info`] reads it, [`check()`] and [`repair`] fail with [`OpenError::Outdated`].
//!
//! [`export`] writes a store as text, and [`import`] makes a store of such a text.

mod carry;
mod check;

use std::fmt;
use std::path::{Path, PathBuf};

use fjall::Keyspace;

use crate::database::Opened;
use crate::layout::{self, LAYOUT, Step};
use crate::lock::Lock;
use crate::record;
use crate::{OpenError, directory_error, journal, upgrade};

pub use carry::{CarryError, export, import};
pub use check::{Checked, check, repair};

/// What is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The version of its layout.
    pub layout: u8,
    /// The newest layout that this release knows, and which it writes.
    pub layout_known: u8,
    /// Commits that were ever made to it.
    pub commits: u64,
    /// Sessions.
    pub sessions: u64,
    /// Sessions that end at some time, for their client has gone. The others had a connection when the broker ended, or
    /// never end.
    pub sessions_ending: u64,
    /// Sessions with a Will that is not published.
    pub wills: u64,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Messages that wait for sessions or are on their way to them, by session.
    pub deliveries: u64,
    /// Of those, how many were sent and are not acknowledged to the end.
    pub in_flight: u64,
    /// QoS 2 messages from clients that wait for PUBREL.
    pub received: u64,
    /// Message bodies, each of which may be needed by several deliveries.
    pub bodies: u64,
    /// Retained messages.
    pub retained: u64,
    /// Entries of plugins' stores.
    pub plugin_entries: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// Something in a store that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub detail: String,
    /// Whether [`repair`] can remove it.
    pub is_repairable: bool,
}

/// A place in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File {
        /// Which.
        path: PathBuf,
        /// Where in it, if that is known.
        offset: Option<u64>,
    },
    /// A record.
    Record {
        /// Its keyspace.
        keyspace: &'static str,
        /// Its key.
        key: Vec<u8>,
    },
}

/// What [`compact`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes on the disk before.
    pub bytes_before: u64,
    /// Bytes on the disk after.
    pub bytes_after: u64,
}

/// Counts what is in a store.
///
/// # Errors
/// [`OpenError`], with the file or record that cannot be used.
pub fn info(directory: &Path) -> Result<Info, OpenError> {
    let store = Stopped::open(directory)?;
    let spaces = &store.opened.keyspaces;
    let mut info = Info {
        layout: store.opened.layout,
        layout_known: LAYOUT,
        commits: store.opened.marker(directory)?.number,
        subscriptions: store.count(&spaces.subscriptions)?,
        received: store.count(&spaces.received)?,
        bodies: store.count(&spaces.bodies)?,
        retained: store.count(&spaces.retained)?,
        plugin_entries: store.count(&spaces.plugins)?,
        bytes: store.opened.disk_bytes(),
        ..Info::default()
    };
    store.each(&spaces.sessions, |key, value| {
        let session =
            record::read_session(value).map_err(|error| OpenError::record(directory, "sessions", key, error))?;
        info.sessions += 1;
        info.sessions_ending += u64::from(session.expires_at.is_some());
        info.wills += u64::from(session.will.is_some());
        Ok(())
    })?;
    store.each(&spaces.deliveries, |key, _| {
        match layout::delivery_in(key).map(|(_, step)| step) {
            Some(Step::Queued) => info.deliveries += 1,
            Some(Step::Sent) => info.in_flight += 1,
            Some(Step::Released) => {
                info.deliveries += 1;
                info.in_flight += 1;
            }
            None => {}
        }
        Ok(())
    })?;
    Ok(info)
}

/// Gives back the space of what was removed, as far as that can be. A store of an earlier release is upgraded first.
///
/// # Errors
/// [`OpenError`], with the file that cannot be used.
pub fn compact(directory: &Path) -> Result<Compacted, OpenError> {
    let mut store = Stopped::open(directory)?;
    let bytes_before = store.opened.disk_bytes();
    upgrade::upgrade(directory, &mut store.opened)?;
    let compact = || store.opened.compact(store.opened.keyspaces.all());
    // What the first finds removed, the second takes out of the files.
    compact().and_then(|()| compact()).map_err(|error| store.opened.explain(directory, &error))?;
    let is_all_in_tables = store.opened.is_all_in_tables();
    let Stopped { opened, _lock, .. } = store;
    drop(opened);
    if is_all_in_tables {
        let data = directory.join("data");
        journal::empty(&data).map_err(|error| directory_error(&data, error))?;
    }
    drop(_lock);
    let store = Stopped::open(directory)?;
    Ok(Compacted { bytes_before, bytes_after: store.opened.disk_bytes() })
}

/// A store that no broker has.
struct Stopped<'a> {
    directory: &'a Path,
    opened: Opened,
    /// Given up last.
    _lock: Lock,
}

impl<'a> Stopped<'a> {
    fn open(directory: &'a Path) -> Result<Self, OpenError> {
        if !directory.join("data").is_dir() {
            return Err(OpenError::Missing { directory: directory.to_owned() });
        }
        let lock = Lock::take(directory)?;
        Ok(Self { directory, opened: Opened::open(directory, CACHE_BYTES)?, _lock: lock })
    }

    fn count(&self, space: &Keyspace) -> Result<u64, OpenError> {
        let mut count = 0;
        for pair in space.iter() {
            pair.key().map_err(|error| self.opened.explain(self.directory, &error))?;
            count += 1;
        }
        Ok(count)
    }

    fn each(
        &self,
        space: &Keyspace,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        for pair in space.iter() {
            let (key, value) = pair.into_inner().map_err(|error| self.opened.explain(self.directory, &error))?;
            visit(&key, &value)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, offset: None } => write!(f, "{}", path.display()),
            Self::File { path, offset: Some(offset) } => write!(f, "{} at byte {offset}", path.display()),
            Self::Record { keyspace, key } => write!(f, "{keyspace} {}", Key { keyspace, key }),
        }
    }
}

/// A key as one would say it.
struct Key<'a> {
    keyspace: &'a str,
    key: &'a [u8],
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { keyspace, key } = self;
        match (*keyspace, layout::number_in(key)) {
            ("sessions" | "bodies", Some(number)) if key.len() == 8 => write!(f, "{number}"),
            ("deliveries", Some(session)) => match layout::delivery_in(key) {
                Some((entry, step)) => write!(f, "{step:?} {} of session {session}", entry.0),
                None => write!(f, "{}", key.escape_ascii()),
            },
            ("received", Some(session)) => match layout::packet_id_in(key) {
                Some(id) => write!(f, "{} of session {session}", id.get()),
                None => write!(f, "{}", key.escape_ascii()),
            },
            ("subscriptions", Some(session)) => {
                write!(f, "{:?} of session {session}", String::from_utf8_lossy(&key[8..]))
            }
            ("plugins", _) => write!(f, "{}", key.escape_ascii()),
            _ => write!(f, "{:?}", String::from_utf8_lossy(key)),
        }
    }
}

/// Memory for what is read.
const CACHE_BYTES: u64 = 16 << 20;

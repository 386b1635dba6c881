//! Which keyspace holds what, and under which keys.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `meta` | `layout` | the version of this layout, one byte |
//! | `meta` | `commit` | the latest commit, a [marker](crate::journal::Marker) |
//! | `sessions` | session | a [session record](crate::record) |
//! | `subscriptions` | session, filter or its digest | a subscription record |
//! | `deliveries` | session, entry, step | what the step needs, see [`Step`] |
//! | `received` | session, Packet Identifier | a version and nothing more |
//! | `bodies` | body | a message record |
//! | `retained` | topic | a message record |
//! | `plugins` | digests of store and key | a [plugin's entry](crate::plugins) |
//!
//! Numbers in keys are big-endian, so that they sort. Sessions, entries and bodies are numbered by the broker.
//!
//! A layout is changed by adding a step to [`upgrade`](crate::upgrade).

use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use midge_core::{BodyId, EntryNumber, SessionNumber};
use midge_protocol::PacketId;
use xxhash_rust::xxh3::xxh3_128;

/// The version of the layout that is written.
pub(crate) const LAYOUT: u8 = 2;

/// Its key in `meta`.
pub(crate) const LAYOUT_KEY: &[u8] = b"layout";

/// The keyspaces of one store.
#[derive(Clone)]
pub(crate) struct Keyspaces {
    pub(crate) meta: Keyspace,
    pub(crate) sessions: Keyspace,
    pub(crate) subscriptions: Keyspace,
    pub(crate) deliveries: Keyspace,
    pub(crate) received: Keyspace,
    pub(crate) bodies: Keyspace,
    pub(crate) retained: Keyspace,
    pub(crate) plugins: Keyspace,
}

impl Keyspaces {
    pub(crate) fn open(database: &Database) -> fjall::Result<Self> {
        // Without separate files for large values: the database (lsm-tree 3.1) does not sync the directory of such a file
        // before the version that names it, so that a loss of power could leave a store that cannot be opened.
        let options = |memory| move || KeyspaceCreateOptions::default().max_memtable_size(memory);
        Ok(Self {
            meta: database.keyspace("meta", options(1 << 20))?,
            sessions: database.keyspace("sessions", options(4 << 20))?,
            subscriptions: database.keyspace("subscriptions", options(4 << 20))?,
            deliveries: database.keyspace("deliveries", options(8 << 20))?,
            received: database.keyspace("received", options(4 << 20))?,
            bodies: database.keyspace("bodies", options(16 << 20))?,
            retained: database.keyspace("retained", options(16 << 20))?,
            plugins: database.keyspace("plugins", options(4 << 20))?,
        })
    }

    pub(crate) fn of(&self, space: Space) -> &Keyspace {
        match space {
            Space::Sessions => &self.sessions,
            Space::Subscriptions => &self.subscriptions,
            Space::Deliveries => &self.deliveries,
            Space::Received => &self.received,
            Space::Bodies => &self.bodies,
            Space::Retained => &self.retained,
            Space::Plugins => &self.plugins,
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Keyspace> {
        [&self.meta].into_iter().chain(Space::ALL.iter().map(|space| self.of(*space)))
    }
}

/// Names a keyspace that is written to while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Space {
    Sessions,
    Subscriptions,
    Deliveries,
    Received,
    Bodies,
    Retained,
    Plugins,
}

impl Space {
    pub(crate) const ALL: [Self; 7] = [
        Self::Sessions,
        Self::Subscriptions,
        Self::Deliveries,
        Self::Received,
        Self::Bodies,
        Self::Retained,
        Self::Plugins,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Subscriptions => "subscriptions",
            Self::Deliveries => "deliveries",
            Self::Received => "received",
            Self::Bodies => "bodies",
            Self::Retained => "retained",
            Self::Plugins => "plugins",
        }
    }
}

/// How far a delivery has come. Each step is a key of its own, so that none has to be read to write the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Step {
    /// It waits, or was sent: a delivery record, which names the body.
    Queued = 0,
    /// PUBLISH was sent: the Packet Identifier.
    Sent = 1,
    /// PUBREC came: the Packet Identifier. The step before and the body are gone.
    Released = 2,
}

impl Step {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Released].into_iter().find(|step| *step as u8 == byte)
    }
}

pub(crate) fn session_key(session: SessionNumber) -> [u8; 8] {
    session.0.to_be_bytes()
}

/// A filter can be longer than the database's keys can. A long one is named by its digest, behind a byte that no text has.
pub(crate) fn subscription_key(session: SessionNumber, filter: &str) -> Vec<u8> {
    let session = session_key(session);
    if filter.len() <= FILTER_MAX {
        [&session[..], filter.as_bytes()].concat()
    } else {
        [&session[..], &[0xff], &xxh3_128(filter.as_bytes()).to_be_bytes()].concat()
    }
}

pub(crate) fn delivery_key(session: SessionNumber, entry: EntryNumber, step: Step) -> [u8; 17] {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&session_key(session));
    key[8..16].copy_from_slice(&entry.0.to_be_bytes());
    key[16] = step as u8;
    key
}

pub(crate) fn received_key(session: SessionNumber, packet_id: PacketId) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&session_key(session));
    key[8..].copy_from_slice(&packet_id.get().to_be_bytes());
    key
}

pub(crate) fn body_key(body: BodyId) -> [u8; 8] {
    body.0.to_be_bytes()
}

/// The number at the start of a key.
pub(crate) fn number_in(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The entry and step of a delivery's key.
pub(crate) fn delivery_in(key: &[u8]) -> Option<(EntryNumber, Step)> {
    let entry = number_in(key.get(8..)?).filter(|entry| *entry <= ENTRY_MAX)?;
    Some((EntryNumber(entry), Step::from_byte(*key.get(16)?)?))
}

/// The Packet Identifier of a `received` key.
pub(crate) fn packet_id_in(key: &[u8]) -> Option<PacketId> {
    let bytes = key.get(8..)?.first_chunk()?;
    PacketId::new(u16::from_be_bytes(*bytes))
}

/// Entries are counted from 1, one a message: no session sees more.
pub(crate) const ENTRY_MAX: u64 = (1 << 62) - 1;

/// The longest filter that stands in a key.
const FILTER_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_longer_than_the_database_takes() {
        let filter = "f".repeat(usize::from(u16::MAX));
        let (a, b) = (subscription_key(SessionNumber(1), &filter), subscription_key(SessionNumber(1), &filter[1..]));
        assert!(a.len() < FILTER_MAX && a != b);
        assert!(a.starts_with(&session_key(SessionNumber(1))));
    }
}

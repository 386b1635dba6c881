//! Which keyspace holds what, and under which keys.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `meta` | `format` | the version of this layout, one byte |
//! | `sessions` | session | a [session record](crate::record) |
//! | `subscriptions` | session, filter | a subscription record |
//! | `deliveries` | session, entry, step | what the step needs, see [`Step`] |
//! | `received` | session, Packet Identifier | nothing |
//! | `bodies` | body | a message record |
//! | `retained` | topic | a message record |
//!
//! Numbers in keys are big-endian, so that they sort. Sessions, entries and bodies are numbered by the broker and no number is
//! used twice, so almost every key is written once and removed once: that is what the store's single deletes are for.

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions};
use midge_core::{BodyId, EntryNumber, SessionNumber};
use midge_protocol::PacketId;

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
}

impl Keyspaces {
    pub(crate) fn open(database: &Database) -> fjall::Result<Self> {
        let small = || KeyspaceCreateOptions::default();
        let large = || KeyspaceCreateOptions::default().with_kv_separation(Some(KvSeparationOptions::default()));
        Ok(Self {
            meta: database.keyspace("meta", small)?,
            sessions: database.keyspace("sessions", small)?,
            subscriptions: database.keyspace("subscriptions", small)?,
            deliveries: database.keyspace("deliveries", small)?,
            received: database.keyspace("received", small)?,
            bodies: database.keyspace("bodies", large)?,
            retained: database.keyspace("retained", large)?,
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
        }
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
}

impl Space {
    /// Whether each of its keys is written once and removed once.
    pub(crate) fn is_written_once(self) -> bool {
        matches!(self, Self::Deliveries | Self::Bodies)
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

pub(crate) fn subscription_key(session: SessionNumber, filter: &str) -> Vec<u8> {
    [&session_key(session)[..], filter.as_bytes()].concat()
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
    let entry = number_in(key.get(8..)?)?;
    Some((EntryNumber(entry), Step::from_byte(*key.get(16)?)?))
}

/// The Packet Identifier of a `received` key.
pub(crate) fn packet_id_in(key: &[u8]) -> Option<PacketId> {
    let bytes = key.get(8..)?.first_chunk()?;
    PacketId::new(u16::from_be_bytes(*bytes))
}

//! What a store holds when it is opened.

use std::collections::HashMap;
use std::path::Path;

use fjall::{Database, Keyspace, PersistMode};
use midge_core::{EntryNumber, Kept, KeptDelivery, KeptSession, SessionNumber, SessionRecord};

use crate::OpenError;
use crate::gathering::Gathering;
use crate::layout::{self, Keyspaces, Step};
use crate::record::{self, BadRecord};

/// The version of the layout that is written.
const LAYOUT: u8 = 1;

/// Refuses what a later release wrote, and marks a new store.
pub(crate) fn check_layout(directory: &Path, database: &Database, keyspaces: &Keyspaces) -> Result<(), OpenError> {
    let failed = |error| OpenError::database(directory, &error);
    match keyspaces.meta.get("layout").map_err(failed)?.as_deref() {
        Some([LAYOUT]) => Ok(()),
        Some(&[found]) => Err(OpenError::Layout { directory: directory.to_owned(), found, known: LAYOUT }),
        Some(_) => Err(OpenError::record(directory, "meta", b"layout", BadRecord::Damaged)),
        None => {
            keyspaces.meta.insert("layout", [LAYOUT]).map_err(failed)?;
            database.persist(PersistMode::SyncAll).map_err(failed)
        }
    }
}

/// Hands everything to `found` and tells `gathering` of it.
pub(crate) fn recover(
    directory: &Path,
    keyspaces: &Keyspaces,
    gathering: &mut Gathering,
    found: &mut dyn FnMut(Kept),
) -> Result<(), OpenError> {
    let recovery = Recovery { directory };
    recovery.each("retained", &keyspaces.retained, |_, value| {
        found(Kept::Retained(record::read_message(value)?));
        Ok(())
    })?;
    let mut sessions = HashMap::new();
    recovery.each("sessions", &keyspaces.sessions, |key, value| {
        let session = SessionNumber(layout::number_in(key).ok_or(BadRecord::Damaged)?);
        let record = record::read_session(value)?;
        sessions.insert(session, kept(session, record));
        Ok(())
    })?;
    // What belongs to no session came to the disk before its session did, or was left behind by one: nobody was promised it.
    recovery.each("subscriptions", &keyspaces.subscriptions, |key, value| {
        let Some(session) = owner(&mut sessions, key)? else { return Ok(()) };
        let filter = std::str::from_utf8(&key[8..]).map_err(|_| BadRecord::Damaged)?;
        session.subscriptions.push(record::read_subscription(filter, value)?);
        Ok(())
    })?;
    recovery.each("received", &keyspaces.received, |key, _| {
        let Some(session) = owner(&mut sessions, key)? else { return Ok(()) };
        session.received.push(layout::packet_id_in(key).ok_or(BadRecord::Damaged)?);
        Ok(())
    })?;
    recovery.each("deliveries", &keyspaces.deliveries, |key, value| {
        let Some(session) = owner(&mut sessions, key)? else { return Ok(()) };
        let (entry, step) = layout::delivery_in(key).ok_or(BadRecord::Damaged)?;
        take_step(session, entry, step, value)
    })?;
    for session in sessions.into_values() {
        tell(&session, gathering);
        found(Kept::Session(session));
    }
    Ok(())
}

/// The session that a key starts with.
fn owner<'a>(
    sessions: &'a mut HashMap<SessionNumber, KeptSession>,
    key: &[u8],
) -> Result<Option<&'a mut KeptSession>, BadRecord> {
    let session = SessionNumber(layout::number_in(key).ok_or(BadRecord::Damaged)?);
    Ok(sessions.get_mut(&session))
}

struct Recovery<'a> {
    directory: &'a Path,
}

impl Recovery<'_> {
    fn each(
        &self,
        name: &str,
        space: &Keyspace,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), BadRecord>,
    ) -> Result<(), OpenError> {
        for pair in space.iter() {
            let (key, value) = pair.into_inner().map_err(|error| OpenError::database(self.directory, &error))?;
            visit(&key, &value).map_err(|error| OpenError::record(self.directory, name, &key, error))?;
        }
        Ok(())
    }
}

fn kept(session: SessionNumber, record: SessionRecord) -> KeptSession {
    KeptSession { session, record, subscriptions: Vec::new(), received: Vec::new(), deliveries: Vec::new() }
}

/// One step of a delivery. Its steps follow each other.
fn take_step(session: &mut KeptSession, entry: EntryNumber, step: Step, value: &[u8]) -> Result<(), BadRecord> {
    match step {
        Step::Queued => {
            let message = Some(record::read_delivery(value)?);
            session.deliveries.push(KeptDelivery { entry, packet_id: None, message });
        }
        Step::Sent => {
            let sent = session.deliveries.last_mut().filter(|delivery| delivery.entry == entry);
            sent.ok_or(BadRecord::Damaged)?.packet_id = Some(record::read_packet_id(value)?);
        }
        Step::Released => {
            let packet_id = Some(record::read_packet_id(value)?);
            session.deliveries.push(KeptDelivery { entry, packet_id, message: None });
        }
    }
    Ok(())
}

fn tell(session: &KeptSession, gathering: &mut Gathering) {
    gathering.found_session(session.session);
    for KeptDelivery { entry, packet_id, message } in &session.deliveries {
        let body = message.as_ref().map(|message| message.body);
        gathering.found_delivery(session.session, *entry, body, packet_id.is_some());
    }
}

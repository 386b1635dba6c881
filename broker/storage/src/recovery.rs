//! What a store holds when it is opened.
//!
//! Every keyspace is sorted by session, so one session after the other is put together and handed on; nothing but what all of
//! them make up in the end is held in memory, and no body is read.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Iter, Keyspace, UserKey, UserValue};
use midge_core::{BodyId, EntryNumber, Kept, KeptDelivery, KeptSession, SessionNumber};

use crate::OpenError;
use crate::database::Opened;
use crate::error::directory_error;
use crate::gathering::Gathering;
use crate::layout::{self, Step};
use crate::record::{self, BadRecord};
use crate::shared::Shared;

/// How far a recovery has come, to be looked at from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Records that were read.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// About how many records there are; 0 until that is known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// Hands everything to `found`. Nothing that is appended is reduced before all of it is known: a body may be needed by sessions
/// that are yet to come.
pub(crate) fn recover(shared: &Shared, progress: &Progress, found: &mut dyn FnMut(Kept)) -> Result<(), OpenError> {
    shared.hold(true);
    let recovered = read_all(shared, progress, found);
    shared.hold(false);
    recovered
}

fn read_all(shared: &Shared, progress: &Progress, found: &mut dyn FnMut(Kept)) -> Result<(), OpenError> {
    let directory = shared.settings.directory.as_path();
    let opened = shared.opened.read();
    let Some(opened) = opened.as_ref() else {
        return Err(directory_error(directory, io::Error::other("the disk has failed")));
    };
    let spaces = &opened.keyspaces;
    let read = [&spaces.retained, &spaces.subscriptions, &spaces.received, &spaces.deliveries, &spaces.sessions];
    let total = read.iter().map(|space| space.approximate_len() as u64).sum();
    progress.total.store(total, Ordering::Relaxed);
    let rows = |name, space: &Keyspace| Rows { name, directory, opened, progress, rows: space.iter(), next: None };
    rows("retained", &spaces.retained).each(|_, value| {
        found(Kept::Retained(record::read_message(value)?));
        Ok(())
    })?;
    let mut subscriptions = rows("subscriptions", &spaces.subscriptions);
    let mut received = rows("received", &spaces.received);
    let mut deliveries = rows("deliveries", &spaces.deliveries);
    let mut sessions = rows("sessions", &spaces.sessions);
    let mut homeless = Vec::new();
    loop {
        let owners = [sessions.owner()?, subscriptions.owner()?, received.owner()?, deliveries.owner()?];
        let Some(number) = owners.into_iter().flatten().min() else { break };
        let mut record = None;
        sessions.each_of(number, |_, value| {
            record = Some(record::read_session(value)?);
            Ok(())
        })?;
        let mut found_subscriptions = Vec::new();
        subscriptions.each_of(number, |_, value| {
            found_subscriptions.push(record::read_subscription(value)?);
            Ok(())
        })?;
        let mut found_received = Vec::new();
        received.each_of(number, |key, value| {
            record::read_presence(value)?;
            found_received.push(layout::packet_id_in(key).ok_or(BadRecord::Damaged)?);
            Ok(())
        })?;
        let mut found_deliveries = Vec::new();
        deliveries.each_of(number, |key, value| {
            let (entry, step) = layout::delivery_in(key).ok_or(BadRecord::Damaged)?;
            take_step(&mut found_deliveries, entry, step, value)
        })?;
        tell(number, record.is_some(), &found_deliveries, &mut shared.reducing.lock().gathering);
        let Some(record) = record else {
            homeless.push(number);
            continue;
        };
        found(Kept::Session(KeptSession {
            session: number,
            record,
            subscriptions: found_subscriptions,
            received: found_received,
            deliveries: found_deliveries,
        }));
    }
    // What belongs to no session came to the disk before its session did: nobody was promised it. It must not become part of a
    // later session of that number. Its messages may be needed by sessions, all of which are known by now.
    let mut reducing = shared.reducing.lock();
    for number in homeless {
        reducing.gathering.discard(number);
    }
    let counts = reducing.gathering.counts();
    drop(reducing);
    shared.statistics.lock().count(counts);
    Ok(())
}

/// The rows of a keyspace, by and by.
struct Rows<'a> {
    name: &'static str,
    directory: &'a Path,
    opened: &'a Opened,
    progress: &'a Progress,
    rows: Iter,
    /// Was looked at only.
    next: Option<(UserKey, UserValue)>,
}

type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), BadRecord>;

impl Rows<'_> {
    fn next(&mut self) -> Result<Option<(UserKey, UserValue)>, OpenError> {
        if let Some(next) = self.next.take() {
            return Ok(Some(next));
        }
        let pair = self.rows.next().map(fjall::Guard::into_inner).transpose();
        self.progress.done.fetch_add(u64::from(matches!(pair, Ok(Some(_)))), Ordering::Relaxed);
        pair.map_err(|error| self.opened.explain(self.directory, &error))
    }

    fn each(&mut self, mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), BadRecord>) -> Result<(), OpenError> {
        while let Some((key, value)) = self.next()? {
            self.visit(&key, &value, &mut visit)?;
        }
        Ok(())
    }

    /// The session that the next row belongs to.
    fn owner(&mut self) -> Result<Option<SessionNumber>, OpenError> {
        let Some((key, value)) = self.next()? else { return Ok(None) };
        let owner = layout::number_in(&key).map(SessionNumber);
        let owner = owner.ok_or_else(|| OpenError::record(self.directory, self.name, &key, BadRecord::Damaged))?;
        self.next = Some((key, value));
        Ok(Some(owner))
    }

    /// The next rows, as long as they belong to a session.
    fn each_of(
        &mut self,
        session: SessionNumber,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), BadRecord>,
    ) -> Result<(), OpenError> {
        while self.owner()? == Some(session) {
            if let Some((key, value)) = self.next.take() {
                self.visit(&key, &value, &mut visit)?;
            }
        }
        Ok(())
    }

    fn visit(&self, key: &[u8], value: &[u8], visit: Visit<'_>) -> Result<(), OpenError> {
        visit(key, value).map_err(|error| OpenError::record(self.directory, self.name, key, error))
    }
}

/// One step of a delivery. Its steps follow each other.
pub(crate) fn take_step(
    deliveries: &mut Vec<KeptDelivery>,
    entry: EntryNumber,
    step: Step,
    value: &[u8],
) -> Result<(), BadRecord> {
    match step {
        Step::Queued => {
            let message = Some(record::read_delivery(value)?);
            deliveries.push(KeptDelivery { entry, packet_id: None, message });
        }
        Step::Sent => {
            let sent = deliveries.last_mut().filter(|delivery| delivery.entry == entry);
            sent.ok_or(BadRecord::Damaged)?.packet_id = Some(record::read_packet_id(value)?);
        }
        Step::Released => {
            let packet_id = Some(record::read_packet_id(value)?);
            deliveries.push(KeptDelivery { entry, packet_id, message: None });
        }
    }
    Ok(())
}

fn tell(session: SessionNumber, is_kept: bool, deliveries: &[KeptDelivery], gathering: &mut Gathering) {
    if is_kept {
        gathering.found_session(session);
    }
    for KeptDelivery { entry, packet_id, message } in deliveries {
        let body: Option<BodyId> = message.as_ref().map(|message| message.body);
        gathering.found_delivery(session, *entry, body, packet_id.is_some());
    }
}

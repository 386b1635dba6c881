//! What a store's threads share: those of connections append, and one commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use midge_core::{BodyId, Change, Durability, Health, Message, Ticket};
use midge_protocol::ReasonCode;
use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use crate::Settings;
use crate::database::Opened;
use crate::error::ReadError;
use crate::gathering::{Gathering, Value, Writes};
use crate::statistics::Statistics;
use crate::{layout, record};

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// None while it is being opened again, after it failed.
    pub(crate) opened: RwLock<Option<Opened>>,
    /// Where connections append. Never held for long, and taken last.
    pub(crate) incoming: Mutex<Incoming>,
    /// Wakes the committer.
    pub(crate) more: Condvar,
    /// Where what was appended is reduced, by the committer or by whoever looks for a body.
    pub(crate) reducing: Mutex<Reducing>,
    pub(crate) durable: AtomicU64,
    /// What [`Handle::health`](crate::Handle) answers.
    health: AtomicU8,
    /// Why the disk does not take what it is given, if it does not.
    pub(crate) failure: Mutex<Option<String>>,
    pub(crate) statistics: Mutex<Statistics>,
}

/// What was appended and is not reduced yet.
#[derive(Default)]
pub(crate) struct Incoming {
    changes: Vec<Change>,
    /// Entries of plugins, by their keys.
    entries: Vec<(Vec<u8>, Value)>,
    /// About the bytes of those.
    bytes: usize,
    /// Bytes that are reduced and wait to be written.
    pub(crate) reduced: usize,
    /// The ticket of the latest batch.
    pub(crate) ticket: u64,
    /// How safe the latest must become, by what waits for them; none waits for what is there so far.
    pub(crate) awaited: Option<Durability>,
    /// What the committer waits for.
    pub(crate) sleep: Sleep,
    /// Nothing is reduced for the time being: what is kept is not all known yet.
    pub(crate) held: bool,
    pub(crate) closing: bool,
    /// Why nothing more can be promised, while the disk fails.
    failing: Option<ReasonCode>,
}

/// What wakes the committer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Nothing: it looks again soon by itself.
    #[default]
    Busy,
    /// A batch that somebody waits for.
    UntilAwaited,
    /// A batch.
    UntilAny,
}

#[derive(Default)]
pub(crate) struct Reducing {
    pub(crate) gathering: Gathering,
    /// Commits that are not known to be on stable storage, oldest first: what the disk may still lose.
    pub(crate) unsynced: VecDeque<Arc<Commit>>,
    /// The latest batch that is reduced.
    pub(crate) ticket: u64,
    /// Bytes of the commit that is being written.
    pub(crate) committing: usize,
    /// Kept for its memory.
    spare: Vec<Change>,
}

pub(crate) struct Commit {
    pub(crate) number: u64,
    pub(crate) writes: Writes,
}

impl Shared {
    pub(crate) fn new(settings: Settings, opened: Opened) -> Self {
        let disk_bytes = opened.disk_bytes();
        Self {
            settings,
            opened: RwLock::new(Some(opened)),
            incoming: Mutex::default(),
            more: Condvar::new(),
            reducing: Mutex::default(),
            durable: AtomicU64::new(0),
            health: AtomicU8::new(GOOD),
            failure: Mutex::default(),
            statistics: Mutex::new(Statistics { disk_bytes, ..Statistics::default() }),
        }
    }

    pub(crate) fn append(&self, changes: &mut Vec<Change>, awaited: Option<Durability>) -> Ticket {
        let awaited = awaited.filter(|level| *level != Durability::Memory);
        let bytes = weight(changes);
        self.take_over(bytes, awaited, |incoming| incoming.changes.append(changes))
    }

    /// Takes over what becomes of a plugin's entry; nobody waits for that.
    pub(crate) fn append_entry(&self, key: Vec<u8>, value: Value) {
        let bytes = key.len() + value.as_ref().map_or(0, Vec::len) + size_of::<(Vec<u8>, Value)>();
        self.take_over(bytes, None, |incoming| incoming.entries.push((key, value)));
    }

    fn take_over(&self, bytes: usize, awaited: Option<Durability>, append: impl FnOnce(&mut Incoming)) -> Ticket {
        let mut incoming = self.incoming.lock();
        append(&mut incoming);
        incoming.bytes += bytes;
        incoming.awaited = incoming.awaited.max(awaited);
        incoming.ticket += 1;
        let ticket = Ticket(incoming.ticket);
        let wakes = match incoming.sleep {
            Sleep::Busy => false,
            Sleep::UntilAwaited => awaited.is_some(),
            Sleep::UntilAny => true,
        };
        if wakes {
            incoming.sleep = Sleep::Busy;
        }
        self.note_health(&incoming);
        drop(incoming);
        if wakes {
            self.more.notify_one();
        }
        ticket
    }

    /// Reduces what was appended; what waits for it is told to `awaited`.
    pub(crate) fn reduce(&self, reducing: &mut Reducing, awaited: Option<&mut Option<Durability>>) {
        let mut incoming = self.incoming.lock();
        if incoming.held {
            return;
        }
        reducing.ticket = incoming.ticket;
        std::mem::swap(&mut incoming.changes, &mut reducing.spare);
        let (bytes, entries) = (incoming.bytes, std::mem::take(&mut incoming.entries));
        if let Some(awaited) = awaited {
            *awaited = incoming.awaited.take();
        }
        drop(incoming);
        let changes = reducing.spare.len() as u64;
        for change in reducing.spare.drain(..) {
            reducing.gathering.change(change);
        }
        reducing.spare.shrink_to(SPARE_MAX);
        for (key, value) in entries {
            reducing.gathering.entry(&key, value);
        }
        let mut incoming = self.incoming.lock();
        incoming.bytes -= bytes;
        incoming.reduced = reducing.gathering.next().bytes + reducing.committing;
        self.note_health(&incoming);
        drop(incoming);
        if changes > 0 {
            let counts = reducing.gathering.counts();
            let mut statistics = self.statistics.lock();
            statistics.changes += changes;
            statistics.count(counts);
        }
    }

    /// A message by its body; none if the store has no such body.
    pub(crate) fn find(&self, body: BodyId) -> Result<Option<Message>, ReadError> {
        let mut reducing = self.reducing.lock();
        if let Some(message) = self.unreduced(&mut reducing, body) {
            return Ok(Some(message));
        }
        let unsynced = || reducing.unsynced.iter().rev().find_map(|commit| commit.writes.body(body));
        match reducing.gathering.next().body(body).or_else(unsynced) {
            Some(Some(bytes)) => return Ok(Some(record::read_message(bytes)?)),
            Some(None) => return Ok(None),
            None => {}
        }
        // In this order: a body that was not there was in the database before the lock was taken, or is nowhere.
        drop(reducing);
        // Whoever is given what was kept may want to look at it.
        let opened = self.opened.read_recursive();
        let opened = opened.as_ref().ok_or(ReadError::Closed)?;
        match opened.keyspaces.bodies.get(layout::body_key(body))? {
            Some(bytes) => Ok(Some(record::read_message(&bytes)?)),
            None => Ok(None),
        }
    }

    /// Makes sure that what was appended is reduced; where that must wait, looks for a body in it.
    fn unreduced(&self, reducing: &mut Reducing, wanted: BodyId) -> Option<Message> {
        let incoming = self.incoming.lock();
        if incoming.held {
            return incoming.changes.iter().find_map(|change| match change {
                Change::Queued { body, message, .. } if *body == wanted => Some(message.clone()),
                _ => None,
            });
        }
        let is_reduced = incoming.changes.is_empty();
        drop(incoming);
        if !is_reduced {
            self.reduce(reducing, None);
        }
        None
    }

    /// Stops reducing until what is kept is known, or goes on.
    pub(crate) fn hold(&self, held: bool) {
        let mut incoming = self.incoming.lock();
        incoming.held = held;
        incoming.sleep = Sleep::Busy;
        drop(incoming);
        self.more.notify_one();
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let incoming = self.incoming.lock();
        let (bytes, ticket) = (incoming.bytes + incoming.reduced, incoming.ticket);
        drop(incoming);
        Statistics {
            bytes_waiting: bytes as u64,
            batches_waiting: ticket.saturating_sub(self.durable.load(Ordering::Acquire)),
            ..self.statistics.lock().clone()
        }
    }

    /// Notes whether the disk fails.
    pub(crate) fn set_failing(&self, failing: Option<ReasonCode>) {
        let mut incoming = self.incoming.lock();
        incoming.failing = failing;
        self.note_health(&incoming);
    }

    pub(crate) fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            GOOD => Health::Good,
            BEHIND => Health::Behind,
            FULL => Health::Refusing(ReasonCode::QuotaExceeded),
            _ => Health::Refusing(ReasonCode::UnspecifiedError),
        }
    }

    fn note_health(&self, incoming: &MutexGuard<'_, Incoming>) {
        let waiting = incoming.bytes + incoming.reduced;
        let health = match incoming.failing {
            Some(ReasonCode::QuotaExceeded) => FULL,
            Some(_) => FAILING,
            None if waiting > self.settings.waiting_bytes_max.saturating_mul(HARD_BOUND) => FULL,
            None if waiting > self.settings.waiting_bytes_max => BEHIND,
            None => GOOD,
        };
        if self.health.load(Ordering::Relaxed) != health {
            self.health.store(health, Ordering::Relaxed);
        }
    }
}

/// About the bytes that changes take until they are reduced. A message that goes to many sessions is counted once.
fn weight(changes: &[Change]) -> usize {
    let mut last = None;
    let mut bytes = size_of_val(changes);
    for change in changes {
        match change {
            Change::Queued { body, message, .. } if last != Some(*body) => {
                last = Some(*body);
                bytes += message.weight();
            }
            Change::Retained(message) => bytes += message.weight(),
            _ => {}
        }
    }
    bytes
}

/// How many times the bytes that may wait are too many to take more.
const HARD_BOUND: usize = 4;

/// How much memory for changes is kept from one commit to the next.
const SPARE_MAX: usize = 4096;

const GOOD: u8 = 0;
const BEHIND: u8 = 1;
const FULL: u8 = 2;
const FAILING: u8 = 3;

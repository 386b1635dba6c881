//! What a session's lock protects.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use midge_protocol::ProtocolVersion;

use super::delivery::Delivery;
use super::inbound::ReceivedIds;
use super::outbound::Window;
use super::outbox::Outbox;
use super::queue::Queue;
use super::rare::{Departed, Rare};
use super::{Asking, CloseReason, ConnectionNumber, Peer};
use crate::connection::aliases::AliasesSent;
use crate::store::{BodyId, EntryNumber, SessionRecord, SubscriptionRecord, Ticket};
use crate::subscriptions::Options;
use crate::wheel::Timer;
use crate::{Time, Will};

/// Everything about a session that changes. Parts that most sessions lack most of the time are boxed.
pub(crate) struct State {
    /// The principal of its client: of the one that is connected, else of the last one that was. In a box, which is smaller.
    principal: Option<Box<Arc<str>>>,
    /// The connection, while there is one.
    pub(crate) link: Option<Link>,
    /// The connection it has, or had last.
    pub(crate) last: ConnectionNumber,
    pub(crate) outbox: Outbox,
    /// Seconds the session lives on after its connection.
    pub(crate) session_expiry: u32,
    /// The store knows the session, and is to be told what changes.
    pub(crate) stored: bool,
    /// Ended: whoever still holds it finds nothing to do.
    pub(crate) ended: bool,
    /// Its queue had no room for the latest message, and nothing has left it since.
    pub(crate) full: bool,
    /// Its queue had little room left, or none, after the latest message.
    pub(crate) crowded: bool,
    pub(crate) window: Option<Box<Window>>,
    pub(crate) queue: Option<Box<Queue>>,
    pub(crate) received: ReceivedIds,
    /// Messages that may wait in the queue.
    pub(crate) queued_messages_max: u32,
    /// The number of the latest delivery, for the store.
    pub(crate) entries: EntryNumber,
    pub(crate) will: Option<Box<Will>>,
    /// Sorted by filter.
    pub(crate) subscriptions: Vec<OwnSubscription>,
    pub(super) rare: Option<Box<Rare>>,
}

/// What is due while a session has no connection.
#[derive(Debug)]
pub(crate) struct Absence {
    /// When the delayed Will is due.
    pub(crate) will_due: Option<Time>,
    /// When the session ends, if nobody comes back.
    pub(crate) expires_at: Option<Time>,
    /// The wheel's entry for the earlier of the two.
    pub(crate) timer: Option<Timer>,
}

/// A subscription as its session knows it.
pub(crate) struct OwnSubscription {
    /// As the client wrote it, `$share/…` included.
    pub(crate) filter: Box<str>,
    pub(crate) options: Options,
}

/// A session's side of its connection.
pub(crate) struct Link {
    pub(crate) number: ConnectionNumber,
    pub(crate) peer: Arc<dyn Peer>,
    pub(crate) waker: Option<Waker>,
    pub(crate) closing: Option<CloseReason>,
    /// Its owner has begun to say goodbye, and nobody else writes any more.
    pub(crate) silenced: bool,
    pub(crate) version: ProtocolVersion,
    /// Something waits for room in the outbox.
    pub(crate) wants_room: bool,
    /// What is to be sent next is only in the store.
    pub(crate) loading: Loading,
    /// Whether somebody else decides what may be sent, and how far that is.
    pub(crate) asking: Asking,
    /// Bytes of the largest packet the client takes.
    pub(crate) maximum_packet_size: u32,
    /// Messages in flight the client and we agree on.
    pub(crate) quota: u16,
    /// How many aliases we may define; the table exists from the first one on.
    pub(crate) alias_maximum: u16,
    pub(crate) aliases: Option<Box<AliasesSent>>,
}

/// How far a connection is with what it needs from the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Loading {
    /// It needs nothing.
    #[default]
    No,
    /// Its owner is to be told.
    Wanted,
    /// Its owner reads.
    Underway,
}

impl State {
    pub(crate) fn new(session_expiry: u32, queued_messages_max: u32) -> Self {
        Self {
            principal: None,
            link: None,
            last: ConnectionNumber::default(),
            outbox: Outbox::default(),
            session_expiry,
            stored: false,
            ended: false,
            full: false,
            crowded: false,
            window: None,
            queue: None,
            received: ReceivedIds::default(),
            queued_messages_max,
            entries: EntryNumber::default(),
            will: None,
            subscriptions: Vec::new(),
            rare: None,
        }
    }

    /// The principal of its client: of the one that is connected, else of the last one that was.
    pub(crate) fn principal(&self) -> Option<&Arc<str>> {
        self.principal.as_deref()
    }

    /// Says who its client is now, and returns who it was.
    pub(crate) fn set_principal(&mut self, principal: Option<Arc<str>>) -> Option<Arc<str>> {
        std::mem::replace(&mut self.principal, principal.map(Box::new)).map(|before| *before)
    }

    /// The link and outbox of this connection, if the session is still its.
    pub(crate) fn link_of(&mut self, number: ConnectionNumber) -> Option<(&mut Link, &mut Outbox)> {
        let link = self.link.as_mut().filter(|link| link.number == number)?;
        Some((link, &mut self.outbox))
    }

    /// Whether the session is still this connection's.
    pub(crate) fn belongs_to(&self, number: ConnectionNumber) -> bool {
        !self.ended && self.link.as_ref().is_some_and(|link| link.number == number)
    }

    /// Whether the session outlives its connection.
    pub(crate) fn is_persistent(&self) -> bool {
        self.session_expiry > 0
    }

    /// Gives the session to a new connection. The waker is the old connection's task's, to be woken after the lock.
    pub(crate) fn attach(&mut self, link: Link) -> Option<Waker> {
        let quota = link.quota;
        self.last = link.number;
        let old = self.link.replace(link);
        let cut_off = self.outbox.is_cut_off() || self.outbox.is_writing();
        let visited = self.outbox.is_visited();
        self.outbox.reset();
        self.forget_gated();
        self.set_decided(None);
        let waker = old.and_then(|mut old| {
            let part = if self.stored { self.outbox.hold(|_| false) } else { None };
            self.depart(Departed { number: old.number, waker: None, visited, cut_off, part });
            old.waker.take()
        });
        if let Some(window) = &mut self.window {
            window.reconnect(quota);
        }
        waker
    }

    /// Takes the connection away: it closed.
    pub(crate) fn detach(&mut self) {
        self.link = None;
        self.outbox.reset();
        self.forget_gated();
        self.set_decided(None);
    }

    /// Whether the client of this connection may have part of a packet.
    pub(crate) fn is_cut_off(&self, number: ConnectionNumber) -> bool {
        if self.link.as_ref().is_some_and(|link| link.number == number) {
            return self.outbox.is_cut_off() || self.outbox.is_writing();
        }
        self.departed().iter().any(|departed| departed.number == number && departed.cut_off)
    }

    /// Numbers a new delivery.
    pub(crate) fn next_entry(&mut self) -> EntryNumber {
        self.entries.0 += 1;
        self.entries
    }

    /// The window, made when first needed.
    pub(crate) fn window(&mut self) -> &mut Window {
        let quota = self.link.as_ref().map_or(0, |link| link.quota);
        self.window.get_or_insert_with(|| Box::new(Window::new(quota)))
    }

    /// Whether the order of deliveries, or the quota, keeps a new QoS 1 or 2 message from being sent at once.
    pub(crate) fn must_queue(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.is_empty()) || self.lacks_quota()
    }

    /// Whether no new QoS 1 or 2 message may be sent now.
    pub(crate) fn lacks_quota(&self) -> bool {
        match (&self.window, &self.link) {
            (Some(window), _) => !window.has_room(),
            (None, link) => link.as_ref().is_none_or(|link| link.quota == 0),
        }
    }

    /// A subscription ended: no retained messages are owed for it any more.
    pub(crate) fn forget_owed(&mut self, filter: &str) {
        self.settle_owed(|replay| replay.forget(filter));
    }

    /// Messages in flight and waiting, retained ones aside.
    pub(crate) fn load(&self) -> u32 {
        let in_flight = self.window.as_ref().map_or(0, |window| window.in_flight());
        let waiting = self.queue.as_ref().map_or(0, |queue| queue.len());
        in_flight.saturating_add(u32::try_from(waiting).unwrap_or(u32::MAX))
    }

    /// The messages that are to be sent next and are only in the store: as many as are worth fetching at once.
    pub(crate) fn missing(&self) -> Vec<BodyId> {
        let resent = self.window.iter().flat_map(|window| window.to_resend());
        let queued = self.queue.iter().flat_map(|queue| queue.iter());
        let mut bytes = 0;
        let next = resent.chain(queued).take(LOADED_AT_ONCE).take_while(|delivery| {
            let fits = bytes < LOADED_BYTES_AT_ONCE;
            bytes += delivery.weight();
            fits
        });
        next.filter_map(Delivery::missing).collect()
    }

    /// Whether publishers should wait for the client while its queue is crowded: it is here, and goes on. They do not wait for
    /// whoever decides what it may have.
    pub(crate) fn is_worth_waiting_for(&mut self, now: Time, at_most: Duration) -> bool {
        let is_here = self.link.as_ref().is_some_and(|link| link.closing.is_none() && link.asking != Asking::Awaited);
        is_here && self.queue.as_mut().is_some_and(|queue| queue.is_worth_waiting_for(now, at_most))
    }

    /// Whether something waits to be sent, or sent again.
    pub(crate) fn has_waiting(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| !queue.is_empty())
            || self.owes()
            || self.window.as_ref().is_some_and(|window| window.is_resending())
    }

    /// Lets go of what waited for the store, acknowledgements only of this connection; the waker is for after the lock.
    pub(crate) fn release(&mut self, number: ConnectionNumber, is_durable: impl Fn(Ticket) -> bool) -> Option<Waker> {
        self.outbox.release(&is_durable);
        if self.link.as_ref()?.number == number {
            self.open_gate(is_durable);
        }
        self.link.as_mut()?.waker.take()
    }

    /// What the store keeps of the session itself.
    pub(crate) fn record(&self, client_id: &Arc<str>) -> SessionRecord {
        SessionRecord {
            client_id: Arc::clone(client_id),
            principal: self.principal().cloned(),
            session_expiry: self.session_expiry,
            expires_at: self.expires_at(),
            will: self.will.clone(),
            will_due: self.will_due(),
        }
    }

    /// The filters of the session, kept sorted: where this one is or belongs.
    pub(crate) fn subscription(&self, filter: &str) -> Result<usize, usize> {
        self.subscriptions.binary_search_by(|own| (*own.filter).cmp(filter))
    }
}

impl Absence {
    /// Present if there is anything to wait for.
    pub(crate) fn until(will_due: Option<Time>, expires_at: Option<Time>) -> Option<Self> {
        will_due.or(expires_at).map(|_| Self { will_due, expires_at, timer: None })
    }

    /// The earlier of the two.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match (self.will_due, self.expires_at) {
            (Some(will), Some(session)) => Some(will.min(session)),
            (will, session) => will.or(session),
        }
    }
}

impl OwnSubscription {
    pub(crate) fn record(&self) -> SubscriptionRecord {
        let Options { qos, no_local, retain_as_published, subscription_id } = self.options;
        SubscriptionRecord { filter: self.filter.clone(), qos, no_local, retain_as_published, subscription_id }
    }
}

/// Messages fetched from the store, or asked about, at a time for one client.
pub(crate) const LOADED_AT_ONCE: usize = 64;
/// Their bytes, but for the last of them.
pub(super) const LOADED_BYTES_AT_ONCE: usize = 256 * 1024;

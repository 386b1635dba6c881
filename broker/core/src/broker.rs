//! The broker: all sessions, subscriptions and retained messages, behind one door.

mod acknowledge;
mod authenticate;
mod close;
mod connack;
mod connect;
pub(crate) mod deliver;
mod publish;
mod registry;
mod remains;
mod restore;
mod review;
mod room;
mod share;
mod subscribe;
mod tick;

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use midge_protocol::{Packet, ReasonCode};
use parking_lot::Mutex;

pub use close::Ending;
pub use deliver::Fetched;
pub use publish::Decision;
use registry::Registry;
pub use review::Standing;

use crate::connection::Connection;
use crate::durability::Durabilities;
use crate::effects::Effects;
use crate::limits::Limits;
use crate::retained::Retained;
use crate::session::state::State;
use crate::session::{CloseReason, ConnectionNumber, Session, wake};
use crate::sharing::Sharing;
use crate::statistics::{Statistics, Totals};
use crate::store::{Store, Ticket};
use crate::subscriptions::SubscriptionIndex;
use crate::wheel::Wheel;

/// The only door to state that connections share.
///
/// Every method may be called from any thread; called from one thread, with the same arguments in the same order, the broker
/// does the same thing each time. Nothing in here waits, reads a clock or opens a socket.
///
/// - Inputs: [`connect`](Self::connect), [`publish`](Self::publish), [`acknowledge`](Self::acknowledge),
///   [`subscribe`](Self::subscribe), [`unsubscribe`](Self::unsubscribe), [`pong`](Self::pong), [`drained`](Self::drained),
///   [`authorized`](Self::authorized), [`close`](Self::close), [`tick`](Self::tick), [`committed`](Self::committed).
/// - Outputs: the outbox of each session ([`Session::poll_output`]); events and published Wills in [`Effects`].
///
/// At the end of a batch of inputs: look at [`Effects::congestion`], then [`Effects::flush`], then drain the events.
pub struct Broker {
    pub(crate) limits: Limits,
    pub(crate) store: Box<dyn Store>,
    /// The store keeps nothing: changes need not be noted.
    volatile: bool,
    pub(crate) durabilities: Durabilities,
    registry: Registry,
    subscriptions: SubscriptionIndex<Arc<Session>>,
    retained: Retained,
    wheel: Mutex<Wheel<Arc<Session>>>,
    /// Connections whose acknowledgements wait for the store.
    gate: Mutex<Vec<Gated>>,
    /// Members of shared subscriptions whose messages wait to be given to others.
    unrelieved: Mutex<Vec<Arc<Session>>>,
    pub(crate) totals: Totals,
    connections: AtomicU32,
    next_number: AtomicU64,
    seed: u64,
    assigned: AtomicU64,
    shutting_down: AtomicBool,
    wills_withheld: AtomicBool,
    asks_about_deliveries: AtomicBool,
}

struct Gated {
    ticket: Ticket,
    session: Arc<Session>,
    number: ConnectionNumber,
}

/// Who publishes from inside the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The broker itself, which alone may publish to `$SYS/...`.
    System,
    /// A plugin.
    Plugin,
    /// An operator.
    Admin,
}

impl Broker {
    /// A broker without sessions. A server passes a random `seed`: it keys hash tables and assigned Client Identifiers.
    #[must_use]
    pub fn new(limits: Limits, store: Box<dyn Store>, seed: u64) -> Self {
        Self {
            volatile: store.is_volatile(),
            durabilities: Durabilities::default(),
            registry: Registry::new(seed),
            subscriptions: SubscriptionIndex::new(seed, Sharing::default()),
            retained: Retained::new(seed, limits.retained_messages_max, limits.retained_bytes_max),
            wheel: Mutex::new(Wheel::new()),
            gate: Mutex::new(Vec::new()),
            unrelieved: Mutex::new(Vec::new()),
            totals: Totals::default(),
            connections: AtomicU32::new(0),
            next_number: AtomicU64::new(1),
            assigned: AtomicU64::new(0),
            shutting_down: AtomicBool::new(false),
            wills_withheld: AtomicBool::new(false),
            asks_about_deliveries: AtomicBool::new(false),
            limits,
            store,
            seed,
        }
    }

    /// The same broker, which chooses the members of shared subscriptions in these ways. To be said before anybody subscribes.
    #[must_use]
    pub fn with_sharing(self, sharing: Sharing) -> Self {
        Self { subscriptions: SubscriptionIndex::new(self.seed, sharing), ..self }
    }

    /// The same broker, whose messages must be so safe before they are acknowledged.
    #[must_use]
    pub fn with_durability(self, durabilities: Durabilities) -> Self {
        Self { durabilities, ..self }
    }

    /// The bounds this broker keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Answers PINGREQ [MQTT-3.12.4-1].
    pub fn pong(&self, connection: &mut Connection, effects: &mut Effects) {
        effects.reply(connection, &Packet::Pingresp);
    }

    /// Has the client's connection closed with this reason, and says whether it has one. Its owner finds out from
    /// [`Session::poll_output`]; the session stays.
    pub fn disconnect(&self, client_id: &str, reason: ReasonCode) -> bool {
        self.registry.find(client_id).is_some_and(|session| session.close_for(CloseReason::Administrative(reason)))
    }

    /// Wakes the task that owns a client's connection, if it has one.
    pub fn wake(&self, client_id: &str) {
        if let Some(session) = self.registry.find(client_id) {
            session.wake_owner();
        }
    }

    /// Has every connection closed and refuses new ones: the server shuts down.
    pub fn disconnect_all(&self, reason: ReasonCode) {
        self.shutting_down.store(true, Ordering::Relaxed);
        let close = match reason {
            ReasonCode::ServerShuttingDown => CloseReason::ServerShutdown,
            other => CloseReason::Administrative(other),
        };
        self.registry.for_each(|session| {
            session.close_for(close);
        });
    }

    /// From now on nothing publishes the Wills of clients whose connections end with [`Ending::Shutdown`]. Sessions that last
    /// keep them: what a store knows of them can be published after a restart (3.1.2.5).
    pub fn withhold_wills(&self) {
        self.wills_withheld.store(true, Ordering::Relaxed);
    }

    fn withholds_wills(&self) -> bool {
        self.wills_withheld.load(Ordering::Relaxed)
    }

    /// A Client Identifier that no session has, not to be guessed without the broker's seed [MQTT-3.1.3-6].
    #[must_use]
    pub fn assign_client_id(&self) -> String {
        loop {
            let number = self.assigned.fetch_add(1, Ordering::Relaxed);
            let half = |which: u8| {
                let mut hasher = DefaultHasher::new();
                hasher.write_u64(self.seed);
                hasher.write_u64(number);
                hasher.write_u8(which);
                hasher.finish()
            };
            let client_id = format!("midge-{:016x}{:08x}", half(0), half(1) as u32);
            if self.registry.find(&client_id).is_none() {
                return client_id;
            }
        }
    }

    /// Whether the client has a connection.
    #[must_use]
    pub fn is_connected(&self, client_id: &str) -> bool {
        self.registry.find(client_id).is_some_and(|session| session.is_connected())
    }

    /// Everything the broker counts. What batches counted is in it from their flush on.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            connections: u64::from(self.connections.load(Ordering::Relaxed)),
            sessions: self.registry.len() as u64,
            subscriptions: self.subscriptions.len() as u64,
            shared_subscriptions: self.subscriptions.shared_len() as u64,
            retained_messages: self.retained.len() as u64,
            retained_bytes: self.retained.bytes() as u64,
            ..self.totals.snapshot()
        }
    }

    /// Lets go what waited for the store. Whoever drives the store calls this when tickets have become durable.
    pub fn committed(&self) {
        if self.volatile {
            return;
        }
        let due: Vec<Gated> = {
            let mut gate = self.gate.lock();
            gate.extract_if(.., |gated| self.store.is_durable(gated.ticket)).collect()
        };
        for gated in due {
            let waker = {
                let mut state = gated.session.lock();
                state.release(gated.number, |ticket| self.store.is_durable(ticket))
            };
            wake(waker);
        }
    }

    /// Remembers that this connection waits for a ticket.
    pub(crate) fn wait_for(&self, ticket: Ticket, session: Arc<Session>, number: ConnectionNumber) {
        self.gate.lock().push(Gated { ticket, session, number });
        // It may have become durable before it was on the list.
        if self.store.is_durable(ticket) {
            self.committed();
        }
    }

    /// A number that nothing else has.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Has [`Broker::tick`] look at a disconnected session when it is due.
    fn schedule(&self, session: &Arc<Session>, state: &mut State) {
        let Some(absence) = state.absence_mut() else { return };
        absence.timer = absence.next_deadline().map(|deadline| self.wheel.lock().insert(deadline, Arc::clone(session)));
    }

    /// Nothing is due any more.
    fn unschedule(&self, state: &mut State) {
        if let Some(timer) = state.set_absence(None).and_then(|absence| absence.timer) {
            self.wheel.lock().cancel(timer);
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("sessions", &self.registry.len()).finish_non_exhaustive()
    }
}

//! Messages that wait for somebody to say whether their client may have them.
//!
//! To be asked about, a message waits in its session's queue, whatever its `QoS`, so that order is kept and the queue's bounds
//! hold. Only what could be sent at once is asked about, and the answer is used at once: what then waits for days is asked about
//! again. A delivery that has begun is completed without being asked about.

use std::sync::atomic::Ordering;

use super::Held;
use crate::Time;
use crate::broker::Broker;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::session::{Asking, Decided, DeliveryQuestion};

impl Broker {
    /// Whether clients get only what somebody says they may have, from now on. Those that are connected begin to be asked about
    /// at once; about a connection that need not be asked about after all its owner says so, by [`Self::deliver_freely`].
    pub fn ask_about_deliveries(&self, on: bool) {
        self.asks_about_deliveries.store(on, Ordering::SeqCst);
        if !on {
            return;
        }
        self.registry.for_each(|session| {
            if let Some(link) = session.lock().link.as_mut().filter(|link| link.asking == Asking::Never) {
                link.asking = Asking::Idle;
            }
        });
    }

    /// How a new connection begins.
    pub(in crate::broker) fn asking(&self) -> Asking {
        if self.asks_about_deliveries.load(Ordering::SeqCst) { Asking::Idle } else { Asking::Never }
    }

    /// The answers to [`Work::Authorize`](crate::Work::Authorize): what the client may have is sent, as far as quota and outbox
    /// allow; the rest is dropped and counted.
    pub fn authorized(
        &self,
        connection: &mut Connection,
        verdicts: Vec<(DeliveryQuestion, bool)>,
        now: Time,
        effects: &mut Effects,
    ) {
        let session = &connection.session;
        let mut state = session.lock();
        if !state.belongs_to(connection.number) {
            return;
        }
        let Some(link) = state.link.as_mut().filter(|link| link.is_asking()) else { return };
        link.asking = Asking::Idle;
        state.set_decided(Some(Box::new(Decided::new(verdicts))));
        Held { broker: self, session, state: &mut state, effects, now }.pump();
    }

    /// The answers that are awaited, or were given and not used, count no longer: what they were about is asked about again.
    pub fn ask_again(&self, connection: &mut Connection, now: Time, effects: &mut Effects) {
        if self.asking() == Asking::Idle {
            self.begin_asking(connection, Asking::Idle, now, effects);
        }
    }

    /// Nobody need be asked about this connection, until [`Self::ask_about_deliveries`] says otherwise of all. What waits for an
    /// answer is sent.
    pub fn deliver_freely(&self, connection: &mut Connection, now: Time, effects: &mut Effects) {
        self.begin_asking(connection, Asking::Never, now, effects);
    }

    fn begin_asking(&self, connection: &mut Connection, asking: Asking, now: Time, effects: &mut Effects) {
        let session = &connection.session;
        let mut state = session.lock();
        if !state.belongs_to(connection.number) {
            return;
        }
        if let Some(link) = &mut state.link {
            link.asking = asking;
        }
        state.set_decided(None);
        Held { broker: self, session, state: &mut state, effects, now }.pump();
    }
}

impl Held<'_> {
    /// Whether the first message of the queue may be sent. If nobody has said yet, the connection's owner is to ask.
    pub(super) fn verdict_on_first(&mut self) -> Option<bool> {
        let first = self.state.queue.as_ref()?.front()?;
        let (message, qos, retain) = (first.message()?.clone(), first.qos(), first.retain());
        let mut decided = self.state.take_decided();
        let verdict = decided.as_mut().and_then(|decided| decided.take(&message, qos, retain));
        self.state.set_decided(decided);
        if verdict.is_none() {
            self.want_verdicts();
        }
        verdict
    }

    /// Has the connection's owner ask about what is to be sent next.
    pub(super) fn want_verdicts(&mut self) {
        let Some(link) = &mut self.state.link else { return };
        if link.asking == Asking::Idle {
            link.asking = Asking::Wanted;
            self.effects.wake(link.waker.take());
        }
    }
}

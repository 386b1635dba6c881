//! Messages that wait in the store rather than in memory, fetched when their client can have them.

use midge_protocol::ReasonCode;

use super::Held;
use crate::broker::Broker;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::event::DropReason;
use crate::session::CloseReason;
use crate::session::delivery::{Delivery, Loaded};
use crate::session::state::Loading;
use crate::store::{BodyId, Unreadable};
use crate::{Message, Time};

/// A message that was asked for, and what the store had to say.
pub type Fetched = (BodyId, Result<Option<Message>, Unreadable>);

impl Broker {
    /// Reads what [`Work::Load`](crate::Work::Load) asks for. May wait for the disk, so it has no place on a thread that serves
    /// connections.
    #[must_use]
    pub fn fetch(&self, bodies: &[BodyId]) -> Vec<Fetched> {
        bodies.iter().map(|&body| (body, self.store.read(body))).collect()
    }

    /// What was read goes to the client, as far as quota and outbox allow. A message that the store has lost is dropped and
    /// counted. Where the disk does not answer the connection is closed: the messages stay.
    pub fn loaded(&self, connection: &mut Connection, fetched: Vec<Fetched>, now: Time, effects: &mut Effects) {
        let session = &connection.session;
        let mut loaded = Loaded::default();
        for (body, outcome) in fetched {
            match outcome {
                Ok(message) => loaded.put(body, message),
                Err(Unreadable::Damaged(_)) => loaded.put(body, None),
                Err(Unreadable::Failed(_)) => {
                    let reason = CloseReason::Administrative(ReasonCode::UnspecifiedError);
                    return session.request_close(connection.number, reason);
                }
            }
        }
        let mut state = session.lock();
        if !state.belongs_to(connection.number) {
            return;
        }
        if let Some(link) = &mut state.link {
            link.loading = Loading::No;
        }
        let mut held = Held { broker: self, session, state: &mut state, effects, now };
        held.fill(&loaded);
        held.pump();
    }

    /// The message of a delivery, from the store if it is only there. None if the store does not have it, or does not answer.
    pub(in crate::broker) fn message_of(&self, delivery: &Delivery) -> Option<Message> {
        let Some(body) = delivery.missing() else { return delivery.message().cloned() };
        let message = self.store.read(body).ok().flatten()?;
        Some(message.named(body))
    }
}

impl Held<'_> {
    fn fill(&mut self, loaded: &Loaded) {
        let mut lost = self.state.window.as_mut().map_or_else(Vec::new, |window| window.fill(loaded));
        self.effects.counters.in_flight -= lost.len() as i64;
        if self.state.queue.is_some() {
            lost.extend(self.with_queue(|queue| queue.fill(loaded)));
        }
        self.give_all_up(lost, DropReason::Unreadable);
    }

    /// Has the connection's owner fetch what is to be sent next.
    pub(super) fn want_bodies(&mut self) {
        let Some(link) = &mut self.state.link else { return };
        if link.loading == Loading::No {
            link.loading = Loading::Wanted;
            self.effects.wake(link.waker.take());
        }
    }
}

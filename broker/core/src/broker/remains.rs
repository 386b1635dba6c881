//! The end of a session: what it leaves behind, and what becomes of that.

use std::sync::Arc;
use std::task::Waker;

use midge_protocol::{QoS, TopicFilter};

use super::Broker;
use super::share::Takers;
use crate::effects::{Effects, PublishedWill};
use crate::event::{About, DropReason, Event, SessionEnd};
use crate::session::delivery::Delivery;
use crate::session::replay::Replay;
use crate::session::state::{OwnSubscription, State};
use crate::session::{CloseReason, Session};
use crate::store::Change;
use crate::subscriptions::Subscriber;
use crate::{Time, Will};

/// What is taken out of a session as it ends, to be dealt with once its lock is open.
pub(super) struct Remains {
    session: Arc<Session>,
    pub(super) principal: Option<Arc<str>>,
    cause: SessionEnd,
    subscriptions: Vec<OwnSubscription>,
    will: Option<Box<Will>>,
    deliveries: Vec<Delivery>,
    /// The task of the connection it still had; the connection is to close (0x8E).
    pub(super) displaced: Option<Waker>,
    pub(super) was_connected: bool,
}

impl Broker {
    /// Ends a session; none if somebody else already did.
    pub(super) fn end(
        &self,
        session: &Arc<Session>,
        state: &mut State,
        cause: SessionEnd,
        effects: &mut Effects,
    ) -> Option<Remains> {
        if std::mem::replace(&mut state.ended, true) {
            return None;
        }
        effects.note(session, state, |session| Change::SessionEnded { session });
        self.unschedule(state);
        let displaced = state.link.as_mut().and_then(|link| link.close_for(CloseReason::TakenOver));
        Some(Remains {
            session: Arc::clone(session),
            principal: state.principal().cloned(),
            cause,
            subscriptions: std::mem::take(&mut state.subscriptions),
            will: state.will.take(),
            deliveries: take_deliveries(state, effects),
            displaced,
            was_connected: state.link.is_some(),
        })
    }

    /// Forgets a session that ended, and deals with what it left; false if somebody else did.
    pub(super) fn bury(
        &self,
        session: &Arc<Session>,
        remains: Option<Remains>,
        now: Time,
        effects: &mut Effects,
    ) -> bool {
        let Some(remains) = remains else { return false };
        self.registry.remove(session);
        self.dispose(remains, now, effects);
        true
    }

    /// Ends the subscriptions, publishes the Will, and hands what a shared subscription gave the session to other members.
    pub(super) fn dispose(&self, remains: Remains, now: Time, effects: &mut Effects) {
        let Remains { session, principal, cause, subscriptions, will, deliveries, .. } = remains;
        let about = About::new(&session, principal.as_ref());
        for OwnSubscription { filter, .. } in &subscriptions {
            self.end_subscription(&session, filter);
        }
        if let Some(will) = will {
            self.publish_will(&about, *will, now, effects);
        }
        for delivery in deliveries {
            // Another member may get only what has not expired while it waited for this one [MQTT-3.3.2-5].
            let expired = delivery.is_expired(now);
            if expired || !self.pass_on(&delivery, Takers::Anyone, now, effects) {
                let reason = if expired { DropReason::Expired } else { DropReason::SessionEnded };
                effects.dropped(&session, principal.as_ref(), delivery.topic(), reason);
            }
        }
        effects.event(Event::SessionEnded { about, cause });
    }

    /// Takes a filter, as the client wrote it, out of the index.
    pub(super) fn end_subscription(&self, session: &Arc<Session>, filter: &str) -> bool {
        let Ok(filter) = TopicFilter::new(filter) else { return false };
        match filter.share() {
            Some((share, filter)) => self.subscriptions.unsubscribe(filter, Some(share), session.id()),
            None => self.subscriptions.unsubscribe(filter, None, session.id()),
        }
    }

    /// Publishes a Will (3.1.2.5).
    pub(super) fn publish_will(&self, about: &About, will: Will, now: Time, effects: &mut Effects) {
        let message = will.into_message(now);
        effects.counters.wills_published += 1;
        effects.event(Event::WillPublished { about: about.clone(), topic: message.topic().into() });
        self.publish_message(&message, now, effects);
        effects.published(PublishedWill { message, about: about.clone() });
    }
}

/// Everything that was to reach the client, but for QoS 2 messages whose delivery has begun: they must not go to anybody
/// else [MQTT-4.8.2-5], and who sent them has done its part.
fn take_deliveries(state: &mut State, effects: &mut Effects) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> = Vec::new();
    if let Some(window) = state.window.take() {
        effects.counters.in_flight -= i64::from(window.in_flight());
        deliveries.extend(window.into_deliveries().map(|mut delivery| {
            if delivery.qos() == QoS::ExactlyOnce {
                delivery.keep();
            }
            delivery
        }));
    }
    if let Some(mut queue) = state.queue.take() {
        effects.counters.queued_messages -= queue.len() as i64;
        effects.counters.queued_bytes -= queue.bytes() as i64;
        deliveries.extend(std::iter::from_fn(|| queue.pop()));
    }
    state.settle_owed(Replay::clear);
    deliveries
}

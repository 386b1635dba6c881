//! What a store has kept comes back when the broker starts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use midge_protocol::TopicFilter;

use super::Broker;
use crate::Time;
use crate::effects::Effects;
use crate::event::SessionEnd;
use crate::retained::Stored;
use crate::session::Session;
use crate::session::delivery::Delivery;
use crate::session::outbound::Window;
use crate::session::state::{Absence, OwnSubscription, State};
use crate::store::{Change, Kept, KeptDelivery, KeptSession, SessionRecord, SubscriptionRecord};
use crate::subscriptions::Options;

impl Broker {
    /// Takes back what the store has kept, before there is any connection. Sessions that were connected when the broker ended
    /// are left as if all connections had been lost `now`: their Wills and their Session Expiry Intervals begin to count.
    ///
    /// False if a retained message had no room within the limits: it is in the store, and nobody gets it. One of a topic that
    /// is only memory by now is given up.
    pub fn restore(&self, kept: Kept, now: Time, effects: &mut Effects) -> bool {
        match kept {
            Kept::Retained(message) if !self.keeps_retained(message.topic()) => {
                effects.change(Change::RetainedCleared { topic: message.topic().into() });
                true
            }
            Kept::Retained(message) => self.retained.store(message.unnamed()) != Stored::Full,
            Kept::Session(session) => {
                self.restore_session(session, now, effects);
                true
            }
        }
    }

    fn restore_session(&self, kept: KeptSession, now: Time, effects: &mut Effects) {
        let KeptSession { session: number, record, subscriptions, received, deliveries } = kept;
        let bodies = deliveries.iter().filter_map(|delivery| Some(delivery.message.as_ref()?.body.0));
        let taken = bodies.max().unwrap_or(0).max(number.0);
        self.next_number.fetch_max(taken + 1, Ordering::Relaxed);

        let SessionRecord { client_id, principal, session_expiry, expires_at, will, will_due } = record;
        let mut state = State::new(session_expiry, self.limits.queued_messages_max);
        state.set_principal(principal);
        state.stored = true;
        state.entries = deliveries.iter().map(|delivery| delivery.entry).max().unwrap_or_default();
        for packet_id in received {
            state.received.insert(packet_id);
        }
        // One that was connected has neither time.
        let known = (expires_at, will_due);
        let expires_at = expires_at.or_else(|| (session_expiry < u32::MAX).then(|| now.after_seconds(session_expiry)));
        let will_due = will.as_ref().map(|will| will_due.unwrap_or_else(|| now.after_seconds(will.delay)));
        let begins_to_count = (expires_at, will_due) != known;
        state.set_absence(Absence::until(will_due, expires_at));
        state.will = will;
        let session = Arc::new(Session::new(number.0, Arc::clone(&client_id), state));
        {
            let mut state = session.lock();
            for subscription in subscriptions {
                self.restore_subscription(&session, &mut state, subscription);
            }
            self.restore_deliveries(&session, &mut state, deliveries, effects);
            self.schedule(&session, &mut state);
            if begins_to_count {
                effects.note_session(&session, &state);
            }
        }
        self.put_restored(&client_id, session, now, effects);
    }

    fn restore_subscription(&self, session: &Arc<Session>, state: &mut State, kept: SubscriptionRecord) {
        let SubscriptionRecord { filter, qos, no_local, retain_as_published, subscription_id } = kept;
        let options = Options { qos, no_local, retain_as_published, subscription_id };
        let Ok(parsed) = TopicFilter::new(&filter) else { return };
        match parsed.share() {
            Some((share, inner)) => self.subscriptions.subscribe(inner, Some(share), session, options),
            None => self.subscriptions.subscribe(parsed, None, session, options),
        };
        if let Err(at) = state.subscription(&filter) {
            state.subscriptions.insert(at, OwnSubscription { filter, options });
        }
    }

    /// What was sent goes to where it waits for its acknowledgement, the rest into the queue, however long it is: it was
    /// acknowledged.
    fn restore_deliveries(
        &self,
        session: &Session,
        state: &mut State,
        deliveries: Vec<KeptDelivery>,
        effects: &mut Effects,
    ) {
        // All go out in the order of their entries, retained ones aside, so what is older than something that was sent was
        // sent too, though it was not yet safe to say so. Its identifier does not matter: it was not QoS 2.
        let was_sent = |delivery: &&KeptDelivery| {
            delivery.packet_id.is_some() && delivery.message.as_ref().is_some_and(|message| !message.delivery.retain)
        };
        let latest_sent = deliveries.iter().filter(was_sent).map(|delivery| delivery.entry).max().unwrap_or_default();
        let (mut published, mut released) = (Vec::new(), Vec::new());
        for KeptDelivery { entry, packet_id, message } in deliveries {
            match (packet_id, message.map(|message| Delivery::kept(entry, message))) {
                (Some(packet_id), None) => released.push((packet_id, entry)),
                (packet_id, Some(delivery)) if packet_id.is_some() || entry < latest_sent => {
                    published.push((packet_id, delivery));
                }
                (_, Some(delivery)) => {
                    if let Some(group) = delivery.share().and_then(|share| self.group(share)) {
                        group.note_backlog();
                    }
                    state.queue.get_or_insert_default().restore(delivery);
                }
                (None, None) => {}
            }
        }
        if !(published.is_empty() && released.is_empty()) {
            let (window, named) = Window::restore(published, released);
            for (entry, packet_id) in named {
                effects.note(session, state, |session| Change::Sent { session, entry, packet_id });
            }
            effects.counters.in_flight += i64::from(window.in_flight());
            state.window = Some(Box::new(window));
        }
        if let Some(queue) = &state.queue {
            effects.counters.queued_messages += queue.len() as i64;
            effects.counters.queued_bytes += queue.bytes() as i64;
        }
    }

    /// Of two sessions of one client, which a store cannot have but by an import, the newer stays.
    fn put_restored(&self, client_id: &str, session: Arc<Session>, now: Time, effects: &mut Effects) {
        let older = {
            let mut place = self.registry.lock(client_id);
            match place.session().cloned() {
                Some(other) if other.number() > session.number() => Some(session),
                other => {
                    place.put(session);
                    other
                }
            }
        };
        if let Some(older) = older {
            let remains = self.end(&older, &mut older.lock(), SessionEnd::Administrative, effects);
            self.bury(&older, remains, now, effects);
        }
    }
}

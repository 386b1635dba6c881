//! SUBSCRIBE and UNSUBSCRIBE (3.8, 3.10).

use std::collections::VecDeque;
use std::sync::Arc;

use midge_protocol::{
    Packet, QoS, ReasonCode, ReasonProperties, RetainHandling, Suback, Subscribe, SubscribeFilter, SubscriptionId,
    TopicFilter, Unsuback, Unsubscribe,
};

use super::Broker;
use super::deliver::Held;
use crate::Time;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::session::replay::Owed;
use crate::session::state::{OwnSubscription, State};
use crate::store::{Change, Health};
use crate::subscriptions::{Options, Subscriber};

impl Broker {
    /// Makes the subscriptions that were allowed, answers with SUBACK, and begins to send the retained messages due.
    ///
    /// `rulings` has one entry per filter: the highest `QoS` granted, or the reason to refuse it. Returns what SUBACK says
    /// of each.
    pub fn subscribe(
        &self,
        connection: &mut Connection,
        subscribe: &Subscribe<'_>,
        rulings: &[Result<QoS, ReasonCode>],
        now: Time,
        effects: &mut Effects,
    ) -> Vec<ReasonCode> {
        debug_assert_eq!(rulings.len(), subscribe.filters.len(), "one ruling per filter");
        let mut reasons = Vec::with_capacity(subscribe.filters.len());
        let mut replays = Vec::new();
        for (asked, ruling) in subscribe.filters.iter().zip(rulings) {
            let made = ruling
                .and_then(|qos| self.make_subscription(connection, asked, subscribe.subscription_id, qos, effects));
            reasons.push(match made {
                Err(reason) => reason,
                Ok((qos, owed)) => {
                    replays.extend(owed);
                    granted(qos)
                }
            });
        }
        let suback = Suback { packet_id: subscribe.packet_id, properties: ReasonProperties::default(), reasons };
        let suback = Packet::Suback(suback);
        effects.reply(connection, &suback);
        // The SUBACK goes first; the protocol does not ask for it, but clients like it.
        effects.answer(self);
        self.replay(connection, replays, now, effects);
        if subscribe.filters.iter().any(|asked| asked.filter.starts_with("$share/")) {
            self.relieve_others(&connection.session, now, effects);
        }
        match suback {
            Packet::Suback(suback) => suback.reasons,
            _ => Vec::new(),
        }
    }

    /// Ends subscriptions and answers with UNSUBACK. Returns what that says of each.
    ///
    /// `refusals` has one entry per filter: why its subscription stays, if it does; or it is empty, and none does.
    pub fn unsubscribe(
        &self,
        connection: &mut Connection,
        unsubscribe: &Unsubscribe<'_>,
        refusals: &[Option<ReasonCode>],
        now: Time,
        effects: &mut Effects,
    ) -> Vec<ReasonCode> {
        let refusals = refusals.iter().copied().chain(std::iter::repeat(None));
        let end = |(filter, refused): (&&str, Option<ReasonCode>)| {
            refused.unwrap_or_else(|| self.end_own_subscription(connection, filter, now, effects))
        };
        let reasons = unsubscribe.filters.iter().zip(refusals).map(end).collect();
        let unsuback = Unsuback { packet_id: unsubscribe.packet_id, properties: ReasonProperties::default(), reasons };
        let unsuback = Packet::Unsuback(unsuback);
        effects.reply(connection, &unsuback);
        match unsuback {
            Packet::Unsuback(unsuback) => unsuback.reasons,
            _ => Vec::new(),
        }
    }

    /// Makes or replaces one subscription. Returns the granted `QoS` and what retained messages are owed for it.
    pub(super) fn make_subscription(
        &self,
        connection: &Connection,
        asked: &SubscribeFilter<'_>,
        subscription_id: Option<SubscriptionId>,
        allowed: QoS,
        effects: &mut Effects,
    ) -> Result<(QoS, Option<Owed>), ReasonCode> {
        let filter = TopicFilter::new(asked.filter).map_err(|_| ReasonCode::TopicFilterInvalid)?;
        let (share, inner) = filter.share().map_or((None, filter), |(share, inner)| (Some(share), inner));
        if !self.limits.allows_depth(inner.as_str()) {
            return Err(ReasonCode::TopicFilterInvalid);
        }
        let options = Options {
            qos: asked.options.qos.min(allowed).min(connection.maximum_qos),
            // A bridge gets nothing back that it sent, shared subscriptions excepted [MQTT-3.8.3-4].
            no_local: asked.options.no_local || (connection.bridge && share.is_none()),
            retain_as_published: asked.options.retain_as_published || connection.bridge,
            subscription_id,
        };
        let session = &connection.session;
        let existed = {
            let mut state = session.lock();
            if !state.belongs_to(connection.number) {
                return Err(ReasonCode::UnspecifiedError);
            }
            if state.stored
                && let Health::Refusing(reason) = self.store.health()
            {
                return Err(reason);
            }
            let (at, existed) = self.list(&mut state, OwnSubscription { filter: asked.filter.into(), options })?;
            effects.note(session, &state, |session| Change::Subscribed {
                session,
                subscription: state.subscriptions[at].record(),
            });
            existed
        };
        self.subscriptions.subscribe(inner, share, session, options);
        if session.lock().ended {
            // Taken over with a clean start meanwhile, by somebody who may not have found it yet.
            self.subscriptions.unsubscribe(inner, share, session.id());
        }
        let wanted = match asked.options.retain_handling {
            RetainHandling::OnSubscribe => true,
            RetainHandling::IfNew => !existed,
            RetainHandling::Never => false,
        };
        let owed = (wanted && share.is_none()).then(|| Owed {
            filter: inner.as_str().into(),
            qos: options.qos,
            subscription_id,
            except: options.no_local.then(|| Arc::clone(session.shared_client_id())),
            found: VecDeque::new(),
            cursor: self.retained.cursor(),
        });
        Ok((options.qos, owed))
    }

    /// Puts a subscription on the session's own list, and says where, and whether its filter was there.
    fn list(&self, state: &mut State, own: OwnSubscription) -> Result<(usize, bool), ReasonCode> {
        match state.subscription(&own.filter) {
            Ok(at) => {
                state.subscriptions[at] = own;
                Ok((at, true))
            }
            Err(_) if state.subscriptions.len() >= self.limits.subscriptions_max as usize => {
                Err(ReasonCode::QuotaExceeded)
            }
            Err(at) => {
                if state.subscriptions.is_empty() {
                    state.subscriptions.reserve_exact(1);
                }
                state.subscriptions.insert(at, own);
                Ok((at, false))
            }
        }
    }

    pub(super) fn end_own_subscription(
        &self,
        connection: &Connection,
        filter: &str,
        now: Time,
        effects: &mut Effects,
    ) -> ReasonCode {
        let session = &connection.session;
        {
            let mut state = session.lock();
            let Ok(at) = state.subscription(filter) else { return ReasonCode::NoSubscriptionExisted };
            if !state.belongs_to(connection.number) {
                return ReasonCode::UnspecifiedError;
            }
            state.subscriptions.remove(at);
            if state.subscriptions.len() < state.subscriptions.capacity() / 4 {
                let room = state.subscriptions.len() * 2;
                state.subscriptions.shrink_to(room);
            }
            // What was begun to be sent is completed [MQTT-3.10.4-3]; the rest is not wanted any more.
            state.forget_owed(filter);
            effects.note(session, &state, |session| Change::Unsubscribed { session, filter: filter.into() });
        }
        self.end_subscription(session, filter);
        if filter.starts_with("$share/") {
            self.release(session, filter, now, effects);
        }
        ReasonCode::Success
    }

    fn replay(&self, connection: &Connection, replays: Vec<Owed>, now: Time, effects: &mut Effects) {
        if replays.is_empty() || self.retained.is_empty() {
            return;
        }
        let session = &connection.session;
        let mut state = session.lock();
        if !state.belongs_to(connection.number) {
            return;
        }
        replays.into_iter().for_each(|owed| state.owe(owed));
        Held { broker: self, session, state: &mut state, effects, now }.pump();
    }
}

fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQos1,
        QoS::ExactlyOnce => ReasonCode::GrantedQos2,
    }
}

//! Questions about a connected client: may it publish this, may it subscribe to that?

use std::sync::Arc;
use std::time::Duration;

use midge_core::{Inbound, Permissions, Ruling as NativeRuling, Time};
use midge_host::Host;
use midge_host::contract::{Action, Answer, Denial, DenialCause, Hook, InboundMessage, Ruling, SubscriptionQuestion};
use midge_protocol::{PacketKind, QoS, ReasonCode, Subscribe, SubscribeFilter, TopicFilter};

use super::convert::{inbound_to_host, message_from_host, qos_from_host, qos_to_host};
use super::{Client, PublishVerdict};
use crate::clock::Moment;
use crate::ending::refusal_code;
use crate::node::Node;

impl Client {
    /// Whether a PUBLISH may happen, and as what: first authorization, then the plugins that change messages.
    pub(crate) fn ask_publish(
        &self,
        host: &Arc<Host>,
        permissions: Option<&Permissions>,
        inbound: &Inbound<'_>,
        at: Moment,
    ) -> Answer<PublishVerdict> {
        let (qos, retain) = (inbound.publish.qos, inbound.publish.retain);
        let ruling = self.authorize_publish(host, permissions, &inbound.topic, qos, retain, at.now);
        let is_wanted = host.wants_messages(&inbound.topic);
        match ruling {
            Answer::Ready(Err(denial)) => Answer::Ready(PublishVerdict::Refuse(denial)),
            Answer::Ready(Ok(())) if !is_wanted => Answer::Ready(PublishVerdict::Accept),
            Answer::Ready(Ok(())) => match host.on_publish(vec![self.inbound_message(inbound, at)]) {
                Answer::Ready(actions) => Answer::Ready(verdict(actions, at.now)),
                Answer::Later(actions) => Answer::Later(Box::pin(async move { verdict(actions.await, at.now) })),
            },
            Answer::Later(ruling) => {
                let message = is_wanted.then(|| self.inbound_message(inbound, at));
                let host = Arc::clone(host);
                Answer::Later(Box::pin(async move {
                    match (ruling.await, message) {
                        (Err(denial), _) => PublishVerdict::Refuse(denial),
                        (Ok(()), None) => PublishVerdict::Accept,
                        (Ok(()), Some(message)) => verdict(host.on_publish(vec![message]).resolve().await, at.now),
                    }
                }))
            }
        }
    }

    /// Whether the client may publish to a topic at all. Its own permissions decide, where it has any; else plugins do,
    /// where there are any; else everybody may.
    pub(crate) fn authorize_publish(
        &self,
        host: &Arc<Host>,
        permissions: Option<&Permissions>,
        topic: &str,
        qos: QoS,
        retain: bool,
        now: Time,
    ) -> Answer<Result<(), Box<Denial>>> {
        if let Some(permissions) = permissions {
            return Answer::Ready(match permissions.check_publish(topic, qos, retain) {
                NativeRuling::Allow { .. } => Ok(()),
                NativeRuling::Deny => Err(Box::new(self.denied_by_permissions())),
            });
        }
        if !host.is_on(Hook::Authz, &self.identity.listener) {
            return Answer::Ready(Ok(()));
        }
        match host.authorize_publish(&self.identity, topic, qos_to_host(qos), retain, now.0) {
            Answer::Ready(ruling) => Answer::Ready(judge(ruling).map(|_| ())),
            Answer::Later(ruling) => Answer::Later(Box::pin(async move { judge(ruling.await).map(|_| ()) })),
        }
    }

    /// What each filter of a SUBSCRIBE is granted at most, or the reason why it is refused.
    pub(crate) fn ask_subscribe(
        self: &Arc<Self>,
        node: &Arc<Node>,
        host: &Arc<Host>,
        permissions: Option<&Permissions>,
        subscribe: &Subscribe<'_>,
    ) -> Answer<Vec<Result<QoS, ReasonCode>>> {
        let filters = &subscribe.filters;
        if let Some(permissions) = permissions {
            let judge = |asked: &SubscribeFilter<'_>| match permissions.check_subscribe(asked.filter) {
                NativeRuling::Allow { max_qos } => Ok(max_qos),
                NativeRuling::Deny => {
                    node.subscribe_denied(self, asked.filter, &self.denied_by_permissions());
                    Err(ReasonCode::NotAuthorized)
                }
            };
            return Answer::Ready(filters.iter().map(judge).collect());
        }
        if !host.is_on(Hook::Authz, &self.identity.listener) {
            return Answer::Ready(vec![Ok(QoS::ExactlyOnce); filters.len()]);
        }
        let questions = filters.iter().map(question).collect();
        match host.authorize_subscribe(&self.identity, questions, node.clock.now().0) {
            Answer::Ready(rulings) => {
                let asked = filters.iter().map(|asked| asked.filter);
                Answer::Ready(asked.zip(rulings).map(|(filter, ruling)| self.granted(node, filter, ruling)).collect())
            }
            Answer::Later(rulings) => {
                let asked: Vec<String> = filters.iter().map(|asked| asked.filter.to_owned()).collect();
                let (node, client) = (Arc::clone(node), Arc::clone(self));
                Answer::Later(Box::pin(async move {
                    let rulings = rulings.await.into_iter();
                    asked.iter().zip(rulings).map(|(filter, ruling)| client.granted(&node, filter, ruling)).collect()
                }))
            }
        }
    }

    fn granted(&self, node: &Node, filter: &str, ruling: Ruling) -> Result<QoS, ReasonCode> {
        judge(ruling).map_err(|denial| {
            node.subscribe_denied(self, filter, &denial);
            refusal_code(PacketKind::Suback, denial.code)
        })
    }

    pub(super) fn inbound_message(&self, inbound: &Inbound<'_>, at: Moment) -> InboundMessage {
        InboundMessage {
            who: Some(Arc::clone(&self.identity)),
            received_at: at.wall_ms,
            message: inbound_to_host(inbound),
        }
    }

    fn denied_by_permissions(&self) -> Denial {
        Denial {
            code: ReasonCode::NotAuthorized.value(),
            reason: None,
            plugin: self.permissions_from.clone(),
            hook: Hook::Authz,
            took: Duration::ZERO,
            cause: DenialCause::Refused,
        }
    }
}

pub(super) fn judge(ruling: Ruling) -> Result<QoS, Box<Denial>> {
    match ruling {
        Ruling { allow: true, max_qos, .. } => Ok(qos_from_host(max_qos)),
        Ruling { denial: Some(denial), .. } => Err(Box::new(denial)),
        Ruling { denial: None, .. } => Err(Box::new(unexplained(Hook::Authz, "a denial without a cause"))),
    }
}

/// What a chain of `messages` plugins made of the one message it was given.
fn verdict(actions: Vec<Action>, now: Time) -> PublishVerdict {
    match actions.into_iter().next() {
        Some(Action::Keep) => PublishVerdict::Accept,
        Some(Action::Replace(messages)) => {
            let made = messages.into_iter().map(|message| message_from_host(message, now));
            match made.collect() {
                Ok(messages) => PublishVerdict::Replace(messages),
                Err(error) => {
                    let what = format!("a replaced message has no valid topic name: {error}");
                    PublishVerdict::Refuse(Box::new(unexplained(Hook::Messages, &what)))
                }
            }
        }
        Some(Action::Refuse(refusal)) => PublishVerdict::Refuse(Box::new(Denial {
            code: refusal.code,
            reason: refusal.reason.map(Into::into),
            plugin: refusal.plugin,
            hook: Hook::Messages,
            took: refusal.took,
            cause: refusal.cause,
        })),
        None => PublishVerdict::Refuse(Box::new(unexplained(Hook::Messages, "no action for the message"))),
    }
}

/// An answer that the contract forbids: denied, like every failure.
fn unexplained(hook: Hook, what: &str) -> Denial {
    Denial {
        code: ReasonCode::ImplementationSpecificError.value(),
        reason: None,
        plugin: None,
        hook,
        took: Duration::ZERO,
        cause: DenialCause::BadAnswer(what.to_owned()),
    }
}

pub(super) fn question(asked: &SubscribeFilter<'_>) -> SubscriptionQuestion {
    let share = TopicFilter::new(asked.filter).ok().and_then(TopicFilter::share);
    let (share, filter) = match share {
        Some((name, inner)) => (Some(name.to_owned()), inner.as_str()),
        None => (None, asked.filter),
    };
    SubscriptionQuestion {
        filter: filter.to_owned(),
        qos: qos_to_host(asked.options.qos),
        no_local: asked.options.no_local,
        share,
    }
}

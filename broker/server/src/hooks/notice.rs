//! Notices: what plugins are told and nobody waits for.

use std::borrow::Cow;
use std::sync::Arc;

use midge_core::{About, Event as CoreEvent, Inbound, Message, SessionEnd};
use midge_host::Host;
use midge_host::contract::{Event, InboundMessage};
use serde_json::json;

use super::Client;
use super::convert::message_to_host;
use crate::clock::Moment;

impl Client {
    /// Hands a routed message to the sinks that want its topic.
    pub(crate) fn deliver(&self, host: &Host, inbound: &Inbound<'_>, at: Moment) {
        if host.wants_delivery(&inbound.topic) {
            host.deliver(self.inbound_message(inbound, at));
        }
    }

    /// Hands a message that a plugin made of the client's to the sinks that want its topic.
    pub(crate) fn deliver_message(&self, host: &Host, message: &Message, at: Moment) {
        if host.wants_delivery(message.topic()) {
            let who = Some(Arc::clone(&self.identity));
            host.deliver(InboundMessage { who, received_at: at.wall_ms, message: message_to_host(message, at.now) });
        }
    }

    /// An event about this client.
    pub(crate) fn event(&self, kind: &'static str, at: Moment) -> Event {
        Event {
            client_id: Some(self.identity.client_id.to_string()),
            principal: Some(self.identity.principal.to_string()),
            ..event(kind, at)
        }
    }
}

/// Hands a message the broker itself published, such as a Will, to the sinks that want its topic.
pub(crate) fn deliver_own(host: &Host, message: &Message, at: Moment) {
    if host.wants_delivery(message.topic()) {
        host.deliver(InboundMessage { who: None, received_at: at.wall_ms, message: message_to_host(message, at.now) });
    }
}

/// Hands a message that a plugin published to the sinks of other plugins that want its topic.
pub(crate) fn deliver_made(host: &Host, message: &Message, maker: &str, at: Moment) {
    if host.wants_delivery(message.topic()) {
        let message = message_to_host(message, at.now);
        host.deliver_made(InboundMessage { who: None, received_at: at.wall_ms, message }, maker);
    }
}

/// An event about nobody yet.
pub(crate) fn event(kind: impl Into<Cow<'static, str>>, at: Moment) -> Event {
    Event {
        kind: kind.into(),
        at_ms: at.wall_ms,
        client_id: None,
        principal: None,
        topic: None,
        reason_code: None,
        count: 1,
        detail: String::new(),
    }
}

/// An event about the client that a session has, or had.
pub(crate) fn event_about(kind: &'static str, about: &About, at: Moment) -> Event {
    Event {
        client_id: Some(about.client_id.as_ref().to_owned()),
        principal: about.principal.as_deref().map(str::to_owned),
        ..event(kind, at)
    }
}

/// What the core reports, in the words of the contract.
pub(crate) fn core_event(core: &CoreEvent, at: Moment) -> Event {
    let tell = |kind, about| event_about(kind, about, at);
    match core {
        CoreEvent::SessionCreated { about } => tell("session.created", about),
        CoreEvent::SessionResumed { about, before } => {
            // Only where it says something: a session that is another principal's now.
            let before = before.as_deref().filter(|before| Some(*before) != about.principal.as_deref());
            let detail = before.map(|before| json!({ "before": before }).to_string()).unwrap_or_default();
            Event { detail, ..tell("session.resumed", about) }
        }
        CoreEvent::SessionEnded { about, cause } => {
            let cause = match cause {
                SessionEnd::Closed => "closed",
                SessionEnd::Expired => "expired",
                SessionEnd::CleanStart => "clean_start",
                SessionEnd::Administrative => "administrative",
            };
            Event { detail: json!({ "cause": cause }).to_string(), ..tell("session.ended", about) }
        }
        CoreEvent::TakenOver { about, by } => {
            Event { detail: json!({ "by": by.as_deref() }).to_string(), ..tell("session.taken_over", about) }
        }
        CoreEvent::MessageDropped { about, topic, reason, count } => Event {
            topic: Some(topic.to_string()),
            count: u32::try_from(*count).unwrap_or(u32::MAX),
            detail: json!({ "reason": reason.name() }).to_string(),
            ..tell("message.dropped", about)
        },
        CoreEvent::WillPublished { about, topic } => {
            Event { topic: Some(topic.to_string()), ..tell("will.published", about) }
        }
    }
}

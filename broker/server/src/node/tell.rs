//! What observers are told of clients: built only where a plugin observes, and forgotten by everybody else.

use midge_core::{About, Inbound, Message, Time};
use midge_host::contract::{Denial, Event};
use midge_protocol::{ProtocolVersion, ReasonCode, Subscribe, Unsubscribe};
use serde_json::{Value, json};

use super::{Node, cause_name};
use crate::ending::ConnectionEnd;
use crate::hooks::{Client, event, event_about};

impl Node {
    pub(super) fn tell_connected(&self, client: &Client, version: ProtocolVersion, session_present: bool, now: Time) {
        self.notify(|| Event {
            detail: whence(client, json!({ "mqtt": version.to_string(), "session_present": session_present })),
            ..client.event("client.connected", self.clock.moment(now))
        });
    }

    pub(super) fn tell_disconnected(&self, client: &Client, end: &ConnectionEnd, now: Time) {
        self.notify(|| Event {
            reason_code: end.reason_code().map(|reason| reason.value()),
            detail: whence(client, json!({ "end": end.name(), "reason": end.to_string() })),
            ..client.event("client.disconnected", self.clock.moment(now))
        });
    }

    /// A CONNECT that was not let in, by plugins or for another reason.
    pub(super) fn tell_refused(&self, peer: &str, listener: &str, client_id: &str, end: &ConnectionEnd) {
        self.notify(|| {
            let (kind, code, why) = match end {
                ConnectionEnd::Denied(denial) => ("authn.denied", Some(denial.code), denied(denial)),
                end => {
                    let code = end.reason_code().map(|reason| reason.value());
                    ("client.refused", code, json!({ "end": end.name(), "reason": end.to_string() }))
                }
            };
            Event {
                client_id: Some(client_id.to_owned()),
                reason_code: code,
                detail: with(why, json!({ "peer": peer, "listener": listener })).to_string(),
                ..event(kind, self.clock.moment(self.clock.now()))
            }
        });
    }

    pub(super) fn tell_denied(&self, client: &Client, action: &str, topic: &str, denial: &Denial, now: Time) {
        self.notify(|| Event {
            topic: Some(topic.to_owned()),
            reason_code: Some(denial.code),
            detail: with(denied(denial), json!({ "action": action })).to_string(),
            ..client.event("authz.denied", self.clock.moment(now))
        });
    }

    /// A SUBSCRIBE was answered with these reasons. What plugins refused has been told already.
    pub(crate) fn subscribed(&self, client: &Client, subscribe: &Subscribe<'_>, reasons: &[ReasonCode], now: Time) {
        for (asked, reason) in subscribe.filters.iter().zip(reasons).filter(|(_, reason)| !reason.is_error()) {
            self.notify(|| Event {
                topic: Some(asked.filter.to_owned()),
                reason_code: Some(reason.value()),
                ..client.event("client.subscribed", self.clock.moment(now))
            });
        }
    }

    /// An UNSUBSCRIBE was answered with these reasons.
    pub(crate) fn unsubscribed(&self, client: &Client, filters: &Unsubscribe<'_>, reasons: &[ReasonCode], now: Time) {
        let ended = filters.filters.iter().zip(reasons).filter(|(_, reason)| **reason == ReasonCode::Success);
        for (filter, _) in ended {
            self.notify(|| Event {
                topic: Some((*filter).to_owned()),
                ..client.event("client.unsubscribed", self.clock.moment(now))
            });
        }
    }

    /// A PUBLISH with RETAIN was taken as it is.
    pub(crate) fn published_retained(&self, client: &Client, inbound: &Inbound<'_>, now: Time) {
        let at = self.clock.moment(now);
        self.tell_retained(|kind| client.event(kind, at), &inbound.topic, inbound.publish.payload.len());
    }

    /// A message was routed that a plugin made of a client's.
    pub(crate) fn routed(&self, client: &Client, message: &Message, now: Time) {
        if message.retain() {
            let at = self.clock.moment(now);
            self.tell_retained(|kind| client.event(kind, at), message.topic(), message.payload().len());
        }
    }

    /// A client's Will was routed.
    pub(super) fn will_routed(&self, about: &About, will: &Message, now: Time) {
        if will.retain() {
            let at = self.clock.moment(now);
            self.tell_retained(|kind| event_about(kind, about, at), will.topic(), will.payload().len());
        }
    }

    fn tell_retained(&self, begin: impl FnOnce(&'static str) -> Event, topic: &str, bytes: usize) {
        let kind = if bytes == 0 { "retained.cleared" } else { "retained.set" };
        self.notify(|| Event {
            topic: Some(topic.to_owned()),
            detail: json!({ "bytes": bytes }).to_string(),
            ..begin(kind)
        });
    }
}

/// More facts, where the client is, and to whom it belongs.
fn whence(client: &Client, more: Value) -> String {
    let identity = &client.identity;
    let facts = with(more, json!({ "peer": identity.peer.to_string(), "listener": &*identity.listener }));
    match identity.tenant.as_deref() {
        Some(tenant) => with(facts, json!({ "tenant": tenant })).to_string(),
        None => facts.to_string(),
    }
}

/// Who said no, and why.
fn denied(denial: &Denial) -> Value {
    json!({
        "plugin": denial.plugin.as_deref(),
        "hook": denial.hook.name(),
        "cause": cause_name(&denial.cause),
        "reason": denial.reason.as_deref(),
    })
}

/// The facts of two objects in one.
fn with(mut facts: Value, more: Value) -> Value {
    if let (Value::Object(facts), Value::Object(more)) = (&mut facts, more) {
        facts.extend(more);
    }
    facts
}

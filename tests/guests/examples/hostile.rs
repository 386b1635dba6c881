//! Misbehaves on request, in every hook, without importing anything that waits: it runs inline.
//!
//! What it does is named by the user name (`authn`), by the second level of a topic that starts with `hostile/` (`authz`,
//! `messages`, `sink`), by the detail of an event, and by the config keys `init`, `health` and `shutdown`: see `hostility`.
//! In everything else it lets people in and do as they like.

#[path = "../hostility.rs"]
mod hostility;

use hostility::commit;
use midge_plugin_sdk::{
    Action, Answer, Authenticator, Authorizer, Connect, Credentials, Delivery, Environment, Event, Events, IdentityId,
    Inbound, Lifecycle, Messages, Outcome, QoS, Ruling, Sink, Subscription, config::text, plugin,
};

struct Hostile;

impl Lifecycle for Hostile {
    fn init(_: &Environment) -> Result<Self, String> {
        commit(&text("init").unwrap_or_default()).map(|_| Self)
    }

    fn health(&mut self) -> Result<(), String> {
        commit(&text("health").unwrap_or_default()).map(drop)
    }

    fn shutdown(&mut self) {
        // There is nobody to tell.
        let _ = commit(&text("shutdown").unwrap_or_default());
    }
}

impl Authenticator for Hostile {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        let name = credentials.username.as_deref().unwrap_or_default();
        Ok(Answer::allow(commit(name)?.unwrap_or_else(|| credentials.client_id.clone())))
    }
}

impl Authorizer for Hostile {
    fn authorize_publish(&mut self, _: IdentityId, topic: &str, _: QoS, _: bool) -> Result<Ruling, String> {
        rule(topic)
    }

    fn authorize_subscribe(&mut self, _: IdentityId, subscription: &Subscription) -> Result<Ruling, String> {
        rule(&subscription.filter)
    }
}

impl Messages for Hostile {
    fn on_publish(&mut self, inbound: Inbound) -> Action {
        match commit(crime(&inbound.message.topic)) {
            Ok(None) => Action::Keep,
            Ok(Some(text)) => Action::deny(text),
            Err(text) => panic!("{text}"),
        }
    }
}

impl Sink for Hostile {
    fn deliver(&mut self, batch: Vec<Delivery>) -> Result<Vec<Outcome>, String> {
        batch.iter().map(|one| commit(crime(&one.inbound.message.topic)).map(|_| Outcome::Done)).collect()
    }
}

impl Events for Hostile {
    fn on_events(&mut self, batch: Vec<Event>) -> Result<(), String> {
        batch.iter().filter_map(|event| event.client_id.as_deref()).try_for_each(|name| commit(name).map(drop))
    }
}

fn rule(topic: &str) -> Result<Ruling, String> {
    Ok(commit(crime(topic))?.map_or_else(Ruling::allow, Ruling::deny))
}

fn crime(topic: &str) -> &str {
    topic.strip_prefix("hostile/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

plugin!(Hostile: lifecycle, authn, authz, messages, sink, events);

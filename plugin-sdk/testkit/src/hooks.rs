//! Every hook of the contract as a method. What is newer than this list has [`Plugin::call`].

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::plugin::Plugin;

/// Credentials with a user name and a password.
#[must_use]
pub fn login(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

/// Each method calls the function of its name, and fails the test where that cannot be done: where the plugin cannot be loaded, does
/// not start, or has no such function, or the input is not the function's.
impl Plugin {
    /// `lifecycle.init`, in a new instance.
    pub fn init(&mut self) -> Answer {
        self.asked("lifecycle.init", json!({}))
    }

    /// `lifecycle.health`.
    pub fn health(&mut self) -> Answer {
        self.asked("lifecycle.health", json!({}))
    }

    /// `lifecycle.shutdown`; the instance is gone then.
    pub fn shutdown(&mut self) -> Answer {
        self.asked("lifecycle.shutdown", json!({}))
    }

    /// `authn.authenticate`: the fields of `credentials`, and of `connect`.
    pub fn authenticate(&mut self, credentials: Value) -> Answer {
        self.asked("authn.authenticate", credentials)
    }

    /// `enhanced-authn.methods`.
    pub fn methods(&mut self) -> Answer {
        self.asked("enhanced-authn.methods", json!({}))
    }

    /// `enhanced-authn.start`: `method`, the fields of `credentials`, `data`.
    pub fn start_exchange(&mut self, input: Value) -> Answer {
        self.asked("enhanced-authn.start", input)
    }

    /// `enhanced-authn.proceed`: the same, with the client's new `data`, after a challenge.
    pub fn proceed(&mut self, challenge: &Answer, input: Value) -> Answer {
        let mut input = input;
        if let (Some(state), Value::Object(input)) = (challenge.state(), &mut input) {
            input.entry("state").or_insert(state);
        }
        self.asked("enhanced-authn.proceed", input)
    }

    /// `authz.permissions`: the fields of an identity.
    pub fn permissions(&mut self, who: Value) -> Answer {
        self.asked("authz.permissions", json!({ "who": who }))
    }

    /// `authz.authorize-publish`: the fields of an identity, `topic`, `qos`, `retain`.
    pub fn authorize_publish(&mut self, input: Value) -> Answer {
        self.asked("authz.authorize-publish", input)
    }

    /// `authz.authorize-subscribe`: the fields of an identity, and `subscriptions`.
    pub fn authorize_subscribe(&mut self, input: Value) -> Answer {
        self.asked("authz.authorize-subscribe", input)
    }

    /// `authz.identity-gone`: the fields of an identity.
    pub fn identity_gone(&mut self, who: Value) -> Answer {
        self.asked("authz.identity-gone", json!({ "who": who }))
    }

    /// `authz-unsubscribe.authorize-unsubscribe`: the fields of an identity, and `filters`.
    pub fn authorize_unsubscribe(&mut self, input: Value) -> Answer {
        self.asked("authz-unsubscribe.authorize-unsubscribe", input)
    }

    /// `authz-will.authorize-will`: the fields of an identity, `will`, a message, and `delay`.
    pub fn authorize_will(&mut self, input: Value) -> Answer {
        self.asked("authz-will.authorize-will", input)
    }

    /// `admission.admit`: `address`, and `listener`.
    pub fn admit(&mut self, input: Value) -> Answer {
        self.asked("admission.admit", input)
    }

    /// `ticker.tick`.
    pub fn tick(&mut self) -> Answer {
        self.asked("ticker.tick", json!({}))
    }

    /// `admin.handle`: the fields of a request.
    pub fn handle(&mut self, request: Value) -> Answer {
        self.asked("admin.handle", request)
    }

    /// `authz-deliver.authorize-deliver`: the fields of an identity, and `deliveries`.
    pub fn authorize_deliver(&mut self, input: Value) -> Answer {
        self.asked("authz-deliver.authorize-deliver", input)
    }

    /// `messages.on-publish`: a list of messages, or one.
    pub fn on_publish(&mut self, batch: Value) -> Answer {
        self.asked("messages.on-publish", batch)
    }

    /// `sink.deliver`: a list of messages, or one.
    pub fn deliver(&mut self, batch: Value) -> Answer {
        self.asked("sink.deliver", batch)
    }

    /// `sink.flush`.
    pub fn flush(&mut self) -> Answer {
        self.asked("sink.flush", json!({}))
    }

    /// `events.on-events`: a list of events, or one.
    pub fn on_events(&mut self, batch: Value) -> Answer {
        self.asked("events.on-events", batch)
    }

    #[allow(clippy::needless_pass_by_value, reason = "the methods above read as they are used")]
    #[track_caller]
    fn asked(&mut self, function: &str, input: Value) -> Answer {
        match self.call(function, &input) {
            Ok(answer) => answer,
            Err(error) => panic!("{error}"),
        }
    }
}

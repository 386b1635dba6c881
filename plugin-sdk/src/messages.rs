//! The hook `messages`: change, drop, multiply or refuse messages before they are routed.

use crate::bindings::messages::exports::midge::plugin::messages as generated;
use crate::instance::{Exports, Instance};
use crate::{Inbound, Message, QoS, Refusal};

pub use generated::Action;

/// Decides what becomes of published messages.
pub trait Messages {
    /// Decides on one message.
    fn on_publish(&mut self, inbound: Inbound) -> Action;

    /// Decides on what is waiting: one action per message, in order. Write it only where a batch is cheaper than its
    /// messages one by one.
    ///
    /// # Errors
    /// When the plugin or its backend failed; the operator's `on_error` decides on the whole batch.
    fn on_batch(&mut self, batch: Vec<Inbound>) -> Result<Vec<Action>, String> {
        Ok(batch.into_iter().map(|inbound| self.on_publish(inbound)).collect())
    }
}

impl Action {
    /// Route nothing and answer Not authorized (0x87); `reason` is logged and shown to MQTT 5 clients that ask for it.
    #[must_use]
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::Refuse(Refusal { code: Refusal::NOT_AUTHORIZED, reason: Some(reason.into()) })
    }
}

impl Message {
    /// A message with QoS 0 and no properties.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            payload_is_utf8: false,
            message_expiry: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        }
    }
}

impl Inbound {
    /// A message as a test needs it: from the client `client`, identity 1, at the test's [`now`](crate::now).
    #[must_use]
    pub fn of(message: Message) -> Self {
        Self { who: 1, client_id: "client".to_owned(), received_at: crate::now(), message }
    }
}

impl<T: Messages + Instance> generated::Guest for Exports<T> {
    fn on_publish(batch: Vec<Inbound>) -> Result<Vec<Action>, String> {
        T::with(|plugin| plugin.on_batch(batch))
    }
}

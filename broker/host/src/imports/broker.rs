//! `broker`: acting on the broker. Orders are collected during a call and carried out when it has returned, so a
//! plugin is never entered again from its own call, and a call that failed has ordered nothing.

use std::time::Instant;

use super::rate::Pass;
use super::{PluginState, Shared, convert};
use crate::bindings::midge::plugin::broker::{Error, Host};
use crate::bindings::midge::plugin::types::{Message as WitMessage, Redirection as WitRedirect};
use crate::contract::{Message, Outside, Redirection};
use crate::grants::Denial;

/// What one call has ordered so far, in order.
#[derive(Debug, Default)]
#[must_use = "orders have no effect until they are carried out"]
pub(crate) struct Orders(Vec<Order>);

#[derive(Debug)]
enum Order {
    Publish(Message),
    Disconnect { client_id: String, code: u8, keep_session: bool },
    Redirect { client_id: String, to: Redirection },
    Revoke(String),
}

impl Orders {
    /// Whether nothing was ordered, as after most calls.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has the broker do it. Call this without holding the instance: the broker may ask plugins in turn.
    pub(crate) fn carry_out(self, shared: &Shared) {
        for order in self.0 {
            order.carry_out(shared.plugin(), shared.outside());
        }
    }
}

impl Order {
    fn carry_out(self, plugin: &str, outside: &dyn Outside) {
        match self {
            Self::Publish(message) => {
                let topic = message.topic.clone();
                if let Err(reason) = outside.publish(plugin, message) {
                    tracing::warn!(plugin, topic = &*topic, reason, "a message made by a plugin was not routed");
                }
            }
            Self::Disconnect { client_id, code, keep_session } => {
                if !outside.disconnect(plugin, &client_id, code, keep_session) {
                    tracing::debug!(plugin, client_id, "a client that a plugin wanted disconnected is not here");
                }
            }
            Self::Redirect { client_id, to } => {
                if !outside.redirect(plugin, &client_id, &to) {
                    tracing::debug!(plugin, client_id, "a client that a plugin wanted redirected is not here");
                }
            }
            Self::Revoke(principal) => outside.revoke(plugin, &principal),
        }
    }
}

impl PluginState {
    fn order(&mut self, order: Result<Order, Error>, granted: Result<(), Denial>) -> Result<(), Error> {
        granted.map_err(|denial| {
            self.shared.denied(&denial);
            Error::NotGranted
        })?;
        let order = order?;
        let full = self.orders.0.len() >= self.shared.limits().orders_per_call_max;
        if full || self.shared.order_rate().pass(Instant::now()) == Pass::No {
            return Err(Error::OverQuota);
        }
        self.orders.0.push(order);
        Ok(())
    }
}

impl Host for PluginState {
    fn publish(&mut self, message: WitMessage) -> wasmtime::Result<Result<(), Error>> {
        if let Err(reason) = valid(&message) {
            return Ok(Err(Error::Invalid(reason.to_owned())));
        }
        let granted = self.shared.grants().publish(&message.topic);
        Ok(self.order(Ok(Order::Publish(convert::message_in(message))), granted))
    }

    fn disconnect(&mut self, client_id: String, code: u8, keep_session: bool) -> wasmtime::Result<Result<(), Error>> {
        let order = if DISCONNECT_CODES.contains(&code) {
            Ok(Order::Disconnect { client_id, code, keep_session })
        } else {
            Err(Error::Invalid(format!("0x{code:02x} is no reason code a server may send in DISCONNECT")))
        };
        let granted = self.shared.grants().disconnect();
        Ok(self.order(order, granted))
    }

    fn redirect(&mut self, client_id: String, to: WitRedirect) -> wasmtime::Result<Result<(), Error>> {
        let order = redirect(to).map(|to| Order::Redirect { client_id, to });
        let granted = self.shared.grants().redirect();
        Ok(self.order(order.map_err(|reason| Error::Invalid(reason.to_owned())), granted))
    }

    fn revoke(&mut self, principal: String) -> wasmtime::Result<Result<(), Error>> {
        let granted = self.shared.grants().revoke();
        Ok(self.order(Ok(Order::Revoke(principal)), granted))
    }
}

/// A redirect that an MQTT packet can carry.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn redirect(to: WitRedirect) -> Result<Redirection, &'static str> {
    let too_long = |text: &str| text.len() > usize::from(u16::MAX) || text.contains('\0');
    if to.server_reference.trim().is_empty() || too_long(&to.server_reference) {
        return Err("the server reference is empty, longer than 65,535 bytes or has U+0000 in it");
    }
    if to.reason.as_deref().is_some_and(too_long) {
        return Err("the reason is longer than 65,535 bytes or has U+0000 in it");
    }
    let (server_reference, reason) = (to.server_reference.into(), to.reason.map(Into::into));
    Ok(Redirection { server_reference, permanent: to.permanent, reason })
}

/// Whether this is a Topic Name: not empty, no wildcards, no U+0000, at most 65,535 bytes [MQTT-3.3.2-2],
/// [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3].
fn is_topic_name(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= usize::from(u16::MAX) && !topic.contains(['+', '#', '\0'])
}

/// Whether the message is one a client could have published.
fn valid(message: &WitMessage) -> Result<(), &'static str> {
    let too_long = |text: &str| text.len() > usize::from(u16::MAX) || text.contains('\0');
    if !is_topic_name(&message.topic) {
        return Err(
            "the topic is not a Topic Name: at least one character, no wildcards, no U+0000, at most 65,535 bytes",
        );
    }
    if message.response_topic.as_deref().is_some_and(|topic| !is_topic_name(topic)) {
        return Err("the response topic is not a Topic Name");
    }
    if message.content_type.as_deref().is_some_and(too_long) {
        return Err("the content type is longer than 65,535 bytes or has U+0000 in it");
    }
    if message.correlation_data.as_deref().is_some_and(|data| data.len() > usize::from(u16::MAX)) {
        return Err("the correlation data are longer than 65,535 bytes");
    }
    if message.user_properties.iter().any(|(name, value)| too_long(name) || too_long(value)) {
        return Err("a user property is longer than 65,535 bytes or has U+0000 in it");
    }
    if message.payload_is_utf8 && std::str::from_utf8(&message.payload).is_err() {
        return Err("the payload is said to be UTF-8 and is not");
    }
    Ok(())
}

/// The reason codes of DISCONNECT that a server may send and that make sense for a policy decision (MQTT 5, 3.14.2.1).
const DISCONNECT_CODES: [u8; 13] = [0x00, 0x80, 0x83, 0x87, 0x89, 0x8b, 0x8e, 0x93, 0x96, 0x97, 0x98, 0x99, 0xa0];

#[cfg(test)]
mod tests;

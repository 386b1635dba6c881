//! Replaces every message by one whose payload differs in a bit. The benchmarks' transformer.

use midge_plugin_sdk::{Action, Inbound, Messages, plugin};

#[derive(Default)]
struct Changed;

impl Messages for Changed {
    fn on_publish(&mut self, inbound: Inbound) -> Action {
        let mut message = inbound.message;
        if let Some(byte) = message.payload.last_mut() {
            *byte ^= 1;
        }
        Action::Replace(message)
    }
}

plugin!(Changed: messages);

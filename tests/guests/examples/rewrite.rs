//! Decides on messages by the first level of their topic: `rewrite/x` becomes `rewritten/x` with its payload in upper
//! case, `twice/x` becomes two messages, `drop`, `refuse` and `err` do what they say; others are kept.

use midge_plugin_sdk::{Action, Inbound, Message, Messages, plugin};

#[derive(Default)]
struct Rewrite;

impl Messages for Rewrite {
    fn on_publish(&mut self, inbound: Inbound) -> Action {
        let message = inbound.message;
        match message.topic.split_once('/') {
            Some(("rewrite", rest)) => {
                let payload = message.payload.to_ascii_uppercase();
                Action::Replace(Message { topic: format!("rewritten/{rest}"), payload, ..message })
            }
            Some(("twice", rest)) => {
                let copy = |name: &str| Message { topic: format!("{name}/{rest}"), ..message.clone() };
                Action::ReplaceWithMany(vec![copy("first"), copy("second")])
            }
            Some(("drop", _)) => Action::Drop,
            Some(("refuse", _)) => Action::deny("the guest refuses"),
            _ => Action::Keep,
        }
    }

    fn on_batch(&mut self, batch: Vec<Inbound>) -> Result<Vec<Action>, String> {
        if batch.iter().any(|inbound| inbound.message.topic.starts_with("err/")) {
            return Err("the guest's backend failed".to_owned());
        }
        Ok(batch.into_iter().map(|inbound| self.on_publish(inbound)).collect())
    }
}

plugin!(Rewrite: messages);

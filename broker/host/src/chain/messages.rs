//! What becomes of messages before they are routed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Chains, IMPLEMENTATION_SPECIFIC};
use crate::contract::{Action, DenialCause, Hook, InboundMessage, Message, OnError, Refusal};
use crate::error::HookError;
use crate::plugin::Generation;

impl Chains {
    /// Whether any plugin wants messages of this topic.
    pub(crate) fn wants_messages(&self, topic: &str) -> bool {
        self.messages.iter().any(|plugin| plugin.wants(topic))
    }

    /// Asks each plugin in turn about what the ones before made of the batch. One action per message.
    pub(crate) async fn on_publish(&self, batch: Vec<InboundMessage>) -> Vec<Action> {
        let began = Instant::now();
        let mut fates: Vec<Fate> = batch.into_iter().map(Fate::new).collect();
        for plugin in &self.messages {
            let asked = questions(&fates, plugin);
            if asked.is_empty() {
                continue;
            }
            let messages: Vec<_> = asked.iter().map(|(_, message)| message.clone()).collect();
            let actions = match plugin.on_publish(&messages).await {
                Ok(actions) => actions,
                Err(error) => failure(plugin, error, asked.len()),
            };
            let mut actions = asked.iter().map(|&(fate, _)| fate).zip(actions).peekable();
            for (index, fate) in fates.iter_mut().enumerate() {
                let mut own = Vec::new();
                while let Some((_, action)) = actions.next_if(|(of, _)| *of == index) {
                    own.push(action);
                }
                fate.apply(plugin, own);
            }
        }
        let took = began.elapsed();
        fates.into_iter().map(|fate| fate.action(took)).collect()
    }
}

/// One message of the batch, and what the plugins made of it so far.
struct Fate {
    inbound: InboundMessage,
    /// What would be routed now; the original while nobody changed it.
    messages: Vec<Message>,
    changed: bool,
    refusal: Option<Refusal>,
}

impl Fate {
    fn new(inbound: InboundMessage) -> Self {
        Self { messages: vec![inbound.message.clone()], inbound, changed: false, refusal: None }
    }

    /// One action for each message the plugin wanted, in order.
    fn apply(&mut self, plugin: &Generation, actions: Vec<Action>) {
        if actions.iter().all(|action| *action == Action::Keep) {
            return;
        }
        let mut actions = actions.into_iter();
        let mut messages = Vec::new();
        for message in std::mem::take(&mut self.messages) {
            let action = if plugin.wants(&message.topic) { actions.next() } else { None };
            match action {
                None | Some(Action::Keep) => messages.push(message),
                Some(Action::Replace(others)) => messages.extend(others),
                Some(Action::Refuse(refusal)) => {
                    if refusal.cause == DenialCause::Refused {
                        plugin.count_refusal(Hook::Messages);
                    }
                    self.refusal = Some(refusal);
                    return;
                }
            }
        }
        self.messages = messages;
        self.changed = true;
    }

    fn action(self, took: Duration) -> Action {
        match self.refusal {
            Some(refusal) => Action::Refuse(Refusal { took, ..refusal }),
            None if self.changed => Action::Replace(self.messages),
            None => Action::Keep,
        }
    }
}

/// What to ask a plugin: each message that is still on its way and wanted, with the index of its fate.
fn questions(fates: &[Fate], plugin: &Generation) -> Vec<(usize, InboundMessage)> {
    let mut asked = Vec::new();
    for (index, fate) in fates.iter().enumerate().filter(|(_, fate)| fate.refusal.is_none()) {
        for message in fate.messages.iter().filter(|message| plugin.wants(&message.topic)) {
            let message = InboundMessage { message: message.clone(), ..fate.inbound.clone() };
            asked.push((index, message));
        }
    }
    asked
}

/// A plugin that fails refuses, unless its `on_error` says to keep.
fn failure(plugin: &Generation, error: HookError, messages: usize) -> Vec<Action> {
    tracing::debug!(%error, messages, "plugin could not decide about messages");
    let action = match plugin.on_error() {
        OnError::Next => Action::Keep,
        OnError::Deny => Action::Refuse(Refusal {
            code: IMPLEMENTATION_SPECIFIC,
            reason: None,
            plugin: Some(Arc::clone(plugin.name())),
            took: error.took,
            cause: error.failure.into(),
        }),
    };
    vec![action; messages]
}

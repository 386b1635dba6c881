//! What becomes of messages before they are routed.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Chains, IMPLEMENTATION_SPECIFIC};
use crate::contract::{Action, DenialCause, Hook, InboundMessage, Message, OnError, Refusal};
use crate::error::HookError;
use crate::plugin::{Asked, Generation};

impl Chains {
    /// Whether any plugin wants messages of this topic.
    pub(crate) fn wants_messages(&self, topic: &str) -> bool {
        self.messages.iter().any(|plugin| plugin.wants(topic))
    }

    /// Asks each plugin in turn about what the ones before made of the batch. One action per message.
    pub(crate) async fn on_publish(&self, batch: Vec<InboundMessage>) -> Vec<Action> {
        let began = Instant::now();
        let mut now = began;
        let mut fates: Vec<Fate> = batch.into_iter().map(Fate::new).collect();
        for plugin in &self.messages {
            let asked = questions(&fates, plugin);
            if asked.is_empty() {
                continue;
            }
            let actions = match plugin.on_publish(&asked, &mut now).await {
                Ok(actions) => actions,
                Err(error) => failure(plugin, error, asked.len()),
            };
            let mut actions = actions.into_iter();
            fates.iter_mut().filter(|fate| fate.refusal.is_none()).for_each(|fate| fate.apply(plugin, &mut actions));
        }
        let took = now.saturating_duration_since(began);
        fates.into_iter().map(|fate| fate.action(took)).collect()
    }
}

/// One message of the batch, and what the plugins made of it so far.
struct Fate {
    inbound: InboundMessage,
    /// What would be routed now, once somebody changed it.
    made: Option<Vec<Message>>,
    refusal: Option<Refusal>,
}

impl Fate {
    const fn new(inbound: InboundMessage) -> Self {
        Self { inbound, made: None, refusal: None }
    }

    /// What would be routed now.
    fn messages(&self) -> &[Message] {
        self.made.as_deref().unwrap_or_else(|| slice::from_ref(&self.inbound.message))
    }

    /// Takes the next action for each message the plugin wanted.
    fn apply(&mut self, plugin: &Generation, actions: &mut impl Iterator<Item = Action>) {
        let mut made: Option<Vec<Message>> = None;
        let mut refusal = None;
        for (at, message) in self.messages().iter().enumerate() {
            let action = if plugin.wants(&message.topic) { actions.next() } else { None };
            match action {
                None | Some(Action::Keep) => made.iter_mut().for_each(|made| made.push(message.clone())),
                Some(Action::Replace(others)) => match &mut made {
                    Some(made) => made.extend(others),
                    None if at == 0 => made = Some(others),
                    None => made = Some(self.messages()[..at].iter().cloned().chain(others).collect()),
                },
                Some(Action::Refuse(of)) => refusal = refusal.or(Some(of)),
            }
        }
        if let Some(refusal) = refusal {
            if refusal.cause == DenialCause::Refused {
                plugin.count_refusal(Hook::Messages);
            }
            self.refusal = Some(refusal);
        } else if made.is_some() {
            self.made = made;
        }
    }

    fn action(self, took: Duration) -> Action {
        match (self.refusal, self.made) {
            (Some(refusal), _) => Action::Refuse(Refusal { took, ..refusal }),
            (None, Some(made)) => Action::Replace(made),
            (None, None) => Action::Keep,
        }
    }
}

/// What to ask a plugin: each message that is still on its way and wanted.
fn questions<'a>(fates: &'a [Fate], plugin: &Generation) -> Vec<Asked<'a>> {
    let mut asked = Vec::with_capacity(fates.len());
    for fate in fates.iter().filter(|fate| fate.refusal.is_none()) {
        let InboundMessage { who, received_at, .. } = &fate.inbound;
        let wanted = fate.messages().iter().filter(|message| plugin.wants(&message.topic));
        asked.extend(wanted.map(|message| Asked { who: who.as_deref(), received_at: *received_at, message }));
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

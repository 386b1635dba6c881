//! What becomes of messages before they are routed.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Chains, IMPLEMENTATION_SPECIFIC};
use crate::contract::{Action, DenialCause, Hook, InboundMessage, Message, OnError, Refusal};
use crate::error::HookError;
use crate::plugin::{Asked, Generation};
use crate::seat::{Seat, client_of};

impl Chains {
    /// Whether any plugin wants messages of this topic.
    pub(crate) fn wants_messages(&self, topic: &str) -> bool {
        self.messages.iter().any(|seat| seat.wants(topic))
    }

    /// Asks each plugin in turn about what the ones before made of the batch. One action per message.
    pub(crate) async fn on_publish(&self, batch: Vec<InboundMessage>) -> Vec<Action> {
        let began = Instant::now();
        let mut now = began;
        let mut fates: Vec<Fate> = batch.into_iter().map(Fate::new).collect();
        for seat in &self.messages {
            for plugin in seat.serving_all() {
                let is_asked = |fate: &Fate| fate.is_open_to(plugin, seat);
                let asked = questions(&fates, plugin, is_asked);
                let Some(client_id) = fates.iter().find(|fate| is_asked(fate)).map(|fate| client_of(&fate.inbound))
                else {
                    continue;
                };
                if asked.is_empty() {
                    continue;
                }
                let (answered_by, answer) = seat.ask(client_id, |plugin| plugin.about_messages(&asked), &mut now).await;
                let actions = answer.unwrap_or_else(|error| failure(answered_by, error, asked.len()));
                let mut actions = actions.into_iter();
                fates
                    .iter_mut()
                    .filter(|fate| fate.is_open_to(plugin, seat))
                    .for_each(|fate| fate.apply(plugin, &mut actions));
            }
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

    /// Whether it is still on its way, and its publisher's messages go to this generation.
    fn is_open_to(&self, plugin: &Generation, seat: &Seat) -> bool {
        self.refusal.is_none()
            && seat.concerns_message(&self.inbound)
            && std::ptr::eq(&**seat.serving(client_of(&self.inbound)), plugin)
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
fn questions<'a>(fates: &'a [Fate], plugin: &Generation, is_asked: impl Fn(&Fate) -> bool) -> Vec<Asked<'a>> {
    let mut asked = Vec::with_capacity(fates.len());
    for fate in fates.iter().filter(|fate| is_asked(fate)) {
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
        OnError::Deny | OnError::Stale { .. } => Action::Refuse(Refusal {
            code: IMPLEMENTATION_SPECIFIC,
            reason: None,
            plugin: Some(Arc::clone(plugin.name())),
            took: error.took,
            cause: error.failure.into(),
        }),
    };
    vec![action; messages]
}

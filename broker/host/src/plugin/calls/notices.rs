//! `messages`, `sink` and `events`: the hooks that take batches.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::TypedFunc;

use super::kept::{KeptMessage, KeptQuestion, made, refusal};
use super::lowered::{LoweredDelivery, LoweredEvent, LoweredInbound};
use super::{HookCall, Lent};
use crate::bindings::exports::midge::plugin::{messages as wit_messages, sink as wit_sink};
use crate::bindings::midge::plugin::types as wit;
use crate::contract::{Action, Delivery, DenialCause, Event, Hook, Message, Outcome, QoS, Refusal};
use crate::error::HookFailure;
use crate::identities::Identity;
use crate::imports::PluginState;
use crate::plugin::Generation;
use crate::plugin::functions::Functions;
use crate::topics;

/// A message that a plugin is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) who: Option<&'a Identity>,
    pub(crate) received_at: u64,
    pub(crate) message: &'a Message,
}

/// `messages.on-publish`.
pub(crate) struct OnPublish<'a> {
    pub(crate) batch: &'a [Asked<'a>],
    pub(crate) plugin: &'a Arc<str>,
    pub(crate) with_payload: bool,
}

impl HookCall for OnPublish<'_> {
    type Params = (Vec<LoweredInbound>,);
    type Results = (Result<Vec<wit_messages::Action>, String>,);
    type Answer = Vec<Action>;

    const HOOK: Hook = Hook::Messages;
    const FUNCTION: &'static str = "on-publish";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.on_publish.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        let lower =
            |asked: &Asked<'_>| LoweredInbound::new(asked.who, asked.received_at, asked.message, self.with_payload);
        Ok((self.batch.iter().map(lower).collect(),))
    }

    fn lift(&self, (actions,): Self::Results) -> Result<Vec<Action>, HookFailure> {
        let actions = actions.map_err(HookFailure::Backend)?;
        one_each("actions", actions.len(), self.batch.len())?;
        actions.into_iter().map(|action| self.action(action)).collect()
    }

    fn client(&self) -> Option<&str> {
        one_client(self.batch)
    }

    fn is_for(&self, of: &Generation) -> bool {
        self.batch.iter().all(|asked| of.concerns(asked.who))
    }

    fn kept(&self) -> Option<KeptQuestion> {
        Some(KeptQuestion::Messages(self.batch.iter().map(KeptMessage::new).collect()))
    }

    fn words(actions: &Vec<Action>) -> String {
        let words = |action: &Action| match action {
            Action::Keep => "keep".to_owned(),
            Action::Replace(messages) if messages.is_empty() => "drop".to_owned(),
            Action::Replace(messages) => made(messages),
            Action::Refuse(Refusal { code, reason, .. }) => refusal(*code, reason.as_deref()),
        };
        actions.iter().map(words).collect::<Vec<_>>().join("; ")
    }
}

impl OnPublish<'_> {
    fn action(&self, action: wit_messages::Action) -> Result<Action, HookFailure> {
        Ok(match action {
            wit_messages::Action::Keep => Action::Keep,
            wit_messages::Action::Drop => Action::Replace(Vec::new()),
            wit_messages::Action::Replace(message) => Action::Replace(vec![lift_message(message)?]),
            wit_messages::Action::ReplaceWithMany(messages) => {
                Action::Replace(messages.into_iter().map(lift_message).collect::<Result<_, _>>()?)
            }
            wit_messages::Action::Refuse(refusal) => Action::Refuse(Refusal {
                code: refusal_code(refusal.code),
                reason: refusal.reason,
                plugin: Some(Arc::clone(self.plugin)),
                cause: DenialCause::Refused,
                took: Duration::ZERO,
            }),
        })
    }
}

/// `sink.deliver`.
pub(crate) struct Deliver<'a> {
    pub(crate) batch: &'a [Delivery],
    pub(crate) with_payload: bool,
}

impl HookCall for Deliver<'_> {
    type Params = (Vec<LoweredDelivery>,);
    type Results = (Result<Vec<wit_sink::Outcome>, String>,);
    type Answer = Vec<Outcome>;

    const HOOK: Hook = Hook::Sink;
    const FUNCTION: &'static str = "deliver";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.deliver.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        let lower = |delivery| LoweredDelivery::new(delivery, self.with_payload);
        Ok((self.batch.iter().map(lower).collect(),))
    }

    fn lift(&self, (outcomes,): Self::Results) -> Result<Vec<Outcome>, HookFailure> {
        let outcomes = outcomes.map_err(HookFailure::Backend)?;
        one_each("outcomes", outcomes.len(), self.batch.len())?;
        let lift = |outcome| match outcome {
            wit_sink::Outcome::Done => Outcome::Done,
            wit_sink::Outcome::Retry(after_ms) => Outcome::Retry(after_ms),
            wit_sink::Outcome::Reject(reason) => Outcome::Reject(reason),
        };
        Ok(outcomes.into_iter().map(lift).collect())
    }
}

/// `sink.flush`.
pub(crate) struct Flush;

impl HookCall for Flush {
    type Params = ();
    type Results = (Result<(), String>,);
    type Answer = ();

    const HOOK: Hook = Hook::Sink;
    const FUNCTION: &'static str = "flush";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.flush.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<()> {
        Ok(())
    }

    fn lift(&self, (flushed,): Self::Results) -> Result<(), HookFailure> {
        flushed.map_err(HookFailure::Backend)
    }
}

/// `events.on-events`.
pub(crate) struct OnEvents<'a> {
    pub(crate) batch: &'a [Event],
    pub(crate) node: &'a Arc<str>,
}

impl HookCall for OnEvents<'_> {
    type Params = (Vec<LoweredEvent>,);
    type Results = (Result<(), String>,);
    type Answer = ();

    const HOOK: Hook = Hook::Events;
    const FUNCTION: &'static str = "on-events";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.on_events.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        let lower = |event| LoweredEvent::new(event, self.node);
        Ok((self.batch.iter().map(lower).collect(),))
    }

    fn lift(&self, (seen,): Self::Results) -> Result<(), HookFailure> {
        seen.map_err(HookFailure::Backend)
    }
}

/// A refusal must look like one to the client: codes below 0x80 mean success.
pub(super) const fn refusal_code(code: u8) -> u8 {
    if code < 0x80 { 0x87 } else { code }
}

fn lift_message(message: wit::Message) -> Result<Message, HookFailure> {
    if !topics::is_name(&message.topic) || !message.response_topic.as_deref().is_none_or(topics::is_name) {
        return Err(HookFailure::BadAnswer(format!(
            "a message for {:?} with the response topic {:?}: both must be topic names",
            message.topic, message.response_topic
        )));
    }
    Ok(Message {
        topic: message.topic.into(),
        payload: message.payload.into(),
        qos: lift_qos(message.qos),
        retain: message.retain,
        payload_is_utf8: message.payload_is_utf8,
        message_expiry: message.message_expiry,
        content_type: message.content_type,
        response_topic: message.response_topic,
        correlation_data: message.correlation_data.map(Into::into),
        user_properties: message.user_properties,
    })
}

pub(super) const fn lift_qos(qos: wit::Qos) -> QoS {
    match qos {
        wit::Qos::AtMostOnce => QoS::AtMostOnce,
        wit::Qos::AtLeastOnce => QoS::AtLeastOnce,
        wit::Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

pub(super) fn one_each(what: &str, found: usize, expected: usize) -> Result<(), HookFailure> {
    if found == expected {
        return Ok(());
    }
    Err(HookFailure::BadAnswer(format!("{found} {what} for {expected} questions")))
}

/// The client of a batch that has only one.
fn one_client<'a>(batch: &[Asked<'a>]) -> Option<&'a str> {
    let (first, others) = batch.split_first()?;
    let first = first.who?;
    let alone = others.iter().all(|asked| asked.who.is_some_and(|who| who.id() == first.id()));
    alone.then_some(&*first.client_id)
}

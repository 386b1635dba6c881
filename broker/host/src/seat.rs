//! A plugin's place in the chains: the generation in force and, while there is one, the generation that is to follow it.

mod notices;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::contract::{Hook, InboundMessage, OnError};
use crate::error::HookError;
use crate::identities::Identity;
use crate::plugin::{Generation, HookCall};
use crate::trial::Trial;

/// One plugin in the chains.
#[derive(Clone)]
pub(crate) struct Seat {
    current: Arc<Generation>,
    trial: Option<Arc<Trial>>,
}

impl Seat {
    pub(crate) fn new(current: Arc<Generation>, trial: Option<Arc<Trial>>) -> Self {
        Self { current, trial }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        self.current.name()
    }

    /// The generation in force. A trial changes neither name nor hooks.
    pub(crate) const fn current(&self) -> &Arc<Generation> {
        &self.current
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        self.current.has(hook)
    }

    /// Whether whatever clients wait for never waits itself.
    pub(crate) fn is_inline(&self) -> bool {
        self.serving_all().all(Generation::is_inline)
    }

    /// The generation that a client's questions go to.
    pub(crate) fn serving(&self, client_id: &str) -> &Arc<Generation> {
        match &self.trial {
            Some(trial) if trial.serves(client_id) => trial.generation(),
            _ => &self.current,
        }
    }

    /// Whether the generation that serves a client is asked about it.
    pub(crate) fn concerns(&self, client_id: &str, listener: &str, tenant: Option<&str>) -> bool {
        let serving = self.serving(client_id);
        serving.is_on(listener) && serving.is_of(tenant)
    }

    /// Whether it is asked about an identity.
    pub(crate) fn concerns_identity(&self, who: &Identity) -> bool {
        self.concerns(&who.client_id, &who.listener, who.tenant.as_deref())
    }

    /// Whether it is asked about whoever a message is of. The broker's own are no listener's and no tenant's.
    pub(crate) fn concerns_message(&self, inbound: &InboundMessage) -> bool {
        match inbound.who.as_deref() {
            Some(who) => self.concerns_identity(who),
            None => self.current.is_everywhere() && self.current.is_of(None),
        }
    }

    /// Whether any generation is asked about clients of a listener.
    pub(crate) fn is_on(&self, listener: &str) -> bool {
        self.serving_all().any(|generation| generation.is_on(listener))
    }

    /// Whether every generation is asked about the clients of all listeners.
    pub(crate) fn is_everywhere(&self) -> bool {
        self.serving_all().all(Generation::is_everywhere)
    }

    /// Every generation that any client's questions go to.
    pub(crate) fn serving_all(&self) -> impl Iterator<Item = &Generation> {
        let candidate = self.trial.iter().filter(|trial| trial.serves_any()).map(|trial| &**trial.generation());
        std::iter::once(&*self.current).chain(candidate)
    }

    /// Whether any generation wants messages of this topic.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.serving_all().any(|generation| generation.wants(topic))
    }

    /// How old a decision may be that stands when no generation can answer; zero where none may.
    pub(crate) fn stale_max(&self) -> Duration {
        let of = |generation: &Generation| match generation.on_error() {
            OnError::Stale { max } => max,
            OnError::Deny | OnError::Next => Duration::ZERO,
        };
        self.serving_all().map(of).max().unwrap_or_default()
    }

    /// Notes that an identity is gone.
    pub(crate) fn identity_gone(&self, id: u64) {
        self.current.identity_gone(id);
        if let Some(trial) = &self.trial {
            trial.generation().identity_gone(id);
        }
    }

    /// Asks the generation that serves a client. What a generation on trial cannot answer, the one in force is asked. Says
    /// which one the answer is of.
    ///
    /// # Errors
    /// Neither could answer.
    pub(crate) async fn ask<'a, C: HookCall>(
        &'a self,
        client_id: &str,
        call: impl Fn(&'a Generation) -> C,
        now: &mut Instant,
    ) -> (&'a Arc<Generation>, Result<C::Answer, HookError>) {
        let Some(trial) = &self.trial else {
            return (&self.current, self.current.call_at(&call(&self.current), now).await);
        };
        if trial.serves(client_id) {
            let candidate = trial.generation();
            match candidate.call_at(&call(candidate), now).await {
                Ok(answer) => return (candidate, Ok(answer)),
                Err(failed) => return (&self.current, self.rescue(trial, &call(&self.current), &failed, now).await),
            }
        }
        let question = call(&self.current);
        let answer = self.current.call_at(&question, now).await;
        if let Some(shadow) = trial.shadow()
            && let Some(kept) = question.kept()
        {
            let words = answer.as_ref().map(C::words).map_err(|error| error.failure.to_string());
            shadow.ask(kept, client_id, C::HOOK, words);
        }
        (&self.current, answer)
    }

    /// Asks the generation in force what the one on trial could not answer.
    async fn rescue<C: HookCall>(
        &self,
        trial: &Trial,
        call: &C,
        failed: &HookError,
        now: &mut Instant,
    ) -> Result<C::Answer, HookError> {
        tracing::debug!(error = %failed, "the generation on trial could not answer; the one in force is asked");
        let answer = self.current.call_at(call, now).await;
        if answer.is_ok() {
            trial.rescued(&failed.failure);
        }
        answer
    }
}

/// The client that a message is of; the broker's own are of none.
pub(crate) fn client_of(inbound: &InboundMessage) -> &str {
    inbound.who.as_deref().map_or("", |who| &who.client_id)
}

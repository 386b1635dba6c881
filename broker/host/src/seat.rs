//! A plugin's place in the chains: the generation in force and, while there is one, the generation that is to follow it.
//!
//! # Who is asked during a trial
//!
//! | | about a client | about an address (`admission`) | of no client: ticks, pages, the broker's own messages and events |
//! |---|---|---|---|
//! | probation | the new one | the new one | the new one |
//! | canary | by the hash of its Client Identifier | by the hash of the address | the one in force |
//! | shadow | the one in force | the one in force | the one in force |
//!
//! - Only a generation is asked that its own configuration (`listeners`, `tenants`, `topics`, `hooks`) has asked: that of the one
//!   whose turn it is decides whether the plugin is passed over.
//! - What the new one fails at, the one in force does, so that nobody pays for the trial, and it speaks against the new one if it
//!   broke ([`Trial::rescued`]). Two exceptions: somebody whom the one in force is not to be asked about is none of its business,
//!   and a page that changes something (any method but GET and HEAD) is not asked for twice.
//! - A shadow is asked what the one in force was asked, if it would be asked that itself: afterwards, apart from it, and with
//!   nobody waiting ([`HookCall::kept`]). It has no part in what cannot be compared, or would happen twice: the further steps of an
//!   exchange (the state is the other's), sinks, events, ticks and pages; nor in deliveries, of which there are too many.
//! - Both are asked how they are, so that what waits in either goes on; in force counts what the table says.
//!
//! The Client Identifier is the one that CONNECT named until the client is let in, and its session's from then on.

mod notices;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::contract::{Hook, InboundMessage, OnError, PageRequest, PageResponse};
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

    /// The generation that is asked about somebody: a client by its Client Identifier, or an address.
    pub(crate) fn serving(&self, whom: &str) -> &Arc<Generation> {
        match &self.trial {
            Some(trial) if trial.serves(whom) => trial.generation(),
            _ => &self.current,
        }
    }

    /// The generation that has what is of no client.
    pub(crate) fn in_charge(&self) -> &Arc<Generation> {
        self.serving("")
    }

    /// Whether the generation that serves an identity is asked about it.
    pub(crate) fn concerns_identity(&self, who: &Identity) -> bool {
        self.serving(&who.client_id).concerns(Some(who))
    }

    /// Whether the generation that serves whoever a message is of is asked about it.
    pub(crate) fn concerns_message(&self, inbound: &InboundMessage) -> bool {
        self.serving(client_of(inbound)).concerns(inbound.who.as_deref())
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

    /// Asks the generation that serves somebody: a client by its Client Identifier, or an address. What a generation on trial
    /// cannot answer, the one in force is asked. Says which one the answer is of.
    ///
    /// # Errors
    /// Neither could answer.
    pub(crate) async fn ask<'a, C: HookCall>(
        &'a self,
        whom: &str,
        call: impl Fn(&'a Generation) -> C,
        now: &mut Instant,
    ) -> (&'a Arc<Generation>, Result<C::Answer, HookError>) {
        let Some(trial) = &self.trial else {
            return (&self.current, self.current.call_at(&call(&self.current), now).await);
        };
        if trial.serves(whom) {
            let candidate = trial.generation();
            let failed = match candidate.call_at(&call(candidate), now).await {
                Ok(answer) => return (candidate, Ok(answer)),
                Err(failed) => failed,
            };
            let question = call(&self.current);
            if !question.is_for(&self.current) {
                return (candidate, Err(failed));
            }
            return (&self.current, self.rescue(trial, &question, &failed, now).await);
        }
        let question = call(&self.current);
        let answer = self.current.call_at(&question, now).await;
        if let Some(shadow) = trial.shadow()
            && question.is_for(trial.generation())
            && let Some(kept) = question.kept()
        {
            let words = answer.as_ref().map(C::words).map_err(|error| error.failure.to_string());
            shadow.ask(kept, whom, C::HOOK, words);
        }
        (&self.current, answer)
    }

    /// A page. What changes something is not asked for twice.
    ///
    /// # Errors
    /// The plugin gave none.
    pub(crate) async fn page(&self, request: &PageRequest) -> Result<PageResponse, HookError> {
        let generation = self.in_charge();
        let failed = match generation.handle(request).await {
            Ok(page) => return Ok(page),
            Err(failed) => failed,
        };
        let is_rescued = !Arc::ptr_eq(generation, &self.current)
            && matches!(request.method.as_str(), "GET" | "HEAD")
            && self.current.serves_pages().is_ok();
        if !is_rescued {
            return Err(failed);
        }
        let page = self.current.handle(request).await;
        self.note_rescue(&page, &failed);
        page
    }

    /// How the plugin is. Where only a part is the new generation's, the one in force has the word.
    ///
    /// # Errors
    /// It is not well.
    pub(crate) async fn health(&self) -> Result<(), HookError> {
        let current = self.current.health().await;
        let Some(trial) = self.trial.as_ref().filter(|trial| trial.serves_any()) else { return current };
        let candidate = trial.generation().health().await;
        if let Err(failed) = &candidate {
            self.note_rescue(&current, failed);
        }
        // Whichever of the two is well does what there is to do.
        if Arc::ptr_eq(self.in_charge(), &self.current) { current } else { candidate.or(current) }
    }

    /// The one in force was asked what the one on trial failed at.
    fn note_rescue<T>(&self, answer: &Result<T, HookError>, failed: &HookError) {
        if let (Ok(_), Some(trial)) = (answer, &self.trial) {
            trial.rescued(&failed.failure);
        }
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

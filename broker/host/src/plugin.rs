//! One loaded plugin: a [`Generation`].

mod breaker;
mod budget;
mod calls;
mod functions;
mod gone;
mod hooks;
mod instance;
mod lane_async;
mod lane_sync;
mod limiter;
mod metrics;
mod pool;
mod retire;
mod status;
mod strikes;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use calls::{
    Admit, AdmitAnswer, Asked, Authenticate, AuthnAnswer, AuthnVote, AuthorizeDeliver, AuthorizePublish,
    AuthorizeSubscribe, AuthorizeUnsubscribe, AuthorizeWill, AuthzAnswer, Deliver, Environment, Handle, Health,
    HookCall, KeptQuestion, Methods, OnEvents, OnPublish, Permissions, Proceed, Refused, Registration, Reuse, Round,
    Start, StepAnswer, Tick, Vote,
};
pub(crate) use functions::Exports;
pub(crate) use instance::{Argument, Blueprint, CreateError, Instance, NamedCall, spares_instance};
pub(crate) use lane_sync::at_once;
pub(crate) use limiter::Limiter;

use self::breaker::Breaker;
use self::lane_async::WaitingLane;
use self::lane_sync::InlineLane;
use self::metrics::HookMetrics;
pub(crate) use self::pool::Nursery;
use self::strikes::Strikes;
use crate::contract::{BreakerState, Hook, Lane, OnError, PluginLimits};
use crate::error::{HookError, HookFailure};
use crate::identities::Identity;
use crate::load::Track;
use crate::topics;

/// What is known about a plugin beside its code.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: Arc<str>,
    pub(crate) origin: String,
    pub(crate) digest: String,
    /// Which loading of the plugin this is.
    pub(crate) number: u64,
    pub(crate) track: Track,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) on_error: OnError,
    pub(crate) grants: Vec<String>,
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) tick_interval: Duration,
    /// Whether its pages are served; if not, what would grant it.
    pub(crate) serves_pages: Result<(), String>,
    pub(crate) listeners: Option<Vec<String>>,
    pub(crate) tenants: Option<Vec<String>>,
    pub(crate) required: bool,
    pub(crate) shows_password: bool,
    pub(crate) shows_payload: bool,
}

/// One version of one plugin with one configuration. Immutable; a change makes a new generation.
pub(crate) struct Generation {
    about: About,
    registration: Registration,
    /// The Authentication Methods it serves.
    methods: Vec<String>,
    nursery: Nursery,
    pool: Pool,
    hooks: [HookState; Hook::ALL.len()],
    strikes: Strikes,
}

enum Pool {
    Inline(InlineLane),
    Waiting(WaitingLane),
}

struct HookState {
    metrics: HookMetrics,
    breaker: Breaker,
}

impl Generation {
    /// Makes the first instance, which shows whether the component works at all.
    ///
    /// # Errors
    /// It does not: a signature is wrong, or it did not start.
    pub(crate) async fn start(about: About, blueprint: Blueprint, workers: usize) -> Result<Self, CreateError> {
        let (pool, instances) = match blueprint.lane {
            Lane::Inline => (Pool::Inline(InlineLane::new(workers)), u32::try_from(workers).unwrap_or(u32::MAX)),
            Lane::Waiting => (Pool::Waiting(WaitingLane::new(&blueprint.limits)), blueprint.limits.instances_max),
        };
        let wait = blueprint.limits.wait_of(Hook::Lifecycle);
        let nursery = Nursery::new(blueprint, instances);
        let begin = async {
            let (mut first, registration) = nursery.create().await?;
            let methods = methods(&about, &nursery, &mut first).await?;
            Ok((first, registration, methods))
        };
        let (first, registration, methods) =
            tokio::time::timeout(wait, begin).await.unwrap_or(Err(CreateError::Failed(HookFailure::WaitTimeout)))?;
        match &pool {
            Pool::Inline(lane) => lane.adopt(first),
            Pool::Waiting(lane) => lane.adopt(first),
        }
        let now = Instant::now();
        let hooks = Hook::ALL.map(|_| HookState { metrics: HookMetrics::default(), breaker: Breaker::new(now) });
        Ok(Self { about, registration, methods, nursery, pool, hooks, strikes: Strikes::default() })
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.about.name
    }

    /// Which loading of the plugin this is.
    pub(crate) const fn number(&self) -> u64 {
        self.about.number
    }

    pub(crate) const fn on_error(&self) -> OnError {
        self.about.on_error
    }

    pub(crate) const fn shows_password(&self) -> bool {
        self.about.shows_password
    }

    pub(crate) const fn shows_payload(&self) -> bool {
        self.about.shows_payload
    }

    /// How long after one turn the next one comes.
    pub(crate) const fn tick_interval(&self) -> Duration {
        self.about.tick_interval
    }

    /// Whether its pages are served.
    ///
    /// # Errors
    /// What would grant it.
    pub(crate) fn serves_pages(&self) -> Result<(), String> {
        self.about.serves_pages.clone()
    }

    pub(crate) const fn limits(&self) -> &PluginLimits {
        &self.nursery.blueprint.limits
    }

    pub(crate) fn has(&self, hook: Hook) -> bool {
        self.about.hooks.contains(&hook)
    }

    pub(crate) fn hooks(&self) -> &[Hook] {
        &self.about.hooks
    }

    pub(crate) fn breaker(&self, hook: Hook) -> BreakerState {
        self.hooks[hook.index()].breaker.state()
    }

    /// Calls that were made, whatever they ended in.
    pub(crate) fn calls_total(&self) -> u64 {
        self.hooks.iter().map(|state| state.metrics.calls_total()).sum()
    }

    /// Whether it judges exchanges of this Authentication Method.
    pub(crate) fn serves(&self, method: &str) -> bool {
        self.methods.iter().any(|served| served == method)
    }

    /// Whether its calls never wait.
    pub(crate) const fn is_inline(&self) -> bool {
        matches!(self.pool, Pool::Inline(_))
    }

    /// Whether the configuration and the plugin itself want messages of this topic.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        let any = |filters: &[String]| filters.iter().any(|filter| topics::matches(filter, topic));
        self.about.topics.as_deref().is_none_or(any)
            && (self.registration.topics.is_empty() || any(&self.registration.topics))
    }

    /// Whether it is asked about clients of this listener.
    pub(crate) fn is_on(&self, listener: &str) -> bool {
        self.about.listeners.as_ref().is_none_or(|names| names.iter().any(|name| *name == *listener))
    }

    /// Whether it is asked about clients of this tenant.
    pub(crate) fn is_of(&self, tenant: Option<&str>) -> bool {
        let named = |names: &Vec<String>| tenant.is_some_and(|tenant| names.iter().any(|name| *name == *tenant));
        self.about.tenants.as_ref().is_none_or(named)
    }

    /// Whether it is asked about an identity; none: about the broker itself, which is no listener's and no tenant's.
    pub(crate) fn concerns(&self, who: Option<&Identity>) -> bool {
        match who {
            Some(who) => self.is_on(&who.listener) && self.is_of(who.tenant.as_deref()),
            None => self.is_everywhere() && self.is_of(None),
        }
    }

    /// Whether it is asked about all clients.
    pub(crate) const fn is_everywhere(&self) -> bool {
        self.about.listeners.is_none()
    }

    /// Whether listeners wait until it is well before they open.
    pub(crate) const fn is_required(&self) -> bool {
        self.about.required
    }

    /// Notes that an identity is gone; instances hear of it before their next call.
    pub(crate) fn identity_gone(&self, id: u64) {
        if self.has(Hook::Authz) {
            self.nursery.gone.push(id);
        }
    }

    /// The last answer was a refusal. Only for the counters.
    pub(crate) fn count_refusal(&self, hook: Hook) {
        self.hooks[hook.index()].metrics.refused();
    }

    /// Makes one call, as [`Self::call_at`], now.
    ///
    /// # Errors
    /// The plugin could not answer. A refusal is an answer.
    pub(crate) async fn call<C: HookCall>(&self, call: &C) -> Result<C::Answer, HookError> {
        self.call_at(call, &mut Instant::now()).await
    }

    /// Makes one call: breaker, instance, deadline, counters. `now` goes on to when the answer was there: reading the
    /// clock is a good part of what a short call costs. In the inline lane the future never waits.
    ///
    /// # Errors
    /// The plugin could not answer. A refusal is an answer.
    pub(crate) async fn call_at<C: HookCall>(&self, call: &C, now: &mut Instant) -> Result<C::Answer, HookError> {
        let state = &self.hooks[C::HOOK.index()];
        let error = |failure, took| HookError { plugin: Arc::clone(&self.about.name), hook: C::HOOK, failure, took };
        if self.strikes.bars(call.client()) || !state.breaker.admits() {
            state.metrics.failed(&HookFailure::BreakerOpen, Duration::ZERO);
            return Err(error(HookFailure::BreakerOpen, Duration::ZERO));
        }
        let deadline = *now + self.limits().wait_of(C::HOOK);
        let answer = match &self.pool {
            Pool::Inline(lane) => lane.call(&self.nursery, call, deadline),
            Pool::Waiting(lane) => lane.call(&self.nursery, call, deadline).await,
        };
        let ended = Instant::now();
        let took = ended.saturating_duration_since(*now);
        *now = ended;
        tracing::debug!(
            plugin = &*self.about.name,
            hook = C::HOOK.name(),
            function = C::FUNCTION,
            took_us = took.as_micros() as u64,
            failure = answer.as_ref().err().map(tracing::field::display),
            "plugin called"
        );
        let missing = || HookFailure::BadAnswer(format!("it exports no {}", C::FUNCTION));
        match answer.and_then(|answer| answer.ok_or_else(missing)) {
            Ok(answer) => {
                state.metrics.answered(took);
                state.breaker.succeeded();
                Ok(answer)
            }
            Err(failure) => {
                self.failed(state, C::HOOK, &failure, call.client(), took);
                Err(error(failure, took))
            }
        }
    }

    fn failed(&self, state: &HookState, hook: Hook, failure: &HookFailure, client: Option<&str>, took: Duration) {
        state.metrics.failed(failure, took);
        let killed = matches!(failure, HookFailure::Trapped(_) | HookFailure::Deadline);
        let is_the_clients = killed && self.strikes.strike(client);
        if is_the_clients {
            tracing::warn!(plugin = &*self.about.name, hook = hook.name(), client_id = client, %failure,
                "client keeps breaking the plugin and is kept away from it for a minute");
        } else if Self::speaks_against(hook, failure) && state.breaker.failed(&state.metrics) {
            tracing::warn!(plugin = &*self.about.name, hook = hook.name(), %failure,
                "circuit breaker opened: the hook is not called for a moment");
        }
        debug_assert!(!killed || !spares_instance(failure));
    }

    /// Whether a failure counts for the circuit breaker. That a plugin calls itself unwell is the answer to a question.
    fn speaks_against(hook: Hook, failure: &HookFailure) -> bool {
        let is_answer = hook == Hook::Lifecycle && matches!(failure, HookFailure::Backend(_));
        !is_answer && !matches!(failure, HookFailure::Overloaded(_))
    }
}

/// The Authentication Methods that a plugin says it serves.
async fn methods(about: &About, nursery: &Nursery, first: &mut Instance) -> Result<Vec<String>, CreateError> {
    if !about.hooks.contains(&Hook::EnhancedAuthn) {
        return Ok(Vec::new());
    }
    let limits = &nursery.blueprint.limits;
    let deadline = Instant::now() + limits.wait_of(Hook::EnhancedAuthn);
    let methods = first.call(&Methods, limits.cpu_of(Hook::EnhancedAuthn), deadline).await;
    Ok(methods.map_err(CreateError::Failed)?.unwrap_or_default())
}

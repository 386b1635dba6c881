//! `enhanced-authn`: the hook that asks back.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lower, Resource, TypedFunc};

use super::access::{Refused, lift_grant, lift_redirect};
use super::lowered::LoweredCredentials;
use super::{HookCall, KeptQuestion, Lent};
use crate::bindings::exports::midge::plugin::enhanced_authn as wit;
use crate::contract::{Candidate, Grant, Hook};
use crate::error::HookFailure;
use crate::imports::{Connect, PluginState};
use crate::plugin::Generation;
use crate::plugin::functions::Functions;

/// What a plugin says to one step of an exchange.
pub(crate) enum StepAnswer {
    Challenge { data: Option<Vec<u8>>, state: Vec<u8> },
    Allow { grant: Box<Grant>, data: Option<Vec<u8>> },
    Deny(Refused),
}

/// `enhanced-authn.methods`.
pub(crate) struct Methods;

impl HookCall for Methods {
    type Params = ();
    type Results = (Vec<String>,);
    type Answer = Vec<String>;

    const HOOK: Hook = Hook::EnhancedAuthn;
    const FUNCTION: &'static str = "methods";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.methods.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<()> {
        Ok(())
    }

    fn lift(&self, (methods,): Self::Results) -> Result<Vec<String>, HookFailure> {
        let is_none = |method: &String| method.is_empty() || method.contains('\0') || method.len() > STRING_BYTES_MAX;
        if methods.is_empty() || methods.iter().any(is_none) {
            return Err(HookFailure::BadAnswer("no authentication method, or one that MQTT cannot name".into()));
        }
        Ok(methods)
    }
}

/// What both steps of an exchange are asked with.
pub(crate) struct Round<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) with_password: bool,
    /// The most that the plugin may leave with the broker.
    pub(crate) state_bytes_max: usize,
}

/// `enhanced-authn.start`.
pub(crate) struct Start<'a>(pub(crate) Round<'a>);

impl HookCall for Start<'_> {
    type Params = (LoweredCandidate, Option<Vec<u8>>, Resource<Connect>);
    type Results = (Result<wit::Step, String>,);
    type Answer = StepAnswer;

    const HOOK: Hook = Hook::EnhancedAuthn;
    const FUNCTION: &'static str = "start";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.start.as_ref()
    }

    fn lower(&self, state: &mut PluginState, lent: &mut Lent) -> wasmtime::Result<Self::Params> {
        let (candidate, connect) = self.0.lower(state, lent)?;
        Ok((candidate, self.0.data.clone(), connect))
    }

    fn lift(&self, (step,): Self::Results) -> Result<StepAnswer, HookFailure> {
        self.0.lift(step)
    }

    fn client(&self) -> Option<&str> {
        Some(&self.0.candidate.credentials.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        self.0.is_for(of)
    }

    fn kept(&self) -> Option<KeptQuestion> {
        Some(KeptQuestion::Start { candidate: self.0.candidate.clone(), data: self.0.data.clone() })
    }

    /// What a challenge says is another thing each time.
    fn words(answer: &StepAnswer) -> String {
        match answer {
            StepAnswer::Challenge { .. } => "challenge".to_owned(),
            StepAnswer::Allow { grant, .. } => format!("allow {grant:?}"),
            StepAnswer::Deny(refused) => refused.words(),
        }
    }
}

/// `enhanced-authn.proceed`.
pub(crate) struct Proceed<'a> {
    pub(crate) round: Round<'a>,
    pub(crate) state: Vec<u8>,
}

impl HookCall for Proceed<'_> {
    type Params = (LoweredCandidate, Vec<u8>, Option<Vec<u8>>, Resource<Connect>);
    type Results = (Result<wit::Step, String>,);
    type Answer = StepAnswer;

    const HOOK: Hook = Hook::EnhancedAuthn;
    const FUNCTION: &'static str = "proceed";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.proceed.as_ref()
    }

    fn lower(&self, state: &mut PluginState, lent: &mut Lent) -> wasmtime::Result<Self::Params> {
        let (candidate, connect) = self.round.lower(state, lent)?;
        Ok((candidate, self.state.clone(), self.round.data.clone(), connect))
    }

    fn lift(&self, (step,): Self::Results) -> Result<StepAnswer, HookFailure> {
        self.round.lift(step)
    }

    fn client(&self) -> Option<&str> {
        Some(&self.round.candidate.credentials.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        self.round.is_for(of)
    }
}

impl<'a> Round<'a> {
    /// As a generation is to be asked.
    pub(crate) fn new(of: &Generation, candidate: &'a Candidate, data: Option<Vec<u8>>) -> Self {
        Self { candidate, data, with_password: of.shows_password(), state_bytes_max: of.limits().state_bytes_max }
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.is_on(&self.candidate.credentials.listener) && of.serves(&self.candidate.method)
    }

    fn lower(
        &self,
        state: &mut PluginState,
        lent: &mut Lent,
    ) -> wasmtime::Result<(LoweredCandidate, Resource<Connect>)> {
        let Candidate { method, credentials, facts, principal } = self.candidate;
        let connect = lent.insert(state.push_connect(Connect::new(Arc::clone(facts)))?);
        let lowered = LoweredCandidate {
            method: Arc::clone(method),
            credentials: LoweredCredentials::new(credentials, self.with_password),
            principal: principal.clone(),
        };
        Ok((lowered, Resource::new_borrow(connect.rep())))
    }

    fn lift(&self, step: Result<wit::Step, String>) -> Result<StepAnswer, HookFailure> {
        match step.map_err(HookFailure::Backend)? {
            wit::Step::Challenge(wit::Challenge { state, .. }) if state.len() > self.state_bytes_max => {
                let (length, most) = (state.len(), self.state_bytes_max);
                let text = format!("{length} bytes of state, and its limit is {most} (`state_bytes_max`)");
                Err(HookFailure::BadAnswer(text))
            }
            wit::Step::Challenge(wit::Challenge { data, state }) => {
                Ok(StepAnswer::Challenge { data: sendable(data)?, state })
            }
            wit::Step::Allow(wit::Success { grant, data }) => {
                Ok(StepAnswer::Allow { grant: Box::new(lift_grant(grant)?), data: sendable(data)? })
            }
            wit::Step::Deny(refusal) => Ok(StepAnswer::Deny(refusal.into())),
            wit::Step::Redirect(redirect) => Ok(StepAnswer::Deny(lift_redirect(redirect)?.into())),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredCandidate {
    method: Arc<str>,
    credentials: LoweredCredentials,
    principal: Option<String>,
}

fn sendable(data: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, HookFailure> {
    match data.as_ref().map_or(0, Vec::len) {
        length if length > STRING_BYTES_MAX => {
            Err(HookFailure::BadAnswer(format!("{length} bytes of authentication data, more than MQTT can express")))
        }
        _ => Ok(data),
    }
}

/// The longest string or binary data that MQTT can express (1.5.4, 1.5.6).
const STRING_BYTES_MAX: usize = 65_535;

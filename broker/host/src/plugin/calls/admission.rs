//! `admission`: the hook that is asked before anything is read.

use std::time::Duration;

use wasmtime::component::TypedFunc;

use super::{HookCall, KeptQuestion, Lent};
use crate::bindings::exports::midge::plugin::admission as wit;
use crate::contract::Hook;
use crate::error::HookFailure;
use crate::imports::PluginState;
use crate::plugin::Generation;
use crate::plugin::functions::Functions;

/// What one plugin says about an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmitAnswer {
    pub(crate) admit: bool,
    pub(crate) reuse_for: Duration,
}

/// `admission.admit`.
pub(crate) struct Admit<'a> {
    pub(crate) listener: &'a str,
    pub(crate) address: &'a str,
}

impl HookCall for Admit<'_> {
    type Params = (String, String);
    type Results = (Result<wit::Answer, String>,);
    type Answer = AdmitAnswer;

    const HOOK: Hook = Hook::Admission;
    const FUNCTION: &'static str = "admit";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.admit.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.listener.to_owned(), self.address.to_owned()))
    }

    fn lift(&self, (answer,): Self::Results) -> Result<AdmitAnswer, HookFailure> {
        let answer = answer.map_err(HookFailure::Backend)?;
        Ok(AdmitAnswer { admit: answer.admit, reuse_for: Duration::from_millis(answer.reuse.ttl_ms.into()) })
    }

    /// There is no client yet; an address that makes the plugin trap again and again is kept from it as well.
    fn client(&self) -> Option<&str> {
        Some(self.address)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.is_on(self.listener)
    }

    fn kept(&self) -> Option<KeptQuestion> {
        Some(KeptQuestion::Admit { listener: self.listener.to_owned(), address: self.address.to_owned() })
    }

    fn words(answer: &AdmitAnswer) -> String {
        if answer.admit { "admit" } else { "do not admit" }.to_owned()
    }
}

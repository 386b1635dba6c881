//! `lifecycle`: the first and the last call of an instance.

use wasmtime::component::{ComponentType, Lower, TypedFunc};

use super::{HookCall, Lent};
use crate::bindings::exports::midge::plugin::lifecycle as wit;
use crate::contract::Hook;
use crate::error::HookFailure;
use crate::imports::PluginState;
use crate::plugin::functions::Functions;

/// What an instance is told about where it runs.
#[derive(Clone, ComponentType, Lower)]
#[component(record)]
pub(crate) struct Environment {
    #[component(name = "broker-version")]
    pub(crate) broker_version: std::sync::Arc<str>,
    pub(crate) node: std::sync::Arc<str>,
    pub(crate) name: std::sync::Arc<str>,
    pub(crate) instance: u32,
    pub(crate) instances: u32,
}

/// What a plugin wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) topics: Vec<String>,
    pub(crate) wants_payload: bool,
}

/// `init`.
pub(crate) struct Init {
    pub(crate) environment: Environment,
}

impl HookCall for Init {
    type Params = (Environment,);
    type Results = (Result<wit::Registration, String>,);
    type Answer = Registration;

    const HOOK: Hook = Hook::Lifecycle;
    const FUNCTION: &'static str = "init";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.init.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.environment.clone(),))
    }

    fn lift(&self, (registration,): Self::Results) -> Result<Registration, HookFailure> {
        let registration = registration.map_err(HookFailure::Backend)?;
        Ok(Registration { topics: registration.topics, wants_payload: registration.wants_payload })
    }
}

/// `health`.
pub(crate) struct Health;

impl HookCall for Health {
    type Params = ();
    type Results = (Result<(), String>,);
    type Answer = ();

    const HOOK: Hook = Hook::Lifecycle;
    const FUNCTION: &'static str = "health";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.health.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<()> {
        Ok(())
    }

    fn lift(&self, (healthy,): Self::Results) -> Result<(), HookFailure> {
        healthy.map_err(HookFailure::Backend)
    }
}

/// `shutdown`.
pub(crate) struct Shutdown;

impl HookCall for Shutdown {
    type Params = ();
    type Results = ();
    type Answer = ();

    const HOOK: Hook = Hook::Lifecycle;
    const FUNCTION: &'static str = "shutdown";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.shutdown.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<()> {
        Ok(())
    }

    fn lift(&self, (): Self::Results) -> Result<(), HookFailure> {
        Ok(())
    }
}

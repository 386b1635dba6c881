//! `ticker`: the plugin's own turn.

use wasmtime::component::TypedFunc;

use super::{HookCall, Lent};
use crate::contract::Hook;
use crate::error::HookFailure;
use crate::imports::PluginState;
use crate::plugin::functions::Functions;

/// `ticker.tick`.
pub(crate) struct Tick;

impl HookCall for Tick {
    type Params = ();
    type Results = (Result<(), String>,);
    type Answer = ();

    const HOOK: Hook = Hook::Ticker;
    const FUNCTION: &'static str = "tick";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.tick.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<()> {
        Ok(())
    }

    fn lift(&self, (done,): Self::Results) -> Result<(), HookFailure> {
        done.map_err(HookFailure::Backend)
    }
}

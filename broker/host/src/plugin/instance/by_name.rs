//! Calls by a function's name, with values that describe themselves: for tools, which know a function only from the component.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{ComponentExportIndex, ResourceAny, Val};

use super::{HOSTCALL_BYTES_MAX, Instance, failure};
use crate::contract::{ConnectFacts, Hook, Lane};
use crate::error::HookFailure;
use crate::imports::Connect;
use crate::plugin::budget::Metered;

/// A call of one function of a hook.
pub(crate) struct NamedCall<'a> {
    pub(crate) hook: Hook,
    pub(crate) interface: ComponentExportIndex,
    pub(crate) function: &'a str,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) cpu: Duration,
    pub(crate) deadline: Instant,
}

/// What a function is called with.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    /// A value.
    Value(Val),
    /// A CONNECT, lent for the call.
    Connect(Arc<ConnectFacts>),
}

impl Instance {
    /// Makes a call. `None`: the function returns nothing.
    ///
    /// # Errors
    /// The call did not return, or the values are not the function's.
    pub(crate) async fn call_by_name(&mut self, call: NamedCall<'_>) -> Result<Option<Val>, HookFailure> {
        let wrong = || HookFailure::BadAnswer(format!("it exports no {}.{}", call.hook, call.function));
        let index = self.component.get_export_index(&mut self.store, Some(&call.interface), call.function);
        let function = self.component.get_func(&mut self.store, index.ok_or_else(wrong)?).ok_or_else(wrong)?;
        self.calls += 1;
        // A value that describes itself is much larger than what it stands for.
        self.store.set_hostcall_fuel(HOSTCALL_BYTES_MAX * size_of::<Val>());
        self.store.data_mut().begin_call(call.hook, call.deadline);
        let mut lent = None;
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in call.arguments {
            arguments.push(match argument {
                Argument::Value(value) => value,
                Argument::Connect(facts) => Val::Resource(*lent.insert(self.lend(facts)?)),
            });
        }
        let mut results = vec![Val::Bool(false); function.ty(&self.store).results().len()];
        self.budget.start(&mut self.store, self.lane, call.cpu);
        let called = match self.lane {
            Lane::Inline => function.call(&mut self.store, &arguments, &mut results),
            Lane::Waiting => {
                let called = pin!(function.call_async(&mut self.store, &arguments, &mut results));
                Metered { budget: &self.budget, call: called }.await
            }
        };
        called.map_err(|error| failure(&error))?;
        if let Some(lent) = lent {
            let dropped = match self.lane {
                Lane::Inline => lent.resource_drop(&mut self.store),
                Lane::Waiting => lent.resource_drop_async(&mut self.store).await,
            };
            dropped.map_err(|error| failure(&error))?;
        }
        let orders = self.store.data_mut().end_call();
        if !orders.is_empty() {
            self.orders.push(orders);
        }
        Ok(results.pop())
    }

    fn lend(&mut self, facts: Arc<ConnectFacts>) -> Result<ResourceAny, HookFailure> {
        let connect = self.store.data_mut().push_connect(Connect::new(facts)).map_err(|error| failure(&error))?;
        ResourceAny::try_from_resource(connect, &mut self.store).map_err(|error| failure(&error))
    }
}

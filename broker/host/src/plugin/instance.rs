//! One instance of a component: its store, its functions, one call at a time.

mod by_name;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use by_name::{Argument, NamedCall};
use wasmtime::component::InstancePre;
use wasmtime::{AsContextMut, PoolConcurrencyLimitError, Store, Trap};

use super::budget::{Budget, Metered};
use super::calls::{Environment, HookCall, Init, Registration};
use super::functions::{Exports, Functions, WrongSignature};
use super::pool::Counted;
use crate::contract::{Hook, Lane, PluginLimits};
use crate::error::HookFailure;
use crate::imports::{Orders, PluginState, Shared};

/// Everything needed to make an instance.
pub(crate) struct Blueprint {
    pub(crate) pre: InstancePre<PluginState>,
    pub(crate) exports: Exports,
    pub(crate) lane: Lane,
    pub(crate) shared: Arc<Shared>,
    pub(crate) limits: PluginLimits,
    pub(crate) environment: Environment,
}

/// One instance. After a trap or a missed deadline it must not be used again.
pub(crate) struct Instance {
    store: Store<PluginState>,
    component: wasmtime::component::Instance,
    functions: Functions,
    budget: Arc<Budget>,
    lane: Lane,
    calls: u64,
    /// How far it has read the list of identities that are gone.
    pub(crate) gone_read: u64,
    /// When it was last put to the idle ones.
    pub(crate) last_used: Instant,
    /// What its calls ordered from the broker, to be carried out when it is free again.
    pub(crate) orders: Vec<Orders>,
    counted: Counted,
}

/// What may go wrong while an instance is made.
#[derive(Debug)]
pub(crate) enum CreateError {
    /// A function is not the contract's; found at the first instance.
    WrongSignature(WrongSignature),
    /// `init` said no.
    Refused(String),
    /// It could not be made or started.
    Failed(HookFailure),
}

impl From<CreateError> for HookFailure {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::WrongSignature(wrong) => Self::BadAnswer(format!("{}: {}", wrong.function, wrong.reason)),
            CreateError::Refused(text) => Self::Backend(format!("init refused: {text}")),
            CreateError::Failed(failure) => failure,
        }
    }
}

impl Instance {
    /// Makes an instance and calls `lifecycle.init`. In the inline lane this never waits.
    pub(crate) async fn create(
        blueprint: &Blueprint,
        number: u32,
        counted: Counted,
    ) -> Result<(Box<Self>, Registration), CreateError> {
        let (lane, limits) = (blueprint.lane, &blueprint.limits);
        let state = PluginState::new(Arc::clone(&blueprint.shared), limits);
        let mut store = Store::new(blueprint.pre.engine(), state);
        store.limiter(|state| state.limiter());
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        let budget = Budget::govern(&mut store, lane);
        budget.start(&mut store, lane, limits.init_cpu);
        let failed = |error| CreateError::Failed(failure(&error));
        let instance = match lane {
            Lane::Inline => blueprint.pre.instantiate(&mut store).map_err(failed)?,
            Lane::Waiting => {
                let made = pin!(blueprint.pre.instantiate_async(&mut store));
                let made = Metered { budget: &budget, call: made };
                made.await.map_err(failed)?
            }
        };
        let functions = Functions::find(store.as_context_mut(), &instance, &blueprint.exports);
        let mut made = Box::new(Self {
            store,
            component: instance,
            functions: functions.map_err(CreateError::WrongSignature)?,
            budget,
            lane,
            calls: 0,
            gone_read: 0,
            last_used: Instant::now(),
            orders: Vec::new(),
            counted,
        });
        let registration = made.init(blueprint, number).await?;
        // One that did not begin is not told of its end.
        made.counted.is_owed_a_word = made.functions.shutdown.is_some();
        Ok((made, registration))
    }

    /// Whether it is to be told that it ends.
    pub(crate) fn hears_of_its_end(&self) -> bool {
        self.functions.shutdown.is_some() || self.functions.flush.is_some()
    }

    /// It was told that it ends.
    pub(crate) const fn has_heard(&mut self) {
        self.counted.is_owed_a_word = false;
    }

    /// Makes one call. `Ok(None)`: the component has no such function.
    pub(crate) async fn call<C: HookCall>(
        &mut self,
        call: &C,
        cpu: Duration,
        deadline: Instant,
    ) -> Result<Option<C::Answer>, HookFailure> {
        let Some(&function) = C::pick(&self.functions) else {
            return Ok(None);
        };
        self.calls += 1;
        let mut lent = None;
        self.store.data_mut().begin_call(C::HOOK, deadline);
        let params = call.lower(self.store.data_mut(), &mut lent).map_err(|error| failure(&error))?;
        self.budget.start(&mut self.store, self.lane, cpu);
        let results = match self.lane {
            Lane::Inline => function.call(&mut self.store, params),
            Lane::Waiting => {
                let called = pin!(function.call_async(&mut self.store, params));
                Metered { budget: &self.budget, call: called }.await
            }
        };
        let results = results.map_err(|error| failure(&error))?;
        if let Some(lent) = lent {
            self.store.data_mut().delete_connect(lent);
        }
        let orders = self.store.data_mut().end_call();
        if !orders.is_empty() {
            self.orders.push(orders);
        }
        call.lift(results).map(Some)
    }

    /// Linear memory it has, in bytes.
    pub(crate) fn memory_bytes(&mut self) -> usize {
        self.store.data_mut().limiter().memory_bytes()
    }

    /// Whether it should make room for a fresh one: the only way memory is ever given back.
    pub(crate) fn is_worn(&mut self, limits: &PluginLimits) -> bool {
        self.calls >= limits.calls_max || self.memory_bytes() > limits.memory_bytes_max / 4 * 3
    }

    async fn init(&mut self, blueprint: &Blueprint, number: u32) -> Result<Registration, CreateError> {
        let init = Init { environment: Environment { instance: number, ..blueprint.environment.clone() } };
        let deadline = Instant::now() + blueprint.limits.wait_of(Hook::Lifecycle);
        match self.call(&init, blueprint.limits.init_cpu, deadline).await {
            Ok(Some(registration)) => Ok(registration),
            Ok(None) => Ok(Registration { topics: Vec::new(), wants_payload: true }),
            Err(HookFailure::Backend(text)) => Err(CreateError::Refused(text)),
            Err(failure) => Err(CreateError::Failed(failure)),
        }
    }
}

/// Whether an instance may be used again after this failure: only if its call returned.
pub(crate) const fn spares_instance(failure: &HookFailure) -> bool {
    matches!(failure, HookFailure::Backend(_) | HookFailure::BadAnswer(_))
}

/// Sorts an error of the engine.
fn failure(error: &wasmtime::Error) -> HookFailure {
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return HookFailure::Deadline;
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return HookFailure::Overloaded(format!("no room for one more plugin instance: {error}"));
    }
    tracing::debug!(error = format!("{error:#}"), "a plugin instance failed");
    HookFailure::Trapped(error.root_cause().to_string())
}

/// Bytes the host may allocate for one call's strings and lists, whatever lengths the guest claims.
const HOSTCALL_BYTES_MAX: usize = 8 << 20;

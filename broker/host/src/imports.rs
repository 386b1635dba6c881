//! What a plugin can call: one file per interface of the contract, each behind [`Grants`](crate::grants::Grants).
//!
//! State lives in three circles. [`Lasting`] belongs to the process and survives reloads: stores, files that are appended
//! to, metrics, the gate in front of password hashing. [`Shared`] belongs to one generation of one plugin: its config, grants, secrets,
//! files, HTTP client and count of TCP connections. [`PluginState`] belongs to one instance and is its wasmtime store data; it alone
//! implements the generated host traits.
//!
//! Only `http.send`, `passwords.verify` and `tcp` wait. Everything else is a bounded piece of work in memory.

mod append;
mod broker;
mod clock;
mod config;
mod connect;
mod convert;
mod crypto;
mod files;
mod http;
mod identities;
mod kv;
mod limits;
mod log;
mod metrics;
mod passwords;
mod rate;
mod secrets;
mod shared;
mod tcp;
mod wasi;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};

pub(crate) use self::broker::{Orders, redirect};
#[allow(unreachable_pub, reason = "the generated bindings re-export it under a public name")]
pub use self::connect::Connect;
pub use self::limits::ImportLimits;
pub(crate) use self::rate::{Pass, Rate};
pub(crate) use self::shared::{ImportError, Lasting, Shared};
#[allow(unreachable_pub, reason = "the generated bindings re-export it under a public name")]
pub use self::tcp::Connection;
pub(crate) use self::wasi::interface as wasi_interface;
use crate::bindings::Everything;
use crate::contract::{Hook, PluginLimits};
use crate::identities::Identities;
use crate::plugin::Limiter;

/// The store data of one instance.
pub(crate) struct PluginState {
    shared: Arc<Shared>,
    limits: Limiter,
    table: ResourceTable,
    /// TCP connections in the table.
    connections: usize,
    call: Option<Call>,
    orders: Orders,
    output: wasi::Output,
}

/// The call that is under way.
struct Call {
    hook: Hook,
    deadline: Instant,
}

impl PluginState {
    /// The state of a new instance, with the bounds on what it may allocate.
    pub(crate) fn new(shared: Arc<Shared>, limits: &PluginLimits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            shared,
            limits: Limiter::new(limits),
            table,
            connections: 0,
            call: None,
            orders: Orders::default(),
            output: wasi::Output::default(),
        }
    }

    /// For `Store::limiter`.
    pub(crate) fn limiter(&mut self) -> &mut Limiter {
        &mut self.limits
    }

    /// Says which call begins and when it must be over; imports that wait do not wait longer than that.
    pub(crate) fn begin_call(&mut self, hook: Hook, deadline: Instant) {
        self.call = Some(Call { hook, deadline });
    }

    /// The call returned cleanly: hands out what it ordered from the broker. After a trap or a missed deadline this
    /// is not called, and the orders go with the instance.
    pub(crate) fn end_call(&mut self) -> Orders {
        self.print_rest();
        self.call = None;
        std::mem::take(&mut self.orders)
    }

    /// Lends a CONNECT to the guest for one call.
    ///
    /// # Errors
    /// The instance has too many resources.
    pub(crate) fn push_connect(&mut self, connect: Connect) -> wasmtime::Result<Resource<Connect>> {
        Ok(self.table.push(connect)?)
    }

    /// Takes a lent CONNECT back.
    pub(crate) fn delete_connect(&mut self, connect: Resource<Connect>) {
        // Already gone only if it was never lent; there is nothing to undo then.
        let _ = self.table.delete(connect);
    }

    /// Everybody who is known.
    pub(crate) fn identities(&self) -> &Identities {
        self.shared.identities()
    }

    /// How long an import may still wait: until the call's deadline, and not at all outside of a call.
    fn time_left(&self) -> Duration {
        self.call.as_ref().map_or(Duration::ZERO, |call| call.deadline.saturating_duration_since(Instant::now()))
    }

    /// The hook that is under way.
    fn hook(&self) -> Option<Hook> {
        self.call.as_ref().map(|call| call.hook)
    }
}

/// The shared words have no functions.
impl crate::bindings::midge::plugin::types::Host for PluginState {}

/// Links every import of the contract, and what the component imports of WASI. A component's lane follows from the ones it
/// actually imports: only then do asynchronous host functions make its calls asynchronous.
///
/// # Errors
/// The linker has one of the names already, or the component imports of WASI what WASI does not have.
pub(crate) fn add_to_linker(linker: &mut Linker<PluginState>, component: &Component) -> wasmtime::Result<()> {
    Everything::add_to_linker::<_, HasSelf<PluginState>>(linker, |state| state)?;
    wasi::add_to_linker(linker, component)
}

/// Handles a guest may hold; it is lent one `connect` at a time, and has some [connections](tcp::PER_INSTANCE_MAX).
const RESOURCES_MAX: usize = 64;

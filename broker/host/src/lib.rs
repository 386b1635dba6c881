//! Runs Midge plugins: sandboxed WebAssembly components.
//!
//! The broker knows one type, [`Host`], and the plain data of [`contract`]; it never sees WebAssembly, and this crate
//! never sees a packet or a session. A [`Host`] is an immutable set of loaded plugins. A reload loads another one beside
//! it and puts it in its place; what must outlive that (engine, key-value stores, queues of sinks) belongs to the
//! [`PluginEngine`], of which there is one per process. A swap of one plugin (`host/swap`) is the same with a set that
//! shares all others: the plugin's `seat` has two generations until the new one's `trial` is over.
//!
//! The life of a question:
//!
//! 1. `host` looks into the verdict cache (`verdicts`) and finds nothing, so it walks the chain (`chain`).
//! 2. Each plugin is one `plugin::Generation`. Circuit breaker (`plugin/breaker`) and strikes (`plugin/strikes`) say
//!    whether it may be called at all.
//! 3. The lane finds an instance. Inline (`plugin/lane_sync`): one per worker, called on the caller's thread, 0.4 µs.
//!    Waiting (`plugin/lane_async`), for components that import `http`, `tcp` or `passwords`: an elastic pool, called on a
//!    fiber that is parked while it waits.
//! 4. `plugin/calls` lowers the arguments and lifts the answer; `plugin/budget` stops a call that uses up its processor
//!    time, `plugin/limiter` one that takes too much memory. What the guest imports is in `imports`, and what it may
//!    reach of it in [`grants`].
//! 5. An instance whose call did not return cleanly is never used again. The answer, or the failure, goes back up: a
//!    refusal is an answer, and whatever keeps a plugin from answering is a denial, unless the operator says otherwise.
//!
//! Notices (`queues`, `notices`) are queued and never waited for.
//!
//! Tools and tests look at one plugin by itself ([`Alone`]): the same sandbox, imports and grants, each function called by its
//! name with JSON, and whatever is outside played by a [`Stage`](contract::Stage) where that is wanted.

mod admissions;
mod alone;
mod apart;
mod authentications;
mod bindings;
mod chain;
pub mod contract;
mod engine;
mod error;
pub mod grants;
mod host;
mod identities;
mod imports;
mod load;
mod notices;
mod plugin;
mod queues;
mod rules;
mod seat;
mod thread;
mod topics;
mod trial;
mod verdicts;

pub use alone::{Alone, CallError, ExportedFunction, ImportFound, InputError, Inspection, Measured, Report, written};
pub use engine::{EngineError, EngineSettings, PluginEngine};
pub use error::{HookError, HookFailure, LoadError, LoadErrorKind, SwapError};
pub use host::{Host, HostSettings, Successor};
pub use identities::{Identities, Identity, IdentityFacts};
pub use imports::ImportLimits;

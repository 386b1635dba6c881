//! Runs Midge plugins: sandboxed WebAssembly components.

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
mod topics;
mod verdicts;

pub use engine::{EngineError, EngineSettings, PluginEngine};
pub use error::{HookError, HookFailure, LoadError, LoadErrorKind};
pub use host::{Host, HostSettings};
pub use identities::{Identities, Identity, IdentityFacts};
pub use imports::ImportLimits;

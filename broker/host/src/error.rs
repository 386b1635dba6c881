//! What can go wrong while a plugin is loaded, and while it is called.

use std::sync::Arc;
use std::time::Duration;

use crate::contract::{DenialCause, Hook};

/// A plugin cannot be loaded. The message names the plugin, its file, what was found and what would be accepted.
#[derive(Debug, thiserror::Error)]
#[error("plugin {plugin:?} ({origin}): {kind}")]
pub struct LoadError {
    /// The plugin's name in the configuration.
    pub plugin: String,
    /// Its file, or `bundled:NAME`.
    pub origin: String,
    /// What is wrong.
    pub kind: LoadErrorKind,
}

/// What is wrong with a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadErrorKind {
    /// The file cannot be read.
    #[error("cannot be read: {0}; a readable WebAssembly component is needed")]
    Unreadable(std::io::Error),
    /// The file is larger than any component needs to be.
    #[error("is {found} bytes long; at most {accepted} bytes are accepted")]
    TooLarge {
        /// Its size.
        found: u64,
        /// The largest accepted size.
        accepted: u64,
    },
    /// The bytes are not the pinned ones.
    #[error("has the SHA-256 {found}; the configuration accepts only {accepted}")]
    WrongDigest {
        /// The digest of the bytes, in hexadecimal.
        found: String,
        /// The digest of the configuration.
        accepted: String,
    },
    /// The bytes are not WebAssembly at all.
    #[error("is not WebAssembly: it starts with {found}; a WebAssembly component is needed")]
    NotWasm {
        /// The first bytes, readable.
        found: String,
    },
    /// A core module, the other kind of WebAssembly file.
    #[error(
        "is a core WebAssembly module; a component is needed (link with `wasm-component-ld`, or wrap the module with \
         `wasm-tools component new`)"
    )]
    CoreModule,
    /// The component is truncated, corrupt, or uses something this broker does not run.
    #[error("is no valid component: {0}")]
    Invalid(String),
    /// It imports what this broker does not offer.
    #[error("imports {found}; this broker offers {accepted}")]
    UnknownImport {
        /// The imports nobody offers.
        found: String,
        /// What is offered.
        accepted: String,
    },
    /// It was built for another track of the contract.
    #[error("was built for {found}; this broker speaks {accepted}")]
    OtherTrack {
        /// The interface found.
        found: String,
        /// The tracks spoken, and what to do about it.
        accepted: String,
    },
    /// It exports no hook, or none of those the configuration names.
    #[error("exports {found}; at least one of {accepted} is needed")]
    NoHook {
        /// What it exports.
        found: String,
        /// What would be accepted.
        accepted: String,
    },
    /// A hook function has another signature than the contract's.
    #[error("has a {function} that is not the contract's: {reason}")]
    WrongSignature {
        /// The function.
        function: String,
        /// The difference.
        reason: String,
    },
    /// A file or secret that was granted is not there, or a limit makes no sense.
    #[error("cannot be set up: {0}")]
    Setup(String),
    /// `lifecycle.init` said no.
    #[error("refused to start: {0}")]
    Refused(String),
    /// `lifecycle.init`, or the component's own start, failed.
    #[error("failed to start: {0}")]
    Start(String),
}

/// A generation cannot take the place of another. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// No plugin has this name.
    #[error("there is no plugin {name:?}; there {}", names_of(.known))]
    NoPlugin {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Another generation is on trial.
    #[error("plugin {0:?} has a generation on trial; promote or abort that first")]
    OnTrial(String),
    /// No generation is on trial.
    #[error("plugin {0:?} has no generation on trial")]
    NotOnTrial(String),
    /// The new generation cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The new generation says that it is not well.
    #[error("{0}; a generation that is not well does not replace one")]
    Unhealthy(#[from] HookError),
    /// The new generation has other hooks: that changes who is asked about what, not only the answers.
    #[error(
        "plugin {plugin:?} has the hooks {current} and the new generation has {candidate}; reload the whole configuration for that (SIGHUP)"
    )]
    OtherHooks {
        /// The plugin.
        plugin: String,
        /// The hooks in use.
        current: String,
        /// Those of the new generation.
        candidate: String,
    },
}

fn names_of(names: &[String]) -> String {
    match names {
        [] => "are none".to_owned(),
        [name] => format!("is {name:?}"),
        names => format!("are {}", names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")),
    }
}

/// A hook could not answer. A refusal is not one of these: it is an answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("plugin {plugin:?}, hook {hook}: {failure} (after {took:?})")]
pub struct HookError {
    /// The plugin.
    pub plugin: Arc<str>,
    /// The hook.
    pub hook: Hook,
    /// What happened.
    pub failure: HookFailure,
    /// After how long.
    pub took: Duration,
}

/// Why a hook could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookFailure {
    /// The plugin said `err`: it or its backend failed.
    #[error("backend failed: {0}")]
    Backend(String),
    /// The component trapped. Its instance is gone.
    #[error("trapped: {0}")]
    Trapped(String),
    /// It used up its processor time. Its instance is gone.
    #[error("used up its processor time")]
    Deadline,
    /// It waited too long for something outside. Its instance is gone.
    #[error("waited too long")]
    WaitTimeout,
    /// No instance was free or could be made.
    #[error("overloaded: {0}")]
    Overloaded(String),
    /// The circuit breaker is open, or the client that asks made the plugin trap before.
    #[error("not called: it failed too often just now")]
    BreakerOpen,
    /// The answer breaks the contract.
    #[error("bad answer: {0}")]
    BadAnswer(String),
}

impl From<HookFailure> for DenialCause {
    fn from(failure: HookFailure) -> Self {
        match failure {
            HookFailure::Backend(text) => Self::Backend(text),
            HookFailure::Trapped(text) => Self::Trapped(text),
            HookFailure::Deadline => Self::Deadline,
            HookFailure::WaitTimeout => Self::WaitTimeout,
            HookFailure::Overloaded(text) => Self::Overloaded(text),
            HookFailure::BreakerOpen => Self::BreakerOpen,
            HookFailure::BadAnswer(text) => Self::BadAnswer(text),
        }
    }
}

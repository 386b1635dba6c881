//! Why a broker does not start.

use std::io;
use std::path::PathBuf;

use midge_host::{EngineError, HookError, LoadError};
use midge_storage::OpenError;

use crate::admin::TOKEN_CHARS_MIN;
use crate::config::ConfigError;
use crate::listener::ListenError;
use crate::transport::tls::TlsError;

/// Why the broker ended, other than by being asked to.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RunError(#[from] Cause);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Plugin(#[from] LoadError),
    #[error("{0}; a plugin that is not well does not replace one")]
    Unhealthy(#[from] HookError),
    #[error("{0}")]
    Listen(#[from] ListenError),
    #[error("listener {listener}: {error}")]
    Certificate { listener: String, error: TlsError },
    #[error(
        "listener {listener}: with this configuration `anonymous` would no longer be {anonymous}; restart the broker, or \
         say anonymous = {anonymous} in its [[listener]]"
    )]
    AnonymityChanged { listener: String, anonymous: bool },
    #[error("{error}{}", store_advice(error))]
    Store {
        #[from]
        error: OpenError,
    },
    #[error("the plugin engine cannot start: {0}")]
    Engine(#[from] EngineError),
    #[error(
        "the admin port {address} cannot be listened on: {error}; choose another one in [admin], or enabled = false"
    )]
    Admin { address: std::net::SocketAddr, error: io::Error },
    #[error("{}: {what}; admin.token_file needs a file with at least {TOKEN_CHARS_MIN} characters in one line", file.display())]
    AdminToken { file: PathBuf, what: String },
    #[error("the operating system refuses {what}: {error}")]
    System { what: &'static str, error: io::Error },
}

impl RunError {
    /// What the process ends with: 2 where the operator can mend the configuration, 1 otherwise.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.0 {
            Cause::Config(_)
            | Cause::Plugin(_)
            | Cause::Unhealthy(_)
            | Cause::Listen(_)
            | Cause::Admin { .. }
            | Cause::AdminToken { .. }
            | Cause::Certificate { .. }
            | Cause::AnonymityChanged { .. }
            | Cause::Store { error: OpenError::InUse { .. } | OpenError::Directory { .. } } => 2,
            Cause::Store { .. } | Cause::Engine(_) | Cause::System { .. } => 1,
        }
    }
}

impl Cause {
    /// For `map_err` on what the operating system did not do.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

/// What else an operator may do about a store that cannot be opened.
fn store_advice(error: &OpenError) -> &'static str {
    match error {
        OpenError::InUse { .. } => ", or give this broker another store.directory or runtime.data_dir",
        OpenError::Directory { .. } => {
            "; let the user that runs midge write there, or choose another store.directory or runtime.data_dir"
        }
        _ => "",
    }
}

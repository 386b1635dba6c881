//! What plays the world outside for a plugin that is tried without a broker.

use super::Hook;

/// Stands in for what is outside of a plugin: time, chance, HTTP services, the log. Whatever it does not say is left to the
/// real one. Brokers have none; tools and tests do.
///
/// Calls come from the thread that the plugin is called on, in the middle of its call: an implementation does not wait.
pub trait Stage: Send + Sync {
    /// The time that `clock` tells, in milliseconds since the Unix epoch; `clock.monotonic-ns` and the time to live of `kv`
    /// entries go with it. `None`: the system's. The answer must be of the same kind every time.
    fn unix_ms(&self) -> Option<u64> {
        None
    }

    /// Fills what `clock.random` hands out. False: the system's randomness.
    fn fill_random(&self, bytes: &mut [u8]) -> bool {
        let _ = bytes;
        false
    }

    /// Answers a request to an origin that is granted. `None`: it is really sent.
    fn exchange(&self, request: &StagedRequest) -> Option<Result<StagedResponse, StagedFailure>> {
        let _ = request;
        None
    }

    /// Whether `log.enabled` says yes.
    fn reads(&self, level: LogLevel) -> bool {
        let _ = level;
        true
    }

    /// Takes a line that the plugin logged, or that the host has to say about it, in place of the broker's log.
    fn log(&self, line: LogLine);
}

/// How much a line of the log matters, as `log.level` of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// What a developer wants to see.
    Debug,
    /// Life as usual.
    Info,
    /// Something was lost or refused for cause.
    Warn,
    /// The operator must act.
    Error,
}

impl LogLevel {
    /// The level's name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The hook that was under way.
    pub hook: Option<Hook>,
    /// The text, control characters escaped.
    pub message: String,
    /// Names and values, `a=1 b=2`, control characters escaped; empty when there are none.
    pub fields: String,
    /// Whether the host says it: something was denied to the plugin.
    pub is_hosts: bool,
}

/// A request that a plugin sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values, in order, as the plugin gave them.
    pub headers: Vec<(String, String)>,
    /// The body; may be empty.
    pub body: Vec<u8>,
}

/// An answer to a [`StagedRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedResponse {
    /// The status code.
    pub status: u16,
    /// Names and values; the plugin gets names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer, as `http.error` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StagedFailure {
    /// No complete answer in time.
    Timeout,
    /// No connection, in words.
    Connect(String),
    /// The handshake failed, in words.
    Tls(String),
    /// The response is larger than the host allows.
    TooLarge,
    /// Anything else, in words.
    Other(String),
}

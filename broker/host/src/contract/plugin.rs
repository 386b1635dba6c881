//! What the operator says about a plugin.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::grants::Grants;

/// The hook interfaces a component may export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Start and end of an instance; no configuration ever names it.
    Lifecycle,
    /// Who is this?
    Authn,
    /// Who is this, in several steps?
    EnhancedAuthn,
    /// May this identity do that?
    Authz,
    /// Change, drop, multiply or refuse messages before they are routed.
    Messages,
    /// Hand messages to a backend.
    Sink,
    /// What happened in the broker.
    Events,
    /// The plugin's own turn, again and again.
    Ticker,
    /// May a client end a subscription?
    AuthzUnsubscribe,
    /// May a client leave this Will?
    AuthzWill,
    /// May a client have this message?
    AuthzDeliver,
    /// May anybody connect from there?
    Admission,
    /// The plugin's own pages on the admin port.
    Admin,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Lifecycle,
        Self::Authn,
        Self::EnhancedAuthn,
        Self::Authz,
        Self::Messages,
        Self::Sink,
        Self::Events,
        Self::Ticker,
        Self::AuthzUnsubscribe,
        Self::AuthzWill,
        Self::AuthzDeliver,
        Self::Admission,
        Self::Admin,
    ];

    /// The interface's name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Authn => "authn",
            Self::EnhancedAuthn => "enhanced-authn",
            Self::Authz => "authz",
            Self::Messages => "messages",
            Self::Sink => "sink",
            Self::Events => "events",
            Self::Ticker => "ticker",
            Self::AuthzUnsubscribe => "authz-unsubscribe",
            Self::AuthzWill => "authz-will",
            Self::AuthzDeliver => "authz-deliver",
            Self::Admission => "admission",
            Self::Admin => "admin",
        }
    }

    /// The hook with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// Whether it is asked only where the operator names it: it costs a question for every message and subscriber.
    #[must_use]
    pub const fn is_opt_in(self) -> bool {
        matches!(self, Self::AuthzDeliver)
    }

    /// The hook's place in [`Hook::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a plugin is called, decided by what its component imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// It imports nothing that can wait: called on the connection's own thread, one instance per worker.
    Inline,
    /// It imports `http`, `tcp` or `passwords`: called on a fiber that may be parked, from an elastic pool.
    Waiting,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inline => "inline",
            Self::Waiting => "waiting",
        })
    }
}

/// What happens to a question when the plugin could not answer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Deny: nobody gets in because something is broken.
    #[default]
    Deny,
    /// Behave as if the plugin had said `next` (for `messages`: `keep`).
    Next,
    /// `authz` and `authz-deliver`: what was last decided about the same question stands, for so long after it was; else, and for other hooks,
    /// deny.
    Stale {
        /// How old a decision may be.
        max: Duration,
    },
}

/// Where a component comes from.
#[derive(Clone, Debug)]
pub enum PluginSource {
    /// A file, read at load.
    File(PathBuf),
    /// Bytes that are already here, such as a bundled plugin.
    Bytes {
        /// What to call it in messages, such as `bundled:acl-file`.
        origin: String,
        /// The component.
        bytes: Cow<'static, [u8]>,
    },
}

impl fmt::Display for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Bytes { origin, .. } => f.write_str(origin),
        }
    }
}

/// One plugin as configured. The order of specs is the order of every chain.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// Its name in configuration, logs and metrics.
    pub name: String,
    /// Its component.
    pub source: PluginSource,
    /// Pins the component: its bytes must have this SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// Use only these of the hooks it exports; `None` = all of them but those that are [opt-in](Hook::is_opt_in).
    pub hooks: Option<Vec<Hook>>,
    /// Its own configuration, a JSON object.
    pub config: serde_json::Value,
    /// What it may reach.
    pub allow: Grants,
    /// Bounds on its resources.
    pub limits: PluginLimits,
    /// What a failure to answer means.
    pub on_error: OnError,
    /// Topic filters that `messages` and `sink` are wanted for; `None` = what `lifecycle.init` registers, or all.
    pub topics: Option<Vec<String>>,
    /// How long after one turn of `ticker` the next one comes. Default 60 s.
    pub tick_interval: Duration,
    /// The listeners about whose clients it is asked; `None` = all.
    pub listeners: Option<Vec<String>>,
    /// The tenants about whose clients it is asked, once these have a tenant: by `authz`, `messages` and `sink`; `None` = all.
    pub tenants: Option<Vec<String>>,
    /// Whether listeners wait until it is well before they open.
    pub required: bool,
}

impl PluginSpec {
    /// A plugin with the defaults of everything: no grants, no configuration, failures deny.
    #[must_use]
    pub fn new(name: impl Into<String>, source: PluginSource) -> Self {
        Self {
            name: name.into(),
            source,
            sha256: None,
            hooks: None,
            config: serde_json::Value::Object(serde_json::Map::new()),
            allow: Grants::default(),
            limits: PluginLimits::default(),
            on_error: OnError::default(),
            topics: None,
            tick_interval: Duration::from_secs(60),
            listeners: None,
            tenants: None,
            required: false,
        }
    }
}

/// Bounds on what one plugin may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory of one instance, in bytes. Default 64 MiB.
    pub memory_bytes_max: usize,
    /// Processor time of one call. `None` = 50 ms for `authn`, `enhanced-authn` and `authz-will`, 10 ms for `authz`,
    /// `authz-unsubscribe`, `authz-deliver`, `messages` and `admission`, 100 ms for all others.
    pub cpu: Option<Duration>,
    /// Wall time of one call, what it waits for included (waiting lane). `None` = 30 s for `sink` and `ticker`, 5 s for all others.
    pub wait: Option<Duration>,
    /// Processor time of `lifecycle.init`. Default 2 s.
    pub init_cpu: Duration,
    /// Instances side by side (waiting lane; the inline lane has one per worker). Default 64.
    pub instances_max: u32,
    /// Calls that may wait for an instance (waiting lane); one more is denied as overloaded. Default 1024.
    pub waiting_max: u32,
    /// Calls after which an instance is replaced, which gives its memory back. Default 1,000,000.
    pub calls_max: u64,
    /// Messages, and events, that may wait for a sink; more are dropped and counted. Default 10,000.
    pub queue_max: usize,
    /// Messages or events in one call. Default 64.
    pub batch_max: usize,
    /// Bytes that the broker keeps for it between two steps of one exchange. Default 16 KiB.
    pub state_bytes_max: usize,
    /// Bytes that may wait to be written to each file it appends to; more are refused and counted. Default 1 MiB.
    pub append_bytes_max: usize,
    /// HTTP requests of its instances under way at once; others wait for their turn. Default 256.
    pub http_requests_max: u32,
    /// TCP connections that its instances may have open at once. Default 256.
    pub tcp_connections_max: u32,
    /// Bytes of the body of a request to its `admin` hook, and of the answer. Default 1 MiB.
    pub admin_bytes_max: usize,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            cpu: None,
            wait: None,
            init_cpu: Duration::from_secs(2),
            instances_max: 64,
            waiting_max: 1024,
            calls_max: 1_000_000,
            queue_max: 10_000,
            batch_max: 64,
            state_bytes_max: 16 << 10,
            append_bytes_max: 1 << 20,
            http_requests_max: 256,
            tcp_connections_max: 256,
            admin_bytes_max: 1 << 20,
        }
    }
}

impl PluginLimits {
    /// Processor time of one call of `hook`.
    #[must_use]
    pub fn cpu_of(&self, hook: Hook) -> Duration {
        let default = match hook {
            Hook::Lifecycle => return self.init_cpu,
            Hook::Authn | Hook::EnhancedAuthn | Hook::AuthzWill => Duration::from_millis(50),
            Hook::Authz | Hook::AuthzUnsubscribe | Hook::AuthzDeliver | Hook::Messages | Hook::Admission => {
                Duration::from_millis(10)
            }
            Hook::Sink | Hook::Events | Hook::Ticker | Hook::Admin => Duration::from_millis(100),
        };
        self.cpu.unwrap_or(default)
    }

    /// Wall time of one call of `hook`.
    #[must_use]
    pub fn wait_of(&self, hook: Hook) -> Duration {
        let default = match hook {
            Hook::Sink | Hook::Ticker => Duration::from_secs(30),
            _ => Duration::from_secs(5),
        };
        self.wait.unwrap_or(default)
    }
}

//! `[admin]`, `[swap]`, `[log]`, `[runtime]`, `[sys]`, `[shutdown]`: everything that is not about one client. These tables mean
//! what they say, so each is one type for the file and for the broker.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::units::{milliseconds, seconds};

/// `[admin]`: `/metrics`, `/healthz` and `/readyz` over HTTP, and what `midge plugin` asks of a running broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Whether there is an admin port at all; true unless said.
    pub enabled: bool,
    /// The address; 127.0.0.1:9883 unless said.
    pub address: SocketAddr,
    /// Whether `address` may be other than loopback; false unless said. What is shown there has no authentication.
    pub allow_remote: bool,
    /// A file with what whoever changes something by the admin port has to show; `None`: programs on this machine may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Default for Admin {
    fn default() -> Self {
        let address = (Ipv4Addr::LOCALHOST, 9883).into();
        Self { enabled: true, address, allow_remote: false, token_file: None }
    }
}

/// `[swap]`: what happens while a new generation of a plugin takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Swap {
    /// How long the old generation stands by after a reload; 60 s unless said; 0: not at all.
    #[serde(rename = "probation_s", with = "seconds")]
    pub probation: Duration,
    /// Disagreements of a shadow that are kept; 100 unless said.
    pub disagreements_max: u32,
    /// Questions that may wait for a shadow; 1024 unless said.
    pub shadow_questions_max: u32,
}

impl Default for Swap {
    fn default() -> Self {
        Self { probation: Duration::from_secs(60), disagreements_max: 100, shadow_questions_max: 1024 }
    }
}

/// `[log]`: what is logged, to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Lines for people or for machines; text unless said.
    pub format: LogFormat,
    /// A level, or a filter such as `info,midge_host=debug`; `info` unless said.
    pub filter: LogFilter,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people, coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The directives of `tracing_subscriber::EnvFilter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogFilter(pub String);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

/// `[runtime]`: threads and directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// Shards, each a runtime with its own poll loop; 0 (the default): one for every 8 threads.
    pub shards: usize,
    /// Worker threads of all shards together; 0 (the default): one for each processor.
    pub threads: usize,
    /// Where the store is, and where compiled plugins are kept between starts. Unless said: `$STATE_DIRECTORY` (systemd),
    /// `$XDG_STATE_HOME/midge`, `$HOME/.local/state/midge`, or else `/var/lib/midge`.
    pub data_dir: PathBuf,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { shards: 0, threads: 0, data_dir: default_data_dir(|name| std::env::var_os(name)) }
    }
}

impl Runtime {
    /// How many shards, and how many worker threads each has, on a machine with `processors`.
    #[must_use]
    pub fn layout(&self, processors: usize) -> (usize, usize) {
        let threads = if self.threads == 0 { processors.max(1) } else { self.threads };
        let shards = if self.shards == 0 { threads.div_ceil(THREADS_PER_SHARD) } else { self.shards };
        (shards, threads.div_ceil(shards))
    }
}

/// One shard measured best up to here; above it its single poll loop is the bottleneck.
const THREADS_PER_SHARD: usize = 8;

fn default_data_dir(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> PathBuf {
    let directory = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(state) = directory("STATE_DIRECTORY") {
        return state;
    }
    if let Some(state) = directory("XDG_STATE_HOME") {
        return state.join("midge");
    }
    match directory("HOME") {
        Some(home) => home.join(".local/state/midge"),
        None => "/var/lib/midge".into(),
    }
}

/// `[sys]`: the `$SYS/broker/…` topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sys {
    /// How often they are published, 10 s unless said; 0: never.
    #[serde(rename = "interval_s", with = "seconds")]
    pub interval: Duration,
}

impl Default for Sys {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10) }
    }
}

/// `[shutdown]`: how the broker stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long clients get to take what is in their outbox, and plugins to flush; 5 s unless said.
    #[serde(rename = "drain_ms", with = "milliseconds")]
    pub drain: Duration,
    /// What becomes of the Wills of the clients that are sent away.
    pub wills: WillsAtShutdown,
}

/// The Wills of clients whose connections end because the broker stops (3.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WillsAtShutdown {
    /// They are published, as after any loss of a connection [MQTT-3.1.2-8]: plugins and who is still connected get them.
    #[default]
    Publish,
    /// They are not: the clients will be back soon.
    Withhold,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain: Duration::from_secs(5), wills: WillsAtShutdown::default() }
    }
}

//! What the operator asked for, complete and checked.
//!
//! Two stages: [`file`] mirrors the TOML (every key optional, nothing checked but its form), the types here are what
//! it means: every key has its value, every rule that needs more than one key has been applied. A table whose
//! keys mean exactly what they say (`[limits]`, `[log]`, …) is one type for both stages. [`keys`] is the one list of
//! every key with its unit, range and meaning; `midge config explain` prints it beside the effective values.

mod listener;
mod services;
mod units;

mod limits;
mod plugin;

use serde::Serialize;

pub use limits::{Limits, QueueFull};
pub use listener::{ClientCertificate, Listener, ProtocolName, Tls, Transport};
pub use plugin::{Chains, Plugin, PluginSource};
pub use services::{Admin, Log, LogFilter, LogFormat, Runtime, Shutdown, Sys};

/// The whole configuration of a broker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where clients connect; never empty, names unique.
    #[serde(rename = "listener")]
    pub listeners: Vec<Listener>,
    /// The plugins in order of appearance, names unique.
    #[serde(rename = "plugin")]
    pub plugins: Vec<Plugin>,
    /// The order in which plugins are asked, where it is not the order of appearance.
    pub chains: Chains,
    /// What one client may use, and all of them together.
    pub limits: Limits,
    /// Metrics and health over HTTP.
    pub admin: Admin,
    /// What is logged, and how.
    pub log: Log,
    /// Threads and directories.
    pub runtime: Runtime,
    /// The `$SYS` topics.
    pub sys: Sys,
    /// How the broker stops.
    pub shutdown: Shutdown,
}

impl Default for Config {
    /// 127.0.0.1:1883 and `[::1]:1883`, anonymous, no plugin.
    fn default() -> Self {
        Self {
            listeners: Listener::loopback(),
            plugins: Vec::new(),
            chains: Chains::default(),
            limits: Limits::default(),
            admin: Admin::default(),
            log: Log::default(),
            runtime: Runtime::default(),
            sys: Sys::default(),
            shutdown: Shutdown::default(),
        }
    }
}

//! What the operator asked for, complete and checked.
//!
//! Two stages: `file.rs` mirrors the TOML (every key optional), the types here are what it means: every key has its
//! value, every rule that needs more than one key has been applied. A table whose keys mean exactly what they say
//! (`[limits]`, `[log]`, …) is one type for both stages. `keys.rs` is the one list of every key with its range and
//! meaning; a file is checked against it, and `midge config explain` prints it beside the effective values.

mod accepts;
mod check;
mod error;
mod explain;
mod file;
mod keys;
mod limits;
mod listener;
mod load;
mod machine;
mod meaning;
mod plugin;
mod services;
mod sharing;
mod store;
#[cfg(test)]
mod tests;
mod units;

use midge_host::contract::PluginSpec;
use serde::Serialize;

pub use error::{ConfigError, Origin, Problem};
pub use explain::Explained;
pub use limits::{Limits, OutboxPolicy, QueuePolicy};
pub use listener::{ClientCertificate, Listener, ProtocolName, Tls, Transport};
pub use load::Override;
pub use plugin::{Bundled, OnError, Plugin, PluginLimits, PluginSource};
pub use services::{Admin, Log, LogFilter, LogFormat, Runtime, Shutdown, Swap, Sys, WillsAtShutdown};
pub use sharing::{SharedStrategy, SharedSubscriptions};
pub use store::{Durability, Store, StoreTopic};

/// The whole configuration of a broker.
#[derive(Debug, Clone, Serialize)]
pub struct Config {
    /// Where clients connect; never empty, names and addresses unique.
    #[serde(rename = "listener")]
    pub listeners: Vec<Listener>,
    /// The plugins in the order in which they are asked; names unique.
    #[serde(rename = "plugin")]
    pub plugins: Vec<Plugin>,
    /// What one client may use, and all of them together.
    pub limits: Limits,
    /// Which member of a shared subscription gets a message.
    pub shared_subscriptions: SharedSubscriptions,
    /// What survives the end of the process.
    pub store: Store,
    /// Metrics and health over HTTP.
    pub admin: Admin,
    /// What happens while a plugin is replaced.
    pub swap: Swap,
    /// What is logged, and how.
    pub log: Log,
    /// Threads and directories.
    pub runtime: Runtime,
    /// The `$SYS` topics.
    pub sys: Sys,
    /// How the broker stops.
    pub shutdown: Shutdown,
    /// Where each key was written.
    #[serde(skip)]
    origins: check::Origins,
}

impl Default for Config {
    /// 127.0.0.1:1883 and `[::1]:1883`, anonymous, no plugin.
    fn default() -> Self {
        let runtime = Runtime::default();
        Self {
            listeners: Listener::loopback(),
            plugins: Vec::new(),
            limits: Limits::default(),
            shared_subscriptions: SharedSubscriptions::default(),
            store: Store::below(&runtime.data_dir),
            admin: Admin::default(),
            swap: Swap::default(),
            log: Log::default(),
            runtime,
            sys: Sys::default(),
            shutdown: Shutdown::default(),
            origins: check::Origins::new(),
        }
    }
}

impl Config {
    /// The plugins as the host takes them.
    ///
    /// # Errors
    /// A bundled plugin that this binary does not have.
    pub fn plugin_specs(&self, bundled: Bundled) -> Result<Vec<PluginSpec>, ConfigError> {
        let mut problems = Vec::new();
        let mut specs = Vec::new();
        for (index, plugin) in self.plugins.iter().enumerate() {
            match plugin.spec(bundled) {
                Ok(spec) => specs.push(spec),
                Err(what) => problems.push(self.problem(
                    format!("plugin[{index}].path"),
                    Some(format!("{:?}", String::from(plugin.source.clone()))),
                    what,
                )),
            }
        }
        if problems.is_empty() { Ok(specs) } else { Err(ConfigError { problems }) }
    }

    /// Decides who may be anonymous, now that it is known whether any loaded plugin `authenticates` the clients
    /// of a listener: where the
    /// operator did not say, clients of a loopback listener, and only while no plugin authenticates.
    ///
    /// # Errors
    /// A listener on which nobody could connect, or that would be open to other machines without anybody having
    /// said so.
    pub fn settle(&mut self, authenticates: impl Fn(&str) -> bool) -> Result<(), ConfigError> {
        for listener in &mut self.listeners {
            let loopback = listener.address.ip().is_loopback();
            listener.anonymous = listener.anonymous_said.unwrap_or(loopback && !authenticates(&listener.name));
        }
        let closed = |(_, listener): &(usize, &Listener)| !listener.anonymous && !authenticates(&listener.name);
        let problems: Vec<Problem> = self
            .listeners
            .iter()
            .enumerate()
            .filter(closed)
            .map(|(index, listener)| self.nobody(index, listener))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    fn nobody(&self, index: usize, listener: &Listener) -> Problem {
        if listener.anonymous_said == Some(false) {
            let what = "nobody could connect, since no plugin authenticates; add one, such as path = \
                        \"bundled:password-file\" in a [[plugin]]";
            return self.problem(format!("listener[{index}].anonymous"), Some("false".into()), what);
        }
        let what = "it is open to other machines and no plugin authenticates them; add one, such as path = \
                    \"bundled:password-file\" in a [[plugin]], or say anonymous = true in this [[listener]]";
        self.problem(format!("listener[{index}].address"), Some(format!("\"{}\"", listener.address)), what)
    }

    fn problem(&self, key: String, found: Option<String>, what: impl Into<String>) -> Problem {
        Problem { origin: meaning::origin(&self.origins, &key), key, found, what: what.into() }
    }
}

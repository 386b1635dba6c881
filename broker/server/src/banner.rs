//! What the broker prints when it starts: every address, every plugin, and what each plugin may do.

use std::io::{self, Write};
use std::net::SocketAddr;

use midge_host::contract::{OnError, PluginStatus};

use crate::config::{Config, Store};
use crate::listener::Listener;
use crate::storage::Restored;

/// Prints to standard output, for the person or the script that started the broker; the log is on standard error.
pub(crate) struct Banner<W = io::Stdout> {
    out: W,
}

impl Banner {
    pub(crate) fn to_stdout() -> Self {
        Self { out: io::stdout() }
    }
}

impl<W: Write> Banner<W> {
    /// The version, and the plugins with their grants.
    pub(crate) fn plugins(&mut self, plugins: &[PluginStatus]) {
        self.line(format_args!("midge {}", env!("CARGO_PKG_VERSION")));
        for plugin in plugins {
            let hooks: Vec<&str> = plugin.hooks.iter().map(|hook| hook.hook.name()).collect();
            let failure = match plugin.on_error {
                OnError::Deny => "deny",
                OnError::Next => "next",
                OnError::Stale { .. } => "stale",
            };
            self.line(format_args!(
                "plugin {} ({}): {}; {} lane, on error {failure}, sha256 {}",
                plugin.name,
                plugin.origin,
                hooks.join(", "),
                plugin.lane,
                plugin.digest.get(..12).unwrap_or(&plugin.digest),
            ));
            for grant in &plugin.grants {
                self.line(format_args!("  {grant}"));
            }
            if plugin.grants.is_empty() {
                self.line(format_args!("  reaches nothing outside"));
            }
        }
        if plugins.is_empty() {
            self.line(format_args!("no plugins: every client that may connect may do everything"));
        }
    }

    /// Where what survives is kept, and what has.
    pub(crate) fn store(&mut self, config: &Store, restored: Option<Restored>) {
        match restored {
            Some(Restored { sessions, messages, retained, took }) => self.line(format_args!(
                "store {}: sessions {sessions}, messages for them {messages}, retained messages {retained}, back in {took:.1?}",
                config.directory.display()
            )),
            None => self.keeps_nothing(),
        }
    }

    fn keeps_nothing(&mut self) {
        self.line(format_args!("no store: sessions and messages end with this process"));
    }

    /// An address on which clients connect.
    pub(crate) fn listener(&mut self, listener: &Listener) {
        let anonymous = if listener.config().anonymous { ", anonymous clients allowed" } else { "" };
        self.line(format_args!("listening on {} (listener {}){anonymous}", listener.url(), listener.config().name));
    }

    /// What a start would listen on.
    pub(crate) fn would_listen(&mut self, config: &Config) {
        match config.store.keeps_anything() {
            true => self.line(format_args!("would keep what survives in {}", config.store.directory.display())),
            false => self.keeps_nothing(),
        }
        for listener in &config.listeners {
            let anonymous = if listener.anonymous { ", anonymous clients allowed" } else { "" };
            let url = listener.url(listener.address);
            self.line(format_args!("would listen on {url} (listener {}){anonymous}", listener.name));
        }
        self.line(format_args!("the configuration is fine"));
    }

    /// A listener that the host has no address family for.
    pub(crate) fn skipped(&mut self, name: &str, address: SocketAddr) {
        self.line(format_args!("not listening on {address} (listener {name}): this machine has no such address"));
    }

    /// Where metrics and health are.
    pub(crate) fn admin(&mut self, address: SocketAddr) {
        self.line(format_args!("admin on http://{address} (/metrics, /healthz, /readyz)"));
    }

    /// Clients are accepted.
    pub(crate) fn ready(&mut self) {
        self.line(format_args!("ready"));
        // A closed standard output is no reason not to serve.
        let _ = self.out.flush();
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "{text}");
    }
}

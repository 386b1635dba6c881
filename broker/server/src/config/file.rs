//! The file as it is written: every key optional. Its form has been judged by [`check`](super::check) when it gets here,
//! so that what is left is to give every key its type.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::plugin::{OnError, PluginLimits, PluginSource};
use super::units::size;
use super::{
    Admin, ClientCertificate, Durability, Limits, Log, ProtocolName, Runtime, SharedSubscriptions, Shutdown, Swap, Sys,
    Transport,
};

/// The whole file. A table whose keys mean what they say is the type of its meaning.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) listener: Vec<Listener>,
    pub(super) plugin: Vec<Plugin>,
    pub(super) limits: Limits,
    pub(super) shared_subscriptions: SharedSubscriptions,
    pub(super) store: Store,
    pub(super) admin: Admin,
    pub(super) swap: Swap,
    pub(super) log: Log,
    pub(super) runtime: Runtime,
    pub(super) sys: Sys,
    pub(super) shutdown: Shutdown,
}

/// `[[listener]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listener {
    pub(super) name: Option<String>,
    pub(super) address: Option<SocketAddr>,
    pub(super) protocol: Option<Transport>,
    pub(super) path: Option<String>,
    pub(super) tls: Option<Tls>,
    pub(super) anonymous: Option<bool>,
    pub(super) versions: Option<Vec<ProtocolName>>,
    pub(super) connections_max: Option<u32>,
    pub(super) connects_per_second: Option<u32>,
    pub(super) connect_timeout_ms: Option<u64>,
}

/// `tls` of a listener.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
    pub(super) client_certificate: Option<ClientCertificate>,
}

/// `[[plugin]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plugin {
    pub(super) name: Option<String>,
    pub(super) path: Option<PluginSource>,
    pub(super) sha256: Option<String>,
    pub(super) hooks: Option<Vec<String>>,
    pub(super) topics: Option<Vec<String>>,
    pub(super) listeners: Option<Vec<String>>,
    pub(super) tenants: Option<Vec<String>>,
    pub(super) required: Option<bool>,
    pub(super) on_error: Option<OnError>,
    pub(super) tick_interval_ms: Option<u64>,
    pub(super) stale_max_s: Option<u64>,
    pub(super) config: Option<toml::Table>,
    pub(super) allow: Option<toml::Table>,
    pub(super) limits: Option<PluginLimits>,
}

/// `[store]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Store {
    pub(super) directory: Option<PathBuf>,
    pub(super) durability: Durability,
    pub(super) topics: Vec<StoreTopic>,
    pub(super) commit_interval_ms: Option<u64>,
    pub(super) cache_bytes_max: Option<Size>,
    pub(super) waiting_bytes_max: Option<Size>,
}

/// `[[store.topics]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTopic {
    pub(super) filter: Option<String>,
    pub(super) durability: Option<Durability>,
}

/// Bytes, written as a size.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Size(#[serde(with = "size")] pub(super) u64);

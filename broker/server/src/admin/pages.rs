//! What the admin port answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use midge_core::{Health as StoreHealth, Store};
use midge_host::HookError;
use midge_host::contract::{BreakerState, PluginStatus};
use midge_storage::Handle;
use serde::Serialize;

use super::Desk;
use crate::metrics::{self, ClientsStatus, MemoryStatus, Snapshot, StoreStatus};

/// What there is, for people who try the address in a browser.
pub(super) async fn index() -> &'static str {
    "midge admin\n\n/metrics  everything that is counted, for Prometheus\n/healthz  200: the process lives\n\
     /readyz   200: clients are served; 503: not, and why\n\
     /control/plugins  what `midge plugin list` and `status` show\n\
     /plugins/NAME/  a plugin's own pages, where it has any and is granted them\n"
}

pub(super) async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    let node = &desk.node;
    let host = node.host();
    let snapshot = Snapshot {
        statistics: node.broker.statistics(),
        clients: ClientsStatus { waiting: node.backlog.look(), drops: node.drops.by_client() },
        memory: MemoryStatus::from(&node.memory),
        store: node.store.as_ref().map(StoreStatus::from),
        plugins: host.plugins(),
        cache: host.cache(),
        authentications: host.authentications(),
        admissions: host.admissions(),
        uptime: node.clock.uptime(),
    };
    match metrics::render(&node.metrics, snapshot) {
        Ok(page) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whoever can answer lives.
pub(super) async fn healthz(State(desk): State<Arc<Desk>>) -> Response {
    Json(Health { status: "alive", uptime_s: desk.node.clock.uptime().as_secs() }).into_response()
}

pub(super) async fn readyz(State(desk): State<Arc<Desk>>) -> Response {
    let node = &desk.node;
    let host = Arc::clone(&node.host());
    let unwell = host.unhealthy().await;
    let plugins = host.plugins();
    let mut unhealthy: Vec<String> = unwell.iter().map(ToString::to_string).collect();
    if node.memory.is_full() {
        unhealthy.push(format!(
            "memory is very short ({} of {} bytes): new clients are refused until it is not; limits.memory_bytes_max can be raised",
            node.memory.used(),
            node.memory.budget()
        ));
    }
    let store = node.store.as_ref().map(StoreReadiness::from);
    let connections = node.broker.statistics().connections;
    let readiness = Readiness::new(node.is_ready(), unhealthy, store, connections, &plugins, &unwell);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    uptime_s: u64,
}

/// Whether clients are served, and by which plugins.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    connections: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreReadiness>,
    plugins: Vec<PluginReadiness>,
}

/// Whether the store takes what must survive.
#[derive(Debug, Serialize)]
pub(super) struct StoreReadiness {
    pub(super) health: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

impl From<&Handle> for StoreReadiness {
    fn from(store: &Handle) -> Self {
        let (health, failure) = match store.health() {
            StoreHealth::Good => ("good", None),
            StoreHealth::Behind => ("behind", None),
            StoreHealth::Refusing(_) => {
                let slow =
                    || "the disk is much too slow; what must survive is refused until it has caught up".to_owned();
                ("refusing", Some(store.failure().unwrap_or_else(slow)))
            }
        };
        Self { health, failure }
    }
}

#[derive(Debug, Serialize)]
struct PluginReadiness {
    name: String,
    origin: String,
    hooks: Vec<&'static str>,
    /// Hooks that failed so often that they are not called for a moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failing: Vec<&'static str>,
    /// What it says when asked how it is, if it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    unwell: Option<String>,
}

impl Readiness {
    /// Plugins are loaded and the store is read before listeners open, so `serving` says all of it. A plugin that calls
    /// itself unhealthy makes the broker unready, and so does a store that refuses what must survive; a plugin whose calls
    /// merely fail is shown, since its breaker tries it again within seconds.
    pub(super) fn new(
        serving: bool,
        mut unhealthy: Vec<String>,
        store: Option<StoreReadiness>,
        connections: u64,
        plugins: &[PluginStatus],
        unwell: &[HookError],
    ) -> Self {
        unhealthy.extend(store.as_ref().and_then(|store| store.failure.clone()));
        let reason = match (serving, unhealthy.is_empty()) {
            (false, true) => Some(NOT_SERVING.to_owned()),
            (false, false) => Some(format!("{NOT_SERVING}; {}", unhealthy.join("; "))),
            (true, false) => Some(unhealthy.join("; ")),
            (true, true) => None,
        };
        let plugin = |status: &PluginStatus| PluginReadiness {
            name: status.name.clone(),
            origin: status.origin.clone(),
            hooks: status.hooks.iter().map(|hook| hook.hook.name()).collect(),
            failing: status
                .hooks
                .iter()
                .filter(|hook| hook.breaker == BreakerState::Open)
                .map(|hook| hook.hook.name())
                .collect(),
            unwell: unwell.iter().find(|error| *error.plugin == *status.name).map(ToString::to_string),
        };
        Self { ready: reason.is_none(), reason, connections, store, plugins: plugins.iter().map(plugin).collect() }
    }
}

const NOT_SERVING: &str = "the broker is starting or stopping: its listeners take no clients";

//! The admin port: `/metrics` for Prometheus, `/healthz` and `/readyz` for supervisors and people, below `/plugins/NAME/` the pages
//! of plugins that are granted some, and `/control` for `midge plugin`.
//!
//! It runs on the control runtime, so that a slow scraper never delays a client. What is shown has no authentication; a
//! configuration that opens the port beyond loopback has to say so. Who may change something is for `guard`.

mod control;
mod desk;
mod guard;
mod pages;
mod plugins;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tracing::error;

use crate::config::Admin;
use crate::error::Cause;

pub(crate) use desk::Desk;
pub(crate) use guard::TOKEN_CHARS_MIN;

/// Opens the admin port, if the configuration has one, and serves it for as long as the runtime lives. Returns the
/// address it is open on.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn start(config: &Admin, desk: &Arc<Desk>) -> Result<Option<SocketAddr>, Cause> {
    if !config.enabled {
        return Ok(None);
    }
    let failed = |error| Cause::Admin { address: config.address, error };
    let listener = TcpListener::bind(config.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let service = router(Arc::clone(desk)).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service).await {
            error!(%error, "the admin port is closed");
        }
    });
    Ok(Some(address))
}

fn router(desk: Arc<Desk>) -> Router {
    let changes = Router::new()
        .route("/control/plugins/{name}/reload", post(control::reload))
        .route("/control/plugins/{name}/promote", post(control::promote))
        .route("/control/plugins/{name}/abort", post(control::abort))
        .route("/control/revoke", post(control::revoke))
        .route_layer(from_fn_with_state(Arc::clone(&desk), guard::guard));
    let of_plugins = Router::new()
        .route("/plugins/{name}", any(plugins::page))
        .route("/plugins/{name}/", any(plugins::page))
        .route("/plugins/{name}/{*path}", any(plugins::page))
        .route_layer(from_fn_with_state(Arc::clone(&desk), guard::guard_unless_it_only_shows));
    Router::new()
        .route("/", get(pages::index))
        .route("/metrics", get(pages::metrics))
        .route("/healthz", get(pages::healthz))
        .route("/readyz", get(pages::readyz))
        .route("/control/plugins", get(control::list))
        .route("/control/plugins/{name}", get(control::status))
        .merge(changes)
        .merge(of_plugins)
        .with_state(desk)
}

#[cfg(test)]
mod tests;

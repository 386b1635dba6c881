//! The admin port: `/metrics` for Prometheus, `/healthz` and `/readyz` for supervisors and people, and below `/plugins/NAME/` the
//! pages of plugins that are granted some.
//!
//! It runs on the control runtime, so that a slow scraper never delays a client. It has no authentication; a
//! configuration that opens it beyond loopback has to say so.

mod pages;
mod plugins;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tracing::error;

use crate::config::Admin;
use crate::error::Cause;
use crate::node::Node;

/// Opens the admin port, if the configuration has one, and serves it for as long as the runtime lives. Returns the
/// address it is open on.
///
/// # Errors
/// The address cannot be had.
pub(crate) async fn start(config: &Admin, node: &Arc<Node>) -> Result<Option<SocketAddr>, Cause> {
    if !config.enabled {
        return Ok(None);
    }
    let failed = |error| Cause::Admin { address: config.address, error };
    let listener = TcpListener::bind(config.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let router = router(Arc::clone(node));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            error!(%error, "the admin port is closed");
        }
    });
    Ok(Some(address))
}

fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/", get(pages::index))
        .route("/metrics", get(pages::metrics))
        .route("/healthz", get(pages::healthz))
        .route("/readyz", get(pages::readyz))
        .route("/plugins/{name}", any(plugins::page))
        .route("/plugins/{name}/", any(plugins::page))
        .route("/plugins/{name}/{*path}", any(plugins::page))
        .with_state(node)
}

#[cfg(test)]
mod tests;

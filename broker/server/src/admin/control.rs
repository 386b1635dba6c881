//! `/control`: what `midge plugin list`, `status`, `reload`, `promote`, `abort` and `revoke` ask of a running broker.

mod shown;
mod text;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use midge_host::SwapError;
use midge_host::contract::SwapMode;
use serde::{Deserialize, Serialize};

use self::shown::Shown;
use super::Desk;
use crate::revocations::Scope;
use crate::swap::{Outcome, SwapFailure};

/// How much people want to see of every plugin.
#[derive(Deserialize)]
pub(super) struct Extent {
    /// Everything, and not a line.
    #[serde(default)]
    all: bool,
}

/// Every plugin.
pub(super) async fn list(State(desk): State<Arc<Desk>>, Query(extent): Query<Extent>, headers: HeaderMap) -> Response {
    let rollbacks = desk.node.rollbacks.lock().clone();
    let plugins: Vec<Shown> =
        desk.node.host().plugins().into_iter().map(|status| Shown::new(status, &rollbacks)).collect();
    match (wants_text(&headers), extent.all) {
        (false, _) => Json(plugins).into_response(),
        (true, false) => text::list(&plugins).into_response(),
        (true, true) => plugins.iter().map(text::status).collect::<Vec<_>>().join("\n").into_response(),
    }
}

/// One plugin.
pub(super) async fn status(State(desk): State<Arc<Desk>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let rollbacks = desk.node.rollbacks.lock().clone();
    let found = desk.node.host().find(&name);
    match found.map(|status| Shown::new(status, &rollbacks)) {
        Ok(plugin) if wants_text(&headers) => text::status(&plugin).into_response(),
        Ok(plugin) => Json(plugin).into_response(),
        Err(error) => failed(&error.into()),
    }
}

/// How a new generation is to be tried.
#[derive(Deserialize)]
pub(super) struct How {
    canary: Option<u8>,
    #[serde(default)]
    shadow: bool,
}

impl How {
    fn mode(&self) -> Result<SwapMode, &'static str> {
        match (self.canary, self.shadow) {
            (None, false) => Ok(SwapMode::All),
            (Some(percent @ 1..=100), false) => Ok(SwapMode::Canary { percent }),
            (None, true) => Ok(SwapMode::Shadow),
            (Some(_), false) => Err("canary must be a percentage from 1 to 100"),
            (Some(_), true) => Err("canary and shadow exclude each other"),
        }
    }
}

/// Loads another generation of a plugin.
pub(super) async fn reload(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    Query(how): Query<How>,
    headers: HeaderMap,
) -> Response {
    let mode = match how.mode() {
        Ok(mode) => mode,
        Err(what) => return (StatusCode::BAD_REQUEST, format!("{what}\n")).into_response(),
    };
    let Some(mut reload) = desk.reload().await else { return starting() };
    let result = reload.swap(&name, mode).await;
    drop(reload);
    done(&desk, &name, result, &headers)
}

/// Has the generation on trial take the old one's place.
pub(super) async fn promote(State(desk): State<Arc<Desk>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(swaps) = desk.swaps() else { return starting() };
    let result = swaps.promote(&name);
    done(&desk, &name, result, &headers)
}

/// Takes the generation on trial out.
pub(super) async fn abort(State(desk): State<Arc<Desk>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(swaps) = desk.swaps() else { return starting() };
    let result = swaps.abort(&name);
    done(&desk, &name, result, &headers)
}

/// Whose clients are to be looked at again.
#[derive(Deserialize)]
pub(super) struct Whom {
    principal: String,
    #[serde(default)]
    scope: WhatOf,
}

/// What of it.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum WhatOf {
    #[default]
    Authentication,
    Authorization,
}

/// What a principal was granted holds no longer.
pub(super) async fn revoke(State(desk): State<Arc<Desk>>, Query(whom): Query<Whom>, headers: HeaderMap) -> Response {
    tracing::info!(principal = whom.principal, "an operator revokes what was granted");
    let scope = match whom.scope {
        WhatOf::Authentication => Scope::Authentication,
        WhatOf::Authorization => Scope::Authorization,
    };
    let clients = desk.node.revoke(&whom.principal, scope);
    match wants_text(&headers) {
        true => text::revoked(&whom.principal, clients).into_response(),
        false => Json(serde_json::json!({ "principal": whom.principal, "clients": clients })).into_response(),
    }
}

/// What a change has come to.
#[derive(Serialize)]
struct Done<'a> {
    plugin: &'a str,
    outcome: &'static str,
    /// The generation in force now.
    generation: u64,
    /// The generation on trial now.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<u64>,
}

fn done(desk: &Desk, plugin: &str, result: Result<Outcome, SwapFailure>, headers: &HeaderMap) -> Response {
    let (outcome, status) = match result.and_then(|outcome| Ok((outcome, desk.node.host().find(plugin)?))) {
        Ok(done) => done,
        Err(failure) => return failed(&failure),
    };
    let candidate = status.trial.map(|trial| trial.candidate.generation);
    let done = Done { plugin, outcome: outcome.name(), generation: status.generation, candidate };
    if wants_text(headers) { text::done(&done).into_response() } else { Json(done).into_response() }
}

fn failed(failure: &SwapFailure) -> Response {
    let status = match failure {
        SwapFailure::Swap(SwapError::NoPlugin { .. }) => StatusCode::NOT_FOUND,
        SwapFailure::Swap(SwapError::OnTrial(_) | SwapError::NotOnTrial(_)) => StatusCode::CONFLICT,
        SwapFailure::Config(_) | SwapFailure::NotConfigured(_) | SwapFailure::Swap(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    (status, format!("{failure}\n")).into_response()
}

fn starting() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the broker is starting; try again\n").into_response()
}

/// People get text, programs JSON.
fn wants_text(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.starts_with("text/plain"))
}

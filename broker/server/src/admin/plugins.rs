//! The pages of plugins, below `/plugins/NAME/`.
//!
//! A browser takes what comes from the admin port for one site, and lets a page of it do there what its reader may. So that a
//! plugin gets nothing by being looked at, its pages are sandboxed: the browser gives them an origin that is nobody's. Their scripts run and
//! their forms that GET are sent; what changes something is for programs, which show who they are (`guard`).

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use midge_host::contract::{NoPage, PageRequest, PageResponse};
use midge_host::{HookError, HookFailure};
use tracing::warn;

use super::Desk;
use super::guard::Token;

/// Has the plugin answer. Whatever keeps it from that is an answer of the broker.
pub(super) async fn page(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let host = Arc::clone(&desk.node.host());
    let (parts, body) = request.into_parts();
    let rest = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (name, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let bytes_max = match host.page_bytes_max(name) {
        Ok(bytes_max) => bytes_max,
        Err(none) => return no_page(name, &none),
    };
    let Ok(body) = to_bytes(body, bytes_max).await else {
        let text = format!("the body is not complete, or has more than {bytes_max} bytes (admin_bytes_max)\n");
        return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    };
    let request = PageRequest {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers_in(&parts.headers, desk.token.as_ref()),
        body,
    };
    match host.page(name, request).await {
        Ok(Ok(response)) => answer(name, response),
        Ok(Err(error)) => failed(name, &error),
        Err(none) => no_page(name, &none),
    }
}

/// What a plugin is shown of a request's headers: not what is about the connection, and not the token of the admin port.
fn headers_in(headers: &HeaderMap, token: Option<&Token>) -> Vec<(String, String)> {
    let of_message = headers.iter().filter(|(name, _)| !OF_CONNECTION.contains(&name.as_str()));
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let is_token =
        |name: &HeaderName, value: &str| *name == AUTHORIZATION && token.is_some_and(|token| token.is_shown_in(value));
    of_message
        .map(|(name, value)| (name, text(value)))
        .filter(|(name, value)| !is_token(name, value))
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect()
}

fn answer(plugin: &str, PageResponse { status, headers, body }: PageResponse) -> Response {
    let mut response = Response::new(Body::from(body));
    // The host lets nothing else pass.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    if headers.len() > HEADERS_MAX {
        warn!(plugin, headers = headers.len(), "a plugin's page has too many headers");
        return StatusCode::BAD_GATEWAY.into_response();
    }
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) else {
            warn!(plugin, name, "a plugin's page has a header that HTTP cannot carry");
            return StatusCode::BAD_GATEWAY.into_response();
        };
        if !OF_CONNECTION.contains(&name.as_str()) {
            response.headers_mut().append(name, value);
        }
    }
    // Beside what the plugin says, which can only forbid more.
    response.headers_mut().append(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What went wrong is the operator's to know and in the log; whoever asked is told no more than how it went.
fn failed(plugin: &str, error: &HookError) -> Response {
    warn!(plugin, %error, "a plugin's page failed");
    let status = match error.failure {
        HookFailure::Deadline | HookFailure::WaitTimeout => StatusCode::GATEWAY_TIMEOUT,
        HookFailure::Overloaded(_) | HookFailure::BreakerOpen => StatusCode::SERVICE_UNAVAILABLE,
        HookFailure::Backend(_) | HookFailure::Trapped(_) | HookFailure::BadAnswer(_) => StatusCode::BAD_GATEWAY,
    };
    (status, format!("plugin {plugin} gave no answer; the broker's log says why\n")).into_response()
}

fn no_page(plugin: &str, none: &NoPage) -> Response {
    let text = match none {
        NoPage::Unknown => format!("there is no plugin {plugin:?}\n"),
        NoPage::NoHook => format!("plugin {plugin:?} has no pages: it exports no admin, or its `hooks` leave it out\n"),
        NoPage::NotGranted(denial) => format!("{denial}\n"),
    };
    (StatusCode::NOT_FOUND, text).into_response()
}

const PREFIX: &str = "/plugins/";
/// Headers that frame the message or are about the connection: between the broker and whoever asks.
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const HEADERS_MAX: usize = 256;
/// What a browser lets a plugin's page do.
const SANDBOX: &str = "sandbox allow-scripts allow-forms allow-downloads";

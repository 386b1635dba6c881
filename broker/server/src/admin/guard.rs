//! Who may change something by the admin port.
//!
//! Where a token is configured, whoever shows it. Else programs of this machine, and nobody else: the peer's address must be
//! a loopback one. A web page in a browser on this machine is not such a program, although its requests come from there: a
//! request that changes something needs a header that a browser lets no other site's page send, must not come from such a page
//! by its `Origin`, and must be for an address or `localhost`, so that no name of another site that was made to point here is one.
//!
//! The pages of plugins are the broker's by their address and not by what is in them. Whoever opens one in a browser must not
//! thereby let the plugin change what it is not granted to: see [`super::plugins`], which gives them an origin of their own.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::digest::{Digest, SHA256, digest};

use super::Desk;
use crate::error::Cause;

/// What is shown by whoever may change something. Only its digest is kept.
pub(crate) struct Token(Digest);

impl Token {
    /// Reads the first line of a file.
    ///
    /// # Errors
    /// The file cannot be read, or the line is too short to be a secret.
    pub(super) fn read(file: &Path) -> Result<Self, Cause> {
        let failed = |what: String| Cause::AdminToken { file: file.to_owned(), what };
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        let line = text.lines().next().unwrap_or_default().trim();
        if line.chars().count() < TOKEN_CHARS_MIN {
            return Err(failed("it is too short".to_owned()));
        }
        Ok(Self(digest(&SHA256, line.as_bytes())))
    }

    /// Whether the value of an `Authorization` shows it.
    pub(super) fn is_shown_in(&self, authorization: &str) -> bool {
        authorization.strip_prefix("Bearer ").is_some_and(|shown| self.is(shown.trim()))
    }

    /// Whether it is this one. Digests are compared, so that the time it takes tells nothing about the token.
    fn is(&self, shown: &str) -> bool {
        digest(&SHA256, shown.as_bytes()).as_ref() == self.0.as_ref()
    }
}

/// Lets a request pass that may change something.
pub(super) async fn guard(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match judge(desk.token.as_ref(), peer.ip(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, what)) => {
            tracing::warn!(%peer, path = request.uri().path(), "the admin port refused a change: {what}");
            (status, format!("{what}\n")).into_response()
        }
    }
}

/// The same for pages of plugins, whose GET and HEAD change nothing.
pub(super) async fn guard_unless_it_only_shows(
    desk: State<Arc<Desk>>,
    peer: ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => next.run(request).await,
        _ => guard(desk, peer, request, next).await,
    }
}

fn judge(token: Option<&Token>, peer: IpAddr, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text(ADMIN_HEADER).is_none() {
        return Err((
            StatusCode::FORBIDDEN,
            "the header Midge-Admin is missing, which keeps browsers out; say Midge-Admin: 1",
        ));
    }
    if let Some(token) = token {
        let is_shown = text(header::AUTHORIZATION.as_str()).is_some_and(|value| token.is_shown_in(value));
        let what = "the token of admin.token_file must be shown (Authorization: Bearer …)";
        return if is_shown { Ok(()) } else { Err((StatusCode::UNAUTHORIZED, what)) };
    }
    if !peer.to_canonical().is_loopback() {
        let what = "without admin.token_file only programs on the broker's machine may change something";
        return Err((StatusCode::FORBIDDEN, what));
    }
    let host = text(header::HOST.as_str()).filter(|host| is_address(host));
    let Some(host) = host else {
        return Err((StatusCode::FORBIDDEN, "the header Host must be an IP address or localhost"));
    };
    if headers.get(header::ORIGIN).is_some_and(|origin| !is_of(host, origin.as_bytes())) {
        return Err((StatusCode::FORBIDDEN, "the header Origin names another site"));
    }
    Ok(())
}

/// Whether an Origin is the site that the request is for.
fn is_of(host: &str, origin: &[u8]) -> bool {
    let Some((scheme, site)) = std::str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    matches!(scheme, "http" | "https") && site.eq_ignore_ascii_case(host)
}

/// Whether a Host is an address or `localhost`, with or without a port.
fn is_address(host: &str) -> bool {
    let is = |name: &str| {
        let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        inner.eq_ignore_ascii_case("localhost") || inner.parse::<IpAddr>().is_ok()
    };
    let without_port = |(name, port): (&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit()) && is(name);
    is(host) || host.rsplit_once(':').is_some_and(without_port)
}

/// The header that every request needs which changes something; its value does not matter.
const ADMIN_HEADER: &str = "midge-admin";

/// Characters that a token has at least.
pub(crate) const TOKEN_CHARS_MIN: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    const HERE: [u8; 4] = [127, 0, 0, 1];
    const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn status(token: Option<&Token>, peer: [u8; 4], pairs: &[(&'static str, &str)]) -> u16 {
        judge(token, peer.into(), &headers(pairs)).err().map_or(200, |(status, _)| status.as_u16())
    }

    #[test]
    fn a_program_on_this_machine_may_change_something_and_a_web_page_may_not() {
        for host in ["127.0.0.1:9883", "[::1]:9883", "localhost", "LOCALHOST:1", "::1"] {
            assert_eq!(status(None, HERE, &[("host", host), ("midge-admin", "1")]), 200, "{host}");
        }
        assert_eq!(status(None, HERE, &[("host", "127.0.0.1:9883")]), 403, "a browser sends no such header unasked");
        for host in ["evil.example:9883", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert_eq!(status(None, HERE, &[("host", host), ("midge-admin", "1")]), 403, "{host}");
        }
        assert_eq!(status(None, ELSEWHERE, &[("host", "127.0.0.1"), ("midge-admin", "1")]), 403);
    }

    #[test]
    fn a_page_of_another_site_may_change_nothing_whatever_else_it_was_let_send() {
        let from = |origin| status(None, HERE, &[("host", "localhost:9883"), ("midge-admin", "1"), ("origin", origin)]);
        assert_eq!((from("http://localhost:9883"), from("https://LOCALHOST:9883")), (200, 200));
        for other in
            ["null", "", "http://localhost:8080", "http://evil.example", "localhost:9883", "file://localhost:9883"]
        {
            assert_eq!(from(other), 403, "{other}");
        }
    }

    #[test]
    fn where_there_is_a_token_it_decides() {
        let token = Token(digest(&SHA256, b"0123456789abcdef"));
        let with = |value| [("host", "broker.example"), ("midge-admin", "1"), ("authorization", value)];
        assert_eq!(status(Some(&token), ELSEWHERE, &with("Bearer 0123456789abcdef")), 200);
        assert_eq!(status(Some(&token), HERE, &with("Bearer 0123456789abcdeF")), 401);
        assert_eq!(status(Some(&token), HERE, &with("0123456789abcdef")), 401);
        assert_eq!(status(Some(&token), HERE, &[("host", "127.0.0.1"), ("midge-admin", "1")]), 401);
    }
}

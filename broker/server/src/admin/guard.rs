//! Who may change something by the admin port.
//!
//! Where a token is configured, whoever shows it. Else programs of this machine, and nobody else: the peer's address must be
//! a loopback one. A web page in a browser on this machine is not such a program, although its requests come from there: a
//! request that changes something needs a header that a browser lets no other site's page send, and must be for an address
//! or `localhost`, so that no name of another site that was made to point here is one.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
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

fn judge(token: Option<&Token>, peer: IpAddr, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text(ADMIN_HEADER).is_none() {
        return Err((
            StatusCode::FORBIDDEN,
            "the header Midge-Admin is missing, which keeps browsers out; say Midge-Admin: 1",
        ));
    }
    if let Some(token) = token {
        let shown = text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        return match shown {
            Some(shown) if token.is(shown.trim()) => Ok(()),
            _ => {
                Err((StatusCode::UNAUTHORIZED, "the token of admin.token_file must be shown (Authorization: Bearer …)"))
            }
        };
    }
    if !peer.to_canonical().is_loopback() {
        let what = "without admin.token_file only programs on the broker's machine may change something";
        return Err((StatusCode::FORBIDDEN, what));
    }
    if !text(header::HOST.as_str()).is_some_and(is_address) {
        return Err((StatusCode::FORBIDDEN, "the header Host must be an IP address or localhost"));
    }
    Ok(())
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
    fn where_there_is_a_token_it_decides() {
        let token = Token(digest(&SHA256, b"0123456789abcdef"));
        let with = |value| [("host", "broker.example"), ("midge-admin", "1"), ("authorization", value)];
        assert_eq!(status(Some(&token), ELSEWHERE, &with("Bearer 0123456789abcdef")), 200);
        assert_eq!(status(Some(&token), HERE, &with("Bearer 0123456789abcdeF")), 401);
        assert_eq!(status(Some(&token), HERE, &with("0123456789abcdef")), 401);
        assert_eq!(status(Some(&token), HERE, &[("host", "127.0.0.1"), ("midge-admin", "1")]), 401);
    }
}

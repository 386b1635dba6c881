//! HTTP over the broker's pooled, TLS-verified client, to origins granted in the config.

use std::fmt;

use super::host;

pub use crate::bindings::imports::midge::plugin::http::{Error, Request, Response};

/// Sends a request and waits for the answer; any status is an `Ok`.
///
/// # Errors
/// When no complete answer came.
pub fn send(request: &Request) -> Result<Response, Error> {
    host::http::send(request)
}

impl Request {
    /// A GET with ten seconds to answer.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout_ms: 10_000 }
    }

    /// A POST with ten seconds to answer.
    #[must_use]
    pub fn post(url: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = Self { method: "POST".to_owned(), body: body.into(), ..Self::get(url) };
        request.header("content-type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Gives the server this many milliseconds; the time left for the hook cuts it.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }
}

impl Response {
    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An [`Error`] in words for a log.
#[must_use]
pub fn describe(error: &Error) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| match error {
        Error::NotGranted(why) => write!(f, "not granted: {why}"),
        Error::Timeout => write!(f, "no answer in time"),
        Error::Connect(why) => write!(f, "no connection: {why}"),
        Error::Tls(why) => write!(f, "TLS failed: {why}"),
        Error::TooLarge => write!(f, "the response is too large"),
        Error::Overloaded => write!(f, "too many requests under way"),
        Error::Other(why) => write!(f, "{why}"),
    })
}

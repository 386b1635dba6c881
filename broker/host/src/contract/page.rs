//! A plugin's pages on the admin port.

use bytes::Bytes;

/// A request to a plugin.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// What follows `/plugins/NAME` in the path; begins with `/`.
    pub path: String,
    /// What follows the `?`.
    pub query: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageResponse {
    /// 200 to 599.
    pub status: u16,
    /// Names and values, as the plugin gave them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a plugin has no pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPage {
    /// There is no plugin of that name.
    Unknown,
    /// It exports no `admin`, or the configuration does not use it.
    NoHook,
    /// The configuration does not grant it; with the line that would.
    NotGranted(String),
}

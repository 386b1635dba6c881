//! The hook `admin`: the plugin's own pages on the broker's admin port.

use crate::bindings::admin::exports::midge::plugin::admin as generated;
use crate::instance::{Exports, Instance};

pub use generated::{Request as PageRequest, Response as PageResponse};

/// Serves what is below `/plugins/NAME/` on the admin port, where the operator grants it.
pub trait Admin {
    /// Answers one request.
    ///
    /// # Errors
    /// When the plugin or its backend failed: whoever asked is told 502, and the text goes into the log.
    fn handle(&mut self, request: PageRequest) -> Result<PageResponse, String>;
}

impl PageRequest {
    /// A GET of this path, as a test needs it.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.into(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl PageResponse {
    /// A page without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// 200, with plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::status(200).with("text/plain; charset=utf-8", text.into())
    }

    /// 200, with JSON.
    ///
    /// # Panics
    /// When a map in it has keys that are no text.
    #[must_use]
    pub fn json(value: &impl serde::Serialize) -> Self {
        let text = serde_json::to_string(value).expect("JSON has text for keys");
        Self::status(200).with("application/json", text)
    }

    /// The same with this body.
    #[must_use]
    pub fn with(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl<T: Admin + Instance> generated::Guest for Exports<T> {
    fn handle(request: PageRequest) -> Result<PageResponse, String> {
        T::with(|plugin| plugin.handle(request))
    }
}

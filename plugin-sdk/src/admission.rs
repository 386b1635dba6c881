//! The hook `admission`: may anybody connect from there?

use crate::Reuse;
use crate::bindings::admission::exports::midge::plugin::admission as generated;
use crate::instance::{Exports, Instance};

pub use generated::Answer as Admission;

/// Decides whether connections are accepted, before anything of them is read.
///
/// The component must import nothing that waits: neither `http` nor `tcp` nor `passwords`.
pub trait Doorkeeper {
    /// May a client connect from `address`, an IPv4 or IPv6 address without port, to this listener?
    ///
    /// # Errors
    /// When the plugin failed. The operator's `on_error` decides, and refuses by default.
    fn admit(&mut self, listener: &str, address: &str) -> Result<Admission, String>;
}

impl Admission {
    /// It may, as far as this plugin is concerned.
    #[must_use]
    pub fn admit() -> Self {
        Self { admit: true, reuse: Reuse::NEVER }
    }

    /// It may not: the connection is closed without a word.
    #[must_use]
    pub fn refuse() -> Self {
        Self { admit: false, ..Self::admit() }
    }

    /// The broker may say the same about this address for this many milliseconds.
    #[must_use]
    pub fn for_ms(mut self, ttl_ms: u32) -> Self {
        self.reuse.ttl_ms = ttl_ms;
        self
    }
}

impl<T: Doorkeeper + Instance> generated::Guest for Exports<T> {
    fn admit(listener: String, address: String) -> Result<Admission, String> {
        T::with(|plugin| plugin.admit(&listener, &address))
    }
}

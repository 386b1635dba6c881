//! The hook `sink`: hand messages to a backend.

use crate::bindings::sink::exports::midge::plugin::sink as generated;
use crate::instance::{Exports, Instance};

pub use generated::{Delivery, Outcome};

/// Takes messages elsewhere, at least once while the broker's process lives.
pub trait Sink {
    /// Delivers a batch: one outcome per delivery, in order.
    ///
    /// # Errors
    /// To have the whole batch tried again, with back-off.
    fn deliver(&mut self, batch: Vec<Delivery>) -> Result<Vec<Outcome>, String>;

    /// Sends what is buffered; called before the instance is retired. Nothing is buffered unless you write it.
    ///
    /// # Errors
    /// With what was lost; it is logged.
    fn flush(&mut self) -> Result<(), String> {
        Ok(())
    }
}

impl<T: Sink + Instance> generated::Guest for Exports<T> {
    fn deliver(batch: Vec<Delivery>) -> Result<Vec<Outcome>, String> {
        T::with(|plugin| plugin.deliver(batch))
    }

    fn flush() -> Result<(), String> {
        T::with(Sink::flush)
    }
}

//! The hook `events`: what happened in the broker.

use crate::bindings::events::exports::midge::plugin::events as generated;
use crate::instance::{Exports, Instance};

pub use generated::Event;

/// Watches what happens.
pub trait Events {
    /// Takes a batch, oldest first. New kinds appear in any release: ignore the unknown.
    ///
    /// # Errors
    /// With what went wrong; it is counted and logged, and the batch is not offered again.
    fn on_events(&mut self, batch: Vec<Event>) -> Result<(), String>;
}

impl<T: Events + Instance> generated::Guest for Exports<T> {
    fn on_events(batch: Vec<Event>) -> Result<(), String> {
        T::with(|plugin| plugin.on_events(batch))
    }
}

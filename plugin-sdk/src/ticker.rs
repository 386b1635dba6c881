//! The hook `ticker`: the plugin's own turn.

use crate::bindings::ticker::exports::midge::plugin::ticker as generated;
use crate::instance::{Exports, Instance};

/// Does what must be done without anybody asking, every `tick_interval_ms` of the operator's config.
pub trait Ticker {
    /// One turn. There is never more than one under way, whatever the number of instances; it is called in whichever is
    /// free, so what the others must know goes into [`kv`](crate::kv).
    ///
    /// # Errors
    /// When it failed: logged and counted, and the next turn comes all the same.
    fn tick(&mut self) -> Result<(), String>;
}

impl<T: Ticker + Instance> generated::Guest for Exports<T> {
    fn tick() -> Result<(), String> {
        T::with(Ticker::tick)
    }
}

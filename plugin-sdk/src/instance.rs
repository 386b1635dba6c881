//! Where a component keeps its plugin between calls, and how generated code gets to it. Used by [`plugin!`](crate::plugin).

use std::marker::PhantomData;
use std::panic;

use crate::log;

/// A plugin type with a place to live, written by [`plugin!`](crate::plugin).
pub trait Instance: Sized + 'static {
    /// Lends the place.
    fn slot<R>(call: impl FnOnce(&mut Option<Self>) -> R) -> R;

    /// Makes the plugin of a component that has no `lifecycle`.
    fn make() -> Self;

    /// Runs `call` on the plugin, which is made now if this is the first call.
    fn with<R>(call: impl FnOnce(&mut Self) -> R) -> R {
        Self::slot(|slot| {
            call(slot.get_or_insert_with(|| {
                report_panics();
                Self::make()
            }))
        })
    }
}

/// Carries the exports of the hooks that `T` serves.
pub struct Exports<T>(PhantomData<T>);

/// Without this a panic is a bare trap: the target has no standard error.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string(), &[])));
}

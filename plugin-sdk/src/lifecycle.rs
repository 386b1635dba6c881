//! The hook `lifecycle`: make the plugin, ask how it is, let it go.

use crate::bindings::lifecycle::exports::midge::plugin::lifecycle as generated;
use crate::instance::{Exports, Instance, report_panics};

pub use generated::{Environment, Registration};

/// Makes the plugin. Name `lifecycle` in [`plugin!`](crate::plugin) to read and check the config before anything is asked.
pub trait Lifecycle: Sized {
    /// Makes the plugin, before any other call.
    ///
    /// # Errors
    /// With what is wrong and what would be accepted: it stops the broker's start-up, or keeps the old generation at a
    /// reload.
    fn init(environment: &Environment) -> Result<Self, String>;

    /// What the plugin wants to be called for; everything unless you write it. Asked once, after `init`.
    fn registration(&self) -> Registration {
        Registration::default()
    }

    /// Asked now and then.
    ///
    /// # Errors
    /// With what is wrong: shown in `/readyz` and metrics.
    fn health(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// The last call before the instance is dropped.
    fn shutdown(&mut self) {}
}

impl Default for Registration {
    /// Every topic the operator names, with payloads.
    fn default() -> Self {
        Self { topics: Vec::new(), wants_payload: true }
    }
}

impl<T: Lifecycle + Instance> generated::Guest for Exports<T> {
    fn init(environment: Environment) -> Result<Registration, String> {
        report_panics();
        let plugin = T::init(&environment)?;
        let registration = plugin.registration();
        T::slot(|slot| *slot = Some(plugin));
        Ok(registration)
    }

    fn health() -> Result<(), String> {
        T::with(Lifecycle::health)
    }

    fn shutdown() {
        T::with(Lifecycle::shutdown);
    }
}

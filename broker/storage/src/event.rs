//! What a store tells whoever started it.

use std::time::Duration;

/// Something happened to a store. Told on the store's own thread, which must not be kept waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Tickets have become durable.
    Committed,
    /// The disk does not take what it is given: nothing is acknowledged until it does. Told once, however often it is tried.
    Failed {
        /// What failed, and what to do about it.
        detail: String,
        /// Whether it is because the disk is full.
        is_full: bool,
    },
    /// The disk takes it again, and everything that waited is written.
    Recovered {
        /// How long it did not.
        after: Duration,
    },
}

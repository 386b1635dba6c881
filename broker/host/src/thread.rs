//! Threads by number, so that each finds what is its own without asking the others.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of this thread: counted from 0, in the order in which threads first ask.
pub(crate) fn number() -> usize {
    NUMBER.with(|number| *number)
}

thread_local! {
    static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

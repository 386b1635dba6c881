//! What a worker thread lends to the connection it is polling: room to read into, and the effects of a read batch. Idle
//! connections hold neither.

use std::cell::RefCell;

use midge_core::Effects;

/// One thread's scratch.
pub(crate) struct Scratch {
    /// Room to read into.
    pub(crate) space: Box<[u8]>,
    /// What the batch brings about.
    pub(crate) effects: Effects,
}

/// Lends this thread's scratch. Not to be nested: nothing that runs inside lends it again, because a connection writes to
/// others only through their sockets, never by polling them.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(work)
}

/// This thread is about to wait until there is something to do: what large batches needed is not kept for small ones.
pub(crate) fn rest() {
    // A thread that has lent its scratch is not about to wait.
    let _ = SCRATCH.try_with(|scratch| scratch.try_borrow_mut().map(|mut scratch| scratch.effects.rest()));
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = {
        RefCell::new(Scratch { space: vec![0; READ_BYTES_MAX].into(), effects: Effects::new() })
    };
}

/// The most that is read at once.
const READ_BYTES_MAX: usize = 64 * 1024;

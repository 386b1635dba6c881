//! What can be told of a session without its lock, and the lock that keeps it true.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::MutexGuard;

use super::state::State;
use crate::subscriptions::Readiness;

/// What was true of a session when its lock last opened, for choosing among the members of a shared subscription and for
/// slowing publishers down: the lowest bits are `ABSENT`, `FULL` and `CROWDED`, the rest is the number of messages in flight and
/// waiting.
pub(super) struct Hint(AtomicU32);

/// A session's state while it is locked. When the lock opens, the session's hint says what has become of it.
pub(crate) struct Locked<'a> {
    pub(super) hint: &'a Hint,
    pub(super) state: MutexGuard<'a, State>,
}

impl Hint {
    pub(super) fn new(state: &State) -> Self {
        Self(AtomicU32::new(summary(state)))
    }

    /// Whether it has no connection that is to stay.
    pub(super) fn is_absent(&self) -> bool {
        self.bits() & ABSENT != 0
    }

    /// How ready it is for a message.
    pub(super) fn readiness(&self) -> Readiness {
        let bits = self.bits();
        Readiness::of(bits & ABSENT != 0, bits & FULL != 0)
    }

    /// Whether its queue has little room left.
    pub(super) fn is_crowded(&self) -> bool {
        self.bits() & CROWDED != 0
    }

    /// Messages in flight and waiting.
    pub(super) fn load(&self) -> u32 {
        self.bits() >> LOAD_SHIFT
    }

    fn bits(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.hint.0.store(summary(&self.state), Ordering::Relaxed);
    }
}

fn summary(state: &State) -> u32 {
    let absent = state.ended || state.link.as_ref().is_none_or(|link| link.closing.is_some());
    let load = state.load().min(u32::MAX >> LOAD_SHIFT);
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    load << LOAD_SHIFT | flag(absent, ABSENT) | flag(state.full, FULL) | flag(state.crowded, CROWDED)
}

const ABSENT: u32 = 1;
const FULL: u32 = 2;
const CROWDED: u32 = 4;
const LOAD_SHIFT: u32 = 3;

//! A Session (4.1), and the outbox of the connection it currently has.
//!
//! Each session has exactly one lock. It is never held together with another session's, nor while a peer writes or a
//! waker wakes.

mod asking;
mod closing;
pub(crate) mod delivery;
mod hint;
pub(crate) mod hold;
pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod outbox;
mod output;
pub(crate) mod queue;
mod rare;
pub(crate) mod replay;
pub(crate) mod state;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;

pub use asking::DeliveryQuestion;
pub(crate) use asking::{Asking, Decided};
pub use closing::CloseReason;
pub use outbox::Chunk;
pub use output::{Peer, Work};

use hint::{Hint, Locked};
use state::State;

use crate::store::SessionNumber;
use crate::subscriptions::{Readiness, Subscriber, stable_hash};

/// What the broker keeps for one Client Identifier, while connected and between connections.
pub struct Session {
    id: u64,
    client_id: Arc<str>,
    name_hash: u32,
    hint: Hint,
    state: Mutex<State>,
}

/// Tells the Network Connections of one broker apart, and which of two is the newer; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNumber(pub u64);

impl Session {
    pub(crate) fn new(id: u64, client_id: Arc<str>, state: State) -> Self {
        // Half of it tells names apart well enough, and fits beside the hint.
        let name_hash = stable_hash(&client_id) as u32;
        Self { id, client_id, name_hash, hint: Hint::new(&state), state: Mutex::new(state) }
    }

    /// What the store calls it.
    pub(crate) fn number(&self) -> SessionNumber {
        SessionNumber(self.id)
    }

    /// The Client Identifier.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether it has a connection that is to stay.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.hint.is_absent()
    }

    /// Whether messages wait for the client, or for its acknowledgement.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.hint.load() > 0
    }

    /// Wakes the task that owns the connection, to look at [`Session::poll_output`].
    pub fn wake(&self, number: ConnectionNumber) {
        let waker = self.lock().link_of(number).and_then(|(link, _)| link.waker.take());
        wake(waker);
    }

    /// As [`Session::wake`], by whoever would have flushed and leaves it to the owner.
    pub(crate) fn hand_over(&self, number: ConnectionNumber) {
        let waker = self.lock().link_of(number).and_then(|(link, outbox)| {
            outbox.hand_over();
            link.waker.take()
        });
        wake(waker);
    }

    /// For whoever looks at idle connections now and then: lets go of what the session does not need until it has something to
    /// send again.
    pub fn rest(&self) {
        let mut state = self.lock();
        state.window.take_if(|window| window.is_idle());
        state.outbox.rest();
    }

    pub(crate) fn shared_client_id(&self) -> &Arc<str> {
        &self.client_id
    }

    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked { hint: &self.hint, state: self.state.lock() }
    }

    /// Wakes the task that owns the current connection.
    pub(crate) fn wake_owner(&self) {
        let waker = self.lock().link.as_mut().and_then(|link| link.waker.take());
        wake(waker);
    }
}

impl Subscriber for Arc<Session> {
    fn id(&self) -> u64 {
        self.id
    }

    fn name_hash(&self) -> u64 {
        self.name_hash.into()
    }

    fn readiness(&self) -> Readiness {
        self.hint.readiness()
    }

    fn load(&self) -> u32 {
        self.hint.load()
    }

    fn is_crowded(&self) -> bool {
        self.hint.is_crowded()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Keeps the context's waker, unless it is the one that is kept already.
pub(crate) fn register(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(context.waker()) => {}
        _ => *place = Some(context.waker().clone()),
    }
}

/// Wakes what was taken under a lock, after it.
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Connection;

    /// Every client has one of each; with the 16 bytes of an `Arc` a session fills a size class of allocators (256 bytes;
    /// the next is 320).
    #[test]
    fn a_session_without_messages_is_small() {
        assert!(size_of::<Session>() <= 240, "{} bytes", size_of::<Session>());
        assert!(size_of::<Connection>() <= 72, "{} bytes", size_of::<Connection>());
        assert!(size_of::<state::OwnSubscription>() <= 32, "{} bytes", size_of::<state::OwnSubscription>());
    }
}

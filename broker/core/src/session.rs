//! A Session (4.1), and the outbox of the connection it currently has.
//!
//! Each session has exactly one lock. It is never held together with another session's, nor while a peer writes or a
//! waker wakes.

pub(crate) mod delivery;
pub(crate) mod hold;
pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod outbox;
pub(crate) mod queue;
mod rare;
pub(crate) mod replay;
pub(crate) mod state;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use midge_protocol::ReasonCode;
use parking_lot::{Mutex, MutexGuard};

pub use outbox::Chunk;
use outbox::{Outbox, Writer, recycle};
use state::{Link, Loading, State};

use crate::store::{BodyId, SessionNumber};
use crate::subscriptions::{Readiness, Subscriber, stable_hash};

/// What the broker keeps for one Client Identifier, while connected and between connections.
pub struct Session {
    id: u64,
    client_id: Arc<str>,
    name_hash: u64,
    /// What can be told of the state without its lock, for choosing among the members of a shared subscription and for slowing
    /// publishers down: the lowest bits are `ABSENT`, `FULL` and `CROWDED`, the rest is the number of messages in flight and
    /// waiting.
    hint: AtomicU32,
    state: Mutex<State>,
}

/// A session's state while it is locked. When the lock opens, the session's hint says what has become of it.
pub(crate) struct Locked<'a> {
    hint: &'a AtomicU32,
    state: MutexGuard<'a, State>,
}

const ABSENT: u32 = 1;
const FULL: u32 = 2;
const CROWDED: u32 = 4;
const LOAD_SHIFT: u32 = 3;

/// Tells the Network Connections of one broker apart, and which of two is the newer; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNumber(pub u64);

/// What the task that owns a connection has to do next.
#[derive(Debug)]
pub enum Work {
    /// Write these bytes and give the chunk back. Keep it while the socket is full: only its holder writes.
    Write(Chunk),
    /// The outbox is empty and more waits for room: call [`Broker::drained`](crate::Broker::drained).
    Drained,
    /// What is to be sent next waits in the store: [`Broker::fetch`](crate::Broker::fetch) it, away from the threads that serve
    /// connections, and hand it to [`Broker::loaded`](crate::Broker::loaded). Others go on meanwhile.
    Load(Vec<BodyId>),
    /// Close the connection, after a DISCONNECT with this reason (version 5), unless [`Session::is_cut_off`].
    Close(CloseReason),
}

/// Why the broker wants a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Another connection uses the Client Identifier now [MQTT-3.1.4-3].
    TakenOver,
    /// An operator, a plugin or the server asked for it, with this reason.
    Administrative(ReasonCode),
    /// Nothing came for one and a half times the Keep Alive [MQTT-3.1.2-22].
    KeepAlive,
    /// The time for which the client was authenticated is over.
    IdentityExpired,
    /// The client does not read what is sent to it.
    SlowConsumer,
    /// The server shuts down.
    ServerShutdown,
}

impl CloseReason {
    /// The reason of the DISCONNECT.
    #[must_use]
    pub fn reason_code(self) -> ReasonCode {
        match self {
            Self::TakenOver => ReasonCode::SessionTakenOver,
            Self::Administrative(reason) => reason,
            Self::KeepAlive => ReasonCode::KeepAliveTimeout,
            Self::IdentityExpired => ReasonCode::NotAuthorized,
            Self::SlowConsumer => ReasonCode::QuotaExceeded,
            Self::ServerShutdown => ReasonCode::ServerShuttingDown,
        }
    }
}

/// The way to a connection's socket, for whoever has bytes for it.
pub trait Peer: Send + Sync {
    /// Tries to write what the session's outbox holds, without waiting; where that is not possible (TLS, `WebSocket`), calls
    /// [`Session::wake`]. Called without any lock held, from any thread.
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber);
}

impl Session {
    pub(crate) fn new(id: u64, client_id: Arc<str>, state: State) -> Self {
        let (name_hash, hint) = (stable_hash(&client_id), AtomicU32::new(hint(&state)));
        Self { id, client_id, name_hash, hint, state: Mutex::new(state) }
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
        self.hint.load(Ordering::Relaxed) & ABSENT == 0
    }

    /// Whether messages wait for the client, or for its acknowledgement.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.hint.load(Ordering::Relaxed) >> LOAD_SHIFT > 0
    }

    /// For the task that owns the socket: what to do next. Call it until it is pending.
    ///
    /// The waker is registered under the same lock as the last look, so no byte can slip in between.
    pub fn poll_output(&self, number: ConnectionNumber, context: &mut Context<'_>) -> Poll<Work> {
        let mut state = self.lock();
        let Some((link, outbox)) = state.link_of(number) else { return state.poll_departed(number, context) };
        if let Some(reason) = link.closes_now(outbox) {
            return Poll::Ready(Work::Close(reason));
        }
        if let Some(chunk) = outbox.take(Writer::Owner) {
            return Poll::Ready(Work::Write(chunk));
        }
        if link.wants_room && outbox.len() == 0 {
            link.wants_room = false;
            return Poll::Ready(Work::Drained);
        }
        if link.loading == Loading::Wanted && !outbox.is_writing() {
            link.loading = Loading::Underway;
            return Poll::Ready(Work::Load(state.missing()));
        }
        register(&mut link.waker, context);
        Poll::Pending
    }

    /// For anyone who wants to flush inline: the bytes to write, or none if there are none, somebody else is writing, or
    /// this is not the session's connection.
    pub fn take_output(&self, number: ConnectionNumber) -> Option<Chunk> {
        let mut state = self.lock();
        let (link, outbox) = state.link_of(number)?;
        if link.is_silenced() { None } else { outbox.take(Writer::Visitor) }
    }

    /// Gives a chunk back of which `written` bytes were written. What is left goes first again, and the owner is woken
    /// for it. Returns whether there is more to write at once; whoever does not take it then must [`Session::wake`].
    pub fn give_back(&self, number: ConnectionNumber, chunk: Chunk, written: usize) -> bool {
        let (waker, more) = {
            let mut state = self.lock();
            let Some((link, outbox)) = state.link_of(number) else {
                let waker = state.departed_stopped_writing(number, written < chunk.len());
                drop(state);
                recycle(chunk);
                wake(waker);
                return false;
            };
            let complete = written == chunk.len();
            outbox.give_back(chunk, written);
            let more = complete && outbox.is_ready() && !link.is_silenced();
            let closes = link.closing.is_some() || link.silenced;
            let owner_due = !complete || closes || (link.wants_room && outbox.len() == 0);
            (if owner_due { link.waker.take() } else { None }, more)
        };
        wake(waker);
        more
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

    /// Whether the last write on this connection ended within the bytes it was given, so that the client may have part
    /// of a packet: a DISCONNECT must not follow.
    #[must_use]
    pub fn is_cut_off(&self, number: ConnectionNumber) -> bool {
        self.lock().is_cut_off(number)
    }

    /// For an owner before it reads from its client: pending while another connection, from which the session was taken, may
    /// still tell the store something. What the two tell of it must not get mixed up.
    pub fn poll_succession(&self, number: ConnectionNumber, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let waits = state.awaits_any();
        match state.link_of(number) {
            Some((link, _)) if waits => {
                register(&mut link.waker, context);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// For an owner that found a reason to close: nobody else begins to write any more, and it is ready when nobody writes, so
    /// that a DISCONNECT can come last.
    pub fn poll_silence(&self, number: ConnectionNumber, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let Some((link, outbox)) = state.link_of(number) else {
            return state.poll_departed(number, context).map(|_| ());
        };
        link.silenced = true;
        if outbox.is_visited() {
            register(&mut link.waker, context);
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// For an owner after [`Session::poll_silence`]: what waits to be written on this connection.
    #[must_use]
    pub fn last_output(&self, number: ConnectionNumber) -> Vec<u8> {
        let mut state = self.lock();
        let Some(chunk) = state.link_of(number).and_then(|(_, outbox)| outbox.take(Writer::Owner)) else {
            return Vec::new();
        };
        let bytes = chunk.parts().flatten().copied().collect();
        recycle(chunk);
        bytes
    }

    /// Bytes encoded for this connection and not yet written, those of a chunk that is out included.
    #[must_use]
    pub fn output_bytes(&self, number: ConnectionNumber) -> usize {
        self.lock().link_of(number).map_or(0, |(_, outbox)| outbox.len())
    }

    /// Why the connection is to be closed, if it is: for an owner that holds a chunk its socket does not take, and so
    /// does not get [`Work::Close`].
    #[must_use]
    pub fn close_requested(&self, number: ConnectionNumber) -> Option<CloseReason> {
        match self.lock().link_of(number) {
            Some((link, _)) => link.closing,
            None => Some(CloseReason::TakenOver),
        }
    }

    /// Has this connection closed: its owner is woken and finds [`Work::Close`]. The first reason stands.
    pub fn request_close(&self, number: ConnectionNumber, reason: CloseReason) {
        let waker = self.lock().link_of(number).and_then(|(link, _)| link.close_for(reason));
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

    /// Has the current connection closed for this reason, and says whether there is one.
    pub(crate) fn close_for(&self, reason: CloseReason) -> bool {
        let waker = {
            let mut state = self.lock();
            let Some(link) = &mut state.link else { return false };
            link.close_for(reason)
        };
        wake(waker);
        true
    }
}

impl Link {
    /// Whether nothing more is to be written, because the connection is being closed. When the server shuts down, what was
    /// sent before is still written.
    fn is_silenced(&self) -> bool {
        self.silenced || self.closing.is_some_and(|reason| reason != CloseReason::ServerShutdown)
    }

    /// Why the owner is to close the connection, if it is to do so now: not while somebody else is writing.
    fn closes_now(&self, outbox: &Outbox) -> Option<CloseReason> {
        let drained = self.is_silenced() || outbox.len() == 0;
        self.closing.filter(|_| drained && !outbox.is_visited())
    }

    /// Notes why the connection is to be closed, unless that is decided; the waker is for after the lock.
    pub(crate) fn close_for(&mut self, reason: CloseReason) -> Option<Waker> {
        self.closing.get_or_insert(reason);
        self.waker.take()
    }
}

impl Subscriber for Arc<Session> {
    fn id(&self) -> u64 {
        self.id
    }

    fn name_hash(&self) -> u64 {
        self.name_hash
    }

    fn readiness(&self) -> Readiness {
        let hint = self.hint.load(Ordering::Relaxed);
        Readiness::of(hint & ABSENT != 0, hint & FULL != 0)
    }

    fn load(&self) -> u32 {
        self.hint.load(Ordering::Relaxed) >> LOAD_SHIFT
    }

    fn is_crowded(&self) -> bool {
        self.hint.load(Ordering::Relaxed) & CROWDED != 0
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
        self.hint.store(hint(&self.state), Ordering::Relaxed);
    }
}

fn hint(state: &State) -> u32 {
    let absent = state.ended || state.link.as_ref().is_none_or(|link| link.closing.is_some());
    let load = state.load().min(u32::MAX >> LOAD_SHIFT);
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    load << LOAD_SHIFT | flag(absent, ABSENT) | flag(state.full, FULL) | flag(state.crowded, CROWDED)
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

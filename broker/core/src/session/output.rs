//! How the bytes of a session's outbox reach its client: what the connection's own task does, and whoever flushes for it.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::outbox::{Chunk, Outbox, Writer, recycle};
use super::state::{Link, Loading};
use super::{Asking, CloseReason, ConnectionNumber, DeliveryQuestion, Session, register, wake};
use crate::store::BodyId;

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
    /// Whether the client may have these is for somebody else to say: ask, and hand the answers to
    /// [`Broker::authorized`](crate::Broker::authorized). What is to be sent behind them waits; others go on meanwhile.
    Authorize(Vec<DeliveryQuestion>),
    /// Close the connection, after a DISCONNECT with this reason (version 5), unless [`Session::is_cut_off`].
    Close(CloseReason),
}

/// The way to a connection's socket, for whoever has bytes for it.
pub trait Peer: Send + Sync {
    /// Tries to write what the session's outbox holds, without waiting; where that is not possible (TLS, `WebSocket`), calls
    /// [`Session::wake`]. Called without any lock held, from any thread.
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber);
}

impl Session {
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
        // While it holds bytes that its socket does not take, its owner looks for nothing but a reason to close.
        if link.asking == Asking::Wanted && (!outbox.is_writing() || outbox.is_visited()) {
            link.asking = Asking::Underway;
            return Poll::Ready(Work::Authorize(state.undecided()));
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
}

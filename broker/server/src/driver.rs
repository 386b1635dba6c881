//! The conductor: one task for each Network Connection, from CONNACK to its end.
//!
//! Everything that happens to a connection happens in [`Driver::poll`], in this order: what waits in the outbox is
//! written; a plugin's answer is taken, if one was awaited; then bytes are read and their packets carried out. A packet
//! that has to wait for a plugin stays at the head of what is unread, and nothing behind it is looked at, so the
//! client's order is kept and a slow plugin slows only the client that asked. Re-authentication alone waits for nobody: its
//! answer is taken whenever it is there.

mod authorize;
mod farewell;
mod few;
mod hold;
mod link;
mod load;
mod pace;
mod packets;
mod reauthenticate;
mod review;
mod scratch;
mod unread;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use midge_core::{Chunk, Connection, Work};
use midge_host::contract::Denial;
use midge_protocol::{Decoder, QoS, ReasonCode};
use tokio::io::ReadBuf;
use tokio::task::yield_now;
use tokio::time::Sleep;

pub(crate) use authorize::Authorizing;
pub(crate) use farewell::close;
pub(crate) use few::Few;
use hold::Hold;
pub(crate) use link::Link;
use link::Parts;
pub(crate) use load::Load;
pub(crate) use pace::Pace;
pub(crate) use reauthenticate::Reauthentication;
pub(crate) use scratch::{Scratch, rest, with_scratch};
pub(crate) use unread::Unread;

use crate::ending::ConnectionEnd;
use crate::hooks::{Client, PublishVerdict, Reviewed};
use crate::node::Node;
use crate::transport::Owned;

/// Owns a connection whose CONNECT was accepted.
///
/// Most connections do nothing most of the time, and each has one of these: what is rarely there is in a box, and what
/// is worth keeping small is asserted in [`crate::handshake`].
pub(crate) struct Driver {
    pub(crate) node: Arc<Node>,
    pub(crate) owned: Owned,
    pub(crate) link: Arc<Link>,
    pub(crate) connection: Connection,
    pub(crate) client: Arc<Client>,
    pub(crate) decoder: Decoder,
    /// What was read and not carried out.
    pub(crate) unread: Unread,
    /// A chunk that the socket does not take at the moment.
    pub(crate) unsent: Option<Chunk>,
    /// Why the client is not read at the moment.
    pub(crate) waiting: Option<Box<Waiting>>,
    /// What is there for few clients, or for a moment.
    pub(crate) few: Few,
}

/// Why a client is not read.
pub(crate) enum Waiting {
    /// The connection from which the session was taken may still tell the store something.
    Succession,
    /// The PUBLISH at the head of `unread` waits for plugins.
    Publish {
        /// The Topic Name that the packet's alias stands for.
        alias: Option<Arc<str>>,
        verdict: Awaited<PublishVerdict>,
    },
    /// The SUBSCRIBE at the head of `unread` waits for plugins.
    Subscribe(Awaited<Vec<Result<QoS, ReasonCode>>>),
    /// The UNSUBSCRIBE at the head of `unread` waits for plugins.
    Unsubscribe(Awaited<Vec<Option<ReasonCode>>>),
    /// It published faster than its rate, or than its subscribers or the store can take.
    Pause(Pin<Box<Sleep>>),
    /// There is too little room for more of what it publishes.
    Hold(Hold),
    /// What it may do is asked about again.
    Review(Awaited<Result<Reviewed, Denial>>),
}

/// An answer of plugins that has to be waited for.
type Awaited<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What plugins said about the packet at the head of `unread`.
enum Answer {
    Publish { alias: Option<Arc<str>>, verdict: PublishVerdict },
    Subscribe(Vec<Result<QoS, ReasonCode>>),
    Unsubscribe(Vec<Option<ReasonCode>>),
}

impl Driver {
    /// Drives the connection, until there is a reason to [`Self::finish`] it.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<ConnectionEnd> {
        for _ in 0..READS_PER_POLL {
            if let Poll::Ready(end) = self.poll_send(context) {
                return Poll::Ready(end);
            }
            if let Poll::Ready(end) = self.poll_reauthentication(context) {
                return Poll::Ready(end);
            }
            self.begin_review();
            let step = if self.waiting.is_some() {
                ready!(self.poll_wait(context))
            } else if self.is_overfull() {
                return Poll::Pending;
            } else {
                ready!(self.poll_receive(context))
            };
            if let Err(end) = step {
                return Poll::Ready(end);
            }
        }
        yield_to_others(context)
    }

    /// Writes until the outbox is empty or the socket is full; ready only when the connection is to be closed.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let number = self.connection.number();
        let _ = self.poll_load(context);
        let _ = self.poll_authorizing(context);
        let mut next = self.unsent.take();
        loop {
            if let Some(chunk) = next.take() {
                let written = match link::parts(&chunk) {
                    Parts::One(bytes) => self.owned.poll_write(context, bytes),
                    Parts::Several(slices) => self.owned.poll_write_vectored(context, &slices),
                };
                let Poll::Ready(written) = written else {
                    self.unsent = Some(chunk);
                    return self.poll_stalled(context);
                };
                let written = match written {
                    Ok(written) => written,
                    Err(error) => return Poll::Ready(error.into()),
                };
                self.link.progressed();
                self.node.metrics.sent(written);
                self.connection.session().give_back(number, chunk, written);
            }
            match self.connection.session().poll_output(number, context) {
                Poll::Ready(Work::Write(chunk)) => next = Some(chunk),
                Poll::Ready(Work::Drained) => {
                    self.fill_outbox();
                    // However quickly this client takes what it gets, the others of this worker have their turn.
                    return yield_to_others(context);
                }
                Poll::Ready(Work::Load(bodies)) => {
                    self.load(bodies);
                    let _ = self.poll_load(context);
                }
                Poll::Ready(Work::Authorize(questions)) => {
                    self.authorize(questions);
                    let _ = self.poll_authorizing(context);
                    return yield_to_others(context);
                }
                Poll::Ready(Work::Close(reason)) => return Poll::Ready(reason.into()),
                Poll::Pending => return self.poll_flush(context),
            }
        }
    }

    /// The socket takes nothing. Its owner is woken when it does, or when the connection is to be closed all the same.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<ConnectionEnd> {
        self.link.stalled();
        self.node.backlog.add(&self.link);
        let (session, number) = (self.connection.session(), self.connection.number());
        if let Poll::Ready(Work::Close(reason)) = session.poll_output(number, context) {
            return Poll::Ready(reason.into());
        }
        session.close_requested(number).map_or(Poll::Pending, |reason| Poll::Ready(reason.into()))
    }

    /// TLS and WebSocket may hold back what was written to them.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<ConnectionEnd> {
        match self.owned.poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error.into()),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// The outbox is empty: more of a retained replay or of the queue goes in.
    fn fill_outbox(&mut self) {
        let now = self.node.clock.now();
        with_scratch(|scratch| {
            self.node.broker.drained(&mut self.connection, now, &mut scratch.effects);
            self.node.conclude(&mut scratch.effects, now);
        });
    }

    /// A client that does not read its acknowledgements is not read either.
    fn is_overfull(&self) -> bool {
        self.unsent.is_some()
            && self.connection.session().output_bytes(self.connection.number())
                > self.node.broker.limits().outbox_bytes_max
    }

    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>> {
        let answer = match self.waiting.as_deref_mut() {
            Some(Waiting::Succession) => {
                ready!(self.connection.session().poll_succession(self.connection.number(), context));
                None
            }
            Some(Waiting::Publish { alias, verdict }) => {
                let verdict = ready!(verdict.as_mut().poll(context));
                Some(Answer::Publish { alias: alias.take(), verdict })
            }
            Some(Waiting::Subscribe(rulings)) => Some(Answer::Subscribe(ready!(rulings.as_mut().poll(context)))),
            Some(Waiting::Unsubscribe(refusals)) => Some(Answer::Unsubscribe(ready!(refusals.as_mut().poll(context)))),
            Some(Waiting::Pause(sleep)) => {
                ready!(sleep.as_mut().poll(context));
                None
            }
            Some(Waiting::Hold(hold)) => {
                ready!(hold.poll(context, &self.node, self.connection.session()));
                None
            }
            Some(Waiting::Review(review)) => {
                let found = ready!(review.as_mut().poll(context));
                if let Err(end) = self.conclude_review(found) {
                    return Poll::Ready(Err(end));
                }
                None
            }
            None => None,
        };
        self.waiting = None;
        self.link.set_paused(false);
        Poll::Ready(self.carry_out(&[], answer))
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ConnectionEnd>> {
        with_scratch(|Scratch { space, effects }| {
            let mut buffer = ReadBuf::new(space);
            match ready!(self.owned.poll_read(context, &mut buffer)) {
                Err(error) => Poll::Ready(Err(error.into())),
                Ok(()) if buffer.filled().is_empty() => Poll::Ready(Err(ConnectionEnd::Closed)),
                Ok(()) => {
                    self.node.metrics.received(buffer.filled().len());
                    Poll::Ready(self.carry_out_with(buffer.filled(), None, effects))
                }
            }
        })
    }
}

/// So many reads of one client, each up to the scratch's size, and the others have their turn.
const READS_PER_POLL: usize = 8;

/// Has the task polled again once the other tasks of this worker have had their turn, and once it was looked whose sockets
/// are ready. A task that merely woke itself would be polled up to 61 times before the runtime looks at a socket.
fn yield_to_others<T>(context: &mut Context<'_>) -> Poll<T> {
    let yielded = pin!(yield_now()).poll(context);
    debug_assert!(yielded.is_pending(), "nothing yields without being pending once");
    Poll::Pending
}

//! The encoded bytes that wait to be written on a session's connection.

pub(crate) mod pool;
mod rope;

use std::time::Duration;

use bytes::Bytes;
use rope::Rope;

use super::hold::{Hold, PartNumber};
use crate::Time;
use crate::store::Ticket;

/// Bytes on their way to one client. Idle means no buffer: it is taken at the first byte and returned when written.
///
/// Whoever writes takes the buffer out, so that no lock is held during the system call; `writer` keeps everybody else
/// from writing meanwhile, which keeps the order. New bytes gather in a second buffer.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// In a box that belongs to the pool with its buffer: an idle session pays one pointer for both.
    pending: Option<Box<Rope>>,
    /// Bytes of the chunk that is out.
    taken: usize,
    writer: Option<Writer>,
    /// Whether some batch promised to flush. Cleared whenever the buffer is taken: bytes appended later need a new promise.
    dirty: bool,
    /// Whether the flush was left to the connection's own task, which may have to wait for its turn.
    handed_over: bool,
    /// What may not leave yet. Mostly nothing.
    hold: Option<Box<Hold>>,
    /// Whether the last write ended within the bytes it was given, perhaps within a packet.
    cut_off: bool,
    /// When a publisher first found it crowded since the client last took something, in milliseconds of the clock, of which
    /// only the lowest bits are kept; 0: none has.
    crowded_since: u32,
}

/// Who has the chunk that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The connection's own task, perhaps while its socket is full.
    Owner,
    /// Somebody else, for the length of a system call.
    Visitor,
}

/// Bytes to write; they are this holder's alone until given back.
#[derive(Debug)]
pub struct Chunk(Box<Rope>);

impl Chunk {
    /// How many bytes there are; at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is no empty one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes, in as many runs as they lie in: one, unless large payloads are among them.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.parts()
    }

    /// The first run, for whoever writes one at a time.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        self.parts().next().unwrap_or_default()
    }
}

impl Outbox {
    /// Bytes not yet written, those that are being written included.
    pub(crate) fn len(&self) -> usize {
        self.pending.as_ref().map_or(0, |rope| rope.len())
            + self.taken
            + self.hold.as_ref().map_or(0, |hold| hold.bytes.len())
    }

    /// Where encoders append.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        match &mut self.hold {
            Some(hold) => &mut hold.bytes,
            None => Self::free_rope(&mut self.pending).copied(),
        }
    }

    /// Appends a payload that others are sent too. What is held back is copied.
    pub(crate) fn share(&mut self, payload: &Bytes) {
        match &mut self.hold {
            Some(hold) => hold.bytes.extend_from_slice(payload),
            None => Self::free_rope(&mut self.pending).share(payload.clone()),
        }
    }

    fn free_rope(pending: &mut Option<Box<Rope>>) -> &mut Rope {
        pending.get_or_insert_with(pool::take)
    }

    /// What is appended from now on waits for one more batch; none if it does already, see [`Hold::join`].
    pub(crate) fn hold(&mut self, joined: impl Fn(PartNumber) -> bool) -> Option<PartNumber> {
        self.hold.get_or_insert_default().join(joined)
    }

    /// Whether a batch that is not over has brought something that must not be spoken of before it is safe.
    pub(crate) fn awaits_batch(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.is_open())
    }

    /// A batch says which ticket its part waits for.
    pub(crate) fn settle(&mut self, part: PartNumber, ticket: Ticket, is_durable: impl Fn(Ticket) -> bool) {
        if let Some(hold) = &mut self.hold {
            hold.settle(part, ticket);
            self.release(is_durable);
        }
    }

    /// Lets go of what is safe by now.
    pub(crate) fn release(&mut self, is_durable: impl Fn(Ticket) -> bool) {
        let Some(hold) = &mut self.hold else { return };
        let mut released = hold.release(is_durable).peekable();
        if released.peek().is_some() {
            Self::free_rope(&mut self.pending).copied().extend(released);
        } else {
            drop(released);
        }
        self.hold.take_if(|hold| hold.is_over());
    }

    /// Whether the caller is the one who has to see to a flush. Until the buffer is taken nobody else is told so.
    pub(crate) fn mark_dirty(&mut self) -> bool {
        !std::mem::replace(&mut self.dirty, true)
    }

    /// Whoever promised to flush has left it to the connection's own task.
    pub(crate) fn hand_over(&mut self) {
        self.handed_over = true;
    }

    /// Whether there is so much to write that it should not wait for the end of a batch. What waits for its own task is not
    /// written sooner by whoever asks for it again.
    pub(crate) fn is_overdue(&self) -> bool {
        self.len() > OVERDUE_BYTES && self.is_ready() && !self.handed_over
    }

    /// Takes what is there, unless there is nothing or somebody is writing.
    pub(crate) fn take(&mut self, writer: Writer) -> Option<Chunk> {
        if !self.is_ready() {
            return None;
        }
        let chunk = Chunk(self.pending.take()?);
        self.writer = Some(writer);
        self.dirty = false;
        self.handed_over = false;
        self.taken = chunk.len();
        Some(chunk)
    }

    /// Takes a chunk back of which `written` bytes were written; what is left goes first again.
    pub(crate) fn give_back(&mut self, chunk: Chunk, written: usize) {
        self.writer = None;
        self.taken = 0;
        self.cut_off = written < chunk.len();
        if written > 0 {
            self.crowded_since = 0;
        }
        if !self.cut_off {
            recycle(chunk);
            return;
        }
        let Chunk(mut left) = chunk;
        left.advance(written);
        if let Some(mut later) = self.pending.take() {
            left.append(&mut later);
            pool::give_back(later);
        }
        self.pending = Some(left);
    }

    /// Whether publishers should slow down for it now that it is crowded: not if the client has taken nothing for so long.
    pub(crate) fn is_worth_waiting_for(&mut self, now: Time, at_most: Duration) -> bool {
        // 0 says that none has, so every moment is an odd one.
        let now = now.0 as u32 | 1;
        if self.crowded_since == 0 {
            self.crowded_since = now;
        }
        Duration::from_millis(u64::from(now.wrapping_sub(self.crowded_since))) < at_most
    }

    /// Whether a chunk is out.
    pub(crate) fn is_writing(&self) -> bool {
        self.writer.is_some()
    }

    /// Whether somebody other than the connection's own task has a chunk: only until its system call returns.
    pub(crate) fn is_visited(&self) -> bool {
        self.writer == Some(Writer::Visitor)
    }

    /// Whether the client has, as far as known, only part of a packet.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// Whether a chunk could be taken.
    pub(crate) fn is_ready(&self) -> bool {
        self.writer.is_none() && self.pending.as_ref().is_some_and(|rope| !rope.is_empty())
    }

    /// Gives a buffer back that was taken for something that did not go into it after all.
    pub(crate) fn rest(&mut self) {
        self.pending.take_if(|rope| rope.is_empty()).into_iter().for_each(pool::give_back);
    }

    /// Forgets everything but what is waited for: the connection is gone.
    pub(crate) fn reset(&mut self) {
        self.pending.take().into_iter().for_each(pool::give_back);
        let mut hold = self.hold.take();
        if let Some(hold) = &mut hold {
            hold.forget_bytes();
        }
        *self = Self { hold, ..Self::default() };
    }
}

/// Gives the buffer of a chunk back whose connection no longer has an outbox.
pub(crate) fn recycle(chunk: Chunk) {
    pool::give_back(chunk.0);
}

/// An outbox beyond this is flushed before the batch ends.
const OVERDUE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_was_not_written_goes_before_what_came_later() {
        let mut outbox = Outbox::default();
        outbox.buffer().extend_from_slice(b"first ");
        let chunk = outbox.take(Writer::Owner).unwrap();
        outbox.buffer().extend_from_slice(b"second");
        assert!(outbox.take(Writer::Owner).is_none(), "somebody is writing");
        assert_eq!(outbox.len(), 12);
        outbox.give_back(chunk, 2);
        assert!(outbox.is_cut_off());
        assert_eq!(outbox.take(Writer::Owner).unwrap().front(), b"rst second");
    }

    #[test]
    fn taking_the_buffer_ends_the_promise_to_flush() {
        let mut outbox = Outbox::default();
        outbox.buffer().push(1);
        assert!(outbox.mark_dirty());
        assert!(!outbox.mark_dirty(), "the first one flushes");
        let chunk = outbox.take(Writer::Owner).unwrap();
        outbox.buffer().push(2);
        assert!(outbox.mark_dirty(), "bytes after the take need a new promise");
        outbox.give_back(chunk, 1);
        assert!(outbox.is_ready());
    }

    #[test]
    fn an_idle_outbox_has_no_buffer() {
        let mut outbox = Outbox::default();
        outbox.buffer().push(1);
        let chunk = outbox.take(Writer::Owner).unwrap();
        outbox.give_back(chunk, 1);
        assert!(outbox.pending.is_none());
        assert_eq!(outbox.len(), 0);
    }
}

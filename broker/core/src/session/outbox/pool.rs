//! Each thread's buffers for outboxes, so that a session needs one only while it has something to write. They serve too where
//! bytes have to lie together for a moment.

use std::cell::RefCell;

use super::rope::Rope;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { ropes: Vec::new(), bytes: 0 }) };
}

/// Ropes without content.
struct Pool {
    #[allow(clippy::vec_box, reason = "an outbox takes the box, not what is in it")]
    ropes: Vec<Box<Rope>>,
    /// The sum of their capacities.
    bytes: usize,
}

/// An empty rope with a buffer.
pub(super) fn take() -> Box<Rope> {
    let kept = POOL.with_borrow_mut(|pool| {
        let rope = pool.ropes.pop()?;
        pool.bytes -= rope.capacity();
        Some(rope)
    });
    kept.unwrap_or_else(|| Box::new(Rope::with_capacity(BUFFER_BYTES)))
}

/// Keeps a rope that is done with, unless it is too large or too small, or there are enough.
pub(super) fn give_back(mut rope: Box<Rope>) {
    if !(BUFFER_BYTES..=BUFFER_BYTES_KEPT_MAX).contains(&rope.capacity()) {
        return;
    }
    rope.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.ropes.len() < BUFFERS_KEPT_MAX {
            pool.bytes += rope.capacity();
            pool.ropes.push(rope);
        }
    });
}

/// Lends one of the buffers to `work`, with these parts in it, one after the other.
pub(crate) fn joined<R>(parts: &[&[u8]], work: impl FnOnce(&[u8]) -> R) -> R {
    let mut rope = take();
    parts.iter().for_each(|part| rope.copied().extend_from_slice(part));
    let result = work(rope.copied());
    give_back(rope);
    result
}

/// The calling thread has nothing to do: it keeps enough for the next messages, and lets go of what a burst needed.
pub(crate) fn rest() {
    POOL.with_borrow_mut(|pool| {
        while pool.bytes > BYTES_AT_REST_MAX
            && let Some(rope) = pool.ropes.pop()
        {
            pool.bytes -= rope.capacity();
        }
    });
}

/// A fresh buffer's size.
const BUFFER_BYTES: usize = 8 * 1024;
/// Buffers that grew beyond are freed rather than kept.
const BUFFER_BYTES_KEPT_MAX: usize = 256 * 1024;
/// Buffers each thread keeps while it works.
const BUFFERS_KEPT_MAX: usize = 64;
/// Bytes of buffers that each thread keeps when it rests: all that one may have which never grew.
const BYTES_AT_REST_MAX: usize = BUFFERS_KEPT_MAX * BUFFER_BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    /// Pools belong to threads, and so does this one.
    fn kept() -> (usize, usize) {
        POOL.with_borrow(|pool| (pool.ropes.len(), pool.bytes))
    }

    #[test]
    fn a_thread_that_rests_keeps_little_of_what_a_burst_needed() {
        let grown = |_| {
            let mut rope = take();
            rope.copied().resize(100 * 1024, 0);
            rope
        };
        let burst: Vec<_> = (0..100).map(grown).collect();
        burst.into_iter().for_each(give_back);
        let (ropes, bytes) = kept();
        assert!(ropes == BUFFERS_KEPT_MAX && bytes >= ropes * 100 * 1024, "{ropes} with {bytes} bytes");
        rest();
        let (ropes, bytes) = kept();
        assert!(ropes > 0 && bytes <= BYTES_AT_REST_MAX, "{ropes} with {bytes} bytes");
        rest();
        assert_eq!(kept(), (ropes, bytes), "what is left is for the next messages");
    }

    #[test]
    fn what_is_given_back_is_empty_and_taken_again() {
        let mut rope = take();
        rope.copied().extend_from_slice(b"secret");
        give_back(rope);
        assert_eq!(kept().0, 1);
        assert!(take().is_empty());
        assert_eq!(kept(), (0, 0));
    }

    #[test]
    fn a_lent_buffer_is_given_back() {
        assert_eq!(joined(&[b"one", b"", b"two"], <[u8]>::to_vec), b"onetwo");
        assert_eq!(kept().0, 1);
        assert!(take().is_empty());
    }

    #[test]
    fn a_buffer_that_grew_too_large_is_not_kept() {
        give_back(Box::new(Rope::with_capacity(BUFFER_BYTES_KEPT_MAX + 1)));
        assert_eq!(kept(), (0, 0));
    }
}

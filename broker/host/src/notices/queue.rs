//! A queue bounded in entries and bytes, with one reader.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Writers never wait. Entries the reader has taken count until it releases them, so the bound holds for what is
/// being worked on too.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something was pushed, or the queue was closed. One permit suffices: there is one reader.
    ready: Notify,
    closing: Notify,
    entries_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// Waiting and taken.
    entries: usize,
    bytes: usize,
    /// Of the last entry let in.
    sequence: u64,
    closed: bool,
}

/// Why an entry was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    Entries,
    Bytes,
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(entries_max: usize, bytes_max: usize) -> Self {
        let state = State { waiting: VecDeque::new(), entries: 0, bytes: 0, sequence: 0, closed: false };
        Self { state: Mutex::new(state), ready: Notify::new(), closing: Notify::new(), entries_max, bytes_max }
    }

    /// Lets an entry of `bytes` in; `make` gets its sequence number, which starts at 1 and has no gaps.
    pub(super) fn push(&self, bytes: usize, make: impl FnOnce(u64) -> T) -> Result<(), NoRoom> {
        {
            let mut state = self.state.lock();
            if state.closed {
                return Err(NoRoom::Closed);
            }
            if state.entries >= self.entries_max {
                return Err(NoRoom::Entries);
            }
            // An entry larger than the bound may pass alone; otherwise it never could.
            if state.entries > 0 && state.bytes.saturating_add(bytes) > self.bytes_max {
                return Err(NoRoom::Bytes);
            }
            state.sequence += 1;
            let entry = make(state.sequence);
            state.waiting.push_back(entry);
            state.entries += 1;
            state.bytes += bytes;
        }
        self.ready.notify_one();
        Ok(())
    }

    /// Waits until there is something to take. False: closed, and nothing is left.
    pub(super) async fn filled(&self) -> bool {
        loop {
            {
                let state = self.state.lock();
                if !state.waiting.is_empty() {
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            self.ready.notified().await;
        }
    }

    /// Takes up to `max` entries, oldest first, without waiting.
    pub(super) fn take(&self, max: usize) -> impl Iterator<Item = T> {
        let mut state = self.state.lock();
        let count = max.min(state.waiting.len());
        let taken: Vec<T> = state.waiting.drain(..count).collect();
        taken.into_iter()
    }

    /// Taken entries are dealt with.
    pub(super) fn release(&self, entries: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.entries = state.entries.saturating_sub(entries);
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    /// Entries waiting and taken.
    pub(super) fn depth(&self) -> usize {
        self.state.lock().entries
    }

    pub(super) fn entries_max(&self) -> usize {
        self.entries_max
    }

    /// Lets nothing more in.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_one();
        self.closing.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Waits until the queue is closed.
    pub(super) async fn closed(&self) {
        let closing = self.closing.notified();
        // `notified` counts from its creation, so a close between the look and the await is not missed.
        if !self.is_closed() {
            closing.await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn entries_and_bytes_are_bounded_until_released() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.push(60, |sequence| sequence), Ok(()));
        assert_eq!(queue.push(50, |sequence| sequence), Err(NoRoom::Bytes));
        assert_eq!(queue.push(20, |sequence| sequence), Ok(()));
        assert_eq!(queue.push(20, |sequence| sequence), Ok(()));
        assert_eq!(queue.push(0, |sequence| sequence), Err(NoRoom::Entries));
        assert_eq!(queue.take(2).collect::<Vec<_>>(), [1, 2], "no number was spent on what was refused");
        assert_eq!(queue.push(0, |sequence| sequence), Err(NoRoom::Entries), "taken entries still count");
        queue.release(2, 80);
        assert_eq!(queue.push(80, |sequence| sequence), Ok(()));
        assert_eq!(queue.depth(), 2);
    }

    #[test]
    fn an_entry_larger_than_the_bound_passes_alone() {
        let queue = Queue::new(3, 100);
        assert_eq!(queue.push(1000, |sequence| sequence), Ok(()));
        assert_eq!(queue.push(1, |sequence| sequence), Err(NoRoom::Bytes));
    }

    #[tokio::test]
    async fn a_reader_wakes_for_entries_and_for_the_end() {
        let queue = Arc::new(Queue::new(10, 100));
        let reader = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move {
                let mut seen = Vec::new();
                while queue.filled().await {
                    seen.extend(queue.take(10));
                }
                seen
            }
        });
        for _ in 0..3 {
            queue.push(1, |sequence| sequence).unwrap();
            tokio::task::yield_now().await;
        }
        queue.close();
        assert_eq!(queue.push(1, |sequence| sequence), Err(NoRoom::Closed));
        assert_eq!(timeout(SOON, reader).await.unwrap().unwrap(), [1, 2, 3]);
        timeout(SOON, queue.closed()).await.unwrap();
    }
}

//! Flow control: no more messages are under way on a topic than a window, so that no broker has to drop any.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// One topic: what was sent to it, and what each of its subscribers has received.
pub(crate) struct Channel {
    pub(crate) topic: String,
    sent: AtomicU64,
    received: Box<[Counter]>,
    /// Messages that may be under way to the slowest subscriber.
    window: u64,
    /// Messages that a publisher sends at once.
    batch: u64,
    waiting: AtomicUsize,
    sleepers: Mutex<VecDeque<Thread>>,
}

/// On a cache line of its own, because each belongs to another thread.
#[derive(Default)]
#[repr(align(64))]
struct Counter(AtomicU64);

impl Channel {
    pub(crate) fn new(topic: String, subscribers: usize, window: usize, batch: usize) -> Self {
        Self {
            topic,
            sent: AtomicU64::new(0),
            received: (0..subscribers).map(|_| Counter::default()).collect(),
            window: window.max(batch) as u64,
            batch: batch as u64,
            waiting: AtomicUsize::new(0),
            sleepers: Mutex::default(),
        }
    }

    /// Waits until a batch may be sent, and counts it as sent. False if `stop` was set meanwhile.
    pub(crate) fn reserve(&self, stop: &AtomicBool) -> bool {
        while !stop.load(Ordering::Relaxed) {
            if self.try_reserve() {
                return true;
            }
            // Announced before the second look, so that either it sees the room or the subscriber sees the sleeper.
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.sleepers().push_back(thread::current());
            let has_room = self.try_reserve();
            if !has_room {
                thread::park_timeout(PATIENCE);
            }
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            if has_room {
                return true;
            }
        }
        false
    }

    fn try_reserve(&self) -> bool {
        let limit = self.slowest() + self.window;
        let reserved = self.sent.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |sent| {
            (sent + self.batch <= limit).then_some(sent + self.batch)
        });
        reserved.is_ok()
    }

    /// Counts messages that are sent whether there is room or not.
    pub(crate) fn count_sent(&self, messages: usize) {
        self.sent.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Counts what a subscriber has received. If half of the window is free it wakes as many publishers as fill it.
    pub(crate) fn count_received(&self, subscriber: usize, messages: u64) {
        self.received[subscriber].0.fetch_add(messages, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let room = (self.slowest() + self.window).saturating_sub(self.sent());
        if room >= self.window / 2 {
            let batches = usize::try_from(room / self.batch).unwrap_or(usize::MAX);
            let mut sleepers = self.sleepers();
            let count = batches.min(sleepers.len());
            sleepers.drain(..count).for_each(|sleeper| sleeper.unpark());
        }
    }

    /// Messages that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages that all subscribers together have received.
    pub(crate) fn received(&self) -> u64 {
        self.received.iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum()
    }

    /// Whether every subscriber has received everything.
    pub(crate) fn is_drained(&self) -> bool {
        self.slowest() >= self.sent()
    }

    fn sleepers(&self) -> MutexGuard<'_, VecDeque<Thread>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slowest(&self) -> u64 {
        self.received.iter().map(|counter| counter.0.load(Ordering::Relaxed)).min().unwrap_or(0)
    }
}

/// How long a publisher sleeps before it looks again unasked.
const PATIENCE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_subscriber_makes_room() {
        let channel = Channel::new("t".to_owned(), 2, 10, 5);
        let (run, stop) = (AtomicBool::new(false), AtomicBool::new(true));
        assert!(channel.reserve(&run) && channel.reserve(&run));
        channel.count_received(0, 10);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| channel.reserve(&run));
            assert!(!waiting.is_finished());
            channel.count_received(1, 5);
            assert!(waiting.join().expect("it does not panic"));
        });
        assert_eq!((channel.sent(), channel.received()), (15, 15));
        assert!(!channel.is_drained());
        assert!(!channel.reserve(&stop));
    }
}

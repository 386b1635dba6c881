//! Flow control: no more messages are under way on a topic than a window, so that no broker has to drop any.

use std::time::{Duration, Instant};

/// One topic: what was sent to it, and what each of its subscribers has received.
pub(crate) struct Channel {
    pub(crate) topic: String,
    sent: u64,
    received: Box<[u64]>,
    /// What each subscriber is held to have lost, so that sending goes on without it.
    given_up: Box<[u64]>,
    /// Messages that may be under way to the slowest subscriber.
    window: u64,
    /// Messages that a publisher sends at once.
    batch: u64,
    /// When something was received last, and how much had been.
    progress: (Instant, u64),
}

impl Channel {
    pub(crate) fn new(topic: String, subscribers: usize, window: usize, batch: usize) -> Self {
        Self {
            topic,
            sent: 0,
            received: vec![0; subscribers].into(),
            given_up: vec![0; subscribers].into(),
            window: window.max(batch) as u64,
            batch: batch as u64,
            progress: (Instant::now(), 0),
        }
    }

    /// How many batches may be sent now.
    pub(crate) fn room(&self) -> u64 {
        (self.slowest() + self.window).saturating_sub(self.sent) / self.batch
    }

    /// Counts messages that are sent.
    pub(crate) fn count_sent(&mut self, messages: usize) {
        self.sent += messages as u64;
    }

    /// Counts what a subscriber has received.
    pub(crate) fn count_received(&mut self, subscriber: usize, messages: u64) {
        self.received[subscriber] += messages;
    }

    /// Messages that all subscribers together have received.
    pub(crate) fn received(&self) -> u64 {
        self.received.iter().sum()
    }

    /// Deliveries that did not come, or not yet.
    pub(crate) fn missing(&self) -> u64 {
        (self.sent * self.received.len() as u64).saturating_sub(self.received())
    }

    /// Whether every subscriber has received everything, or is held to have lost it.
    pub(crate) fn is_drained(&self) -> bool {
        self.slowest() >= self.sent
    }

    /// Where nothing has come for long, what is missing is lost: waiting for it would end the load.
    pub(crate) fn give_up_if_stalled(&mut self, now: Instant) {
        let received = self.received();
        if received != self.progress.1 || self.is_drained() {
            self.progress = (now, received);
        } else if now.duration_since(self.progress.0) > STALL {
            for (given_up, received) in self.given_up.iter_mut().zip(&self.received) {
                *given_up = self.sent.saturating_sub(*received);
            }
        }
    }

    /// At the end there is time to wait for what was given up: a broker that is slow has lost nothing.
    pub(crate) fn hope_again(&mut self) {
        self.given_up.fill(0);
        self.progress = (Instant::now(), self.received());
    }

    fn slowest(&self) -> u64 {
        self.received.iter().zip(&self.given_up).map(|(received, given_up)| received + given_up).min().unwrap_or(0)
    }
}

/// How long nothing may arrive on a topic before what is under way counts as lost.
const STALL: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_subscriber_makes_room() {
        let mut channel = Channel::new("t".to_owned(), 2, 10, 5);
        assert_eq!(channel.room(), 2);
        channel.count_sent(10);
        channel.count_received(0, 10);
        assert_eq!(channel.room(), 0);
        channel.count_received(1, 5);
        assert_eq!((channel.room(), channel.received(), channel.missing()), (1, 15, 5));
        assert!(!channel.is_drained());
    }

    #[test]
    fn what_does_not_come_is_lost_and_sending_goes_on() {
        let mut channel = Channel::new("t".to_owned(), 1, 10, 5);
        channel.count_sent(10);
        channel.count_received(0, 7);
        let now = Instant::now();
        channel.give_up_if_stalled(now);
        channel.give_up_if_stalled(now + STALL / 2);
        assert_eq!(channel.room(), 1);
        channel.give_up_if_stalled(now + STALL * 2);
        assert_eq!((channel.room(), channel.missing()), (2, 3));
        assert!(channel.is_drained());
        channel.hope_again();
        assert!(!channel.is_drained());
        channel.count_received(0, 3);
        assert!(channel.is_drained() && channel.missing() == 0);
    }
}

//! Circuit breaker: a hook that keeps failing is not called for a moment, then tried with one call.
//!
//! Closed, a success costs one relaxed load: how many calls went well is read from the metrics when something fails.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::metrics::HookMetrics;
use crate::contract::BreakerState;

/// One breaker per plugin and hook.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: AtomicU8,
    consecutive: AtomicU32,
    inner: Mutex<Inner>,
}

impl Breaker {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            state: AtomicU8::new(CLOSED),
            consecutive: AtomicU32::new(0),
            inner: Mutex::new(Inner {
                window_began: now,
                answered_before: 0,
                failures: 0,
                pause: PAUSE_MIN,
                closed_until: now,
            }),
        }
    }

    /// Whether the hook may be called now. Half open, one caller gets a yes per pause.
    pub(crate) fn admits(&self) -> bool {
        self.state.load(Ordering::Relaxed) == CLOSED || self.admits_probe(Instant::now())
    }

    pub(crate) fn succeeded(&self) {
        if self.consecutive.load(Ordering::Relaxed) != 0 {
            self.consecutive.store(0, Ordering::Relaxed);
        }
        if self.state.load(Ordering::Relaxed) != CLOSED {
            self.close(Instant::now());
        }
    }

    /// Returns whether this failure opened the breaker.
    pub(crate) fn failed(&self, metrics: &HookMetrics) -> bool {
        self.failed_at(Instant::now(), metrics.answered_total())
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state.load(Ordering::Relaxed) {
            CLOSED => BreakerState::Closed,
            OPEN => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    fn admits_probe(&self, now: Instant) -> bool {
        let mut inner = self.inner.lock();
        if now < inner.closed_until {
            return false;
        }
        // If the probe never reports (its client went away), the next one may go after another pause.
        inner.closed_until = now + inner.pause;
        self.state.store(HALF_OPEN, Ordering::Relaxed);
        true
    }

    fn close(&self, now: Instant) {
        let mut inner = self.inner.lock();
        inner.pause = PAUSE_MIN;
        inner.failures = 0;
        inner.window_began = now;
        self.state.store(CLOSED, Ordering::Relaxed);
    }

    fn failed_at(&self, now: Instant, answered: u64) -> bool {
        let consecutive = self.consecutive.fetch_add(1, Ordering::Relaxed) + 1;
        let mut inner = self.inner.lock();
        if self.state.load(Ordering::Relaxed) != CLOSED {
            inner.pause = (inner.pause * 2).min(PAUSE_MAX);
            inner.closed_until = now + inner.pause;
            self.state.store(OPEN, Ordering::Relaxed);
            return false;
        }
        if now.duration_since(inner.window_began) > WINDOW {
            inner.window_began = now;
            inner.answered_before = answered;
            inner.failures = 0;
        }
        inner.failures += 1;
        let calls = answered.saturating_sub(inner.answered_before) + inner.failures;
        let too_many = calls >= CALLS_MIN && inner.failures * 5 >= calls;
        if consecutive < CONSECUTIVE_MAX && !too_many {
            return false;
        }
        inner.closed_until = now + inner.pause;
        self.state.store(OPEN, Ordering::Relaxed);
        true
    }
}

#[derive(Debug)]
struct Inner {
    window_began: Instant,
    /// Calls answered before the window began.
    answered_before: u64,
    failures: u64,
    /// How long the next opening lasts.
    pause: Duration,
    /// While open: no call before this.
    closed_until: Instant,
}

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const HALF_OPEN: u8 = 2;

/// So many failures in a row open the breaker …
const CONSECUTIVE_MAX: u32 = 5;
/// … and so does a fifth of at least so many calls …
const CALLS_MIN: u64 = 50;
/// … within this time.
const WINDOW: Duration = Duration::from_secs(10);
/// How long it stays open the first time; doubled each time the probe fails.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn open(now: Instant) -> Breaker {
        let breaker = Breaker::new(now);
        for failure in 1..=CONSECUTIVE_MAX {
            assert!(breaker.admits());
            assert_eq!(breaker.failed_at(now, 0), failure == CONSECUTIVE_MAX);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let now = Instant::now();
        let breaker = open(now);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(!breaker.admits_probe(now));
    }

    #[test]
    fn successes_in_between_keep_it_closed() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        for answered in 1..30 {
            assert!(!breaker.failed_at(now, answered * 10));
            breaker.succeeded();
        }
    }

    #[test]
    fn a_fifth_of_many_calls_opens_it() {
        let now = Instant::now();
        let breaker = Breaker::new(now);
        let mut opened = false;
        for answered in 1..=CALLS_MIN {
            opened |= breaker.failed_at(now, answered * 4);
            breaker.succeeded();
        }
        assert!(opened);
    }

    #[test]
    fn after_the_pause_one_caller_probes() {
        let now = Instant::now();
        let breaker = open(now);
        let later = now + PAUSE_MIN;
        assert!(breaker.admits_probe(later));
        assert!(!breaker.admits_probe(later));
        breaker.succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_failed_probe_doubles_the_pause() {
        let now = Instant::now();
        let breaker = open(now);
        let later = now + PAUSE_MIN;
        assert!(breaker.admits_probe(later));
        breaker.failed_at(later, 0);
        assert!(!breaker.admits_probe(later + PAUSE_MIN));
        assert!(breaker.admits_probe(later + PAUSE_MIN * 2));
    }

    #[test]
    fn a_probe_that_never_reports_does_not_block_the_next() {
        let now = Instant::now();
        let breaker = open(now);
        assert!(breaker.admits_probe(now + PAUSE_MIN));
        assert!(breaker.admits_probe(now + PAUSE_MIN * 2));
    }
}

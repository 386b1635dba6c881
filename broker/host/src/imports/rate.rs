//! A token bucket, and a count of what did not get through.

use std::time::Instant;

use parking_lot::Mutex;

/// Lets through `per_second` a second, with a burst of as many.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    at: Instant,
    /// Refused since the last one let through.
    refused_lately: u64,
    /// Refused in all.
    refused: u64,
}

/// What became of a request to a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Let through; so many were refused since the last one.
    Yes {
        /// How many were refused in between.
        refused_before: u64,
    },
    /// Refused.
    No,
}

impl Rate {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, state: Mutex::new(State { tokens: per_second, at: now, refused_lately: 0, refused: 0 }) }
    }

    pub(crate) fn pass(&self, now: Instant) -> Pass {
        let mut state = self.state.lock();
        let elapsed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + elapsed * self.per_second).min(self.per_second);
        state.at = state.at.max(now);
        if state.tokens >= 1.0 {
            state.tokens -= 1.0;
            Pass::Yes { refused_before: std::mem::take(&mut state.refused_lately) }
        } else {
            state.refused_lately += 1;
            state.refused += 1;
            Pass::No
        }
    }

    /// How many were refused in all.
    pub(crate) fn refused(&self) -> u64 {
        self.state.lock().refused
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_and_refusals_are_counted() {
        let start = Instant::now();
        let rate = Rate::new(10, start);
        for _ in 0..10 {
            assert_eq!(rate.pass(start), Pass::Yes { refused_before: 0 });
        }
        for _ in 0..3 {
            assert_eq!(rate.pass(start), Pass::No);
        }
        let later = start + Duration::from_millis(150);
        assert_eq!(rate.pass(later), Pass::Yes { refused_before: 3 });
        assert_eq!(rate.pass(later), Pass::No);
        assert_eq!(rate.refused(), 4);
    }

    #[test]
    fn a_pause_saves_up_one_burst_and_no_more() {
        let start = Instant::now();
        let rate = Rate::new(2, start);
        let later = start + Duration::from_secs(3600);
        let passed = (0..10).filter(|_| rate.pass(later) != Pass::No).count();
        assert_eq!(passed, 2);
    }
}

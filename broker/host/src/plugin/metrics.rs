//! Counters of one hook of one plugin.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::contract::{BreakerState, Hook, HookStatus, LATENCY_BOUNDS, LatencyHistogram};
use crate::error::HookFailure;

/// Everything is relaxed: the counters are read for display only.
#[derive(Debug, Default)]
pub(crate) struct HookMetrics {
    answered: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
    traps: AtomicU64,
    deadlines: AtomicU64,
    wait_timeouts: AtomicU64,
    overloaded: AtomicU64,
    not_called: AtomicU64,
    bad_answers: AtomicU64,
    buckets: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    sum_ns: AtomicU64,
}

impl HookMetrics {
    pub(crate) fn answered(&self, took: Duration) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.observe(took);
    }

    /// The answer just counted was a refusal.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, failure: &HookFailure, took: Duration) {
        let counter = match failure {
            HookFailure::Backend(_) => &self.errors,
            HookFailure::Trapped(_) => &self.traps,
            HookFailure::Deadline => &self.deadlines,
            HookFailure::WaitTimeout => &self.wait_timeouts,
            HookFailure::Overloaded(_) => &self.overloaded,
            HookFailure::BreakerOpen => &self.not_called,
            HookFailure::BadAnswer(_) => &self.bad_answers,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !matches!(failure, HookFailure::BreakerOpen) {
            self.observe(took);
        }
    }

    /// Calls answered so far; the breaker's idea of how many calls go well.
    pub(crate) fn answered_total(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn status(&self, hook: Hook, breaker: BreakerState) -> HookStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HookStatus {
            hook,
            answered: read(&self.answered),
            refused: read(&self.refused),
            errors: read(&self.errors),
            traps: read(&self.traps),
            deadlines: read(&self.deadlines),
            wait_timeouts: read(&self.wait_timeouts),
            overloaded: read(&self.overloaded),
            not_called: read(&self.not_called),
            bad_answers: read(&self.bad_answers),
            breaker,
            latency: LatencyHistogram {
                counts: std::array::from_fn(|bucket| read(&self.buckets[bucket])),
                sum_ns: read(&self.sum_ns),
            },
        }
    }

    fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < ns);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_not_above_its_bound() {
        let metrics = HookMetrics::default();
        metrics.answered(Duration::from_nanos(500));
        metrics.answered(Duration::from_nanos(501));
        metrics.answered(Duration::from_secs(60));
        let latency = metrics.status(Hook::Authz, BreakerState::Closed).latency;
        assert_eq!((latency.counts[0], latency.counts[1]), (1, 1));
        assert_eq!(latency.counts[LATENCY_BOUNDS.len()], 1);
    }

    #[test]
    fn a_call_that_was_not_made_took_no_time() {
        let metrics = HookMetrics::default();
        metrics.failed(&HookFailure::BreakerOpen, Duration::ZERO);
        let status = metrics.status(Hook::Authz, BreakerState::Open);
        assert_eq!(status.not_called, 1);
        assert_eq!(status.latency.counts.iter().sum::<u64>(), 0);
    }
}

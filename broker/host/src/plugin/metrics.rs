//! Counters of one hook of one plugin.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::contract::{BreakerState, Hook, HookStatus, LATENCY_BOUNDS, LatencyHistogram};
use crate::error::HookFailure;
use crate::thread;

/// Everything is relaxed: the counters are read for display only. A call counts where its thread does, so that threads do
/// not take a cache line from each other with every call.
#[derive(Debug, Default)]
pub(crate) struct HookMetrics {
    parts: [Part; PARTS],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
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
        let part = self.part();
        part.answered.fetch_add(1, Ordering::Relaxed);
        part.observe(took);
    }

    /// The answer just counted was a refusal.
    pub(crate) fn refused(&self) {
        self.part().refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, failure: &HookFailure, took: Duration) {
        let part = self.part();
        let counter = match failure {
            HookFailure::Backend(_) => &part.errors,
            HookFailure::Trapped(_) => &part.traps,
            HookFailure::Deadline => &part.deadlines,
            HookFailure::WaitTimeout => &part.wait_timeouts,
            HookFailure::Overloaded(_) => &part.overloaded,
            HookFailure::BreakerOpen => &part.not_called,
            HookFailure::BadAnswer(_) => &part.bad_answers,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !matches!(failure, HookFailure::BreakerOpen) {
            part.observe(took);
        }
    }

    /// Calls answered so far; the breaker's idea of how many calls go well.
    pub(crate) fn answered_total(&self) -> u64 {
        self.sum(|part| &part.answered)
    }

    /// Calls made so far, whatever they ended in.
    pub(crate) fn calls_total(&self) -> u64 {
        self.sum(|part| &part.answered)
            + self.sum(|part| &part.errors)
            + self.sum(|part| &part.traps)
            + self.sum(|part| &part.deadlines)
            + self.sum(|part| &part.wait_timeouts)
            + self.sum(|part| &part.bad_answers)
    }

    pub(crate) fn status(&self, hook: Hook, breaker: BreakerState) -> HookStatus {
        HookStatus {
            hook,
            answered: self.sum(|part| &part.answered),
            refused: self.sum(|part| &part.refused),
            errors: self.sum(|part| &part.errors),
            traps: self.sum(|part| &part.traps),
            deadlines: self.sum(|part| &part.deadlines),
            wait_timeouts: self.sum(|part| &part.wait_timeouts),
            overloaded: self.sum(|part| &part.overloaded),
            not_called: self.sum(|part| &part.not_called),
            bad_answers: self.sum(|part| &part.bad_answers),
            breaker,
            latency: LatencyHistogram {
                counts: std::array::from_fn(|bucket| self.sum(|part| &part.buckets[bucket])),
                sum_ns: self.sum(|part| &part.sum_ns),
            },
        }
    }

    fn part(&self) -> &Part {
        &self.parts[thread::number() % PARTS]
    }

    fn sum(&self, counter: impl Fn(&Part) -> &AtomicU64) -> u64 {
        self.parts.iter().map(|part| counter(part).load(Ordering::Relaxed)).sum()
    }
}

impl Part {
    fn observe(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < ns);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }
}

/// Threads with the same remainder share a part, which is slower and no mistake.
const PARTS: usize = 8;

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

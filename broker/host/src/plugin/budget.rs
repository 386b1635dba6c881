//! The processor time of one call.
//!
//! An epoch deadline is wall time: on a busy machine it would also cut a guest that was merely preempted. So when the
//! deadline strikes, the callback looks at the processor time of the thread and extends the deadline by what is left.
//! A call that ends in time, which is nearly every call, pays two relaxed stores for this (inline lane).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use cpu_time::ThreadTime;
use wasmtime::{Store, UpdateDeadline};

use crate::contract::Lane;
use crate::engine::TICK;

/// The budget of the call an instance is busy with; one per instance, reset for each call.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    allowed_ns: AtomicU64,
    used_ns: AtomicU64,
    /// The thread's processor time when the running stretch began; 0 = not measured yet (inline lane).
    mark_ns: AtomicU64,
}

impl Budget {
    /// Puts the budget in charge of a store.
    pub(crate) fn govern<T: 'static>(store: &mut Store<T>, lane: Lane) -> Arc<Self> {
        let budget = Arc::new(Self::default());
        let judge = Arc::clone(&budget);
        match lane {
            Lane::Inline => store.epoch_deadline_callback(move |_| Ok(judge.strike_inline())),
            Lane::Waiting => store.epoch_deadline_callback(move |_| Ok(judge.strike_waiting())),
        }
        budget
    }

    /// Starts a new call with this much processor time.
    pub(crate) fn start<T>(&self, store: &mut Store<T>, lane: Lane, allowed: Duration) {
        let allowed_ns = u64::try_from(allowed.as_nanos()).unwrap_or(u64::MAX);
        self.allowed_ns.store(allowed_ns, Ordering::Relaxed);
        self.used_ns.store(0, Ordering::Relaxed);
        self.mark_ns.store(0, Ordering::Relaxed);
        store.set_epoch_deadline(match lane {
            Lane::Inline => ticks(allowed_ns / 2),
            Lane::Waiting => 1,
        });
    }

    /// Half of the budget has passed on the wall clock: from here on processor time is measured.
    fn strike_inline(&self) -> UpdateDeadline {
        let half = self.allowed_ns.load(Ordering::Relaxed) / 2;
        let now = thread_ns();
        let mark = self.mark_ns.load(Ordering::Relaxed);
        if mark == 0 {
            self.mark_ns.store(now.max(1), Ordering::Relaxed);
            return UpdateDeadline::Continue(ticks(half));
        }
        match half.checked_sub(now.saturating_sub(mark)) {
            None | Some(0) => UpdateDeadline::Interrupt,
            Some(left) => UpdateDeadline::Continue(ticks(left)),
        }
    }

    /// A tick has passed: let others run, unless the budget is used up.
    fn strike_waiting(&self) -> UpdateDeadline {
        let running = thread_ns().saturating_sub(self.mark_ns.load(Ordering::Relaxed));
        let used = self.used_ns.load(Ordering::Relaxed).saturating_add(running);
        if used >= self.allowed_ns.load(Ordering::Relaxed) {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
        }
    }
}

/// Polls a call of the waiting lane and adds up the processor time of the polls: waiting costs nothing.
pub(crate) struct Metered<'a, F> {
    pub(crate) budget: &'a Budget,
    pub(crate) call: Pin<&'a mut F>,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = thread_ns();
        self.budget.mark_ns.store(began, Ordering::Relaxed);
        let polled = self.call.as_mut().poll(context);
        let used = thread_ns().saturating_sub(began);
        self.budget.used_ns.fetch_add(used, Ordering::Relaxed);
        polled
    }
}

fn thread_ns() -> u64 {
    u64::try_from(ThreadTime::now().as_duration().as_nanos()).unwrap_or(u64::MAX)
}

/// At least one tick, so that a deadline is always in the future.
fn ticks(ns: u64) -> u64 {
    let tick = u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
    ns.div_ceil(tick).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_now() {
        assert_eq!(ticks(0), 1);
        assert_eq!(ticks(1), 1);
        assert_eq!(ticks(1_000_001), 2);
    }

    #[test]
    fn a_preempted_guest_is_not_cut() {
        let budget = Budget::default();
        budget.allowed_ns.store(10_000_000, Ordering::Relaxed);
        assert!(matches!(budget.strike_inline(), UpdateDeadline::Continue(5)));
        // Two strikes at once: wall time may have passed, but this thread has burnt next to nothing.
        assert!(matches!(budget.strike_inline(), UpdateDeadline::Continue(_)));
    }

    #[test]
    fn used_up_processor_time_interrupts() {
        let budget = Budget::default();
        budget.allowed_ns.store(2, Ordering::Relaxed);
        let _ = budget.strike_inline();
        std::hint::black_box((0..100_000).sum::<u64>());
        assert!(matches!(budget.strike_inline(), UpdateDeadline::Interrupt));
    }
}

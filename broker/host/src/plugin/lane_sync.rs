//! The inline lane: one instance per worker, called on the connection's own thread.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::calls::HookCall;
use super::instance::Instance;
use super::pool::Nursery;
use crate::error::HookFailure;

/// A slot per worker. A worker finds its own slot free unless another thread strayed into it.
pub(crate) struct InlineLane {
    slots: Box<[Mutex<Option<Instance>>]>,
}

impl InlineLane {
    pub(crate) fn new(workers: usize) -> Self {
        Self { slots: (0..workers.max(1)).map(|_| Mutex::new(None)).collect() }
    }

    /// Puts an instance that is already there into a free slot.
    pub(crate) fn adopt(&self, instance: Instance) {
        if let Some(mut slot) = self.slots.iter().find_map(|slot| slot.try_lock().filter(|slot| slot.is_none())) {
            *slot = Some(instance);
        }
    }

    /// Makes one call. A trap leaves an empty slot, which the next call fills.
    pub(crate) fn call<C: HookCall>(
        &self,
        nursery: &Nursery,
        call: &C,
        deadline: Instant,
    ) -> Result<Option<C::Answer>, HookFailure> {
        let patience = nursery.blueprint.limits.cpu_of(C::HOOK) * 2;
        let mut slot = self.free_slot(patience)?;
        let instance = slot.take();
        let called = at_once(nursery.call(instance, call, deadline));
        *slot = called.instance;
        drop(slot);
        nursery.carry_out(called.orders);
        called.answer
    }

    /// The instances, taken out to be shut down.
    pub(crate) fn take_all(&self) -> Vec<Instance> {
        self.slots.iter().filter_map(|slot| slot.lock().take()).collect()
    }

    fn free_slot(&self, patience: Duration) -> Result<MutexGuard<'_, Option<Instance>>, HookFailure> {
        let own = OWN_SLOT.with(|own| *own) as usize % self.slots.len();
        let (before, from) = self.slots.split_at(own);
        if let Some(slot) = from.iter().chain(before).find_map(Mutex::try_lock) {
            return Ok(slot);
        }
        // More threads than workers are calling. A call is bounded by its processor time, so the wait is short.
        self.slots[own]
            .try_lock_for(patience)
            .ok_or_else(|| HookFailure::Overloaded(format!("all {} instances are busy", self.slots.len())))
    }
}

thread_local! {
    /// Spreads threads over slots.
    static OWN_SLOT: u64 = {
        let mut hasher = DefaultHasher::new();
        std::thread::current().id().hash(&mut hasher);
        hasher.finish()
    };
}

/// Runs a future that never waits.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a component of the inline lane imports nothing that waits"),
    }
}

//! The inline lane: an instance for each thread, called on the connection's own thread.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::calls::HookCall;
use super::instance::Instance;
use super::pool::Nursery;
use crate::error::HookFailure;
use crate::thread;

/// A slot per worker. A worker finds its own slot free unless another thread strayed into it, so its lock is never
/// contended, and no two of them share a cache line.
pub(crate) struct InlineLane {
    slots: Box<[Slot]>,
}

#[derive(Default)]
#[repr(align(128))]
struct Slot(Mutex<Option<Box<Instance>>>);

impl InlineLane {
    pub(crate) fn new(workers: usize) -> Self {
        Self { slots: (0..workers.max(1)).map(|_| Slot::default()).collect() }
    }

    /// Puts an instance that is already there into a free slot.
    pub(crate) fn adopt(&self, instance: Box<Instance>) {
        if let Some(mut slot) = self.slots.iter().find_map(|slot| slot.0.try_lock().filter(|slot| slot.is_none())) {
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
        let mut slot = self.free_slot::<C>(nursery)?;
        let instance = slot.take();
        let called = at_once(nursery.call(instance, call, deadline));
        *slot = called.instance;
        drop(slot);
        nursery.carry_out(called.orders);
        called.answer
    }

    /// The instances, taken out to be shut down.
    #[allow(clippy::vec_box, reason = "instances move from hand to hand in their boxes")]
    pub(crate) fn take_all(&self) -> Vec<Box<Instance>> {
        self.slots.iter().filter_map(|slot| slot.0.lock().take()).collect()
    }

    fn free_slot<C: HookCall>(&self, nursery: &Nursery) -> Result<MutexGuard<'_, Option<Box<Instance>>>, HookFailure> {
        let own = thread::number() % self.slots.len();
        if let Some(slot) = self.slots[own].0.try_lock() {
            return Ok(slot);
        }
        if let Some(slot) = self.slots.iter().find_map(|slot| slot.0.try_lock()) {
            return Ok(slot);
        }
        // More threads than workers are calling. A call is bounded by its processor time, so the wait is short.
        let patience = nursery.blueprint.limits.cpu_of(C::HOOK) * 2;
        let slot = self.slots[own].0.try_lock_for(patience);
        slot.ok_or_else(|| HookFailure::Overloaded(format!("all {} instances are busy", self.slots.len())))
    }
}

/// Runs a future that never waits.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a component of the inline lane imports nothing that waits"),
    }
}

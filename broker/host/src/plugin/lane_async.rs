//! The waiting lane: an elastic pool. A call that waits for the outside parks its instance, not a thread.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;

use super::calls::HookCall;
use super::instance::Instance;
use super::pool::Nursery;
use crate::contract::PluginLimits;
use crate::error::HookFailure;

/// Idle instances, and room for more.
pub(crate) struct WaitingLane {
    #[allow(clippy::vec_box, reason = "instances move from hand to hand in their boxes")]
    idle: Mutex<Vec<Box<Instance>>>,
    room: Semaphore,
    instances_max: u32,
    waiting: AtomicU32,
    waiting_max: u32,
}

impl WaitingLane {
    pub(crate) fn new(limits: &PluginLimits) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            room: Semaphore::new(limits.instances_max.max(1) as usize),
            instances_max: limits.instances_max.max(1),
            waiting: AtomicU32::new(0),
            waiting_max: limits.waiting_max,
        }
    }

    /// Puts an instance that is already there to the idle ones.
    pub(crate) fn adopt(&self, instance: Box<Instance>) {
        self.idle.lock().push(instance);
    }

    /// Makes one call. An instance whose call did not return cleanly, or was abandoned because its client left, is
    /// never used again.
    pub(crate) async fn call<C: HookCall>(
        &self,
        nursery: &Nursery,
        call: &C,
        deadline: Instant,
    ) -> Result<Option<C::Answer>, HookFailure> {
        let permit = self.permit(deadline).await?;
        let instance = self.idle.lock().pop();
        let called = timeout_at(deadline.into(), nursery.call(instance, call, deadline));
        let called = called.await.map_err(|_| HookFailure::WaitTimeout)?;
        if let Some(instance) = called.instance {
            self.keep(nursery, instance);
        }
        drop(permit);
        nursery.carry_out(called.orders);
        called.answer
    }

    /// The idle instances, taken out to be shut down.
    #[allow(clippy::vec_box, reason = "instances move from hand to hand in their boxes")]
    pub(crate) fn take_all(&self) -> Vec<Box<Instance>> {
        std::mem::take(&mut self.idle.lock())
    }

    async fn permit(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, HookFailure> {
        if let Ok(permit) = self.room.try_acquire() {
            return Ok(permit);
        }
        let overloaded =
            |what: &str| HookFailure::Overloaded(format!("{what} (`instances` is {})", self.instances_max));
        let Some(_place) = Place::take(&self.waiting, self.waiting_max) else {
            return Err(overloaded("all instances are busy and too many calls wait for one"));
        };
        match timeout_at(deadline.into(), self.room.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(overloaded("no instance became free in time")),
        }
    }

    /// The most recently used instance is used next; what lies below for long was a peak and goes.
    fn keep(&self, nursery: &Nursery, mut instance: Box<Instance>) {
        let now = Instant::now();
        instance.last_used = now;
        let mut idle = self.idle.lock();
        idle.push(instance);
        let is_stale = now.saturating_duration_since(idle[0].last_used) > IDLE_MAX;
        let stale = (is_stale && nursery.retirement.has_room()).then(|| idle.remove(0));
        drop(idle);
        if let Some(Err(instance)) = stale.map(|stale| nursery.retirement.retire(stale)) {
            // Another one took the room in this very moment: this one goes next time.
            self.idle.lock().insert(0, instance);
        }
    }
}

/// A place in the line for an instance.
struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicU32, max: u32) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < max).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long an instance may lie idle below others.
const IDLE_MAX: Duration = Duration::from_secs(60);

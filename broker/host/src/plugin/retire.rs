//! The end of instances, away from whoever waits for an answer.
//!
//! One that is to be replaced, because it is worn or was not needed for long, is told so, by `sink.flush` and `lifecycle.shutdown`,
//! as all are when their generation ends. One that broke, or whose call was abandoned, cannot be called any more: what it held is
//! lost, which [`Counts`](super::pool::Counts) counts and logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::calls::{Flush, Shutdown};
use super::instance::{Blueprint, Instance, spares_instance};
use super::lane_sync::at_once;
use super::{Generation, Pool};
use crate::contract::{Hook, Lane, PluginLimits};
use crate::error::HookFailure;
use crate::imports::Shared;

/// Ends the instances of one generation.
pub(crate) struct Retirement {
    plugin: Arc<str>,
    lane: Lane,
    limits: PluginLimits,
    shared: Arc<Shared>,
    /// As many may be ending as may be in service.
    room: Arc<Semaphore>,
    places: u32,
    /// Where they end.
    runtime: Handle,
    /// The generation ends: no instance goes back into service.
    closing: AtomicBool,
    /// When the generation's time is over.
    deadline: Mutex<Option<Instant>>,
}

impl Retirement {
    /// For a generation with so many instances in service at most. Must be called in a tokio runtime, where they end.
    pub(super) fn new(blueprint: &Blueprint, instances: u32) -> Self {
        let places = instances.max(1);
        Self {
            plugin: Arc::clone(&blueprint.environment.name),
            lane: blueprint.lane,
            limits: blueprint.limits.clone(),
            shared: Arc::clone(&blueprint.shared),
            room: Arc::new(Semaphore::new(places as usize)),
            places,
            runtime: Handle::current(),
            closing: AtomicBool::new(false),
            deadline: Mutex::new(None),
        }
    }

    /// Whether the generation ends.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Whether one more instance may end now.
    pub(super) fn has_room(&self) -> bool {
        self.room.available_permits() > 0
    }

    /// Has an instance end, elsewhere. It is back if too many are ending: one that only is worn serves on until there is room.
    pub(super) fn retire(self: &Arc<Self>, instance: Box<Instance>) -> Result<(), Box<Instance>> {
        if !instance.hears_of_its_end() {
            return Ok(());
        }
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else { return Err(instance) };
        let longest = Instant::now() + self.limits.wait_of(Hook::Lifecycle);
        let deadline = self.deadline.lock().map_or(longest, |end| end.min(longest));
        let end = Self::end_in(Arc::clone(self), instance, deadline, place);
        match self.lane {
            // It computes until it is done, for which the runtime's own threads have no time.
            Lane::Inline => drop(self.runtime.spawn_blocking(|| at_once(end))),
            Lane::Waiting => drop(self.runtime.spawn(end)),
        }
        Ok(())
    }

    async fn end_in(self: Arc<Self>, instance: Box<Instance>, deadline: Instant, _place: OwnedSemaphorePermit) {
        self.end(instance, deadline).await;
    }

    /// Tells an instance that it ends, lets go of it, and carries out what it ordered at last.
    async fn end(&self, mut instance: Box<Instance>, deadline: Instant) {
        let told = match self.lane {
            Lane::Inline => self.tell(&mut instance, deadline).await,
            Lane::Waiting => timeout_at(deadline.into(), self.tell(&mut instance, deadline))
                .await
                .unwrap_or(Err(HookFailure::WaitTimeout)),
        };
        match told {
            Ok(()) => instance.has_heard(),
            Err(failure) => tracing::warn!(plugin = &*self.plugin, %failure, "shutdown failed"),
        }
        let orders = std::mem::take(&mut instance.orders);
        drop(instance);
        orders.into_iter().for_each(|orders| orders.carry_out(&self.shared));
    }

    async fn tell(&self, instance: &mut Instance, deadline: Instant) -> Result<(), HookFailure> {
        match instance.call(&Flush, self.limits.cpu_of(Hook::Sink), deadline).await {
            // It has said that its backend takes nothing: no reason to be told nothing.
            Err(failure) if spares_instance(&failure) => {
                tracing::warn!(plugin = &*self.plugin, %failure, "flush failed");
            }
            other => {
                other?;
            }
        }
        instance.call(&Shutdown, self.limits.cpu_of(Hook::Lifecycle), deadline).await?;
        Ok(())
    }

    /// Waits for those that are ending.
    async fn finish(&self, deadline: Instant) {
        if timeout_at(deadline.into(), self.room.acquire_many(self.places)).await.is_err() {
            tracing::warn!(plugin = &*self.plugin, "shutdown took too long");
        }
    }
}

impl Generation {
    /// Ends all instances, those too that come back from a call from now on: `sink.flush` and `lifecycle.shutdown` for each, within
    /// `deadline`.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        let retirement = &self.nursery.retirement;
        *retirement.deadline.lock() = Some(deadline);
        retirement.closing.store(true, Ordering::Relaxed);
        let instances = match &self.pool {
            Pool::Inline(lane) => lane.take_all(),
            Pool::Waiting(lane) => lane.take_all(),
        };
        for instance in instances {
            retirement.end(instance, deadline).await;
        }
        retirement.finish(deadline).await;
    }
}

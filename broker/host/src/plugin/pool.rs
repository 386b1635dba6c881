//! What both lanes share: making instances, letting them catch up, keeping or replacing them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use super::calls::{HookCall, IdentityGone, Registration};
use super::gone::GoneIdentities;
use super::instance::{Blueprint, CreateError, Instance, spares_instance};
use super::retire::Retirement;
use crate::contract::Hook;
use crate::error::HookFailure;
use crate::imports::{Orders, Pass, Rate};

/// Makes and judges the instances of one generation.
pub(crate) struct Nursery {
    pub(crate) blueprint: Blueprint,
    pub(crate) gone: GoneIdentities,
    pub(crate) counts: Arc<Counts>,
    pub(crate) retirement: Arc<Retirement>,
    next_number: AtomicU32,
}

/// Counters over the life of the generation, for display.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) made: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) retired: AtomicU64,
    /// Ended without `lifecycle.shutdown`, or in the middle of it.
    pub(crate) lost: AtomicU64,
    pub(crate) memory_bytes_max: AtomicU64,
    plugin: Arc<str>,
    /// Lines about the lost; none where nobody minds.
    lines: Option<Rate>,
}

impl Nursery {
    /// For so many instances in service at most. Must be called in a tokio runtime.
    pub(crate) fn new(blueprint: Blueprint, instances: u32) -> Self {
        let lines = Some(Rate::new(1, Instant::now()));
        Self::with(blueprint, instances, lines)
    }

    /// For one instance at a time, which may be let go of without a word: that of a test or a tool.
    pub(crate) fn alone(blueprint: Blueprint) -> Self {
        Self::with(blueprint, 1, None)
    }

    fn with(blueprint: Blueprint, instances: u32, lines: Option<Rate>) -> Self {
        let counts = Counts {
            made: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            retired: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            memory_bytes_max: AtomicU64::new(0),
            plugin: Arc::clone(&blueprint.environment.name),
            lines,
        };
        Self {
            retirement: Arc::new(Retirement::new(&blueprint, instances)),
            blueprint,
            gone: GoneIdentities::default(),
            counts: Arc::new(counts),
            next_number: AtomicU32::new(0),
        }
    }

    /// Makes an instance. In the inline lane this never waits.
    pub(crate) async fn create(&self) -> Result<(Box<Instance>, Registration), CreateError> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let gone_read = self.gone.end();
        let counted = Counted::new(&self.counts);
        let (mut instance, registration) = Instance::create(&self.blueprint, number, counted).await?;
        instance.gone_read = gone_read;
        Ok((instance, registration))
    }

    /// Makes a call in an instance, or in a new one if there is none.
    pub(crate) async fn call<C: HookCall>(
        &self,
        instance: Option<Box<Instance>>,
        call: &C,
        deadline: Instant,
    ) -> Called<C> {
        let mut instance = match self.ready(instance, deadline).await {
            Ok(instance) => instance,
            Err(failure) => {
                return Called { instance: None, orders: Vec::new(), answer: Err(failure) };
            }
        };
        let cpu = self.blueprint.limits.cpu_of(C::HOOK);
        let answer = instance.call(call, cpu, deadline).await;
        Called {
            orders: std::mem::take(&mut instance.orders),
            instance: self.keep(instance, answer.as_ref().err()),
            answer,
        }
    }

    /// Carries out what a call ordered from the broker. The caller has freed the instance before, so whatever the
    /// broker does about it may call this plugin again.
    pub(crate) fn carry_out(&self, orders: Vec<Orders>) {
        for orders in orders {
            orders.carry_out(&self.blueprint.shared);
        }
    }

    /// An instance that has heard of everything.
    async fn ready(&self, instance: Option<Box<Instance>>, deadline: Instant) -> Result<Box<Instance>, HookFailure> {
        if let Some(mut instance) = instance {
            if let Some(gone) = self.gone.after(&mut instance.gone_read) {
                if let Some(instance) = self.tell_gone(instance, &gone, deadline).await {
                    return Ok(instance);
                }
            } else {
                self.counts.retired.fetch_add(1, Ordering::Relaxed);
                // What it may think of whom would be out of date: where there is no room, it goes without a word.
                drop(self.retirement.retire(instance));
            }
        }
        Ok(self.create().await?.0)
    }

    async fn tell_gone(&self, mut instance: Box<Instance>, gone: &[u64], deadline: Instant) -> Option<Box<Instance>> {
        let cpu = self.blueprint.limits.cpu_of(Hook::Authz);
        for &id in gone {
            match instance.call(&IdentityGone { id }, cpu, deadline).await {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(failure) => {
                    tracing::warn!(plugin = %self.blueprint.environment.name, %failure, "identity-gone failed");
                    return self.keep(instance, Some(&failure));
                }
            }
        }
        Some(instance)
    }

    fn keep(&self, mut instance: Box<Instance>, failure: Option<&HookFailure>) -> Option<Box<Instance>> {
        let memory = instance.memory_bytes() as u64;
        // Read before it is written: the threads share it, and it hardly ever grows.
        if memory > self.counts.memory_bytes_max.load(Ordering::Relaxed) {
            self.counts.memory_bytes_max.fetch_max(memory, Ordering::Relaxed);
        }
        if failure.is_some_and(|failure| !spares_instance(failure)) {
            return None;
        }
        let is_closing = self.retirement.is_closing();
        if !is_closing && !instance.is_worn(&self.blueprint.limits) {
            return Some(instance);
        }
        match self.retirement.retire(instance) {
            Ok(()) => {
                self.counts.retired.fetch_add(1, Ordering::Relaxed);
                None
            }
            // Its generation ends and has no time left.
            Err(_) if is_closing => None,
            Err(instance) => Some(instance),
        }
    }
}

/// What is left of a call.
pub(crate) struct Called<C: HookCall> {
    /// The instance, if it may be used again.
    pub(crate) instance: Option<Box<Instance>>,
    pub(crate) orders: Vec<Orders>,
    /// `Ok(None)`: the component has no such function.
    pub(crate) answer: Result<Option<C::Answer>, HookFailure>,
}

/// Counts an instance while it lives, however it ends.
pub(crate) struct Counted {
    counts: Arc<Counts>,
    /// It wants to hear of its end, and has not.
    pub(crate) is_owed_a_word: bool,
}

impl Counted {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.made.fetch_add(1, Ordering::Relaxed);
        Self { counts: Arc::clone(counts), is_owed_a_word: false }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Counts { ended, lost, lines, plugin, .. } = &*self.counts;
        ended.fetch_add(1, Ordering::Relaxed);
        if !self.is_owed_a_word {
            return;
        }
        lost.fetch_add(1, Ordering::Relaxed);
        let Some(Pass::Yes { refused_before }) = lines.as_ref().map(|lines| lines.pass(Instant::now())) else { return };
        tracing::warn!(
            plugin = &**plugin,
            more = refused_before,
            "an instance ended without lifecycle.shutdown: it broke, or nobody waited for its call any more; what it held is lost"
        );
    }
}

//! The task that empties a sink's queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Receiver, SinkSettings, size};
use crate::contract::{Delivery, Outcome};
use crate::error::{HookError, HookFailure};
use crate::imports::{Pass, Rate};
use crate::notices::queue::Queue;
use crate::notices::{Counters, pause};

pub(super) struct Delivering {
    settings: SinkSettings,
    queue: Arc<Queue<Delivery>>,
    counters: Arc<Counters>,
    receiver: Arc<Receiver>,
    /// Taken from the queue and not dealt with, oldest first.
    held: VecDeque<Delivery>,
    /// How many to hand over at once: halved when a whole batch fails, so that the one message that makes it fail
    /// ends up alone; doubled when one succeeds.
    batch: usize,
    /// Calls in a row that brought nothing forward.
    failures: u32,
    /// Of those, the last ones in which a message that was alone brought the plugin down.
    crashes: u32,
    rejections: Rejections,
}

impl Delivering {
    pub(super) fn new(
        settings: SinkSettings,
        queue: Arc<Queue<Delivery>>,
        counters: Arc<Counters>,
        receiver: Arc<Receiver>,
    ) -> Self {
        let batch = settings.batch_max.max(1);
        let rejections = Rejections { plugin: Arc::clone(&settings.plugin), lines: Rate::new(1, Instant::now()) };
        Self { settings, queue, counters, receiver, held: VecDeque::new(), batch, failures: 0, crashes: 0, rejections }
    }

    /// Delivers until the queue is closed and empty, then flushes.
    pub(super) async fn run(mut self) {
        while !self.held.is_empty() || self.queue.filled().await {
            // Never waits to fill a batch: what is there is enough.
            self.held.extend(self.queue.take(self.batch.saturating_sub(self.held.len())));
            let count = self.batch.min(self.held.len());
            let receiver = Arc::clone(&self.receiver.lock());
            let answer = receiver.deliver(&self.held.make_contiguous()[..count]).await;
            let wait = match answer {
                Ok(outcomes) if outcomes.len() == count => self.settle(outcomes),
                Ok(outcomes) => self.fail(count, &Failed::wrong_count(outcomes.len(), count)),
                Err(error) => self.fail(count, &Failed::of(&error)),
            };
            if !wait.is_zero() {
                pause(&self.queue, wait, CLOSING_WAIT_MAX).await;
            }
        }
        let receiver = Arc::clone(&self.receiver.lock());
        if let Err(error) = receiver.flush().await {
            tracing::warn!(plugin = &*self.settings.plugin, %error, "a sink could not flush");
        }
    }

    /// Acts on the outcomes of the first messages; those to be tried again stay in front, in order. Returns how long
    /// to wait.
    fn settle(&mut self, outcomes: Vec<Outcome>) -> Duration {
        let count = outcomes.len();
        let mut again = VecDeque::new();
        let mut asked = None;
        for (mut delivery, outcome) in self.held.drain(..count).zip(outcomes) {
            match outcome {
                Outcome::Done => Counters::add(&self.counters.done, 1),
                Outcome::Reject(reason) => self.rejections.count(&self.counters, &delivery, &reason),
                Outcome::Retry(ms) => {
                    asked = asked.max(Some(Duration::from_millis(ms.into())));
                    delivery.attempt = delivery.attempt.saturating_add(1);
                    Counters::add(&self.counters.retried, 1);
                    again.push_back(delivery);
                    continue;
                }
            }
            self.queue.release(1, size(&delivery.inbound.message));
        }
        let progress = again.len() < count;
        again.append(&mut self.held);
        self.held = again;
        self.batch = self.batch.saturating_mul(2).min(self.settings.batch_max.max(1));
        self.crashes = 0;
        self.failures = if progress { 0 } else { self.failures.saturating_add(1) };
        asked.map_or(Duration::ZERO, |asked| self.settings.backoff.wait(self.failures, asked.max(RETRY_MIN)))
    }

    /// The whole batch failed. Returns how long to wait.
    fn fail(&mut self, count: usize, failed: &Failed) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if failed.called {
            for delivery in self.held.iter_mut().take(count) {
                delivery.attempt = delivery.attempt.saturating_add(1);
            }
            Counters::add(&self.counters.retried, count);
            self.crashes = if failed.crashed && count == 1 { self.crashes + 1 } else { 0 };
            self.batch = (count / 2).max(1);
        }
        let plugin = &self.settings.plugin;
        let wait = self.settings.backoff.wait(self.failures, Duration::ZERO);
        tracing::warn!(
            plugin = &**plugin,
            batch = count,
            failures = self.failures,
            ?wait,
            "a sink failed and is tried again: {}",
            failed.text
        );
        if self.crashes >= CRASHES_MAX
            && let Some(delivery) = self.held.pop_front()
        {
            self.crashes = 0;
            let reason = format!("the plugin broke down {CRASHES_MAX} times over it: {}", failed.text);
            self.rejections.count(&self.counters, &delivery, &reason);
            self.queue.release(1, size(&delivery.inbound.message));
        }
        wait
    }
}

/// Counts rejected messages, and names one a second in the log.
struct Rejections {
    plugin: Arc<str>,
    lines: Rate,
}

impl Rejections {
    fn count(&self, counters: &Counters, delivery: &Delivery, reason: &str) {
        Counters::add(&counters.rejected, 1);
        if let Pass::Yes { refused_before } = self.lines.pass(Instant::now()) {
            let (plugin, topic) = (&*self.plugin, &*delivery.inbound.message.topic);
            let (sequence, rejected) = (delivery.sequence, refused_before + 1);
            tracing::warn!(
                plugin,
                topic,
                sequence,
                rejected,
                reason,
                "a sink rejected messages; this is the last of them"
            );
        }
    }
}

/// A whole batch that failed.
struct Failed {
    text: String,
    /// The plugin was called at all.
    called: bool,
    /// The plugin itself broke, rather than its backend.
    crashed: bool,
}

impl Failed {
    fn of(error: &HookError) -> Self {
        let (called, crashed) = match error.failure {
            HookFailure::Backend(_) | HookFailure::WaitTimeout => (true, false),
            HookFailure::Trapped(_) | HookFailure::Deadline | HookFailure::BadAnswer(_) => (true, true),
            HookFailure::Overloaded(_) | HookFailure::BreakerOpen => (false, false),
        };
        Self { text: error.to_string(), called, crashed }
    }

    fn wrong_count(found: usize, expected: usize) -> Self {
        Self { text: format!("{found} outcomes for {expected} deliveries"), called: true, crashed: true }
    }
}

/// The shortest wait before a retry: `retry(0)` must not become a busy loop.
const RETRY_MIN: Duration = Duration::from_millis(1);
/// While shutting down a sink is tried more often: the deadline is near.
const CLOSING_WAIT_MAX: Duration = Duration::from_millis(500);
/// A message over which the plugin breaks down this often in a row, alone, is rejected: it would block all behind it.
const CRASHES_MAX: u32 = 5;

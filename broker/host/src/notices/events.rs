//! Events: what happened in the broker, told in batches, lossy under overload. Losses are reported to the plugin
//! itself, as an `events.lost` event in front of the next batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::queue::Queue;
use super::{BoxFuture, Counters, Worker};
use crate::contract::{Event, Hook, QueueStatus};
use crate::error::HookError;
use crate::imports::{Pass, Rate};

/// The plugin behind an event queue.
pub(crate) trait Observe: Send + Sync + 'static {
    /// Takes a batch, oldest first. A batch that fails is not offered again.
    fn on_events<'a>(&'a self, batch: &'a [Event]) -> BoxFuture<'a, Result<(), HookError>>;
}

/// How an event queue behaves.
#[derive(Clone, Debug)]
pub(crate) struct EventSettings {
    /// The plugin's name.
    pub(crate) plugin: Arc<str>,
    /// Events that may wait; more are lost, newest first. Default 10,000.
    pub(crate) queue_max: usize,
    /// Events in one call. Default 64.
    pub(crate) batch_max: usize,
}

/// An observer's queue and the task that empties it.
pub(crate) struct EventQueue {
    plugin: Arc<str>,
    queue: Arc<Queue<Event>>,
    counters: Arc<Counters>,
    /// Lost and not yet reported.
    lost: Arc<AtomicU64>,
    receiver: Arc<Mutex<Arc<dyn Observe>>>,
    worker: Worker,
}

impl EventQueue {
    /// Starts the task on `runtime`.
    pub(crate) fn start(settings: &EventSettings, observe: Arc<dyn Observe>, runtime: &Handle) -> Self {
        let queue = Arc::new(Queue::new(settings.queue_max.max(1), BYTES_MAX));
        let (counters, lost) = (Arc::<Counters>::default(), Arc::<AtomicU64>::default());
        let receiver = Arc::new(Mutex::new(observe));
        let telling = Telling {
            plugin: Arc::clone(&settings.plugin),
            batch_max: settings.batch_max.max(1),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            lost: Arc::clone(&lost),
            receiver: Arc::clone(&receiver),
            warnings: Rate::new(1, Instant::now()),
        };
        let worker = Worker::new(runtime.spawn(telling.run()));
        Self { plugin: Arc::clone(&settings.plugin), queue, counters, lost, receiver, worker }
    }

    /// Queues an event, or counts it as lost; never waits.
    pub(crate) fn offer(&self, event: Event) {
        let (bytes, count) = (size(&event), event.count.max(1));
        if self.queue.push(bytes, |_| event).is_err() {
            Counters::add(&self.counters.dropped, 1);
            self.lost.fetch_add(count.into(), Ordering::Relaxed);
        }
    }

    /// Puts another generation behind the queue, from the next batch on.
    pub(crate) fn swap(&self, observe: Arc<dyn Observe>) {
        *self.receiver.lock() = observe;
    }

    /// Its counters. Events of a batch that failed count as rejected.
    pub(crate) fn status(&self) -> QueueStatus {
        QueueStatus {
            hook: Hook::Events,
            depth: self.queue.depth(),
            capacity: self.queue.entries_max(),
            done: Counters::of(&self.counters.done),
            retried: 0,
            rejected: Counters::of(&self.counters.rejected),
            dropped: Counters::of(&self.counters.dropped),
        }
    }

    /// Takes nothing more and tells what waits until the deadline. Returns how many events are lost.
    pub(crate) async fn shutdown(&self, deadline: tokio::time::Instant) -> usize {
        let lost = self.worker.finish(&self.queue, deadline).await;
        if lost > 0 {
            Counters::add(&self.counters.dropped, lost);
            self.queue.release(lost, usize::MAX);
            tracing::warn!(plugin = &*self.plugin, lost, "events lost: the shutdown's deadline passed");
        }
        lost
    }
}

/// The task behind an event queue.
struct Telling {
    plugin: Arc<str>,
    batch_max: usize,
    queue: Arc<Queue<Event>>,
    counters: Arc<Counters>,
    lost: Arc<AtomicU64>,
    receiver: Arc<Mutex<Arc<dyn Observe>>>,
    warnings: Rate,
}

impl Telling {
    async fn run(self) {
        while self.queue.filled().await {
            let mut batch: Vec<Event> = self.queue.take(self.batch_max).collect();
            let (events, bytes) = (batch.len(), batch.iter().map(size).sum());
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                batch.insert(0, events_lost(lost));
            }
            let receiver = Arc::clone(&self.receiver.lock());
            match receiver.on_events(&batch).await {
                Ok(()) => Counters::add(&self.counters.done, events),
                Err(error) => self.failed(&error, &batch, events),
            }
            self.queue.release(events, bytes);
        }
    }

    /// The batch is lost: said in the log, and to the plugin with its next batch.
    fn failed(&self, error: &HookError, batch: &[Event], events: usize) {
        Counters::add(&self.counters.rejected, events);
        self.lost.fetch_add(batch.iter().map(|event| u64::from(event.count.max(1))).sum(), Ordering::Relaxed);
        if let Pass::Yes { refused_before } = self.warnings.pass(Instant::now()) {
            tracing::warn!(plugin = &*self.plugin, events, batches = refused_before + 1, %error, "events lost: the plugin failed");
        }
    }
}

fn events_lost(lost: u64) -> Event {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Event {
        kind: "events.lost".into(),
        at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        client_id: None,
        principal: None,
        topic: None,
        reason_code: None,
        count: u32::try_from(lost).unwrap_or(u32::MAX),
        detail: String::new(),
    }
}

/// What an event costs while it waits.
fn size(event: &Event) -> usize {
    let texts =
        [&event.client_id, &event.principal, &event.topic].into_iter().flatten().map(String::len).sum::<usize>();
    size_of::<Event>() + texts + event.kind.len() + event.detail.len()
}

/// Client ids and topics can be long.
const BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests;

//! Sinks: messages on their way to a backend, in order, at least once while the process lives.

mod worker;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use self::worker::Delivering;
pub(crate) use super::backoff::Backoff;
use super::queue::{NoRoom, Queue};
use super::{BoxFuture, Counters, Worker};
use crate::contract::{Delivery, Hook, InboundMessage, Message, Outcome, QueueStatus};
use crate::error::HookError;
use crate::imports::{Pass, Rate};

/// The plugin behind a sink.
pub(crate) trait Deliver: Send + Sync + 'static {
    /// Hands a batch over; one outcome per delivery, in order.
    fn deliver<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Result<Vec<Outcome>, HookError>>;
    /// Has the plugin send what it buffers.
    fn flush(&self) -> BoxFuture<'_, Result<(), HookError>>;
}

/// How a sink's queue behaves.
#[derive(Clone, Debug)]
pub(crate) struct SinkSettings {
    /// The plugin's name.
    pub(crate) plugin: Arc<str>,
    /// Messages that may wait or be under way; more are dropped, newest first. Default 10,000.
    pub(crate) queue_max: usize,
    /// Bytes of these messages. Default 64 MiB.
    pub(crate) queue_bytes_max: usize,
    /// Messages in one call. Default 64.
    pub(crate) batch_max: usize,
    /// Waits between tries.
    pub(crate) backoff: Backoff,
}

impl SinkSettings {
    /// The defaults.
    pub(crate) fn new(plugin: impl Into<Arc<str>>) -> Self {
        Self {
            plugin: plugin.into(),
            queue_max: 10_000,
            queue_bytes_max: 64 << 20,
            batch_max: 64,
            backoff: Backoff::default(),
        }
    }
}

/// A sink's queue, and the one task that empties it: one, so that messages arrive in the order they were published.
pub(crate) struct Sink {
    plugin: Arc<str>,
    queue: Arc<Queue<Delivery>>,
    counters: Arc<Counters>,
    receiver: Arc<Receiver>,
    worker: Worker,
    warnings: Rate,
}

/// The plugin generation now in service.
type Receiver = Mutex<Arc<dyn Deliver>>;

impl Sink {
    /// Starts the task on `runtime`.
    pub(crate) fn start(settings: SinkSettings, deliver: Arc<dyn Deliver>, runtime: &Handle) -> Self {
        let queue = Arc::new(Queue::new(settings.queue_max.max(1), settings.queue_bytes_max));
        let (counters, receiver) = (Arc::default(), Arc::new(Mutex::new(deliver)));
        let plugin = Arc::clone(&settings.plugin);
        let delivering = Delivering::new(settings, Arc::clone(&queue), Arc::clone(&counters), Arc::clone(&receiver));
        let worker = Worker::new(runtime.spawn(delivering.run()));
        Self { plugin, queue, counters, receiver, worker, warnings: Rate::new(WARNINGS_PER_SECOND, Instant::now()) }
    }

    /// Queues a message, or drops it when there is no room; never waits. Says whether it was queued.
    pub(crate) fn offer(&self, inbound: InboundMessage) -> bool {
        let bytes = size(&inbound.message);
        let topic = Arc::clone(&inbound.message.topic);
        let queued = self.queue.push(bytes, |sequence| Delivery { sequence, attempt: 0, inbound });
        let Err(no_room) = queued else { return true };
        Counters::add(&self.counters.dropped, 1);
        if let Pass::Yes { refused_before } = self.warnings.pass(Instant::now()) {
            let reason = match no_room {
                NoRoom::Entries => "its queue has as many messages as it may",
                NoRoom::Bytes => "its queue has as many bytes as it may",
                NoRoom::Closed => "it is shutting down",
            };
            let dropped = refused_before + 1;
            tracing::warn!(plugin = &*self.plugin, topic = &*topic, dropped, "messages for a sink dropped: {reason}");
        }
        false
    }

    /// Puts another generation behind the queue, from the next batch on. What waits is delivered to it.
    pub(crate) fn swap(&self, deliver: Arc<dyn Deliver>) {
        *self.receiver.lock() = deliver;
    }

    /// Its counters.
    pub(crate) fn status(&self) -> QueueStatus {
        QueueStatus {
            hook: Hook::Sink,
            depth: self.queue.depth(),
            capacity: self.queue.entries_max(),
            done: Counters::of(&self.counters.done),
            retried: Counters::of(&self.counters.retried),
            rejected: Counters::of(&self.counters.rejected),
            dropped: Counters::of(&self.counters.dropped),
        }
    }

    /// Takes nothing more, delivers what waits and has the plugin flush, all until the deadline. Returns how many
    /// messages are lost.
    pub(crate) async fn shutdown(&self, deadline: tokio::time::Instant) -> usize {
        let lost = self.worker.finish(&self.queue, deadline).await;
        if lost > 0 {
            Counters::add(&self.counters.dropped, lost);
            self.queue.release(lost, usize::MAX);
            tracing::warn!(plugin = &*self.plugin, lost, "messages for a sink lost: the shutdown's deadline passed");
        }
        lost
    }
}

/// What a message costs while it waits.
fn size(message: &Message) -> usize {
    let properties: usize =
        message.user_properties.iter().map(|(name, value)| name.len() + value.len() + PROPERTY_OVERHEAD).sum();
    let texts = [&message.content_type, &message.response_topic].into_iter().flatten().map(String::len).sum::<usize>();
    let data = message.payload.len() + message.correlation_data.as_ref().map_or(0, bytes::Bytes::len);
    MESSAGE_OVERHEAD + message.topic.len() + data + texts + properties
}

const MESSAGE_OVERHEAD: usize = size_of::<Delivery>();
const PROPERTY_OVERHEAD: usize = size_of::<(String, String)>();
const WARNINGS_PER_SECOND: u32 = 1;

#[cfg(test)]
mod tests;

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::contract::QoS;
use crate::error::HookFailure;

const SOON: Duration = Duration::from_secs(5);

/// What was handed over in one call: sequence and attempt of each delivery.
type Call = Vec<(u64, u32)>;
type Answer = Result<Vec<Outcome>, HookFailure>;

/// A plugin that answers by a script, and `done` when it is over.
struct Scripted {
    script: Mutex<VecDeque<Answer>>,
    calls: mpsc::UnboundedSender<Call>,
    flushes: mpsc::UnboundedSender<()>,
    /// One permit per call that may return.
    permits: Option<tokio::sync::Semaphore>,
}

impl Deliver for Scripted {
    fn deliver<'a>(&'a self, batch: &'a [Delivery]) -> BoxFuture<'a, Result<Vec<Outcome>, HookError>> {
        Box::pin(async move {
            let _ = self.calls.send(batch.iter().map(|delivery| (delivery.sequence, delivery.attempt)).collect());
            if let Some(permits) = &self.permits {
                permits.acquire().await.unwrap().forget();
            }
            let answer = self.script.lock().pop_front();
            answer.unwrap_or_else(|| Ok(vec![Outcome::Done; batch.len()])).map_err(|failure| HookError {
                plugin: "db".into(),
                hook: Hook::Sink,
                failure,
                took: Duration::ZERO,
            })
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), HookError>> {
        let _ = self.flushes.send(());
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Scene {
    plugin: Arc<Scripted>,
    calls: mpsc::UnboundedReceiver<Call>,
    flushes: mpsc::UnboundedReceiver<()>,
    sink: Sink,
}

fn settings() -> SinkSettings {
    let backoff = Backoff { first: Duration::from_millis(1), max: Duration::from_millis(20) };
    SinkSettings { batch_max: 4, backoff, ..SinkSettings::new("db") }
}

/// `held`: calls return only when the test adds permits.
fn scene(settings: SinkSettings, script: impl IntoIterator<Item = Answer>, held: bool) -> Scene {
    let (call, calls) = mpsc::unbounded_channel();
    let (flushed, flushes) = mpsc::unbounded_channel();
    let permits = held.then(|| tokio::sync::Semaphore::new(0));
    let plugin =
        Arc::new(Scripted { script: Mutex::new(script.into_iter().collect()), calls: call, flushes: flushed, permits });
    let sink = Sink::start(settings, Arc::clone(&plugin) as _, &Handle::current());
    Scene { plugin, calls, flushes, sink }
}

impl Scene {
    fn offer(&self, count: usize) -> usize {
        (0..count).filter(|_| self.sink.offer(message(b"x"))).count()
    }

    async fn call(&mut self) -> Call {
        timeout(SOON, self.calls.recv()).await.unwrap().unwrap()
    }

    /// Calls until all of these sequence numbers were the last thing handed over.
    async fn settled(&self, done: u64) {
        let deadline = Instant::now() + SOON;
        while self.sink.status().done + self.sink.status().rejected < done {
            assert!(Instant::now() < deadline, "{:?}", self.sink.status());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn message(payload: &'static [u8]) -> InboundMessage {
    let message = Message::new("a/b", bytes::Bytes::from_static(payload), QoS::AtLeastOnce, false);
    InboundMessage { who: None, received_at: 0, message }
}

fn backend() -> Answer {
    Err(HookFailure::Backend("down".to_owned()))
}

fn trap() -> Answer {
    Err(HookFailure::Trapped("unreachable".to_owned()))
}

#[tokio::test]
async fn messages_arrive_in_order_in_batches_of_what_is_there() {
    let mut scene = scene(settings(), [], true);
    scene.offer(1);
    assert_eq!(scene.call().await, [(1, 0)], "a batch is never waited for");
    scene.offer(6);
    scene.plugin.permits.as_ref().unwrap().add_permits(3);
    assert_eq!(scene.call().await, [(2, 0), (3, 0), (4, 0), (5, 0)]);
    assert_eq!(scene.call().await, [(6, 0), (7, 0)]);
    scene.settled(7).await;
    assert_eq!(scene.sink.status().depth, 0);
}

#[tokio::test]
async fn what_is_to_be_retried_comes_again_before_what_came_later() {
    let script = [Ok(vec![Outcome::Done, Outcome::Retry(1), Outcome::Reject("bad".to_owned()), Outcome::Retry(0)])];
    let mut scene = scene(settings(), script, true);
    scene.offer(1);
    scene.call().await;
    scene.plugin.script.lock().push_front(Ok(vec![Outcome::Done]));
    scene.offer(6);
    scene.plugin.permits.as_ref().unwrap().add_permits(10);
    assert_eq!(scene.call().await, [(2, 0), (3, 0), (4, 0), (5, 0)]);
    assert_eq!(scene.call().await, [(3, 1), (5, 1), (6, 0), (7, 0)]);
    scene.settled(7).await;
    let status = scene.sink.status();
    assert_eq!((status.done, status.retried, status.rejected, status.dropped, status.depth), (6, 2, 1, 0, 0));
}

#[tokio::test]
async fn a_batch_that_failed_comes_again_with_nothing_lost_or_reordered() {
    let mut scene = scene(settings(), [Ok(vec![Outcome::Done]), backend(), backend(), Ok(Vec::new())], true);
    scene.offer(1);
    scene.call().await;
    scene.offer(4);
    scene.plugin.permits.as_ref().unwrap().add_permits(100);
    assert_eq!(scene.call().await, [(2, 0), (3, 0), (4, 0), (5, 0)]);
    assert_eq!(scene.call().await, [(2, 1), (3, 1)], "half of it");
    assert_eq!(scene.call().await, [(2, 2)], "and half of that; the wrong number of outcomes is a failure too");
    assert_eq!(scene.call().await, [(2, 3)]);
    assert_eq!(scene.call().await, [(3, 2), (4, 1)], "and growing again");
    scene.settled(5).await;
    let status = scene.sink.status();
    assert_eq!((status.done, status.rejected, status.dropped), (5, 0, 0));
}

#[tokio::test]
async fn a_sink_that_was_not_called_has_not_tried() {
    let mut scene =
        scene(settings(), [Err(HookFailure::BreakerOpen), Err(HookFailure::Overloaded(String::new()))], false);
    scene.offer(1);
    for _ in 0..3 {
        assert_eq!(scene.call().await, [(1, 0)]);
    }
}

#[tokio::test]
async fn a_message_the_plugin_always_breaks_down_over_is_found_and_rejected() {
    let mut scene = scene(settings(), std::iter::repeat_with(trap).take(5), false);
    scene.offer(1);
    for attempt in 0..5 {
        assert_eq!(scene.call().await, [(1, attempt)]);
    }
    scene.offer(1);
    assert_eq!(scene.call().await, [(2, 0)]);
    scene.settled(2).await;
    assert_eq!((scene.sink.status().done, scene.sink.status().rejected), (1, 1));
}

#[tokio::test]
async fn a_backend_that_is_down_is_waited_for_however_long_it_takes() {
    let mut scene = scene(settings(), std::iter::repeat_with(backend).take(20), false);
    scene.offer(1);
    for attempt in 0..=20 {
        assert_eq!(scene.call().await, [(1, attempt)]);
    }
    scene.settled(1).await;
    assert_eq!(scene.sink.status().rejected, 0);
}

#[tokio::test]
async fn a_full_queue_drops_the_newest_and_counts_them() {
    let entries = scene(SinkSettings { queue_max: 5, ..settings() }, [], true);
    assert_eq!(entries.offer(8), 5);
    assert_eq!((entries.sink.status().dropped, entries.sink.status().depth), (3, 5));
    entries.plugin.permits.as_ref().unwrap().add_permits(100);
    entries.settled(5).await;
    assert_eq!(entries.offer(1), 1);

    let bytes = scene(SinkSettings { queue_bytes_max: 3 * size(&message(b"x").message), ..settings() }, [], true);
    assert_eq!(bytes.offer(8), 3);
}

#[tokio::test]
async fn another_generation_takes_over_the_queue_of_the_old_one() {
    let mut old = scene(settings(), std::iter::repeat_with(backend).take(1000), false);
    old.offer(3);
    let first = old.call().await;
    assert_eq!(first[0], (1, 0));
    let (call, mut calls) = mpsc::unbounded_channel();
    let (flushed, _flushes) = mpsc::unbounded_channel();
    old.sink.swap(Arc::new(Scripted { script: Mutex::default(), calls: call, flushes: flushed, permits: None }));
    assert_eq!(timeout(SOON, calls.recv()).await.unwrap().unwrap()[0].0, 1);
    old.settled(3).await;
}

#[tokio::test]
async fn a_shutdown_delivers_what_waits_then_flushes() {
    let mut scene = scene(settings(), [backend(), Ok(vec![Outcome::Retry(10_000)])], false);
    scene.offer(1);
    scene.call().await;
    let start = Instant::now();
    let lost = scene.sink.shutdown(tokio::time::Instant::now() + SOON).await;
    assert_eq!((lost, scene.sink.status().done), (0, 1));
    assert!(start.elapsed() < SOON, "a long wait is cut short");
    assert!(scene.flushes.try_recv().is_ok());
    assert!(!scene.sink.offer(message(b"late")));
}

#[tokio::test]
async fn a_shutdown_that_cannot_finish_says_how_much_is_lost() {
    let mut scene = scene(settings(), [], true);
    scene.offer(6);
    scene.call().await;
    let lost = scene.sink.shutdown(tokio::time::Instant::now() + Duration::from_millis(50)).await;
    assert_eq!((lost, scene.sink.status().dropped, scene.sink.status().depth), (6, 6, 0));
    assert!(scene.flushes.try_recv().is_err());
}

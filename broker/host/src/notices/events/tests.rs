#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::*;
use crate::error::HookFailure;

const SOON: Duration = Duration::from_secs(5);

/// Kind and count of each event of a batch.
type Told = Vec<(String, u32)>;

/// A plugin that reports what it is told, and fails when the test says so.
struct Watcher {
    told: mpsc::UnboundedSender<Told>,
    permits: Semaphore,
    fails: Mutex<bool>,
}

impl Observe for Watcher {
    fn on_events<'a>(&'a self, batch: &'a [Event]) -> BoxFuture<'a, Result<(), HookError>> {
        Box::pin(async move {
            let _ = self.told.send(batch.iter().map(|event| (event.kind.to_string(), event.count)).collect());
            self.permits.acquire().await.unwrap().forget();
            if *self.fails.lock() {
                let failure = HookFailure::Backend("down".to_owned());
                return Err(HookError { plugin: "audit".into(), hook: Hook::Events, failure, took: Duration::ZERO });
            }
            Ok(())
        })
    }
}

fn scene(queue_max: usize) -> (EventQueue, Arc<Watcher>, mpsc::UnboundedReceiver<Told>) {
    let (told, seen) = mpsc::unbounded_channel();
    let watcher = Arc::new(Watcher { told, permits: Semaphore::new(0), fails: Mutex::new(false) });
    let settings = EventSettings { plugin: "audit".into(), queue_max, batch_max: 3 };
    (EventQueue::start(&settings, Arc::clone(&watcher) as _, &Handle::current()), watcher, seen)
}

fn event(kind: &'static str, count: u32) -> Event {
    Event {
        kind: kind.into(),
        at_ms: 0,
        client_id: None,
        principal: None,
        topic: None,
        reason_code: None,
        count,
        detail: String::new(),
    }
}

fn told(events: &[(&str, u32)]) -> Told {
    events.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[tokio::test]
async fn losses_are_reported_in_front_of_the_next_batch() {
    let (queue, watcher, mut seen) = scene(4);
    queue.offer(event("a", 1));
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), told(&[("a", 1)]));
    for _ in 0..3 {
        queue.offer(event("b", 1));
    }
    queue.offer(event("c", 1));
    queue.offer(event("c", 10));
    watcher.permits.add_permits(10);
    let expected = told(&[("events.lost", 11), ("b", 1), ("b", 1), ("b", 1)]);
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), expected);
    queue.offer(event("d", 1));
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), told(&[("d", 1)]), "said once");
    assert_eq!(queue.status().dropped, 2);
}

#[tokio::test]
async fn a_batch_that_failed_is_lost_and_reported_not_offered_again() {
    let (queue, watcher, mut seen) = scene(10);
    *watcher.fails.lock() = true;
    watcher.permits.add_permits(10);
    queue.offer(event("a", 2));
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), told(&[("a", 2)]));
    let deadline = Instant::now() + SOON;
    while queue.status().rejected == 0 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    *watcher.fails.lock() = false;
    queue.offer(event("b", 1));
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), told(&[("events.lost", 2), ("b", 1)]));
}

#[tokio::test]
async fn a_shutdown_tells_what_waits_and_counts_what_it_cannot() {
    let (queue, watcher, mut seen) = scene(10);
    watcher.permits.add_permits(1);
    for _ in 0..3 {
        queue.offer(event("a", 1));
    }
    timeout(SOON, seen.recv()).await.unwrap().unwrap();
    queue.offer(event("b", 1));
    let lost = queue.shutdown(tokio::time::Instant::now() + Duration::from_millis(100)).await;
    assert_eq!((lost, queue.status().done, queue.status().depth), (1, 3, 0));
}

//! Notices: what plugins are told without being asked. The caller never waits; what does not fit in a bounded queue
//! is dropped, counted and named.
//!
//! [`sinks`] deliver messages in order, at least once while the process lives: a message leaves the queue only when
//! the plugin said `done` or `reject`. [`events`] are lossy, and say so.
//!
//! Both queues belong to the plugin's name, not to a generation: on a reload the queue stays and only the receiver
//! behind it is swapped.

mod backoff;
pub(crate) mod events;
mod queue;
pub(crate) mod sinks;
pub(crate) mod ticks;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::queue::Queue;

/// A future that may move between threads.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What became of a queue's entries so far.
#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    retried: AtomicU64,
    rejected: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }

    fn of(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// The task behind a queue.
#[derive(Debug)]
struct Worker(Mutex<Option<JoinHandle<()>>>);

impl Worker {
    fn new(task: JoinHandle<()>) -> Self {
        Self(Mutex::new(Some(task)))
    }

    /// Closes the queue and lets the task finish what is in it until the deadline. Returns how many entries are lost.
    async fn finish<T>(&self, queue: &Arc<Queue<T>>, deadline: Instant) -> usize {
        queue.close();
        let task = self.0.lock().take();
        if let Some(mut task) = task
            && tokio::time::timeout_at(deadline, &mut task).await.is_err()
        {
            task.abort();
            // Cancelled now, or just finished after all.
            let _ = task.await;
        }
        queue.depth()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(task) = self.0.lock().take() {
            task.abort();
        }
    }
}

/// Waits, but not longer than `closing_max` once the queue is closed.
async fn pause<T>(queue: &Queue<T>, wait: Duration, closing_max: Duration) {
    let start = Instant::now();
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = queue.closed() => tokio::time::sleep_until(start + wait.min(closing_max)).await,
    }
}

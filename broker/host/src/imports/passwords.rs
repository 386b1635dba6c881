//! `passwords`: hashes that are slow on purpose, computed on the blocking pool behind a gate.

mod hash;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use self::hash::{Hash, HashError};
use super::PluginState;
use crate::bindings::midge::plugin::passwords::{Error, Host};

/// Bounds how many hashes are computed at once, and how many wait for that. One per process: all plugins share the
/// same processors.
#[derive(Debug)]
pub(super) struct Gate {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
    overloaded: AtomicU64,
}

/// Too many are waiting already.
#[derive(Debug, PartialEq, Eq)]
struct Overloaded;

impl Gate {
    pub(super) fn new(parallel_max: usize, waiting_max: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(parallel_max.max(1))),
            waiting: AtomicUsize::new(0),
            waiting_max,
            overloaded: AtomicU64::new(0),
        }
    }

    /// How many checks were turned away.
    pub(super) fn overloaded(&self) -> u64 {
        self.overloaded.load(Ordering::Relaxed)
    }

    /// Runs `work` on the blocking pool. When the caller gives up while waiting, the work is never done; once it has
    /// begun it keeps its place until it is done, so that callers who give up cannot pile up work.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<wasmtime::Result<T>, Overloaded> {
        let permit = match Arc::clone(&self.running).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.wait().inspect_err(|Overloaded| {
                    self.overloaded.fetch_add(1, Ordering::Relaxed);
                })?;
                Arc::clone(&self.running).acquire_owned().await.expect("the semaphore is never closed")
            }
        };
        let work = move || {
            let _permit = permit;
            work()
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(wasmtime::Error::from))
    }

    fn wait(&self) -> Result<Place<'_>, Overloaded> {
        let place = Place(self);
        // The place is given back by its drop, also when it turns out to be one too many.
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.waiting_max { Ok(place) } else { Err(Overloaded) }
    }
}

/// A place in the queue.
struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Host for PluginState {
    async fn verify(&mut self, encoded: String, password: Vec<u8>) -> wasmtime::Result<Result<bool, Error>> {
        let hash = match Hash::parse(&encoded) {
            Ok(hash) => hash,
            Err(HashError::Bad(reason)) => return Ok(Err(Error::BadHash(reason.to_owned()))),
            Err(HashError::Unsupported) => return Ok(Err(Error::Unsupported)),
        };
        match self.shared.passwords().run(move || hash.verify(&password)).await {
            Ok(verified) => Ok(Ok(verified?)),
            Err(Overloaded) => Ok(Err(Error::Overloaded)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn what_is_beyond_the_queue_is_turned_away_at_once() {
        let gate = Arc::new(Gate::new(1, 1));
        let (go, wait) = mpsc::channel::<()>();
        let (started, mut running) = tokio::sync::mpsc::unbounded_channel();
        let first = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move {
                gate.run(move || {
                    started.send(()).unwrap();
                    wait.recv().unwrap();
                    1
                })
                .await
            }
        });
        timeout(SOON, running.recv()).await.unwrap().unwrap();

        let mut second = Box::pin(gate.run(|| 2));
        assert!(futures_pending(&mut second).await);
        assert!(matches!(timeout(SOON, gate.run(|| 3)).await.unwrap(), Err(Overloaded)));
        assert_eq!(gate.overloaded(), 1);

        drop(second);
        let fourth = gate.run(|| 4);
        go.send(()).unwrap();
        assert_eq!(timeout(SOON, fourth).await.unwrap().unwrap().unwrap(), 4, "the one that gave up left its place");
        assert_eq!(timeout(SOON, first).await.unwrap().unwrap().unwrap().unwrap(), 1);
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
    }

    async fn futures_pending(future: &mut (impl Future + Unpin)) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}

//! Ticks: a plugin's own turn, one after the other. They belong to the plugin's name, as queues do, so that not even two
//! generations of it have a turn at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::BoxFuture;
use crate::error::HookError;
use crate::imports::{Pass, Rate};

/// The plugin whose turn it is.
pub(crate) trait Tick: Send + Sync + 'static {
    /// One turn.
    fn tick(&self) -> BoxFuture<'_, Result<(), HookError>>;
}

/// The task that calls a plugin again and again.
pub(crate) struct Ticker {
    turn: Arc<Mutex<Turn>>,
    changed: Arc<Notify>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Who is called, and how long after the last time.
#[derive(Clone)]
struct Turn {
    tick: Arc<dyn Tick>,
    interval: Duration,
}

impl Ticker {
    /// Starts the task on `runtime`; the first turn is at once.
    pub(crate) fn start(plugin: Arc<str>, interval: Duration, tick: Arc<dyn Tick>, runtime: &Handle) -> Self {
        let turn = Arc::new(Mutex::new(Turn { tick, interval }));
        let changed = Arc::<Notify>::default();
        let (stop, stopped) = watch::channel(false);
        let ticking = Ticking { plugin, turn: Arc::clone(&turn), changed: Arc::clone(&changed), stopped };
        let task = Mutex::new(Some(runtime.spawn(ticking.run())));
        Self { turn, changed, stop, task }
    }

    /// Calls another generation from now on; its first turn is as soon as the one under way has ended.
    pub(crate) fn swap(&self, interval: Duration, tick: Arc<dyn Tick>) {
        *self.turn.lock() = Turn { tick, interval };
        self.changed.notify_one();
    }

    /// Begins no turn any more, and lets the one under way end until the deadline.
    pub(crate) async fn shutdown(&self, deadline: tokio::time::Instant) {
        self.stop.send_replace(true);
        let task = self.task.lock().take();
        if let Some(mut task) = task
            && tokio::time::timeout_at(deadline, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

struct Ticking {
    plugin: Arc<str>,
    turn: Arc<Mutex<Turn>>,
    changed: Arc<Notify>,
    stopped: watch::Receiver<bool>,
}

impl Ticking {
    async fn run(mut self) {
        let warnings = Rate::new(1, Instant::now());
        loop {
            let Turn { tick, interval } = self.turn.lock().clone();
            if let Err(error) = tick.tick().await
                && let Pass::Yes { refused_before } = warnings.pass(Instant::now())
            {
                tracing::warn!(plugin = &*self.plugin, ticks = refused_before + 1, %error, "tick failed");
            }
            drop(tick);
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = self.changed.notified() => {}
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts its turns, and those that began before another ended.
    #[derive(Default)]
    struct Counting {
        turns: AtomicUsize,
        under_way: Arc<AtomicUsize>,
        overlaps: AtomicUsize,
    }

    impl Tick for Counting {
        fn tick(&self) -> BoxFuture<'_, Result<(), HookError>> {
            Box::pin(async {
                if self.under_way.fetch_add(1, Ordering::SeqCst) > 0 {
                    self.overlaps.fetch_add(1, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                self.turns.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        }
    }

    async fn turns(counting: &Counting, least: usize) {
        let enough = async {
            while counting.turns.load(Ordering::SeqCst) < least {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), enough).await.unwrap();
    }

    #[tokio::test]
    async fn one_turn_follows_the_other_and_a_new_generation_has_its_first_at_once() {
        let first = Arc::new(Counting::default());
        let second = Arc::new(Counting { under_way: Arc::clone(&first.under_way), ..Counting::default() });
        let ticker = Ticker::start("p".into(), Duration::from_millis(1), Arc::clone(&first) as _, &Handle::current());
        turns(&first, 3).await;
        ticker.swap(Duration::from_secs(3600), Arc::clone(&second) as _);
        turns(&second, 1).await;
        let ended = first.turns.load(Ordering::SeqCst);
        ticker.shutdown(tokio::time::Instant::now() + Duration::from_secs(10)).await;
        assert_eq!(first.turns.load(Ordering::SeqCst), ended, "the old one has no turn any more");
        assert_eq!((first.overlaps.load(Ordering::SeqCst), second.overlaps.load(Ordering::SeqCst)), (0, 0));
    }
}

//! The threads of the broker: shards that drive connections, and a small runtime for everything that may wait.
//!
//! A shard is a tokio runtime with its own poll loop, its own listening sockets and its own timer wheel. One is best
//! up to eight threads; above that its single poll loop is what limits it, so there is one more for every eight. A
//! shard never blocks: what waits for a disk, a backend or an operator runs on the control runtime.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::driver;
use crate::timers::Timers;

/// Every runtime of the broker.
pub(crate) struct Runtimes {
    shards: Vec<Shard>,
    control: Runtime,
}

/// One runtime that drives connections.
pub(crate) struct Shard {
    runtime: Runtime,
    timers: Arc<Timers>,
}

impl Shard {
    /// Where its tasks are spawned.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// One that is driven by the thread that waits for something in it.
    #[cfg(test)]
    pub(crate) fn alone() -> Self {
        let runtime = Builder::new_current_thread().on_thread_park(driver::rest).enable_all().build();
        Self { runtime: runtime.expect("a test gets what a thread needs"), timers: Timers::new() }
    }

    #[cfg(test)]
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Its timer wheel, which is turning.
    pub(crate) fn timers(&self) -> &Arc<Timers> {
        &self.timers
    }
}

impl Runtimes {
    /// Starts `shards` shards with `threads` workers each, and the control runtime.
    ///
    /// # Errors
    /// The operating system gives no more threads or descriptors.
    pub(crate) fn start(shards: usize, threads: usize) -> io::Result<Self> {
        let control = builder("midge-control", CONTROL_THREADS).build()?;
        let shards = (0..shards.max(1)).map(|index| start_shard(index, threads)).collect::<io::Result<_>>()?;
        Ok(Self { shards, control })
    }

    /// The shards; at least one.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Where what may wait is spawned: plugins, admin HTTP, signals.
    pub(crate) fn control(&self) -> &Handle {
        self.control.handle()
    }

    /// Stops every thread; tasks that still run are dropped. Waits at most `limit` for each runtime.
    pub(crate) fn stop(self, limit: Duration) {
        for shard in self.shards {
            shard.runtime.shutdown_timeout(limit);
        }
        self.control.shutdown_timeout(limit);
    }
}

fn start_shard(index: usize, threads: usize) -> io::Result<Shard> {
    let runtime = builder(&format!("midge-shard-{index}"), threads.max(1)).on_thread_park(driver::rest).build()?;
    let timers = Timers::new();
    runtime.spawn(Arc::clone(&timers).run());
    Ok(Shard { runtime, timers })
}

fn builder(name: &str, threads: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(threads).thread_name(name).thread_stack_size(STACK_BYTES).enable_all();
    builder
}

/// Threads of the control runtime.
pub(crate) const CONTROL_THREADS: usize = 2;

/// Components run on the workers; their native frames are larger than Rust's.
const STACK_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

    use super::*;

    #[test]
    fn every_shard_runs_tasks_on_threads_of_its_own() {
        let runtimes = Runtimes::start(2, 1).unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        for (index, shard) in runtimes.shards().iter().enumerate() {
            let ran_on = runtimes.control().block_on(shard.handle().spawn(async move { name() })).unwrap();
            assert_eq!(ran_on, Some(format!("midge-shard-{index}")));
        }
        runtimes.stop(Duration::from_secs(5));
    }
}

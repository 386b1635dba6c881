//! The queues in front of sinks and observers, and whose turn it is to tick. They belong to the process: a reload puts another generation behind a
//! queue, and what waits in it is not lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::contract::{Hook, QueueStatus};
use crate::notices::events::{EventQueue, EventSettings, Observe};
use crate::notices::sinks::{Deliver, Sink, SinkSettings};
use crate::notices::ticks::{Tick, Ticker};
use crate::seat::Seat;

/// All queues, by the plugin's name.
#[derive(Default)]
pub(crate) struct Queues {
    sinks: Mutex<HashMap<Arc<str>, Arc<Sink>>>,
    events: Mutex<HashMap<Arc<str>, Arc<EventQueue>>>,
    tickers: Mutex<HashMap<Arc<str>, Arc<Ticker>>>,
    /// How often plugins were put behind the queues.
    term: AtomicU64,
}

/// The queues of one set of plugins, from the moment these are behind them.
pub(crate) struct Service {
    term: u64,
    pub(crate) sinks: Vec<(Seat, Arc<Sink>)>,
    pub(crate) observers: Vec<Arc<EventQueue>>,
}

impl Queues {
    /// Puts these plugins behind the queues, and nobody else.
    pub(crate) fn serve(&self, plugins: &[Seat], runtime: &Handle) -> Service {
        let of = |hook| plugins.iter().filter(move |plugin| plugin.has(hook));
        let sinks = of(Hook::Sink).map(|plugin| (plugin.clone(), self.sink(plugin, runtime))).collect();
        let observers = of(Hook::Events).map(|plugin| self.observer(plugin, runtime)).collect();
        of(Hook::Ticker).for_each(|plugin| self.tick(plugin, runtime));
        self.keep_only(plugins, runtime);
        Service { term: self.term.fetch_add(1, Ordering::Relaxed) + 1, sinks, observers }
    }

    /// Whether no other plugins were put behind the queues since.
    pub(crate) fn are_of(&self, service: &Service) -> bool {
        self.term.load(Ordering::Relaxed) == service.term
    }

    /// The queue of a sink, with this generation behind it from now on.
    fn sink(&self, plugin: &Seat, runtime: &Handle) -> Arc<Sink> {
        let deliver: Arc<dyn Deliver> = Arc::new(plugin.clone());
        let mut sinks = self.sinks.lock();
        if let Some(sink) = sinks.get(plugin.name()) {
            sink.swap(deliver);
            return Arc::clone(sink);
        }
        let limits = plugin.current().limits();
        let settings = SinkSettings {
            queue_max: limits.queue_max,
            batch_max: limits.batch_max,
            ..SinkSettings::new(Arc::clone(plugin.name()))
        };
        let sink = Arc::new(Sink::start(settings, deliver, runtime));
        sinks.insert(Arc::clone(plugin.name()), Arc::clone(&sink));
        sink
    }

    /// The queue of an observer, with this generation behind it from now on.
    fn observer(&self, plugin: &Seat, runtime: &Handle) -> Arc<EventQueue> {
        let observe: Arc<dyn Observe> = Arc::new(plugin.clone());
        let mut events = self.events.lock();
        if let Some(queue) = events.get(plugin.name()) {
            queue.swap(observe);
            return Arc::clone(queue);
        }
        let limits = plugin.current().limits();
        let settings = EventSettings {
            plugin: Arc::clone(plugin.name()),
            queue_max: limits.queue_max,
            batch_max: limits.batch_max,
        };
        let queue = Arc::new(EventQueue::start(&settings, observe, runtime));
        events.insert(Arc::clone(plugin.name()), Arc::clone(&queue));
        queue
    }

    /// Has this generation tick from now on.
    fn tick(&self, plugin: &Seat, runtime: &Handle) {
        let (tick, interval): (Arc<dyn Tick>, _) = (Arc::new(plugin.clone()), plugin.in_charge().tick_interval());
        let mut tickers = self.tickers.lock();
        match tickers.get(plugin.name()) {
            Some(ticker) => ticker.swap(interval, tick),
            None => {
                let ticker = Ticker::start(Arc::clone(plugin.name()), interval, tick, runtime);
                tickers.insert(Arc::clone(plugin.name()), Arc::new(ticker));
            }
        }
    }

    /// The state of a plugin's queues.
    pub(crate) fn status(&self, plugin: &str) -> Vec<QueueStatus> {
        let sink = self.sinks.lock().get(plugin).map(|sink| sink.status());
        let events = self.events.lock().get(plugin).map(|queue| queue.status());
        sink.into_iter().chain(events).collect()
    }

    /// Ends the queues of plugins that are no longer there: what waits may still be delivered for a while.
    fn keep_only(&self, plugins: &[Seat], runtime: &Handle) {
        let stays = |name: &Arc<str>, hook| plugins.iter().any(|plugin| plugin.name() == name && plugin.has(hook));
        let sinks: Vec<_> = self.sinks.lock().extract_if(|name, _| !stays(name, Hook::Sink)).collect();
        let events: Vec<_> = self.events.lock().extract_if(|name, _| !stays(name, Hook::Events)).collect();
        let tickers: Vec<_> = self.tickers.lock().extract_if(|name, _| !stays(name, Hook::Ticker)).collect();
        if sinks.is_empty() && events.is_empty() && tickers.is_empty() {
            return;
        }
        runtime.spawn(async move {
            let deadline = Instant::now() + LEAVING;
            for (_, ticker) in tickers {
                ticker.shutdown(deadline).await;
            }
            for (_, sink) in sinks {
                sink.shutdown(deadline).await;
            }
            for (_, queue) in events {
                queue.shutdown(deadline).await;
            }
        });
    }

    /// Ends all queues: what waits is delivered until the deadline.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        let sinks: Vec<_> = self.sinks.lock().values().cloned().collect();
        let events: Vec<_> = self.events.lock().values().cloned().collect();
        let tickers: Vec<_> = self.tickers.lock().values().cloned().collect();
        for ticker in tickers {
            ticker.shutdown(deadline).await;
        }
        for sink in sinks {
            sink.shutdown(deadline).await;
        }
        for queue in events {
            queue.shutdown(deadline).await;
        }
    }
}

/// How long the queue of a plugin that was taken out of the configuration may go on.
const LEAVING: Duration = Duration::from_secs(10);

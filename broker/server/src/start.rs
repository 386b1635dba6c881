//! The life of a broker: start, serve, stop.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use midge_core::{Broker, Effects, MemoryStore, Store, Time};
use midge_host::contract::{Keeper, Outside, TrialLimits};
use midge_host::{EngineSettings, Host, HostSettings, Identities, PluginEngine};
use midge_protocol::ReasonCode;
use tokio::sync::{Mutex, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use crate::admin::{self, Desk};
use crate::banner::Banner;
use crate::clock::Clock;
use crate::config::{Bundled, Config, ConfigError, Limits, WillsAtShutdown};
use crate::error::{Cause, RunError};
use crate::handshake;
use crate::keeper::DiskKeeper;
use crate::listener::{Admission, Gate, Listeners};
use crate::node::{Node, Rates};
use crate::outside::Orders;
use crate::reload::Reload;
use crate::runtime::{CONTROL_THREADS, Runtimes};
use crate::shutdown::{Drained, Signal, Signals, drain};
use crate::storage::{Disk, Watch};
use crate::swap::{self, Swaps};
use crate::sys;

/// What a broker starts from.
pub struct Start {
    /// What the operator asked for.
    pub config: Config,
    /// Reads the configuration again, when a reload is asked for.
    pub read_again: Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>,
    /// The plugins that are part of this binary.
    pub bundled: Bundled,
}

/// Runs a broker until a signal ends it.
///
/// # Errors
/// Whatever keeps it from starting: configuration, plugins, addresses, the operating system.
pub fn run(start: Start) -> Result<(), RunError> {
    let runtimes = runtimes(&start.config)?;
    let control = runtimes.control().clone();
    let result = control.block_on(serve(start, &runtimes));
    runtimes.stop(STOP_MAX);
    Ok(result?)
}

/// Loads what [`run`] would load, prints what it would print, and starts nothing.
///
/// # Errors
/// As [`run`], but for addresses that are in use.
pub fn check(mut config: Config, bundled: Bundled) -> Result<(), RunError> {
    let runtimes = runtimes(&config)?;
    let control = runtimes.control().clone();
    let result = control.block_on(async {
        let host = Plugins::new(&config, bundled, None)?.load(&config).await?;
        config.settle(|listener| host.authenticates(listener)).map_err(Cause::from)?;
        Listeners::check(&config).map_err(Cause::from)?;
        let mut banner = Banner::to_stdout();
        banner.plugins(&host.plugins());
        banner.would_listen(&config);
        host.shutdown(config.shutdown.drain).await;
        Ok::<_, Cause>(())
    });
    runtimes.stop(STOP_MAX);
    Ok(result?)
}

fn runtimes(config: &Config) -> Result<Runtimes, Cause> {
    let (shards, threads) = layout(config);
    Runtimes::start(shards, threads).map_err(Cause::system("threads"))
}

/// Shards, and the worker threads of each.
fn layout(config: &Config) -> (usize, usize) {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.runtime.layout(processors)
}

async fn serve(start: Start, runtimes: &Runtimes) -> Result<(), Cause> {
    let Start { mut config, read_again, bundled } = start;
    let mut signals = Signals::listen().map_err(Cause::system("signal handlers"))?;
    let Some(disk) = signals.unless_stopped(Disk::open(&config.store)).await else { return Ok(()) };
    let disk = disk?;
    let clock = clock(disk.as_ref());
    let keeper = disk.as_ref().map(|disk| Arc::new(DiskKeeper { store: disk.handle(), clock }) as Arc<dyn Keeper>);
    let plugins = Plugins::new(&config, bundled, keeper)?;
    let host = plugins.load(&config).await?;
    config.settle(|listener| host.authenticates(listener))?;

    let node = Arc::new(node(&config, host, &plugins, disk.as_ref(), clock));
    let mut banner = Banner::to_stdout();
    banner.plugins(&node.host().plugins());
    // Before the store is read, for whoever waits for that and wants to know how far it is.
    let desk = Desk::new(&node, &config.admin)?;
    if let Some(address) = admin::start(&config.admin, &desk).await? {
        banner.admin(address);
    }
    let Some(disk) = signals.unless_stopped(restore(disk, &node, &config, &mut banner)).await else { return Ok(()) };
    let disk = disk?;
    plugins.orders.connect(&node);
    node.host().enter_service();
    let admission = Admission::new(config.limits.connections_max, config.limits.refusals_max);
    let doorkeeper = Arc::clone(&node);
    let gate: Gate = Arc::new(move |listener, address| doorkeeper.host().admits(listener.name(), address));
    let listeners = Listeners::bind(&config, runtimes.shards().len(), &admission, &node.metrics)?.behind(gate);
    for wanted in &config.listeners {
        match listeners.each().find(|listener| listener.config().name == wanted.name) {
            Some(listener) => banner.listener(listener),
            None => banner.skipped(&wanted.name, wanted.address),
        }
    }
    spawn_chores(&node, &config);

    let open: Vec<_> = listeners.each().cloned().collect();
    let swaps = Swaps::new(&node, &config);
    let reload = Reload { read_again, plugins, node: Arc::clone(&node), swaps, listeners: open, config };
    let reload = open_to_changes(reload, &desk, runtimes);
    if signals.unless_stopped(until_ready(&node)).await.is_none() {
        node.host().shutdown(reload.lock().await.config.shutdown.drain).await;
        return Ok(());
    }
    let (stop, stopping) = watch::channel(false);
    let served = Arc::clone(&node);
    let serve = move |accepted| handshake::serve(Arc::clone(&served), accepted);
    listeners.serve(runtimes.shards(), &stopping, &serve).map_err(Cause::system("to watch sockets"))?;
    node.set_ready(true);
    banner.ready();

    while signals.next().await == Signal::Reload {
        reload.lock().await.perform().await;
    }
    node.set_ready(false);
    info!("stopping");
    // What is being reloaded is, first.
    let Some(reload) = signals.unless_stopped(reload.lock_owned()).await else { return Ok(()) };
    say_goodbye(&reload, &stop, &admission, &mut signals).await;
    if let Some(disk) = disk
        && signals.unless_stopped(disk.close()).await.is_none()
    {
        warn!("cut short by a second signal: what is not written yet is lost, and nobody was promised it");
    }
    Ok(())
}

/// From now on plugins can be changed, and those on trial are looked after.
fn open_to_changes(reload: Reload, desk: &Desk, runtimes: &Runtimes) -> Arc<Mutex<Reload>> {
    let swaps = Arc::clone(&reload.swaps);
    let reload = Arc::new(Mutex::new(reload));
    desk.open(&reload, &swaps);
    runtimes.control().spawn(swap::watch(swaps));
    reload
}

/// Waits until the plugins are well without which no client can be served. Clients that knock meanwhile wait in the operating
/// system's queue.
async fn until_ready(node: &Node) {
    let mut told: Option<String> = None;
    loop {
        let host = Arc::clone(&node.host());
        let Some(unready) = host.unready().await.into_iter().next() else { return };
        let reason = unready.failure.to_string();
        if told.as_ref() != Some(&reason) {
            warn!(plugin = &*unready.plugin, reason, "listeners stay closed until this plugin is well");
            told = Some(reason);
        }
        sleep(ASK_AGAIN).await;
    }
}

/// How often a plugin that is not well is asked again before the listeners open.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What the broker does beside serving clients, on the runtime that may wait.
fn spawn_chores(node: &Arc<Node>, config: &Config) {
    tokio::spawn(turn(Arc::clone(node)));
    tokio::spawn(watch_memory(Arc::clone(node)));
    tokio::spawn(sys::publish(Arc::clone(node), config.sys.interval));
}

/// Puts back what the store has kept, if there is a store.
async fn restore(
    disk: Option<Disk>,
    node: &Arc<Node>,
    config: &Config,
    banner: &mut Banner,
) -> Result<Option<Disk>, Cause> {
    let Some(disk) = disk else {
        banner.store(&config.store, None);
        return Ok(None);
    };
    let (disk, restored) = disk.restore(node).await?;
    banner.store(&config.store, Some(restored));
    Ok(Some(disk))
}

/// Sends every client away, and has the plugins finish.
async fn say_goodbye(reload: &Reload, stop: &watch::Sender<bool>, admission: &Admission, signals: &mut Signals) {
    let node = &reload.node;
    let limit = reload.config.shutdown.drain;
    let wills = reload.config.shutdown.wills;
    let disconnect = || {
        if wills == WillsAtShutdown::Withhold {
            node.broker.withhold_wills();
        }
        node.broker.disconnect_all(ReasonCode::ServerShuttingDown);
    };
    match drain(stop, disconnect, admission, signals, limit).await {
        Drained::Completely => info!("every client has left"),
        Drained::TimedOut(open) => warn!(open, "clients did not leave within drain_ms"),
        Drained::CutShort(open) => warn!(open, "cut short by a second signal"),
    }
    let host = Arc::clone(&node.host());
    host.shutdown(limit).await;
}

fn clock(disk: Option<&Disk>) -> Clock {
    let clock = Clock::start(disk.map_or(Time(0), Disk::latest));
    if !clock.ahead().is_zero() {
        warn!(
            by = ?clock.ahead(),
            "the system's clock was set back since the store was last written: the time since then does not count for what \
             expires"
        );
    }
    clock
}

fn node(config: &Config, host: Arc<Host>, plugins: &Plugins, disk: Option<&Disk>, clock: Clock) -> Node {
    let seed = RandomState::new().build_hasher().finish();
    let store: Box<dyn Store> = match disk {
        Some(disk) => Box::new(disk.handle()),
        None => Box::new(MemoryStore),
    };
    let broker = Broker::new(config.limits.core(), store, seed)
        .with_sharing(config.shared_subscriptions.core())
        .with_durability(config.store.core());
    let rates = Rates {
        messages_per_second: config.limits.messages_per_second,
        bytes_per_second: config.limits.bytes_per_second,
        authentication_steps_max: config.limits.authentication_steps_max,
        write_stall_max_s: u32::try_from(config.limits.write_stall_max.as_secs()).unwrap_or(u32::MAX),
    };
    Node::new(broker, host, Arc::clone(&plugins.identities), clock, rates)
        .with_store(disk.map(Disk::handle))
        .with_memory(config.limits.memory_bytes_max)
}

/// The broker's clock, a turn a second: deadlines of sessions, Wills and retained messages, and the report of drops.
async fn turn(node: Arc<Node>) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut effects = Effects::new();
    let mut watch = Watch::default();
    let mut not_retained = 0;
    loop {
        seconds.tick().await;
        let now = node.clock.now();
        node.broker.tick(now, &mut effects);
        node.conclude(&mut effects, now);
        node.drops.report();
        node.slowed.report();
        not_retained = report_not_retained(not_retained, node.broker.statistics().not_retained);
        if let Some(store) = &node.store {
            watch.look(store);
        }
    }
}

/// A line where there was no room since the last second for messages to be retained; says how many there were in all.
fn report_not_retained(before: u64, now: u64) -> u64 {
    if now > before {
        let count = now - before;
        warn!(count, "messages not retained: limits.retained_messages_max or limits.retained_bytes_max is reached");
    }
    now
}

/// Looks how much memory is used, the more often the more it is.
async fn watch_memory(node: Arc<Node>) {
    node.memory.announce();
    loop {
        node.backlog.look();
        sleep(node.look_at_memory().unwrap_or(NO_HURRY)).await;
    }
}

/// How often is looked at connections that stand still where nobody looks at the memory.
const NO_HURRY: Duration = Duration::from_secs(1);

/// What every generation of plugins is loaded with.
pub(crate) struct Plugins {
    engine: Arc<PluginEngine>,
    /// Threads that may call plugins, each of which finds an instance of its own.
    workers: usize,
    limits: Limits,
    trial: TrialLimits,
    pub(crate) identities: Arc<Identities>,
    orders: Arc<Orders>,
    bundled: Bundled,
}

impl Plugins {
    fn new(config: &Config, bundled: Bundled, keeper: Option<Arc<dyn Keeper>>) -> Result<Self, Cause> {
        let limits = config.limits.clone();
        let settings = EngineSettings { instances_max: limits.plugin_instances_max, ..EngineSettings::default() };
        let engine = Arc::new(PluginEngine::new(settings)?.with_keeper(keeper));
        let (shards, threads) = layout(config);
        let workers = shards * threads + CONTROL_THREADS;
        let trial = TrialLimits {
            disagreements_max: config.swap.disagreements_max as usize,
            questions_max: config.swap.shadow_questions_max as usize,
        };
        Ok(Self { engine, workers, limits, trial, identities: Arc::default(), orders: Arc::default(), bundled })
    }

    /// The plugins that are part of this binary.
    pub(crate) const fn bundled(&self) -> Bundled {
        self.bundled
    }

    /// Loads the plugins of a configuration beside those that are in force.
    pub(crate) async fn load(&self, config: &Config) -> Result<Arc<Host>, Cause> {
        let specs = config.plugin_specs(self.bundled)?;
        let outside: Arc<dyn Outside> = Arc::clone(&self.orders) as _;
        let settings = HostSettings {
            workers: self.workers,
            reuse_max: self.limits.answer_reuse_max,
            answers_max: self.limits.answers_max.into(),
            trial: self.trial,
            ..HostSettings::new(Arc::clone(&self.engine), cache_directory(config))
        };
        Ok(Host::load(settings, specs, outside, Arc::clone(&self.identities)).await?)
    }
}

fn cache_directory(config: &Config) -> PathBuf {
    config.runtime.data_dir.join("cwasm")
}

/// How long the threads get to end once every client and plugin has.
const STOP_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod footprint;

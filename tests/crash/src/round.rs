//! Load, kill, settle, check; and again.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Options;
use crate::broker::Broker;
use crate::channel::PATIENCE;
use crate::ledger::Name;
use crate::publisher::Publisher;
use crate::random::Random;
use crate::retained;
use crate::subscriber::Subscriber;

/// What was seen.
pub(crate) struct Summary {
    rounds: u32,
    acknowledged: usize,
    received: usize,
    slowest_start: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, acknowledged, received, slowest_start } = self;
        write!(
            f,
            "{rounds} kills: {acknowledged} messages acknowledged, {received} received, 0 lost, 0 QoS 2 duplicates, order kept; \
             slowest start {slowest_start:.0?}"
        )
    }
}

struct World {
    publishers: Vec<Publisher>,
    /// Connected under load.
    awake: Vec<Subscriber>,
    /// Connected only when everything is settled.
    asleep: Vec<Subscriber>,
}

const PUBLISHERS: u32 = 3;
const SUBSCRIBERS: u32 = 2;

pub(crate) fn run(options: &Options) -> Result<Summary, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut random = Random::new(options.seed);
    let mut world = World {
        publishers: (0..PUBLISHERS).map(|number| Publisher::new(number, options.seed)).collect(),
        awake: (0..SUBSCRIBERS).map(Subscriber::new).collect(),
        asleep: (SUBSCRIBERS..2 * SUBSCRIBERS).map(Subscriber::new).collect(),
    };
    let mut slowest_start = Duration::ZERO;
    // Everybody subscribes before anything is promised.
    let broker = Broker::start(&options.broker, directory.path())?;
    world.settle(broker.address)?;
    drop(broker);
    for round in 1..=options.rounds {
        let failed = |failure: String| format!("round {round}, seed {}: {failure}", options.seed);
        let load = Duration::from_millis(random.below(options.load_ms_max));
        let broker = start(options, directory.path(), &mut slowest_start).map_err(failed)?;
        world.load(broker, load).map_err(failed)?;
        let broker = start(options, directory.path(), &mut slowest_start).map_err(failed)?;
        world.settle(broker.address).map_err(failed)?;
        // Also what was settled must survive.
        broker.kill().map_err(failed)?;
        println!("round {round}: {load:.0?} of load, {} acknowledged", world.acknowledged());
    }
    let received = world.awake.iter().chain(&world.asleep).map(|one| one.received.len()).sum();
    Ok(Summary { rounds: options.rounds, acknowledged: world.acknowledged(), received, slowest_start })
}

fn start(options: &Options, directory: &Path, slowest: &mut Duration) -> Result<Broker, String> {
    let broker = Broker::start(&options.broker, directory)?;
    *slowest = (*slowest).max(broker.ready_after);
    Ok(broker)
}

impl World {
    /// Everybody talks for a while; then the broker is killed.
    fn load(&mut self, broker: Broker, load: Duration) -> Result<(), String> {
        let (address, stop) = (broker.address, AtomicBool::new(false));
        thread::scope(|scope| {
            for publisher in &mut self.publishers {
                scope.spawn(|| publisher.work(address, &stop));
            }
            for subscriber in &mut self.awake {
                scope.spawn(|| subscriber.work(address, &stop));
            }
            thread::sleep(load);
            let killed = broker.kill();
            stop.store(true, Ordering::Relaxed);
            killed
        })
    }

    /// Publishers finish what they began, subscribers receive what they are owed, and all of it is checked.
    fn settle(&mut self, address: SocketAddr) -> Result<(), String> {
        let stop = AtomicBool::new(true);
        thread::scope(|scope| {
            for publisher in &mut self.publishers {
                scope.spawn(|| publisher.work(address, &stop));
            }
        });
        let mut promised: BTreeSet<Name> = BTreeSet::new();
        for publisher in &self.publishers {
            promised.extend(&publisher.acknowledged);
            if !publisher.is_settled() {
                return Err(format!("not acknowledged: {:?}", publisher.unfinished().collect::<Vec<_>>()));
            }
        }
        let deadline = Instant::now() + PATIENCE;
        thread::scope(|scope| {
            for subscriber in self.awake.iter_mut().chain(&mut self.asleep) {
                let promised = &promised;
                scope.spawn(move || {
                    subscriber.settle(address, deadline, |received| received.len() >= promised.len());
                });
            }
        });
        self.check(&promised)?;
        retained::check(address, &self.publishers.iter().filter_map(Publisher::retained).collect())
    }

    fn check(&self, promised: &BTreeSet<Name>) -> Result<(), String> {
        let mut wrong: Vec<String> = self.publishers.iter().flat_map(|one| one.wrong.iter().cloned()).collect();
        for (number, subscriber) in self.awake.iter().chain(&self.asleep).enumerate() {
            wrong.extend(subscriber.received.wrong.iter().cloned());
            let lost: Vec<&Name> = promised.iter().filter(|name| !subscriber.received.has(name)).collect();
            if !lost.is_empty() {
                wrong.push(format!("subscriber {number} lacks {} messages, the first {:?}", lost.len(), lost[0]));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    fn acknowledged(&self) -> usize {
        self.publishers.iter().map(|publisher| publisher.acknowledged.len()).sum()
    }
}

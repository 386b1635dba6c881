//! Load, kill, settle, check; and again.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::Options;
use crate::broker::{Broker, Home};
use crate::random::Random;
use crate::story::BROKER;
use crate::world::{Failure, World};

/// What was seen.
pub(crate) struct Summary {
    rounds: u64,
    kills: u32,
    loses_power: bool,
    acknowledged: usize,
    received: usize,
    slowest_start: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, kills, loses_power, acknowledged, received, slowest_start } = self;
        let how = if *loses_power { "losses of power" } else { "kills" };
        write!(
            f,
            "{kills} {how} in {rounds} rounds: {acknowledged} messages acknowledged, {received} received, 0 lost, \
             0 QoS 2 duplicates, order kept; slowest start {slowest_start:.0?}"
        )
    }
}

/// How a round goes.
struct Plan {
    load: Duration,
    /// How long the broker is down after the load.
    down: Duration,
    /// Further kills before anything is settled: after so long, and whether clients are at work by then.
    more: Vec<(Duration, bool)>,
}

impl Plan {
    fn new(options: &Options, random: &mut Random) -> Self {
        let mut below = |bound| random.below(bound);
        let load = Duration::from_millis(below(options.load_ms_max));
        let down = if below(8) == 0 { LONG_DOWN } else { Duration::ZERO };
        let more = (0..[0, 0, 1, 2][below(4) as usize]).map(|_| {
            let is_at_work = below(2) == 0;
            (Duration::from_millis(below(if is_at_work { 200 } else { 60 })), is_at_work)
        });
        Self { load, down, more: more.collect() }
    }
}

struct Run<'a> {
    options: &'a Options,
    home: Home,
    /// The broker, if it is never killed.
    spared: Option<Broker>,
    world: World,
    random: Random,
    kills: u32,
    slowest_start: Duration,
}

/// Runs all rounds; the files stay in `directory`.
pub(crate) fn run(options: &Options, directory: &Path) -> Result<Summary, String> {
    let home = Home::new(options, directory)?;
    let (world, random) = (World::new(options.seed, options.power_loss.is_some()), Random::new(options.seed));
    let mut run = Run { options, home, spared: None, world, random, kills: 0, slowest_start: Duration::ZERO };
    // Everybody subscribes before anything is promised.
    run.settle(0).map_err(|failure| run.report(0, &failure))?;
    for round in 1..=options.rounds {
        run.round(round).map_err(|failure| run.report(round, &failure))?;
    }
    Ok(Summary {
        rounds: options.rounds,
        kills: run.kills,
        loses_power: run.home.loses_power(),
        acknowledged: run.world.acknowledged,
        received: run.world.received(),
        slowest_start: run.slowest_start,
    })
}

impl Run<'_> {
    fn round(&mut self, round: u64) -> Result<(), String> {
        let plan = Plan::new(self.options, &mut self.random);
        self.work(round, plan.load)?;
        std::thread::sleep(plan.down);
        for (after, is_at_work) in &plan.more {
            if *is_at_work {
                self.work(round, *after)?;
            } else if !self.options.spare {
                self.home.start_in_vain(*after)?;
                self.world.story.tell(BROKER, None, "was started and killed at once");
                self.lose_power()?;
            }
        }
        self.settle(round)?;
        let Plan { load, down, more } = plan;
        println!(
            "round {round}: {load:.0?} of load, {down:.0?} down, {} more kills; {} messages acknowledged in all",
            more.len(),
            self.world.acknowledged
        );
        Ok(())
    }

    fn work(&mut self, round: u64, load: Duration) -> Result<(), String> {
        let mut broker = self.start()?;
        let (world, options) = (&mut self.world, self.options);
        world.load(broker.address, round, load, || if options.spare { Ok(()) } else { broker.kill() })?;
        self.after_kill(broker)
    }

    fn settle(&mut self, round: u64) -> Result<(), String> {
        let mut broker = self.start()?;
        let settled = self.world.settle(broker.address, round);
        settled.map_err(|Failure(text)| text)?;
        // Also what is settled must survive.
        if !self.options.spare {
            broker.kill()?;
        }
        self.after_kill(broker)
    }

    fn start(&mut self) -> Result<Broker, String> {
        if let Some(broker) = self.spared.take() {
            return Ok(broker);
        }
        self.world.story.tell(BROKER, None, "is started");
        let broker = self.home.start()?;
        self.world.story.tell(BROKER, None, format!("is ready after {:.0?}", broker.ready_after));
        self.slowest_start = self.slowest_start.max(broker.ready_after);
        Ok(broker)
    }

    fn after_kill(&mut self, broker: Broker) -> Result<(), String> {
        if self.options.spare {
            self.spared = Some(broker);
            return Ok(());
        }
        self.lose_power()
    }

    fn lose_power(&mut self) -> Result<(), String> {
        self.kills += 1;
        if let Some(mood) = self.home.lose_power(&mut self.random)? {
            self.world.story.tell(BROKER, None, format!("loses power; what was not synced: {mood:?} stays"));
        }
        Ok(())
    }

    fn report(&self, round: u64, failure: &str) -> String {
        let Options { seed, .. } = self.options;
        format!("round {round}, seed {seed}: {failure}\n  the end of the broker's log:\n    {}", self.home.log_tail())
    }
}

/// Longer than messages and sessions that expire.
const LONG_DOWN: Duration = Duration::from_millis(3500);

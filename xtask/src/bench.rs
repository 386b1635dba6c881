//! `cargo xtask bench`: Midge beside its peers, on this machine, in one run.

mod calls;
mod durable;
mod figures;
mod machine;
mod peers;
mod progress;
mod report;
mod running;
mod scenarios;
mod swap;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Failure, build, packages, plugins};
use figures::Figures;
use peers::{Broker, Peers};
use progress::Progress;
use running::Bench;
use scenarios::{Cores, Scenario, Scenarios};

/// What `cargo xtask bench` was told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Scenarios or groups of tests/bench/scenarios.toml, `all`, or PUBLISHERS-SUBSCRIBERS, then any of q1, q2, 1024B, 10000/s,
    /// shared; unless given, the usual ones; `list` says which there are
    scenarios: Vec<String>,
    /// Peers of tests/bench/peers.toml to measure beside Midge, or NAME=PATH of a peer's program; unless given, all that are
    /// installed; `list` says which there are and how they are installed
    #[arg(long, value_delimiter = ',', value_name = "NAME[=PATH]")]
    peer: Vec<String>,
    /// Runs of each broker; their median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that each scenario is measured
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Give broker and generator one core each, also where a scenario says otherwise
    #[arg(long, conflicts_with = "unpinned")]
    pin: bool,
    /// Leave brokers and generator on whatever core the system chooses
    #[arg(long)]
    unpinned: bool,
    /// Measure instead what it costs to keep messages: acknowledgements for sessions that are offline, starting with much in
    /// the store, one session with a long queue
    #[arg(long, conflicts_with_all = ["scenarios", "peer"])]
    durable: bool,
    /// With --durable, messages that are queued, and as many retained, before the restart; 0 leaves it and the long queue out
    #[arg(long, default_value_t = 1_000_000)]
    kept: usize,
    /// Measure instead what clients notice while a plugin is replaced again and again; needs the guests of `cargo xtask plugins`
    #[arg(long, conflicts_with_all = ["scenarios", "peer", "durable"])]
    swap: bool,
    /// Measure instead what one call of a plugin costs, by language and hook
    #[arg(long, conflicts_with_all = ["scenarios", "peer", "durable", "swap"])]
    calls: bool,
    /// Measure this Midge instead of building one
    #[arg(long, value_name = "FILE")]
    broker: Option<PathBuf>,
    /// Measure with this midge-bench instead of building one
    #[arg(long, value_name = "FILE")]
    generator: Option<PathBuf>,
    /// Write everything that was measured here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds, measures and prints tables.
///
/// # Errors
/// When something does not build, nothing is to be measured, or Midge fails; a peer that fails is shown as such.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let scenarios = Scenarios::read(&root.join("tests/bench/scenarios.toml"))?;
    let peers = Peers::read(&root.join("tests/bench/peers.toml"))?;
    let folder = build::target_directory(root).join("bench");
    if options.scenarios.iter().any(|name| name == "list") {
        scenarios.list();
        return Ok(());
    }
    if options.peer.iter().any(|name| name == "list") {
        peers.list(&folder);
        return Ok(());
    }
    if options.calls {
        return calls::run(root, &midge(root, options)?, options, &folder);
    }
    let chosen = scenarios.choose(&options.scenarios)?;
    if !options.swap && (options.peer.is_empty() || options.peer.iter().any(|name| name == "mosquitto")) {
        packages::ensure(packages::FOR_BENCH)?;
    }
    let bench = Bench { root, options, midge: midge(root, options)?, generator: generator(root, options)?, folder };
    machine::raise_file_limit();
    if options.durable {
        return durable::run(&bench);
    }
    if options.swap {
        return swap::run(&bench);
    }
    let brokers = peers.choose(&options.peer, &bench)?;
    let asks_guests = |scenario: &Scenario| brokers.iter().any(|one| scenario.includes(one) && one.needs_guests());
    if chosen.iter().any(asks_guests) {
        plugins::build(root, &plugins::Selection::All)?;
    }
    let load_before = machine::load();
    let figures = measure(&bench, &chosen, &brokers);
    report::print(&chosen, &brokers, &figures, options);
    if let Some(file) = &options.json {
        report::write_json(file, &chosen, &brokers, &figures, &bench, &load_before)?;
    }
    match figures.failures().find(|(_, broker, _)| broker.starts_with("midge")) {
        Some((scenario, broker, why)) => Err(Failure::new(format!("{broker} failed at {scenario}: {why}"))),
        None => Ok(()),
    }
}

fn midge(root: &Path, options: &Options) -> Result<PathBuf, Failure> {
    match &options.broker {
        Some(broker) => found(broker),
        None => build::broker(root, true),
    }
}

fn generator(root: &Path, options: &Options) -> Result<PathBuf, Failure> {
    if let Some(generator) = &options.generator {
        return found(generator);
    }
    build::succeed(build::cargo(root).args(["build", "--release", "--package", "midge-bench"]), "cargo build")?;
    Ok(build::target_directory(root).join("release/midge-bench"))
}

/// A program that was named, by a path that holds from every folder: brokers run in folders of their own.
fn found(program: &Path) -> Result<PathBuf, Failure> {
    program.canonicalize().map_err(|error| Failure::new(format!("{}: {error}", program.display())))
}

/// Every scenario with every broker in turn, round by round, so that what else the machine does meets all of them.
fn measure(bench: &Bench<'_>, scenarios: &[Scenario], brokers: &[Broker]) -> Figures {
    let takes_part = |scenario: &Scenario, broker: &Broker| scenario.includes(broker);
    let runs = scenarios.iter().map(|scenario| brokers.iter().filter(|broker| takes_part(scenario, broker)).count());
    let mut progress = Progress::new(runs.sum::<usize>() * bench.options.rounds);
    let mut figures = Figures::default();
    for scenario in scenarios {
        for round in 1..=bench.options.rounds {
            for broker in brokers.iter().filter(|broker| takes_part(scenario, broker)) {
                progress
                    .begin(&format!("{}, round {round} of {}: {}", scenario.name, bench.options.rounds, broker.name));
                let measured = one(bench, scenario, broker);
                progress.end(&figures::in_short(scenario, &measured));
                figures.add(scenario, broker, measured);
            }
        }
    }
    figures
}

/// One run of one broker, as new.
fn one(bench: &Bench<'_>, scenario: &Scenario, broker: &Broker) -> Result<Value, String> {
    let pinned = match scenario.cores {
        _ if bench.options.pin => true,
        _ if bench.options.unpinned => false,
        Cores::One => true,
        Cores::Both => false,
    };
    let running = bench.start(broker, scenario.tls, pinned)?;
    let mut lines = running.measure(bench, &scenario.command(bench.options), pinned)?;
    lines.pop().ok_or_else(|| "the generator printed nothing".to_owned())
}

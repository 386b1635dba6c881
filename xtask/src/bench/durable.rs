//! What it costs to keep messages, beside mosquitto with persistence and beside Midge's store without a broker.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::figures::median;
use super::peers::{Broker, Peers};
use super::running::{BROKER_CORE, Bench, on_core};
use super::{Failure, Options, report};
use crate::build;

/// What keeps messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Midge,
    /// Midge's store, driven without a broker.
    Store,
    /// Writes everything every half hour: an acknowledgement says nothing about the disk.
    Mosquitto,
    /// Writes everything again after each change, at the end of its loop, without a sync.
    MosquittoOnChange,
}

/// Scenario and peer to the values of the rounds.
type Figures = BTreeMap<(String, Peer), Vec<Value>>;

struct Durable<'a> {
    bench: &'a Bench<'a>,
    peers: Peers,
}

/// Measures and prints tables.
pub(super) fn run(bench: &Bench<'_>) -> Result<(), Failure> {
    let durable = Durable { bench, peers: Peers::read(&bench.root.join("tests/bench/peers.toml"))? };
    let (options, mut figures) = (bench.options, Figures::new());
    for round in 1..=options.rounds {
        println!("round {round} of {}: {}", options.rounds, Peer::Store.name());
        durable.store(&mut figures)?;
        for peer in [Peer::Midge, Peer::Mosquitto, Peer::MosquittoOnChange] {
            println!("round {round} of {}: {}", options.rounds, peer.name());
            durable.pace(peer, &mut figures)?;
        }
        for peer in [Peer::Midge, Peer::Mosquitto].into_iter().filter(|_| options.kept > 0) {
            println!("round {round} of {}: {}, {} kept", options.rounds, peer.name(), options.kept);
            durable.restart(peer, &mut figures)?;
            durable.backlog(peer, &mut figures)?;
        }
    }
    print_tables(&figures, options);
    let Some(file) = &options.json else { return Ok(()) };
    let figures = figures
        .iter()
        .map(|((scenario, peer), rounds)| json!({ "broker": peer.name(), "scenario": scenario, "rounds": rounds }));
    report::write(file, bench, figures.collect())
}

impl Durable<'_> {
    /// The store itself, on the broker's core.
    fn store(&self, figures: &mut Figures) -> Result<(), Failure> {
        let cargo = build::cargo(self.bench.root);
        let mut command = on_core(Path::new(cargo.get_program()), self.pinned().then_some(BROKER_CORE));
        command.args(["bench", "--quiet", "--package", "midge-storage", "--bench", "bare", "--"]);
        let folder = self.bench.empty_folder("midge-store").map_err(|error| Failure::new(error.to_string()))?;
        command.arg(self.bench.options.seconds.to_string()).arg(folder).current_dir(self.bench.root);
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| Failure::new(format!("cargo bench cannot be started: {error}")))?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(Failure::new("the store's bench failed"));
        }
        for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            put(figures, Peer::Store, line);
        }
        Ok(())
    }

    fn pace(&self, peer: Peer, figures: &mut Figures) -> Result<(), Failure> {
        let mut command = vec!["durable".to_owned(), format!("--seconds={}", self.bench.options.seconds)];
        if peer == Peer::MosquittoOnChange {
            // It does not keep up with more, and was not done with 10,000 a second after a minute.
            command.push(format!("--rates={}", RATES[0]));
        }
        self.measure(peer, &command, figures)
    }

    fn backlog(&self, peer: Peer, figures: &mut Figures) -> Result<(), Failure> {
        self.measure(peer, &["backlog".to_owned(), format!("--messages={}", self.bench.options.kept)], figures)
    }

    fn measure(&self, peer: Peer, command: &[String], figures: &mut Figures) -> Result<(), Failure> {
        let broker = self.broker(peer)?;
        let running = self.bench.start(&broker, false, self.pinned()).map_err(|why| peer.failed(&why))?;
        let lines = running.measure(self.bench, command, self.pinned()).map_err(|why| peer.failed(&why))?;
        lines.into_iter().for_each(|line| put(figures, peer, line));
        Ok(())
    }

    /// Fills the broker, ends it, starts it and asks for a message at once.
    fn restart(&self, peer: Peer, figures: &mut Figures) -> Result<(), Failure> {
        let (broker, kept) = (self.broker(peer)?, self.bench.options.kept);
        // mosquitto has not written anything yet, so that only a good end leaves something to start with.
        let signal = if peer == Peer::Midge { Signal::KILL } else { Signal::TERM };
        let lines = || -> Result<Vec<Value>, String> {
            let folder = self.bench.empty_folder(&broker.name).map_err(|error| error.to_string())?;
            let running = self.bench.start_in(&broker, &folder, false, self.pinned())?.wait()?;
            let fill = ["fill".to_owned(), format!("--messages={kept}"), format!("--retained={kept}")];
            let mut lines = running.measure(self.bench, &fill, self.pinned())?;
            running.end(signal)?;
            let running = self.bench.start_in(&broker, &folder, false, self.pinned())?;
            lines.extend(running.measure(self.bench, &["first".to_owned()], self.pinned())?);
            Ok(lines)
        };
        lines().map_err(|why| peer.failed(&why))?.into_iter().for_each(|line| put(figures, peer, line));
        Ok(())
    }

    fn broker(&self, peer: Peer) -> Result<Broker, Failure> {
        self.peers.named(peer.configured(), self.bench)
    }

    fn pinned(&self) -> bool {
        !self.bench.options.unpinned
    }
}

impl Peer {
    const fn name(self) -> &'static str {
        match self {
            Self::Midge => "midge",
            Self::Store => "midge's store",
            Self::Mosquitto => "mosquitto",
            Self::MosquittoOnChange => "mosquitto, autosave_on_changes",
        }
    }

    /// Its name in tests/bench/peers.toml.
    const fn configured(self) -> &'static str {
        match self {
            Self::Midge | Self::Store => "midge-fsync",
            Self::Mosquitto => "mosquitto-persistent",
            Self::MosquittoOnChange => "mosquitto-on-change",
        }
    }

    fn failed(self, why: &str) -> Failure {
        Failure::new(format!("{}: {why}", self.name()))
    }
}

fn put(figures: &mut Figures, peer: Peer, line: Value) {
    let scenario = line["scenario"].as_str().unwrap_or_default().to_owned();
    figures.entry((scenario, peer)).or_default().push(line);
}

fn print_tables(figures: &Figures, options: &Options) {
    let value = |scenario: &str, peer: Peer, key: &str| {
        let rounds = figures.get(&(scenario.to_owned(), peer)).map(Vec::as_slice).unwrap_or_default();
        let values: Vec<f64> = rounds.iter().filter_map(|round| round[key].as_f64()).collect();
        median(values).unwrap_or(f64::NAN)
    };
    println!(
        "\nMedians of {} rounds; 256 bytes at QoS 1 for 100 persistent sessions that are offline.\n",
        options.rounds
    );
    println!("| messages/s | broker | acknowledged/s | p50 ms | p99 ms | µs CPU/message | bytes written/message |");
    println!("|---|---|---|---|---|---|---|");
    for rate in RATES {
        for peer in [Peer::Midge, Peer::Store, Peer::Mosquitto, Peer::MosquittoOnChange] {
            let scenario = format!("durable,{rate}/s");
            if !figures.contains_key(&(scenario.clone(), peer)) {
                continue;
            }
            let of = |key| value(&scenario, peer, key);
            println!(
                "| {rate} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} |",
                peer.name(),
                of("acknowledged_per_second"),
                of("acknowledged_p50_us") / 1000.0,
                of("acknowledged_p99_us") / 1000.0,
                of("broker_cpu_us_per_message"),
                of("broker_written_bytes_per_message")
            );
        }
    }
    if options.kept == 0 {
        return;
    }
    println!("\n| {0} messages in 10,000 sessions and {0} retained | Midge | mosquitto |", options.kept);
    println!("|---|---|---|");
    let row = |name: &str, scenario: &str, key: &str, unit: f64| {
        let [midge, peer] = [Peer::Midge, Peer::Mosquitto].map(|peer| value(scenario, peer, key) / unit);
        println!("| {name} | {midge:.2} | {peer:.2} |");
    };
    let mebibyte = 1024.0 * 1024.0;
    row("seconds to queue", "fill", "messages_seconds", 1.0);
    row("seconds to retain", "fill", "retained_seconds", 1.0);
    row("MiB resident when filled", "fill", "broker_resident_bytes", mebibyte);
    row("seconds from start until the listener is open", "first", "listening_seconds", 1.0);
    row("MiB resident then", "first", "broker_resident_bytes_listening", mebibyte);
    row("seconds from there to the first queued message", "first", "first_message_seconds_after", 1.0);
    println!("\n| one session with {} queued messages | Midge | mosquitto |", options.kept);
    println!("|---|---|---|");
    row("seconds to queue", "backlog", "load_seconds", 1.0);
    row("MiB resident before", "backlog", "broker_resident_bytes_before", mebibyte);
    row("MiB resident while it is offline", "backlog", "broker_resident_bytes_loaded", mebibyte);
    row("seconds to the first message", "backlog", "first_message_seconds", 1.0);
    row("seconds to fetch all", "backlog", "fetch_seconds", 1.0);
    row("MiB resident at the highest meanwhile", "backlog", "broker_resident_bytes_highest_fetching", mebibyte);
}

/// As the generator and the store's bench know them.
const RATES: [u32; 3] = [1000, 10_000, 50_000];

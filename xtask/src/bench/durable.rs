//! What it costs to keep messages, beside mosquitto with persistence and beside Midge's store without a broker.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{BROKER_CORE, Failure, Options, Running, build, free_port, middle, pinned, write_figures};

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

struct Bench<'a> {
    root: &'a Path,
    options: &'a Options,
    midge: &'a Path,
    generator: &'a Path,
}

/// Measures and prints tables.
pub(super) fn run(root: &Path, options: &Options, midge: &Path, generator: &Path) -> Result<(), Failure> {
    let bench = Bench { root, options, midge, generator };
    let mut figures = Figures::new();
    for round in 1..=options.rounds {
        println!("round {round} of {}: {}", options.rounds, Peer::Store.name());
        bench.store(&mut figures)?;
        for peer in [Peer::Midge, Peer::Mosquitto, Peer::MosquittoOnChange] {
            println!("round {round} of {}: {}", options.rounds, peer.name());
            bench.pace(peer, &mut figures)?;
        }
        for peer in [Peer::Midge, Peer::Mosquitto].into_iter().filter(|_| options.kept > 0) {
            println!("round {round} of {}: {}, {} kept", options.rounds, peer.name(), options.kept);
            bench.restart(peer, &mut figures)?;
            bench.backlog(peer, &mut figures)?;
        }
    }
    print_tables(&figures, options);
    let Some(file) = &options.json else { return Ok(()) };
    let figures = figures
        .iter()
        .map(|((scenario, peer), rounds)| json!({ "broker": peer.name(), "scenario": scenario, "rounds": rounds }));
    write_figures(file, figures.collect(), root, options)
}

impl Bench<'_> {
    /// The store itself, on the broker's core.
    fn store(&self, figures: &mut Figures) -> Result<(), Failure> {
        let cargo = build::cargo(self.root);
        let mut command = pinned(Path::new(cargo.get_program()), BROKER_CORE, self.options);
        command.args(["bench", "--quiet", "--package", "midge-storage", "--bench", "bare", "--"]);
        command.arg(self.options.seconds.to_string()).arg(self.directory(Peer::Store)?).current_dir(self.root);
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
        let directory = self.directory(peer)?;
        let running = self.start(peer, &directory)?.wait()?;
        let mut arguments = vec!["durable".to_owned(), format!("--seconds={}", self.options.seconds)];
        if peer == Peer::MosquittoOnChange {
            // It does not keep up with more, and was not done with 10,000 a second after a minute.
            arguments.push(format!("--rates={}", RATES[0]));
        }
        for line in running.measure(self.generator, &arguments, self.options)? {
            put(figures, peer, line);
        }
        Ok(())
    }

    /// Fills the broker, ends it, starts it and asks for a message at once.
    fn restart(&self, peer: Peer, figures: &mut Figures) -> Result<(), Failure> {
        let directory = self.directory(peer)?;
        let mut running = self.start(peer, &directory)?.wait()?;
        let kept = self.options.kept;
        let arguments = ["fill".to_owned(), format!("--messages={kept}"), format!("--retained={kept}")];
        let mut lines = running.measure(self.generator, &arguments, self.options)?;
        // mosquitto has not written anything yet, so that only a good end leaves something to start with.
        let signal = if peer == Peer::Midge { Signal::KILL } else { Signal::TERM };
        let gone = |error: std::io::Error| Failure::new(format!("{} cannot be ended: {error}", peer.name()));
        kill_process(Pid::from_child(&running.child), signal).map_err(|error| gone(error.into()))?;
        running.child.wait().map_err(gone)?;
        drop(running);
        let running = self.start(peer, &directory)?;
        lines.extend(running.measure(self.generator, &["first".to_owned()], self.options)?);
        lines.into_iter().for_each(|line| put(figures, peer, line));
        Ok(())
    }

    fn backlog(&self, peer: Peer, figures: &mut Figures) -> Result<(), Failure> {
        let directory = self.directory(peer)?;
        let running = self.start(peer, &directory)?.wait()?;
        let arguments = ["backlog".to_owned(), format!("--messages={}", self.options.kept)];
        for line in running.measure(self.generator, &arguments, self.options)? {
            put(figures, peer, line);
        }
        Ok(())
    }

    /// Starts the broker with what is in the directory, and does not wait until it serves.
    fn start(&self, peer: Peer, directory: &Path) -> Result<Running, Failure> {
        let port = free_port()?;
        let config = directory.join("broker.conf");
        fs::write(&config, peer.config(port, directory))
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", config.display())))?;
        let command = match peer {
            Peer::Midge => {
                let mut command = pinned(self.midge, BROKER_CORE, self.options);
                command.args(["run", "--config"]).arg(&config);
                command
            }
            _ => {
                let mut command = pinned(Path::new("mosquitto"), BROKER_CORE, self.options);
                command.arg("-c").arg(&config);
                command
            }
        };
        Running::spawn(peer.name(), command, port)
    }

    /// An empty directory.
    fn directory(&self, peer: Peer) -> Result<PathBuf, Failure> {
        let directory = build::target_directory(self.root).join("bench").join(format!("{peer:?}").to_lowercase());
        // There may be none yet.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)
            .map_err(|error| Failure::new(format!("{} cannot be made: {error}", directory.display())))?;
        Ok(directory)
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

    fn config(self, port: u16, directory: &Path) -> String {
        let mosquitto = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nlog_type error\nuser root\nmax_queued_messages 0\n\
             persistence true\npersistence_location {}/\n",
            directory.display()
        );
        match self {
            Self::Midge | Self::Store => format!(
                "[[listener]]\naddress = \"127.0.0.1:{port}\"\nanonymous = true\n\n\
                 [admin]\nenabled = false\n\n[log]\nfilter = \"error\"\n\n[runtime]\ndata_dir = {:?}\n\n\
                 [limits]\nretained_messages_max = 10000000\nretained_bytes_max = \"16GiB\"\n\
                 queued_messages_max = 10000000\nqueued_bytes_max = \"16GiB\"\n",
                directory.join("data")
            ),
            Self::Mosquitto => mosquitto,
            Self::MosquittoOnChange => format!("{mosquitto}autosave_on_changes true\nautosave_interval 1\n"),
        }
    }
}

fn put(figures: &mut Figures, peer: Peer, line: Value) {
    let scenario = line["scenario"].as_str().unwrap_or_default().to_owned();
    figures.entry((scenario, peer)).or_default().push(line);
}

fn print_tables(figures: &Figures, options: &Options) {
    let value = |scenario: &str, peer: Peer, key: &str| {
        let rounds = figures.get(&(scenario.to_owned(), peer)).map(Vec::as_slice).unwrap_or_default();
        let mut values: Vec<f64> = rounds.iter().filter_map(|round| round[key].as_f64()).collect();
        middle(&mut values)
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

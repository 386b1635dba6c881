//! `cargo xtask bench`: Midge beside its peers, on this machine, in one run.

mod durable;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Failure, build, packages};

/// What `cargo xtask bench` was told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// PUBLISHERS-SUBSCRIBERS, then any of q1, q2, 1024B, 10000/s; unless given, the usual ones
    scenarios: Vec<String>,
    /// Runs of each broker; their median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that each scenario is measured
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Connections that are opened and then do nothing; 0 leaves this out
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Messages that are retained and then sent to one subscriber; 0 leaves this out
    #[arg(long, default_value_t = 1_000_000)]
    retained: usize,
    /// Measure instead what it costs to keep messages: acknowledgements for sessions that are offline, starting with much in
    /// the store, one session with a long queue
    #[arg(long, conflicts_with = "scenarios")]
    durable: bool,
    /// With --durable, messages that are queued, and as many retained, before the restart; 0 leaves it and the long queue out
    #[arg(long, default_value_t = 1_000_000)]
    kept: usize,
    /// Measure this Midge instead of building one
    #[arg(long, value_name = "FILE")]
    broker: Option<PathBuf>,
    /// Leave brokers and generator on whatever core the system chooses, instead of one core each
    #[arg(long)]
    unpinned: bool,
    /// Write everything that was measured here, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is measured unless something else is asked for.
const USUAL: &[&str] = &["1-1", "1-1,q1", "10-10", "10-10,q1", "1-100", "1-100,q1", "100-1", "1-1,1024B"];

/// The brokers, the one that is compared first.
const BROKERS: [Broker; 2] = [Broker::Midge, Broker::Mosquitto];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Broker {
    Midge,
    Mosquitto,
}

/// One broker's figures: scenario to the values of its rounds.
type Figures = BTreeMap<(String, Broker), Vec<Value>>;

/// Builds, measures and prints a table.
///
/// # Errors
/// When a peer is missing, something does not build, or a broker does not serve.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    packages::ensure(packages::FOR_BENCH)?;
    let midge = match &options.broker {
        Some(broker) => broker.clone(),
        None => build::broker(root, true)?,
    };
    build::succeed(build::cargo(root).args(["build", "--release", "--package", "midge-bench"]), "cargo build")?;
    let generator = build::target_directory(root).join("release/midge-bench");
    if options.durable {
        return durable::run(root, options, &midge, &generator);
    }
    let usual = || USUAL.iter().map(|scenario| (*scenario).to_owned()).collect();
    let scenarios = if options.scenarios.is_empty() { usual() } else { options.scenarios.clone() };

    let mut figures = Figures::new();
    for round in 1..=options.rounds {
        for broker in BROKERS {
            println!("round {round} of {}: {}", options.rounds, broker.name());
            let mut running = Running::start(broker, &midge, root, options)?;
            let mut arguments = vec!["run".to_owned(), format!("--seconds={}", options.seconds)];
            arguments.extend(scenarios.iter().cloned());
            for line in running.measure(&generator, &arguments, options)? {
                let scenario = line["scenario"].as_str().unwrap_or_default().to_owned();
                figures.entry((scenario, broker)).or_default().push(line);
            }
            if options.idle > 0 {
                running = running.restart(broker, &midge, root, options)?;
                let connections = format!("--connections={}", options.idle);
                let arguments = ["idle".to_owned(), connections, "--subscribe".to_owned()];
                let lines = running.measure(&generator, &arguments, options)?;
                figures.entry((IDLE.to_owned(), broker)).or_default().extend(lines);
            }
            if options.retained > 0 {
                running = running.restart(broker, &midge, root, options)?;
                let arguments = ["retained".to_owned(), format!("--messages={}", options.retained)];
                let lines = running.measure(&generator, &arguments, options)?;
                figures.entry((RETAINED.to_owned(), broker)).or_default().extend(lines);
            }
        }
    }
    print_tables(&figures, options);
    match &options.json {
        Some(file) => write_json(file, &figures, root, options),
        None => Ok(()),
    }
}

impl Broker {
    const fn name(self) -> &'static str {
        match self {
            Self::Midge => "midge",
            Self::Mosquitto => "mosquitto",
        }
    }

    /// A configuration that lets the generator do what it does: anonymous, nothing persistent, queues as they are.
    fn config(self, port: u16) -> String {
        match self {
            Self::Midge => format!(
                "[[listener]]\naddress = \"127.0.0.1:{port}\"\nanonymous = true\n\n\
                 [admin]\nenabled = false\n\n[log]\nfilter = \"error\"\n\n\
                 [limits]\nretained_messages_max = 10000000\nretained_bytes_max = \"16GiB\"\n"
            ),
            Self::Mosquitto => format!("listener {port} 127.0.0.1\nallow_anonymous true\nlog_type error\n"),
        }
    }
}

/// A broker that serves; ended when dropped.
struct Running {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(broker: Broker, midge: &Path, root: &Path, options: &Options) -> Result<Self, Failure> {
        let port = free_port()?;
        let directory = build::target_directory(root).join("bench");
        let config = directory.join(format!("{}.conf", broker.name()));
        fs::create_dir_all(&directory)
            .and_then(|()| fs::write(&config, broker.config(port)))
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", config.display())))?;
        let mut command = match broker {
            Broker::Midge => pinned(midge, BROKER_CORE, options),
            Broker::Mosquitto => pinned(Path::new("mosquitto"), BROKER_CORE, options),
        };
        match broker {
            Broker::Midge => command.args(["run", "--config"]).arg(&config),
            Broker::Mosquitto => command.arg("-c").arg(&config),
        };
        Self::spawn(broker.name(), command, port)?.wait()
    }

    /// Starts a broker that is to serve this port.
    fn spawn(name: &'static str, mut command: Command, port: u16) -> Result<Self, Failure> {
        let child = command.stdout(Stdio::null()).spawn();
        let child = child.map_err(|error| Failure::new(format!("{name} cannot be started: {error}")))?;
        Ok(Self { name, child, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// The same broker as new.
    fn restart(self, broker: Broker, midge: &Path, root: &Path, options: &Options) -> Result<Self, Failure> {
        drop(self);
        Self::start(broker, midge, root, options)
    }

    fn wait(mut self) -> Result<Self, Failure> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            if Instant::now() > deadline || !matches!(self.child.try_wait(), Ok(None)) {
                return Err(Failure::new(format!("{} does not serve {}", self.name, self.address)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }

    /// Runs the generator and returns what it printed, one JSON value a line.
    fn measure(&self, generator: &Path, arguments: &[String], options: &Options) -> Result<Vec<Value>, Failure> {
        let (what, rest) = arguments.split_first().ok_or_else(Failure::silent)?;
        let output = pinned(generator, GENERATOR_CORE, options)
            .arg(what)
            .args(["--broker", &self.address.to_string(), "--pid", &self.child.id().to_string()])
            .args(rest)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Failure::new(format!("{} cannot be started: {error}", generator.display())))?;
        if !output.status.success() {
            return Err(Failure::new(format!("the generator failed against {}", self.name)));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|_| Failure::new(format!("not a measurement: {line}"))))
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A benchmark's broker has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program on one core of its own, where there are two.
fn pinned(program: &Path, core: usize, options: &Options) -> Command {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if options.unpinned || cores <= core || !packages::is_program("taskset") {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| Failure::new(format!("no free port: {error}")))
}

fn print_tables(figures: &Figures, options: &Options) {
    println!("\nMedians of {} rounds; less CPU and more messages are better.\n", options.rounds);
    println!("| scenario | Midge µs CPU/message | mosquitto | ratio | Midge messages/s | mosquitto | ratio |");
    println!("|---|---|---|---|---|---|---|");
    let scenarios: std::collections::BTreeSet<&String> = figures.keys().map(|(scenario, _)| scenario).collect();
    for scenario in scenarios.into_iter().filter(|scenario| ![IDLE, RETAINED].contains(&scenario.as_str())) {
        let of = |broker, key| median(figures, scenario, broker, key);
        let cpu = BROKERS.map(|broker| of(broker, "/broker_cpu_us_per_delivered"));
        let rate = BROKERS.map(|broker| of(broker, "/delivered_per_second"));
        println!(
            "| {scenario} | {:.3} | {:.3} | 1/{:.1} | {:.0} | {:.0} | {:.1} |",
            cpu[0],
            cpu[1],
            cpu[1] / cpu[0],
            rate[0],
            rate[1],
            rate[0] / rate[1]
        );
    }
    if options.idle > 0 {
        println!("\n| {} idle connections, one subscription each | Midge | mosquitto |", options.idle);
        println!("|---|---|---|");
        let row = |name: &str, key: &str, unit: f64| {
            let [midge, peer] = BROKERS.map(|broker| median(figures, IDLE, broker, key) / unit);
            println!("| {name} | {midge:.1} | {peer:.1} |");
        };
        row("resident bytes per connection", "/broker_resident_bytes_per_connection", 1.0);
        row("resident MiB in all", "/broker_resident_bytes", 1024.0 * 1024.0);
        row("µs CPU per connect and subscribe", "/broker_cpu_us_per_connect", 1.0);
        row("connects a second", "/connects_per_second", 1.0);
    }
    if options.retained > 0 {
        print_retained(figures, options);
    }
}

fn print_retained(figures: &Figures, options: &Options) {
    println!("\n| {} retained messages, all sent to one subscriber | Midge | mosquitto |", options.retained);
    println!("|---|---|---|");
    let row = |name: &str, key: &str, unit: f64| {
        let [midge, peer] = BROKERS.map(|broker| median(figures, RETAINED, broker, key) / unit);
        println!("| {name} | {midge:.1} | {peer:.1} |");
    };
    row("seconds to load", "/load_seconds", 1.0);
    row("resident bytes a message", "/broker_resident_bytes_per_message", 1.0);
    row("seconds to send all", "/replay_seconds", 1.0);
    row("µs CPU a message sent", "/broker_cpu_us_per_replayed", 1.0);
    row("MiB more while sending", "/broker_resident_bytes_grown_replaying", 1024.0 * 1024.0);
    row("MiB more for one that does not read", "/broker_resident_bytes_grown_deaf", 1024.0 * 1024.0);
    for (when, key) in [("quiet", "quiet"), ("while sending", "replaying"), ("beside one that does not read", "deaf")] {
        for share in ["p50", "p99", "max"] {
            row(&format!("µs between two others, {when}, {share}"), &format!("/latency_us_{key}/{share}"), 1.0);
        }
    }
}

fn median(figures: &Figures, scenario: &str, broker: Broker, key: &str) -> f64 {
    let rounds = figures.get(&(scenario.to_owned(), broker)).map(Vec::as_slice).unwrap_or_default();
    let mut values: Vec<f64> = rounds.iter().filter_map(|round| round.pointer(key).and_then(Value::as_f64)).collect();
    middle(&mut values)
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn write_json(file: &Path, figures: &Figures, root: &Path, options: &Options) -> Result<(), Failure> {
    let rounds: Vec<Value> = figures
        .iter()
        .map(|((scenario, broker), rounds)| {
            serde_json::json!({ "broker": broker.name(), "scenario": scenario, "rounds": rounds })
        })
        .collect();
    write_figures(file, rounds, root, options)
}

/// Figures with what must be known to compare them.
fn write_figures(file: &Path, figures: Vec<Value>, root: &Path, options: &Options) -> Result<(), Failure> {
    let printed = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let everything = serde_json::json!({
        "machine": printed("uname", &["-srm"]),
        "cores": thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "commit": printed("git", &["rev-parse", "HEAD"]),
        "mosquitto": printed("mosquitto", &["-h"]).lines().next().unwrap_or_default(),
        "pinned": !options.unpinned,
        "seconds": options.seconds,
        "figures": figures,
    });
    fs::write(file, format!("{everything:#}\n"))
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", file.display())))
}

/// The scenario's name for many retained messages.
const RETAINED: &str = "retained";
/// The scenario's name for connections that do nothing.
const IDLE: &str = "idle";
const BROKER_CORE: usize = 0;
const GENERATOR_CORE: usize = 1;

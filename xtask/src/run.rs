//! `cargo xtask run`: from a fresh clone to a running broker with its bundled plugins.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Failure, build, demo};

/// What `cargo xtask run` was told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run this config instead of the demo
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Optimise for speed: takes minutes longer to build
    #[arg(long)]
    release: bool,
    /// Port of the demo's listener on 127.0.0.1; with another one than 1883, the admin port is any free one
    #[arg(long, default_value_t = demo::PORT)]
    port: u16,
    /// Start this broker instead of building one
    #[arg(long, value_name = "FILE", conflicts_with = "release")]
    broker: Option<PathBuf>,
    /// Where the demo's files are written
    #[arg(long, value_name = "DIRECTORY")]
    demo: Option<PathBuf>,
}

/// Builds, starts the broker and waits until it ends.
///
/// # Errors
/// When something is missing, does not build, or the broker ends with an error.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let broker = match &options.broker {
        Some(broker) => broker.clone(),
        None => build::broker(root, options.release)?,
    };
    let config = match &options.config {
        Some(config) => config.clone(),
        None => {
            let sink = demo::start_sink()?;
            let directory = options.demo.clone().unwrap_or_else(|| build::target_directory(root).join("demo"));
            demo::write(&directory, &broker, options.port, sink)?
        }
    };
    let mut signals =
        Signals::new([SIGINT, SIGTERM]).map_err(|error| Failure::new(format!("signals cannot be caught: {error}")))?;
    let mut child = Command::new(&broker)
        .args(["run", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::new(format!("{} cannot be started: {error}", broker.display())))?;

    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        for signal in signals.forever() {
            // A terminal sends Ctrl-C to the broker too; only what came to us alone is passed on.
            if signal == SIGTERM {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
    });
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        println!("{line}");
        if line == "ready" && options.config.is_none() {
            say_what_next(options.port, &config);
        }
    }
    let status = child.wait().map_err(|error| Failure::new(format!("the broker cannot be waited for: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("the broker ended ({status})"))) }
}

/// What a newcomer may type.
fn say_what_next(port: u16, config: &Path) {
    let port = match port {
        demo::PORT => String::new(),
        port => format!(" -p {port}"),
    };
    println!(
        "
Midge is running with the demo config {config}
Type in a second shell:
  mosquitto_sub{port} -u alice -P wonderland -t 'alice/#' -v
and in a third:
  mosquitto_pub{port} -u alice -P wonderland -t alice/hello -m 'Hello, Midge'
The message arrives at the subscriber, and below as JSON at the demo's HTTP endpoint.
A wrong password (-P nonsense) or somebody else's topic (-u bob -P builder -t alice/hello) is refused.
Ctrl-C stops the broker.
",
        config = config.display()
    );
}

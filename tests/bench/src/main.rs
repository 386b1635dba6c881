//! Load generator and benchmarks for MQTT brokers.
//!
//! `midge-bench run` drives scenarios such as `10-10,q1` through a broker and prints what each message cost; `midge-bench
//! idle` opens connections and prints what each weighs; `midge-bench retained` fills the broker with retained messages; `durable`,
//! `fill`, `first` and `backlog` are about what survives. The generator is made to cost far less than a broker: packets are
//! encoded once and sent in batches, and what comes back is counted frame by frame without looking inside.
//!
//! Whoever compares brokers should pin the broker and the generator to different cores (`taskset`), and keep the median of
//! three runs.

mod batch;
mod channel;
mod client;
mod durable;
mod frames;
mod histogram;
mod idle;
mod process;
mod publisher;
mod retained;
mod run;
mod scenario;
mod subscriber;
mod watch;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::scenario::Scenario;

#[derive(Parser)]
#[command(about = "Load generator for MQTT brokers", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Drive scenarios through the broker, one after the other
    Run {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: run::Settings,
        /// PUBLISHERS-SUBSCRIBERS, then any of q1, q2, 1024B, 10000/s (paced, with latencies): 1-1 10-10,q1 1-100,1024B
        #[arg(required = true)]
        scenarios: Vec<Scenario>,
    },
    /// Open connections that then do nothing
    Idle {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: idle::Settings,
    },
    /// Retain many messages, and have one client subscribe to them all while two others talk
    Retained {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: retained::Settings,
    },
    /// Publish to persistent sessions that are offline, at a pace
    Durable {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: durable::pace::Settings,
    },
    /// Leave messages for persistent sessions, and retained ones
    Fill {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: durable::fill::Settings,
    },
    /// Wait until the broker serves, and until a session that was filled gets its first message
    First {
        #[command(flatten)]
        broker: Broker,
    },
    /// Leave messages for one persistent session, then fetch them
    Backlog {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: durable::backlog::Settings,
    },
}

/// The broker under test.
#[derive(Args)]
struct Broker {
    /// Where it listens
    #[arg(long = "broker", default_value = "127.0.0.1:1883")]
    address: SocketAddr,
    /// Its process, whose CPU time and memory are measured
    #[arg(long)]
    pid: Option<u32>,
}

fn main() -> ExitCode {
    match report(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "midge-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints one line of JSON for each measurement, as soon as it is there.
fn report(command: Command) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match command {
        Command::Run { broker, settings, scenarios } => {
            for scenario in scenarios {
                writeln!(out, "{}", run::measure(&broker, &settings, &scenario)?)?;
                out.flush()?;
            }
        }
        Command::Idle { broker, settings } => writeln!(out, "{}", idle::measure(&broker, &settings)?)?,
        Command::Retained { broker, settings } => writeln!(out, "{}", retained::measure(&broker, &settings)?)?,
        Command::Durable { broker, settings } => {
            for rate in &settings.rates {
                writeln!(out, "{}", durable::pace::measure(&broker, &settings, *rate)?)?;
                out.flush()?;
            }
        }
        Command::Fill { broker, settings } => writeln!(out, "{}", durable::fill::measure(&broker, &settings)?)?,
        Command::First { broker } => writeln!(out, "{}", durable::fill::first(&broker)?)?,
        Command::Backlog { broker, settings } => writeln!(out, "{}", durable::backlog::measure(&broker, &settings)?)?,
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}

//! Load generator and benchmarks for MQTT brokers.
//!
//! `run` drives scenarios such as `10-10,q1` through a broker and says what each message cost; `idle` opens connections and says
//! what each costs and weighs; `filters` subscribes to a million of them; `retained` fills the broker with retained messages;
//! `durable`, `fill`, `first` and `backlog` are about what survives. `forward` is the least that a broker could do, to compare with.
//!
//! The generator is made to cost far less than a broker: one thread drives all connections, packets are encoded once and sent in
//! batches, reads are large, and what comes back is counted frame by frame without looking inside.
//!
//! Whoever compares brokers should pin the broker and the generator to different cores (`taskset`), and keep the median of
//! three runs.

mod batch;
mod channel;
mod client;
mod durable;
mod filters;
mod forward;
mod frames;
mod histogram;
mod idle;
mod link;
mod load;
mod pacer;
mod process;
mod retained;
mod run;
mod scenario;
mod shown;
mod tls;
mod watch;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::scenario::Scenario;

/// A command line that says what to measure.
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    command: Command,
    /// Print each measurement as a line of JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Drive scenarios through the broker, one after the other
    Run {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: run::Settings,
        /// PUBLISHERS-SUBSCRIBERS, then any of q1, q2, 1024B, 10000/s (paced, with latencies), shared ($share): 1-1 10-10,q1
        /// 1-100,1024B 100-5,q1,shared
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
    /// Subscribe to many filters, and publish to topics that match them
    Filters {
        #[command(flatten)]
        broker: Broker,
        #[command(flatten)]
        settings: filters::Settings,
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
    /// Serve as the least that a broker could be: cuts packets apart and passes QoS 0 messages on
    Forward(forward::Settings),
}

/// The broker under test.
#[derive(Args, Debug)]
struct Broker {
    /// Where it listens
    #[arg(long = "broker", value_name = "HOST:PORT", default_value = "127.0.0.1:1883", value_parser = address)]
    address: SocketAddr,
    /// Its process, whose CPU time and memory are measured with those of all it started
    #[arg(long)]
    pid: Option<u32>,
    /// User Name of every connection
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Password of every connection
    #[arg(long, value_name = "PASSWORD", requires = "username")]
    password: Option<String>,
    /// Connect with TLS and believe any certificate; for `idle`
    #[arg(long)]
    tls: bool,
}

impl Broker {
    /// An address has about 28,000 ports to connect from, of which Linux tries the even ones first, all of them: when those are
    /// used up a connection takes milliseconds. So on loopback every 10,000 connections come from another address; and not from
    /// those of the run before, whose ports are not free for a minute.
    fn source(&self, connection: usize) -> Option<Ipv4Addr> {
        let host = u32::try_from(connection / CONNECTIONS_PER_ADDRESS).unwrap_or(u32::MAX);
        let first = u32::from(FIRST_SOURCE) + ((std::process::id() % RUNS_APART) << 8);
        let address = Ipv4Addr::from(first.saturating_add(host));
        (self.address.is_ipv4() && self.address.ip().is_loopback()).then_some(address)
    }
}

/// The first address that a name has.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = std::net::ToSocketAddrs::to_socket_addrs(text).map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| format!("{text} has no address"))
}

impl Bench {
    /// Measures, and prints each figure as soon as it is there.
    ///
    /// # Errors
    /// When the broker does not do what the load needs, or hangs up.
    pub fn perform(self, out: &mut impl Write) -> io::Result<()> {
        let json = self.json;
        let mut print = |measured: Value| -> io::Result<()> {
            if json {
                writeln!(out, "{measured}")?
            } else {
                shown::print(&measured, out)?
            }
            out.flush()
        };
        match self.command {
            Command::Run { broker, settings, scenarios } => {
                scenarios.iter().try_for_each(|scenario| print(run::measure(&broker, &settings, scenario)?))
            }
            Command::Idle { broker, settings } => print(idle::measure(&broker, &settings)?),
            Command::Filters { broker, settings } => print(filters::measure(&broker, &settings)?),
            Command::Retained { broker, settings } => print(retained::measure(&broker, &settings)?),
            Command::Durable { broker, settings } => {
                settings.rates.iter().try_for_each(|rate| print(durable::pace::measure(&broker, &settings, *rate)?))
            }
            Command::Fill { broker, settings } => print(durable::fill::measure(&broker, &settings)?),
            Command::First { broker } => print(durable::fill::first(&broker)?),
            Command::Backlog { broker, settings } => print(durable::backlog::measure(&broker, &settings)?),
            Command::Forward(settings) => forward::serve(&settings),
        }
    }
}

const CONNECTIONS_PER_ADDRESS: usize = 10_000;
/// Runs that use addresses of their own.
const RUNS_APART: u32 = 200;
const FIRST_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_addresses_change_before_their_ports_run_out() {
        let broker = |text: &str| Broker {
            address: address(text).expect("an address"),
            pid: None,
            username: None,
            password: None,
            tls: false,
        };
        let local = broker("127.0.0.1:1883");
        assert_eq!(local.source(9_999), local.source(0));
        assert_ne!(local.source(10_000), local.source(0));
        assert!(local.source(1_000_000).is_some_and(|address| address.is_loopback()));
        assert_eq!(broker("192.0.2.1:1883").source(0), None);
        assert!(address("127.0.0.1").is_err());
    }
}

//! Connections that do nothing: how fast they are taken, and what each weighs.

use std::io;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use midge_protocol::QoS;
use serde_json::{Value, json};

use crate::client::Client;
use crate::run::rounded;
use crate::{Broker, process};

/// What is opened.
#[derive(Args)]
pub(crate) struct Settings {
    /// How many connections; `ulimit -n` must allow them here and in the broker
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Each subscribes to a topic of its own
    #[arg(long)]
    subscribe: bool,
    /// Threads that connect side by side
    #[arg(long, default_value_t = 8)]
    threads: usize,
    /// Seconds to wait before memory is looked at
    #[arg(long, default_value_t = 2.0)]
    settle: f64,
}

/// Opens the connections, holds them and says what they cost.
pub(crate) fn measure(broker: &Broker, idle: &Settings) -> io::Result<Value> {
    let resident_before = broker.pid.map(process::resident_bytes).transpose()?;
    let cpu_before = broker.pid.map(process::cpu_seconds).transpose()?;
    let start = Instant::now();
    let clients = open_all(broker, idle)?;
    let seconds = start.elapsed().as_secs_f64();
    let count = clients.len() as f64;
    let cpu = broker.pid.map(process::cpu_seconds).transpose()?;
    thread::sleep(Duration::from_secs_f64(idle.settle));
    let resident = broker.pid.map(process::resident_bytes).transpose()?;
    let grown = resident.zip(resident_before).map(|(after, before)| after.saturating_sub(before));
    let used = cpu.zip(cpu_before).map(|(after, before)| after - before);
    Ok(json!({
        "connections": clients.len(),
        "subscribed": idle.subscribe,
        "seconds": rounded(seconds),
        "connects_per_second": (count / seconds).round(),
        "broker_cpu_us_per_connect": used.map(|seconds| rounded(seconds * 1e6 / count)),
        "broker_resident_bytes": resident,
        "broker_resident_bytes_per_connection": grown.map(|bytes| (bytes as f64 / count).round()),
    }))
}

/// Several threads take turns at the numbers.
fn open_all(broker: &Broker, idle: &Settings) -> io::Result<Vec<Client>> {
    let threads = idle.threads.clamp(1, idle.connections.max(1));
    let open_share = move |first: usize| -> io::Result<Vec<Client>> {
        (first..idle.connections).step_by(threads).map(|number| open(broker, idle, number)).collect()
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || open_share(first))).collect();
        let mut clients = Vec::with_capacity(idle.connections);
        for worker in workers {
            clients.extend(worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?);
        }
        Ok(clients)
    })
}

fn open(broker: &Broker, idle: &Settings, number: usize) -> io::Result<Client> {
    let source = broker.address.ip().is_loopback().then(|| source(number));
    let mut client = Client::connect(broker.address, source, &format!("bench-idle-{number}"))
        .map_err(|error| io::Error::other(format!("connection {number}: {error}")))?;
    if idle.subscribe {
        client.subscribe(&format!("bench/idle/{number}"), QoS::AtLeastOnce)?;
    }
    Ok(client)
}

/// An address has about 28,000 ports to connect from, so every 20,000 connections come from another one.
fn source(number: usize) -> Ipv4Addr {
    let host = u32::try_from(number / CONNECTIONS_PER_ADDRESS).unwrap_or(u32::MAX);
    Ipv4Addr::from(u32::from(FIRST_SOURCE).saturating_add(host))
}

const CONNECTIONS_PER_ADDRESS: usize = 20_000;
const FIRST_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_addresses_change_before_their_ports_run_out() {
        assert_eq!(source(0), Ipv4Addr::new(127, 0, 1, 1));
        assert_eq!(source(19_999), Ipv4Addr::new(127, 0, 1, 1));
        assert_eq!(source(20_000), Ipv4Addr::new(127, 0, 1, 2));
        assert!(source(1_000_000).is_loopback());
    }
}

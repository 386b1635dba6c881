//! Connections that do nothing: what a connect costs, what a subscribe costs, and what each connection weighs.

use std::io;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use midge_protocol::QoS;
use serde_json::{Value, json};

use crate::client::{Client, side_by_side};
use crate::run::rounded;
use crate::{Broker, process};

/// What is opened.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// How many connections; `ulimit -n` must allow them here and in the broker
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Each subscribes to a topic of its own, when all are connected
    #[arg(long)]
    subscribe: bool,
    /// Connections that are opened side by side
    #[arg(long, default_value_t = 32)]
    threads: usize,
    /// Seconds to wait before memory is looked at
    #[arg(long, default_value_t = 2.0)]
    settle: f64,
}

/// What one step of all connections cost.
struct Step {
    seconds: f64,
    broker_cpu: Option<f64>,
}

/// Opens the connections, holds them and says what they cost.
pub(crate) fn measure(broker: &Broker, idle: &Settings) -> io::Result<Value> {
    let resident = || broker.pid.map(process::resident_bytes).transpose();
    let before = resident()?;
    let open = |number| Client::connect(broker, broker.source(number), &format!("bench-idle-{number}"));
    let (clients, connecting) = step(broker, || side_by_side(idle.connections, idle.threads, &open))?;
    thread::sleep(Duration::from_secs_f64(idle.settle));
    let connected = resident()?;

    let clients: Vec<_> = clients.into_iter().map(Mutex::new).collect();
    let subscribe = |number: usize| -> io::Result<()> {
        let mut client = clients[number].lock().map_err(|_| io::Error::other("a thread panicked"))?;
        client.subscribe(&format!("bench/idle/{number}"), QoS::AtMostOnce)
    };
    let subscribers = if idle.subscribe { clients.len() } else { 0 };
    let (_, subscribing) = step(broker, || side_by_side(subscribers, idle.threads, &subscribe))?;
    if idle.subscribe {
        thread::sleep(Duration::from_secs_f64(idle.settle));
    }
    let after = resident()?;

    let count = clients.len() as f64;
    let each = |step: &Step| step.broker_cpu.map(|seconds| rounded(seconds * 1e6 / count));
    let grown =
        |now: Option<u64>| now.zip(before).map(|(now, before)| (now.saturating_sub(before) as f64 / count).round());
    Ok(json!({
        "scenario": if broker.tls { "idle,tls" } else { "idle" },
        "connections": clients.len(),
        "subscribed": idle.subscribe,
        "connect_seconds": rounded(connecting.seconds),
        "connects_per_second": (count / connecting.seconds).round(),
        "broker_cpu_us_per_connect": each(&connecting),
        "broker_cpu_us_per_subscribe": idle.subscribe.then(|| each(&subscribing)).flatten(),
        "broker_resident_bytes": after,
        "broker_resident_bytes_per_connected": grown(connected),
        "broker_resident_bytes_per_connection": grown(after),
    }))
}

fn step<T>(broker: &Broker, work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, Step)> {
    let cpu = || broker.pid.map(process::cpu_seconds).transpose();
    let (before, start) = (cpu()?, Instant::now());
    let done = work()?;
    let seconds = start.elapsed().as_secs_f64();
    let broker_cpu = cpu()?.zip(before).map(|(after, before)| after - before);
    Ok((done, Step { seconds, broker_cpu }))
}

//! One scenario: connect, warm up, measure, let everything arrive, add up.

use std::io;
use std::time::{Duration, Instant};

use clap::Args;
use midge_protocol::QoS;
use serde_json::{Value, json};

use crate::Broker;
use crate::load::Load;
use crate::process;
use crate::scenario::Scenario;

/// How scenarios are run.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// Seconds that are measured
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Messages that may be under way on a topic; by default what every broker's queues hold
    #[arg(long)]
    window: Option<usize>,
    /// Messages that a publisher sends at once; by default a share of the window
    #[arg(long)]
    batch: Option<usize>,
}

impl Settings {
    /// Above QoS 0 brokers queue 1,000 messages for a client by default, and at QoS 0 about a mebibyte.
    fn window(&self, scenario: &Scenario) -> usize {
        let message = scenario.payload_bytes + OVERHEAD_BYTES;
        let default = match scenario.qos {
            QoS::AtMostOnce => (QUEUE_BYTES.min(DELIVERED_BYTES / scenario.fan_out()) / message).max(WINDOW_MIN),
            QoS::AtLeastOnce | QoS::ExactlyOnce => QUEUED_MESSAGES.min(QUEUE_BYTES / message).max(WINDOW_MIN),
        };
        self.window.unwrap_or(default)
    }

    /// Half of the window, shared by the publishers of a topic; a few may then be under way while the others wait.
    fn batch(&self, scenario: &Scenario) -> usize {
        let window = self.window(scenario);
        let share = (window / 2 / scenario.publishers_per_topic()).max(BATCH_MIN.min(window / 2)).max(1);
        match scenario.rate {
            Some(_) => 1,
            None => self.batch.unwrap_or(share),
        }
    }
}

/// What was counted at one moment.
struct Snapshot {
    at: Instant,
    delivered: u64,
    broker_cpu: f64,
    own_cpu: f64,
    reads: u64,
    read_bytes: u64,
}

/// Runs a scenario and says what it cost.
pub(crate) fn measure(broker: &Broker, run: &Settings, scenario: &Scenario) -> io::Result<Value> {
    let mut load = Load::connect(broker, scenario, run.window(scenario), run.batch(scenario))?;
    load.run_until(Instant::now() + Duration::from_secs_f64(run.warm_up))?;
    load.latencies.clear();
    let before = snapshot(&load, broker)?;
    load.run_until(before.at + Duration::from_secs_f64(run.seconds))?;
    let after = snapshot(&load, broker)?;
    let quantile = |share| load.latencies.quantile(share).map(|nanoseconds| rounded(nanoseconds as f64 / 1000.0));
    let latencies = [quantile(0.5), quantile(0.99), quantile(1.0)];
    let resident = broker.pid.map(process::resident_bytes).transpose()?;
    let lost = load.finish()?;
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let delivered = after.delivered - before.delivered;
    let per_delivered = |cpu: f64| rounded(cpu * 1e6 / delivered as f64);
    let broker_cpu = broker.pid.map(|_| after.broker_cpu - before.broker_cpu);
    let own_cpu = after.own_cpu - before.own_cpu;
    let reads = after.reads - before.reads;
    Ok(json!({
        "scenario": scenario.to_string(),
        "window": run.window(scenario),
        "batch": run.batch(scenario),
        "delivered": delivered,
        "seconds": rounded(seconds),
        "delivered_per_second": (delivered as f64 / seconds).round(),
        "broker_cpu_seconds": broker_cpu.map(rounded),
        "broker_cpu_us_per_delivered": broker_cpu.map(per_delivered),
        "broker_resident_bytes": resident,
        "generator_cpu_seconds": rounded(own_cpu),
        "generator_cpu_us_per_delivered": per_delivered(own_cpu),
        "bytes_per_read": ((after.read_bytes - before.read_bytes) as f64 / reads as f64).round(),
        "latency_p50_us": latencies[0],
        "latency_p99_us": latencies[1],
        "latency_max_us": latencies[2],
        "lost": lost,
    }))
}

fn snapshot(load: &Load, broker: &Broker) -> io::Result<Snapshot> {
    Ok(Snapshot {
        at: Instant::now(),
        delivered: load.delivered(),
        broker_cpu: broker.pid.map_or(Ok(0.0), process::cpu_seconds)?,
        own_cpu: process::cpu_seconds(std::process::id())?,
        reads: load.reads,
        read_bytes: load.read_bytes,
    })
}

/// To four digits behind the point.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// What may be under way at QoS 0: half of what Midge queues for a connection.
const QUEUE_BYTES: usize = 512 * 1024;
/// What may be under way on a topic, to all of its subscribers.
const DELIVERED_BYTES: usize = 64 * 1024 * 1024;
/// What may be under way above QoS 0: most of what brokers queue for a client unless told otherwise.
const QUEUED_MESSAGES: usize = 800;
const WINDOW_MIN: usize = 8;
/// A publisher that has a turn sends at least so many, if the window holds them.
const BATCH_MIN: usize = 64;
/// Fixed header, topic and Packet Identifier, about.
const OVERHEAD_BYTES: usize = 16;

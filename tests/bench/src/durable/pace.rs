//! Acknowledgements of messages for sessions that are offline, at a pace.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::{Publisher, Template, make_sessions, nanoseconds};
use crate::histogram::Histogram;
use crate::run::rounded;
use crate::{Broker, process};

/// What is published.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// Messages a second, one measurement each
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000, 50_000])]
    pub(crate) rates: Vec<u32>,
    /// Seconds that are measured
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before that
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Sessions that the messages wait for, in turn
    #[arg(long, default_value_t = 100)]
    sessions: usize,
    /// Length of each payload
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Connections that publish
    #[arg(long, default_value_t = 4)]
    publishers: usize,
}

/// What was counted at one moment.
struct Snapshot {
    at: Instant,
    acknowledged: u64,
    cpu: f64,
    written: u64,
}

/// Publishes at the rate and says what that cost.
pub(crate) fn measure(broker: &Broker, settings: &Settings, rate: u32) -> io::Result<Value> {
    let names = |number| (format!("bench-durable-{rate}-{number}"), format!("durable/{rate}/{number}"));
    make_sessions(broker, &names, settings.sessions)?;
    let latencies = Arc::new(Histogram::new());
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(settings.warm_up + settings.seconds);
    let payload = vec![b'x'; settings.payload];
    let templates: io::Result<Vec<Template>> =
        (0..settings.sessions).map(|number| Template::new(&names(number).1, false, &payload)).collect();
    let templates = Arc::new(templates?);
    let (mut senders, mut acknowledged) = (Vec::new(), Vec::new());
    for number in 0..settings.publishers {
        let histogram = Arc::clone(&latencies);
        let client_id = format!("bench-durable-publisher-{number}");
        let publisher = Publisher::connect(broker, &client_id, start, move |latency| histogram.record(latency))?;
        acknowledged.push(Arc::clone(&publisher.acknowledged));
        let templates = Arc::clone(&templates);
        let interval = Duration::from_secs_f64(settings.publishers as f64 / f64::from(rate));
        let first = interval.mul_f64(number as f64 / settings.publishers as f64);
        senders.push(thread::spawn(move || pace(publisher, &templates, number, first, interval, start, end)));
    }
    let snapshot = || -> io::Result<Snapshot> {
        let count = acknowledged.iter().map(|one| one.count.load(std::sync::atomic::Ordering::Relaxed)).sum();
        Ok(Snapshot {
            at: Instant::now(),
            acknowledged: count,
            cpu: broker.pid.map_or(Ok(0.0), process::cpu_seconds)?,
            written: broker.pid.map_or(Ok(0), process::written_bytes)?,
        })
    };
    thread::sleep(Duration::from_secs_f64(settings.warm_up));
    latencies.clear();
    let before = snapshot()?;
    thread::sleep(end.saturating_duration_since(Instant::now()));
    let after = snapshot()?;
    let quantile = |share| latencies.quantile(share).map(|nanoseconds| rounded(nanoseconds as f64 / 1000.0));
    let quantiles = [quantile(0.5), quantile(0.99), quantile(1.0)];
    for sender in senders {
        sender.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
    }
    let messages = (after.acknowledged - before.acknowledged) as f64;
    Ok(json!({
        "scenario": format!("durable,{rate}/s"),
        "rate": rate,
        "sessions": settings.sessions,
        "payload_bytes": settings.payload,
        "acknowledged_per_second": (messages / after.at.duration_since(before.at).as_secs_f64()).round(),
        "acknowledged_p50_us": quantiles[0],
        "acknowledged_p99_us": quantiles[1],
        "acknowledged_max_us": quantiles[2],
        "broker_cpu_us_per_message": rounded((after.cpu - before.cpu) * 1e6 / messages),
        "broker_written_bytes_per_message": ((after.written - before.written) as f64 / messages).round(),
    }))
}

/// Sends each message when it is due, or as soon as it can be after that: waiting in line counts.
fn pace(
    mut publisher: Publisher,
    templates: &[Template],
    first_template: usize,
    first: Duration,
    interval: Duration,
    start: Instant,
    end: Instant,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let (mut due, mut number) = (first, first_template);
    while start + due < end {
        thread::sleep(due.saturating_sub(start.elapsed()));
        let now = Duration::from_nanos(nanoseconds(start));
        while due <= now && bytes.len() < BATCH_BYTES {
            let template = &templates[number % templates.len()];
            publisher.add(template, u64::try_from(due.as_nanos()).unwrap_or(u64::MAX), &mut bytes);
            due += interval;
            number += 1;
        }
        publisher.send(&mut bytes)?;
    }
    publisher.finish()
}

const BATCH_BYTES: usize = 64 * 1024;

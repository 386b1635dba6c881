//! Many subscriptions: what taking them costs, what each weighs, and what finding the right ones costs.

use std::io;
use std::sync::Mutex;
use std::time::Instant;

use clap::Args;
use midge_protocol::{MessageProperties, Packet, ProtocolVersion, Publish, QoS};
use serde_json::{Value, json};

use crate::client::{Client, side_by_side};
use crate::frames::{Inbox, PUBLISH};
use crate::run::rounded;
use crate::{Broker, process};

/// What is subscribed to, and how it is looked at.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// How many filters, every tenth with a wildcard
    #[arg(long, default_value_t = 1_000_000)]
    filters: usize,
    /// Clients that share them
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Messages, each to another topic, so that no cache knows it
    #[arg(long, default_value_t = 200_000)]
    messages: usize,
}

/// Subscribes, publishes, and says what that cost.
pub(crate) fn measure(broker: &Broker, settings: &Settings) -> io::Result<Value> {
    let resident = || broker.pid.map(process::resident_bytes).transpose();
    let cpu = || broker.pid.map(process::cpu_seconds).transpose();
    let open = |number| Client::connect(broker, broker.source(number), &format!("bench-filters-{number}"));
    let clients: Vec<_> = side_by_side(settings.clients, THREADS, &open)?.into_iter().map(Mutex::new).collect();
    let (resident_before, cpu_before, start) = (resident()?, cpu()?, Instant::now());
    let subscribe = |number: usize| -> io::Result<()> {
        let mut client = clients[number].lock().map_err(|_| io::Error::other("a thread panicked"))?;
        let filters: Vec<String> = (number..settings.filters).step_by(settings.clients).map(filter).collect();
        filters.chunks(FILTERS_PER_PACKET).try_for_each(|some| client.subscribe_all(some, QoS::AtMostOnce))
    };
    side_by_side(settings.clients, THREADS, &subscribe)?;
    let (seconds, resident_after, cpu_after) = (start.elapsed().as_secs_f64(), resident()?, cpu()?);
    let cold = publish(broker, settings)?;
    let warm = publish(broker, &Settings { filters: settings.filters.min(WARM_TOPICS), ..*settings })?;
    let count = settings.filters as f64;
    let each = |before: Option<f64>, after: Option<f64>, count: f64| {
        after.zip(before).map(|(after, before)| rounded((after - before) * 1e6 / count))
    };
    Ok(json!({
        "scenario": "filters",
        "filters": settings.filters,
        "seconds": rounded(seconds),
        "subscribed_per_second": (count / seconds).round(),
        "broker_cpu_us_per_subscribe": each(cpu_before, cpu_after, count),
        "broker_resident_bytes_per_filter":
            resident_after.zip(resident_before).map(|(after, before)| (after.saturating_sub(before) as f64 / count).round()),
        "broker_cpu_us_per_published": cold,
        "broker_cpu_us_per_published_warm": warm,
    }))
}

/// Publishes to topics that somebody has subscribed to, over and over; an acknowledged message at the end says when all are done.
/// Returns the broker's CPU time for a message.
fn publish(broker: &Broker, settings: &Settings) -> io::Result<Option<f64>> {
    let mut client = Client::connect(broker, None, "bench-filters-publisher")?;
    client.subscribe(DONE, QoS::AtMostOnce)?;
    let mut stream = client.into_stream()?;
    let mut bytes = Vec::new();
    // A stride that shares no factor with the number of filters visits all of them, and no two neighbours in a row.
    let mut number = 0;
    for _ in 0..settings.messages {
        number = (number + STRIDE) % settings.filters;
        encode(&topic(number), &mut bytes)?;
    }
    encode(DONE, &mut bytes)?;
    let before = broker.pid.map(process::cpu_seconds).transpose()?;
    let mut writing = stream.try_clone()?;
    std::thread::scope(|scope| -> io::Result<()> {
        let writer = scope.spawn(move || io::Write::write_all(&mut writing, &bytes));
        let (mut inbox, mut done) = (Inbox::new(4096), false);
        while !done {
            if !inbox.read(&mut stream, |frame| done = frame.kind() == PUBLISH)? {
                return Err(io::Error::other("the broker hung up"));
            }
        }
        writer.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
    })?;
    let after = broker.pid.map(process::cpu_seconds).transpose()?;
    Ok(after.zip(before).map(|(after, before)| rounded((after - before) * 1e6 / settings.messages as f64)))
}

fn encode(topic: &str, out: &mut Vec<u8>) -> io::Result<()> {
    let packet = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: MessageProperties::default(),
        payload: b"x",
    };
    Packet::Publish(packet).encode(ProtocolVersion::V311, out).map_err(io::Error::other)
}

/// Four levels; every tenth filter takes any fourth one.
fn filter(number: usize) -> String {
    if number.is_multiple_of(10) { format!("{}/+", branch(number)) } else { topic(number) }
}

fn topic(number: usize) -> String {
    format!("{}/{number}", branch(number))
}

fn branch(number: usize) -> String {
    format!("site/{}/device-{}", number % 100, number / 10)
}

const DONE: &str = "bench/done";
const THREADS: usize = 8;
const FILTERS_PER_PACKET: usize = 100;
/// A prime.
const STRIDE: usize = 7_368_787;
/// So few topics are in every cache.
const WARM_TOPICS: usize = 500;

//! Many retained messages: how long they take to load, what they weigh, and what their replay to one subscriber costs the
//! others, who go on talking to each other meanwhile.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use midge_protocol::{Packet, ProtocolVersion, Publish, QoS};
use serde_json::{Value, json};

use crate::client::Client;
use crate::frames::{Inbox, PUBLISH};
use crate::histogram::Histogram;
use crate::run::rounded;
use crate::watch::Watch;
use crate::{Broker, process};

/// What is retained and how it is looked at.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// How many messages, each with a topic of four levels; the broker's limits must allow them
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Length of each payload
    #[arg(long, default_value_t = 16)]
    payload: usize,
    /// Messages a second between two other clients, whose latencies are measured
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// Seconds that these two are measured on their own, and beside a subscriber that does not read
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

/// Loads, replays and says what that cost.
pub(crate) fn measure(broker: &Broker, settings: &Settings) -> io::Result<Value> {
    let resident_before = resident(broker)?;
    let start = Instant::now();
    load(broker, settings)?;
    let load_seconds = start.elapsed().as_secs_f64();
    let resident_loaded = resident(broker)?;

    let probe = Probe::start(broker, settings)?;
    let watch = Watch::start(broker)?;
    thread::sleep(Duration::from_secs_f64(settings.seconds));
    let quiet = probe.latencies();
    watch.take_highest();

    let cpu_before = broker.pid.map(process::cpu_seconds).transpose()?;
    let start = Instant::now();
    replay(broker, settings)?;
    let replay_seconds = start.elapsed().as_secs_f64();
    let cpu = broker.pid.map(process::cpu_seconds).transpose()?;
    let during = probe.latencies();
    let resident_replaying = watch.take_highest();

    // One that subscribes to everything and then reads nothing.
    let mut deaf = Client::connect(broker, None, "bench-retained-deaf")?;
    deaf.subscribe(FILTER, QoS::AtMostOnce)?;
    thread::sleep(Duration::from_secs_f64(settings.seconds));
    let beside_deaf = probe.latencies();
    let resident_deaf = watch.take_highest();

    let per_message = |bytes: u64| (bytes as f64 / settings.messages as f64).round();
    let grown = |bytes: u64| bytes.saturating_sub(resident_loaded);
    Ok(json!({
        "retained": settings.messages,
        "load_seconds": rounded(load_seconds),
        "loaded_per_second": (settings.messages as f64 / load_seconds).round(),
        "broker_resident_bytes": resident_loaded,
        "broker_resident_bytes_per_message": per_message(resident_loaded.saturating_sub(resident_before)),
        "replay_seconds": rounded(replay_seconds),
        "replayed_per_second": (settings.messages as f64 / replay_seconds).round(),
        "broker_cpu_us_per_replayed":
            cpu.zip(cpu_before).map(|(after, before)| rounded((after - before) * 1e6 / settings.messages as f64)),
        "broker_resident_bytes_grown_replaying": grown(resident_replaying),
        "broker_resident_bytes_grown_deaf": grown(resident_deaf),
        "latency_us_quiet": quiet,
        "latency_us_replaying": during,
        "latency_us_deaf": beside_deaf,
    }))
}

fn resident(broker: &Broker) -> io::Result<u64> {
    broker.pid.map_or(Ok(0), process::resident_bytes)
}

/// Publishes everything with RETAIN; the acknowledgement of the last message says that all were taken.
fn load(broker: &Broker, settings: &Settings) -> io::Result<()> {
    let mut client = Client::connect(broker, None, "bench-retained-loader")?;
    client.subscribe("bench/loaded", QoS::AtMostOnce)?;
    let mut stream = client.into_stream()?;
    let payload = vec![b'x'; settings.payload];
    let mut bytes = Vec::new();
    for number in 0..settings.messages {
        let topic = format!("{PREFIX}/{}/{}/{}", number / 10_000, number / 100 % 100, number % 100);
        publish(&topic, &payload, true, &mut bytes)?;
        if bytes.len() > BATCH_BYTES {
            stream.write_all(&bytes)?;
            bytes.clear();
        }
    }
    publish("bench/loaded", b"", false, &mut bytes)?;
    stream.write_all(&bytes)?;
    count(&mut stream, 1, false)
}

/// Takes everything that is retained, as quickly as it comes.
fn replay(broker: &Broker, settings: &Settings) -> io::Result<()> {
    let mut client = Client::connect(broker, None, "bench-retained-reader")?;
    client.subscribe(FILTER, QoS::AtMostOnce)?;
    count(&mut client.into_stream()?, settings.messages, true)
}

/// Waits for so many messages, with or without RETAIN.
fn count(stream: &mut TcpStream, messages: usize, retain: bool) -> io::Result<()> {
    let mut inbox = Inbox::new(64 * 1024);
    let mut seen = 0;
    while seen < messages {
        let more = inbox.read(stream, |frame| {
            seen += usize::from(frame.kind() == PUBLISH && (frame.first_byte & 1 == 1) == retain);
        })?;
        if !more {
            return Err(io::Error::other(format!("the broker closed after {seen} of {messages} messages")));
        }
    }
    Ok(())
}

fn publish(topic: &str, payload: &[u8], retain: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let packet = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain,
        topic,
        packet_id: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: midge_protocol::MessageProperties::default(),
        payload,
    };
    Packet::Publish(packet).encode(ProtocolVersion::V311, out).map_err(io::Error::other)
}

/// A publisher and a subscriber at a modest rate, for as long as the process lives.
struct Probe {
    histogram: Arc<Histogram>,
}

impl Probe {
    fn start(broker: &Broker, settings: &Settings) -> io::Result<Self> {
        let histogram = Arc::new(Histogram::new());
        let mut subscriber = Client::connect(broker, None, "bench-probe-subscriber")?;
        subscriber.subscribe("probe", QoS::AtMostOnce)?;
        let mut subscriber = subscriber.into_stream()?;
        let mut publisher = Client::connect(broker, None, "bench-probe-publisher")?.into_stream()?;
        let start = Instant::now();
        let latencies = Arc::clone(&histogram);
        thread::spawn(move || -> io::Result<()> {
            let mut inbox = Inbox::new(4096);
            while inbox.read(&mut subscriber, |frame| {
                if let Some(sent) = frame.contents.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)) {
                    latencies.record(nanoseconds(start).saturating_sub(sent));
                }
            })? {}
            Ok(())
        });
        let pause = Duration::from_secs(1) / settings.rate.max(1);
        thread::spawn(move || -> io::Result<()> {
            let mut bytes = Vec::new();
            // A message is due at its time, however late the one before was: waiting in line counts.
            for number in 0.. {
                let due = pause * number;
                thread::sleep(due.saturating_sub(start.elapsed()));
                bytes.clear();
                let stamp = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
                publish("probe", &stamp.to_be_bytes(), false, &mut bytes)?;
                publisher.write_all(&bytes)?;
            }
            Ok(())
        });
        Ok(Self { histogram })
    }

    /// Microseconds since the last look.
    fn latencies(&self) -> Value {
        let of = |share| self.histogram.quantile(share).map(|nanoseconds| nanoseconds / 1000);
        let latencies = json!({ "p50": of(0.5), "p99": of(0.99), "max": of(1.0) });
        self.histogram.clear();
        latencies
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// All topics begin with this, and a number for each of three more levels.
const PREFIX: &str = "retained";
const FILTER: &str = "#";
const BATCH_BYTES: usize = 64 * 1024;

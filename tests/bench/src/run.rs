//! One scenario: connect, warm up, measure, let everything arrive, add up.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::Args;
use midge_protocol::QoS;
use serde_json::{Value, json};

use crate::Broker;
use crate::batch::Batch;
use crate::channel::Channel;
use crate::client::Client;
use crate::histogram::Histogram;
use crate::process;
use crate::publisher::{Acknowledgements, Publisher, hang_up};
use crate::scenario::Scenario;
use crate::subscriber::Subscriber;

/// How scenarios are run.
#[derive(Args)]
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
}

impl Settings {
    /// Above QoS 0 brokers queue 1,000 messages for a client by default, and at QoS 0 about a mebibyte.
    fn window(&self, scenario: &Scenario) -> usize {
        let default = match scenario.qos {
            QoS::AtMostOnce => {
                let queue = QUEUE_BYTES / (scenario.payload_bytes + OVERHEAD_BYTES);
                queue.min(DELIVERIES / scenario.fan_out()).clamp(16, 8_000)
            }
            QoS::AtLeastOnce | QoS::ExactlyOnce => 800,
        };
        self.window.unwrap_or(default)
    }

    /// A quarter of the window, shared by the publishers of a topic.
    fn batch(&self, scenario: &Scenario) -> usize {
        match scenario.rate {
            Some(_) => 1,
            None => (self.window(scenario) / 4 / scenario.publishers_per_topic()).max(1),
        }
    }
}

/// The connections and threads of a scenario.
struct Load {
    channels: Vec<Arc<Channel>>,
    streams: Vec<TcpStream>,
    senders: Vec<JoinHandle<io::Result<()>>>,
    receivers: Vec<JoinHandle<io::Result<()>>>,
    stop: Arc<AtomicBool>,
    latencies: Arc<Histogram>,
    start: Instant,
}

/// What was counted at one moment.
struct Snapshot {
    at: Instant,
    delivered: u64,
    broker_cpu: f64,
    own_cpu: f64,
}

/// Runs a scenario and says what it cost.
pub(crate) fn measure(broker: &Broker, run: &Settings, scenario: &Scenario) -> io::Result<Value> {
    let mut load = Load::connect(broker, run, scenario)?;
    load.send(broker, run, scenario)?;
    thread::sleep(Duration::from_secs_f64(run.warm_up));
    load.latencies.clear();
    let before = load.snapshot(broker)?;
    thread::sleep(Duration::from_secs_f64(run.seconds));
    let after = load.snapshot(broker)?;
    let quantile = |share| load.latencies.quantile(share).map(|nanoseconds| rounded(nanoseconds as f64 / 1000.0));
    let latencies = [quantile(0.5), quantile(0.99)];
    let lost = load.finish(scenario)?;
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let delivered = after.delivered - before.delivered;
    let broker_cpu = broker.pid.map(|_| after.broker_cpu - before.broker_cpu);
    Ok(json!({
        "scenario": scenario.to_string(),
        "delivered": delivered,
        "seconds": rounded(seconds),
        "delivered_per_second": (delivered as f64 / seconds).round(),
        "broker_cpu_seconds": broker_cpu.map(rounded),
        "broker_cpu_us_per_delivered": broker_cpu.map(|cpu| rounded(cpu * 1e6 / delivered as f64)),
        "generator_cpu_seconds": rounded(after.own_cpu - before.own_cpu),
        "latency_p50_us": latencies[0],
        "latency_p99_us": latencies[1],
        "lost": lost,
    }))
}

/// To three digits behind the point.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl Load {
    /// Opens the subscribers.
    fn connect(broker: &Broker, run: &Settings, scenario: &Scenario) -> io::Result<Self> {
        let (window, batch) = (run.window(scenario), run.batch(scenario));
        let channel = |number| {
            let topic = format!("bench/{number}");
            Arc::new(Channel::new(topic, scenario.fan_out(), window, batch))
        };
        let mut load = Self {
            channels: (0..scenario.topics()).map(channel).collect(),
            streams: Vec::new(),
            senders: Vec::new(),
            receivers: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            latencies: Arc::new(Histogram::new()),
            start: Instant::now(),
        };
        for number in 0..scenario.subscribers {
            let channel = Arc::clone(&load.channels[number % scenario.topics()]);
            let mut client = Client::connect(broker.address, None, &format!("bench-subscriber-{number}"))?;
            client.subscribe(&channel.topic, scenario.qos)?;
            let stream = load.keep(client)?;
            let latencies = (load.start, scenario.payload_bytes, Arc::clone(&load.latencies));
            let subscriber = Subscriber {
                stream,
                channel,
                number: number / scenario.topics(),
                latencies: scenario.rate.map(|_| latencies),
            };
            load.receive(move || subscriber.run())?;
        }
        Ok(load)
    }

    /// Opens the publishers, which begin at once.
    fn send(&mut self, broker: &Broker, run: &Settings, scenario: &Scenario) -> io::Result<()> {
        let topics = scenario.topics();
        let mut publishers = Vec::new();
        for number in 0..scenario.publishers {
            let channel = Arc::clone(&self.channels[number % topics]);
            let client = Client::connect(broker.address, None, &format!("bench-publisher-{number}"))?;
            let stream = self.keep(client)?;
            let mut acknowledgements = None;
            if scenario.qos > QoS::AtMostOnce {
                let acknowledged = Arc::new(Acknowledgements::new(&stream)?);
                let (reader, stream) = (Arc::clone(&acknowledged), stream.try_clone()?);
                self.receive(move || reader.run(stream))?;
                acknowledgements = Some(acknowledged);
            }
            let batch = Batch::new(&channel.topic, scenario.qos, scenario.payload_bytes, run.batch(scenario))?;
            publishers.push(Publisher { stream, channel, batch, acknowledgements, stop: Arc::clone(&self.stop) });
        }
        let (start, count) = (self.start, scenario.publishers);
        for (number, publisher) in publishers.into_iter().enumerate() {
            let sender = match scenario.rate {
                None => spawn(move || publisher.saturate())?,
                Some(rate) => {
                    let interval = Duration::from_secs_f64(count as f64 / f64::from(rate));
                    let offset = interval.mul_f64(number as f64 / count as f64);
                    spawn(move || publisher.pace(interval, offset, start))?
                }
            };
            self.senders.push(sender);
        }
        Ok(())
    }

    /// A thread that reads. That its stream ends is an error only while the load runs.
    fn receive(&mut self, work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let stop = Arc::clone(&self.stop);
        let receiver = spawn(move || match work() {
            Err(error) if !stop.load(Ordering::Relaxed) => {
                Err(io::Error::other(format!("the broker hung up: {error}")))
            }
            _ => Ok(()),
        })?;
        self.receivers.push(receiver);
        Ok(())
    }

    /// The stream of a client, and a copy by which it is hung up.
    fn keep(&mut self, client: Client) -> io::Result<TcpStream> {
        let stream = client.into_stream()?;
        self.streams.push(stream.try_clone()?);
        Ok(stream)
    }

    fn snapshot(&self, broker: &Broker) -> io::Result<Snapshot> {
        Ok(Snapshot {
            at: Instant::now(),
            delivered: self.channels.iter().map(|channel| channel.received()).sum(),
            broker_cpu: broker.pid.map_or(Ok(0.0), process::cpu_seconds)?,
            own_cpu: process::cpu_seconds(std::process::id())?,
        })
    }

    /// Stops sending, waits for what is under way, and returns how many deliveries are missing.
    fn finish(self, scenario: &Scenario) -> io::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            join(sender)?;
        }
        let received = || self.channels.iter().map(|channel| channel.received()).sum::<u64>();
        let mut progress = (received(), Instant::now());
        while !self.channels.iter().all(|channel| channel.is_drained()) && progress.1.elapsed() < DRAIN_TIMEOUT {
            thread::sleep(Duration::from_millis(5));
            if received() != progress.0 {
                progress = (received(), Instant::now());
            }
        }
        self.streams.iter().for_each(hang_up);
        for receiver in self.receivers {
            join(receiver)?;
        }
        let missing =
            |channel: &Arc<Channel>| (channel.sent() * scenario.fan_out() as u64).saturating_sub(channel.received());
        Ok(self.channels.iter().map(missing).sum())
    }
}

fn spawn(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<JoinHandle<io::Result<()>>> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work)
}

fn join(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

/// What may be under way at QoS 0: half of what Midge queues for a connection.
const QUEUE_BYTES: usize = 512 * 1024;
/// Deliveries that may be under way on a topic, to all of its subscribers.
const DELIVERIES: usize = 200_000;
/// Fixed header, topic and Packet Identifier, about.
const OVERHEAD_BYTES: usize = 16;
const STACK_BYTES: usize = 128 * 1024;
/// How long nothing may arrive before the rest is lost.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

//! The core's paths, one operation at a time, for counting instructions:
//!
//! ```sh
//! cargo bench --package midge-core --bench paths -- publish-qos-1 10000
//! ```
//!
//! `cargo xtask paths` runs it under callgrind, which counts what happens inside [`measured`] and nothing else, and compares
//! with what is on record. Instructions do not depend on what else the machine does, as times do.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers, which ends where it goes wrong"
)]

#[path = "paths/seat.rs"]
mod seat;

use std::sync::Arc;

use midge_core::{Broker, Effects, Limits, MemoryStore, Time};
use midge_protocol::{ProtocolVersion, QoS};

use seat::{Seat, Wire};

/// A path: what it is called, and how to walk it so many times.
type Path = (&'static str, fn(usize) -> usize);

const PATHS: &[Path] = &[
    ("publish-qos-0", |count| pair(count, ProtocolVersion::V311, QoS::AtMostOnce)),
    ("publish-qos-0-v5", |count| pair(count, ProtocolVersion::V5, QoS::AtMostOnce)),
    ("publish-qos-1", |count| pair(count, ProtocolVersion::V311, QoS::AtLeastOnce)),
    ("publish-qos-2", |count| pair(count, ProtocolVersion::V5, QoS::ExactlyOnce)),
    ("fan-out-qos-0", |count| fan_out(count, QoS::AtMostOnce)),
    ("fan-out-qos-1", |count| fan_out(count, QoS::AtLeastOnce)),
    ("queue-qos-1", queue),
    ("match-new-topic", match_new_topic),
    ("connect", connect),
    ("subscribe", subscribe),
];

fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (Some(name), Some(count)) = (arguments.next(), arguments.next()) else {
        return PATHS.iter().for_each(|(name, _)| println!("{name}"));
    };
    let count = count.parse().expect("a number of operations");
    let (_, walk) =
        PATHS.iter().find(|(known, _)| *known == name).expect("a path of the list that is printed without one");
    println!("{}", walk(count));
}

/// What callgrind counts.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    work()
}

fn broker() -> Arc<Broker> {
    let limits = Limits {
        outbox_bytes_max: 64 << 20,
        queued_messages_max: 1 << 20,
        queued_bytes_max: 1 << 40,
        in_flight_max: u16::MAX,
        subscriptions_max: 1 << 20,
        ..Limits::default()
    };
    Arc::new(Broker::new(limits, Box::new(MemoryStore), 1))
}

/// One publisher, one subscriber; an operation is a message from PUBLISH to the last acknowledgement.
fn pair(count: usize, version: ProtocolVersion, qos: QoS) -> usize {
    exchange(count, 1, version, qos)
}

/// One publisher, a hundred subscribers; an operation is a delivery.
fn fan_out(count: usize, qos: QoS) -> usize {
    exchange(count.div_ceil(100), 100, ProtocolVersion::V311, qos) * 100
}

fn exchange(count: usize, subscribers: usize, version: ProtocolVersion, qos: QoS) -> usize {
    let broker = broker();
    let mut effects = Effects::new();
    let connect =
        |name: &str, effects: &mut Effects| Seat::connect(&broker, &Wire::connect(name, version, true), effects);
    let mut listeners: Vec<Seat> =
        (0..subscribers).map(|i| connect(&format!("subscriber-{i}"), &mut effects)).collect();
    for listener in &mut listeners {
        listener.receive(&Wire::subscribe(version, &["bench/1"], qos), &mut effects);
    }
    let mut publisher = connect("publisher", &mut effects);
    let mut done = 0;
    while done < count {
        let messages = BATCH.min(count - done);
        let batch = Wire::publish(version, "bench/1", qos, messages);
        measured(|| publisher.receive(&batch, &mut effects));
        // Answers go back and forth until nobody has any.
        loop {
            let mut quiet = true;
            for seat in listeners.iter_mut().chain([&mut publisher]) {
                let answers = seat.answers(version);
                quiet &= answers.is_empty();
                measured(|| seat.receive(&answers, &mut effects));
            }
            if quiet {
                break;
            }
        }
        done += messages;
    }
    let statistics = broker.statistics();
    let sent = statistics.messages_sent_qos0 + statistics.messages_sent_qos1 + statistics.messages_sent_qos2;
    assert_eq!(sent as usize, done * subscribers, "every message arrives");
    done
}

/// Messages for a session whose client is away.
fn queue(count: usize) -> usize {
    let (broker, mut effects, version) = (broker(), Effects::new(), ProtocolVersion::V311);
    let mut away = Seat::connect(&broker, &Wire::connect("away", version, false), &mut effects);
    away.receive(&Wire::subscribe(version, &["bench/1"], QoS::AtLeastOnce), &mut effects);
    away.close(&mut effects);
    let mut publisher = Seat::connect(&broker, &Wire::connect("publisher", version, true), &mut effects);
    for _ in 0..count.div_ceil(BATCH) {
        let batch = Wire::publish(version, "bench/1", QoS::AtLeastOnce, BATCH);
        measured(|| publisher.receive(&batch, &mut effects));
        publisher.answers(version);
    }
    count.div_ceil(BATCH) * BATCH
}

/// Messages on topics nobody published to before, among 10,000 filters of which two match.
fn match_new_topic(count: usize) -> usize {
    let (broker, mut effects, version) = (broker(), Effects::new(), ProtocolVersion::V311);
    let mut subscriber = Seat::connect(&broker, &Wire::connect("subscriber", version, true), &mut effects);
    for site in 0..100 {
        let filters: Vec<String> = (0..100).map(|room| format!("site/{site}/room/{room}/+/temperature")).collect();
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        subscriber.receive(&Wire::subscribe(version, &filters, QoS::AtMostOnce), &mut effects);
    }
    subscriber.receive(&Wire::subscribe(version, &["site/+/room/7/#"], QoS::AtMostOnce), &mut effects);
    let mut publisher = Seat::connect(&broker, &Wire::connect("publisher", version, true), &mut effects);
    for number in 0..count {
        let topic = format!("site/{}/room/7/{number}/temperature", number % 100);
        let message = Wire::publish(version, &topic, QoS::AtMostOnce, 1);
        measured(|| publisher.receive(&message, &mut effects));
    }
    count
}

/// From CONNECT to the end of the session.
fn connect(count: usize) -> usize {
    let (broker, mut effects) = (broker(), Effects::new());
    for number in 0..count {
        let connect = Wire::connect(&format!("client-{number}"), ProtocolVersion::V5, true);
        measured(|| Seat::connect(&broker, &connect, &mut effects).close(&mut effects));
    }
    count
}

/// SUBSCRIBE and UNSUBSCRIBE of ten filters, half of them with wildcards, by each of many clients; an operation is a filter.
fn subscribe(count: usize) -> usize {
    let (broker, mut effects, version) = (broker(), Effects::new(), ProtocolVersion::V311);
    let clients = count.div_ceil(10);
    let mut seats: Vec<Seat> = (0..clients)
        .map(|number| Seat::connect(&broker, &Wire::connect(&format!("client-{number}"), version, true), &mut effects))
        .collect();
    let filters = |client: usize| -> Vec<String> {
        let filter = |i: usize| {
            if i.is_multiple_of(2) { format!("client/{client}/in/{i}") } else { format!("all/{i}/+/{client}") }
        };
        (0..10).map(filter).collect()
    };
    for (client, seat) in seats.iter_mut().enumerate() {
        let filters = filters(client);
        let packet = Wire::subscribe(version, &filters.iter().map(String::as_str).collect::<Vec<_>>(), QoS::AtMostOnce);
        measured(|| seat.receive(&packet, &mut effects));
    }
    for (client, seat) in seats.iter_mut().enumerate() {
        let filters = filters(client);
        let packet = Wire::unsubscribe(version, &filters.iter().map(String::as_str).collect::<Vec<_>>());
        measured(|| seat.receive(&packet, &mut effects));
    }
    clients * 10
}

/// Messages of one read.
const BATCH: usize = 100;
const NOW: Time = Time(1_800_000_000_000);

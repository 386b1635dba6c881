//! Whole connections, from any bytes: a few clients that keep some of the rules, a broker with narrow limits behind them,
//! sockets that take a few bytes at a time, a store that takes its time, and a clock that jumps.
//!
//! Whatever happens, nothing panics; every packet the broker sends can be read and is one the client may be sent; whatever
//! asks for an answer gets it, in its turn, or the connection ends; nothing that waits exceeds its bound; and when all
//! clients and sessions are gone, nothing is left of them.
//!
//! This file and those beside it are compiled twice: into the fuzzer (`fuzz_targets/connections.rs`) and into the tests,
//! where the seeds are replayed and varied in every run (`tests/fuzz.rs`).

#[path = "connections/packets.rs"]
mod packets;
#[path = "connections/seat.rs"]
mod seat;
#[path = "../../tests/simulation/store.rs"]
#[allow(dead_code, reason = "not every user of the model crashes")]
mod store;
#[path = "connections/tape.rs"]
mod tape;
#[path = "connections/watch.rs"]
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use midge_core::{Broker, Effects, Limits, MemoryStore, Message, Origin, OutboxPolicy, QueuePolicy, Store, Time};
use midge_protocol::{QoS, ReasonCode, TopicName};

use seat::Seat;
use store::{Handle, LateStore};
use tape::Tape;

/// Client Identifiers. Fewer than places to sit, so that sessions are taken over.
const NAMES: [&str; 4] = ["a", "b", "a", ""];
const SEATS: usize = 3;
/// No input makes more happen.
const STEPS_MAX: usize = 600;

/// Lives through the history that the bytes describe.
pub(crate) fn run(bytes: &[u8]) {
    let mut tape = Tape::new(bytes);
    let mut house = House::new(&mut tape);
    for _ in 0..STEPS_MAX {
        if tape.is_empty() {
            break;
        }
        house.step(&mut tape);
        house.check_bounds();
    }
    house.close_down();
}

/// The broker, and what all connections have in common.
struct House {
    hub: Hub,
    seats: [Seat; SEATS],
}

/// What a connection needs besides itself.
struct Hub {
    broker: Broker,
    effects: Effects,
    now: Time,
    store: Option<Arc<LateStore>>,
    /// Every client there ever was, and every topic that may be retained.
    client_ids: BTreeSet<String>,
    topics: BTreeSet<String>,
    /// Bytes a socket holds that nobody reads.
    socket_bytes: usize,
}

impl House {
    fn new(tape: &mut Tape<'_>) -> Self {
        let limits = Limits {
            receive_maximum: tape.pick(&[2, 1, 1024]),
            in_flight_max: tape.pick(&[2, 1, 1024]),
            topic_alias_maximum: tape.pick(&[2, 0]),
            topic_aliases_sent_max: tape.pick(&[2, 0, 64]),
            queued_messages_max: tape.pick(&[3, 0, 1, 1000]),
            queue_policy: tape.pick(&[QueuePolicy::DropOldest, QueuePolicy::DropNewest]),
            outbox_bytes_max: tape.pick(&[1024, 40, 1024 * 1024]),
            outbox_policy: tape.pick(&[OutboxPolicy::DropNewest, OutboxPolicy::Disconnect]),
            retained_messages_max: tape.pick(&[3, 1000]),
            subscriptions_max: tape.pick(&[4, 1000]),
            maximum_qos: tape.pick(&[QoS::ExactlyOnce, QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtMostOnce]),
            retain_available: !tape.yes(),
            session_expiry_max: tape.pick(&[u32::MAX, 10]),
            sessions_max: tape.pick(&[1000, 1]),
            check_payload_format: tape.yes(),
            packet_bytes_max: 4096,
            ..Limits::default()
        };
        let store = tape.yes().then(Arc::<LateStore>::default);
        let boxed: Box<dyn Store> = match &store {
            Some(store) => Box::new(Handle(Arc::clone(store))),
            None => Box::new(MemoryStore),
        };
        let hub = Hub {
            broker: Broker::new(limits, boxed, 1),
            effects: Effects::new(),
            now: Time(1_000_000),
            store,
            client_ids: BTreeSet::new(),
            topics: BTreeSet::new(),
            socket_bytes: tape.pick(&[usize::MAX, 7, 100]),
        };
        Self { hub, seats: Default::default() }
    }

    /// Something happens.
    fn step(&mut self, tape: &mut Tape<'_>) {
        let choice = tape.byte();
        let Self { hub, seats } = self;
        let seat = &mut seats[usize::from(choice / 32) % SEATS];
        match choice % 32 {
            // Somebody sits down, or says something; CONNECT again is one of the things that can be said.
            0..=21 if seat.is_free() => seat.sit_down(&packets::connect(tape), tape.yes(), hub),
            0 => seat.say(&packets::connect(tape), hub),
            1..=14 => {
                let bytes = packets::packet(tape, seat.version(), &seat.open());
                seat.say(&bytes, hub);
            }
            15 => {
                let mut bytes = packets::packet(tape, seat.version(), &seat.open());
                let place = usize::from(tape.byte()) % bytes.len();
                bytes[place] ^= tape.byte();
                seat.say(&bytes, hub);
            }
            16..=18 => {
                // All at once, in one read batch.
                let open = seat.open();
                let count = usize::from(tape.byte() % 4);
                let bytes: Vec<u8> = (0..count).flat_map(|_| packets::packet(tape, seat.version(), &open)).collect();
                seat.say(&bytes, hub);
            }
            19 => {
                // Half a packet; whatever is said next follows it.
                let bytes = packets::packet(tape, seat.version(), &seat.open());
                seat.say(&bytes[..usize::from(tape.byte()) % bytes.len()], hub);
            }
            20 | 21 => {
                let length = usize::from(tape.byte() % 64);
                seat.say(tape.bytes(length), hub);
            }
            22..=24 => seat.listen(usize::from(tape.byte())),
            25 => seat.lose(hub),
            26 => hub.now = hub.now.after_seconds(u32::from(tape.pick(&[1_u16, 6, 60, 5000]))),
            27 => hub.tick(),
            28 => hub.commit(),
            29 => hub.administrate(tape),
            _ => {}
        }
        self.serve();
    }

    /// Lets every connection's owner do what is to be done, until nothing more is.
    fn serve(&mut self) {
        while self.seats.iter_mut().any(|seat| seat.serve(&mut self.hub)) {}
    }

    fn check_bounds(&self) {
        let statistics = self.hub.broker.statistics();
        let limits = self.hub.broker.limits();
        assert!(statistics.queued_messages <= u64::from(limits.queued_messages_max) * statistics.sessions);
        assert!(statistics.sessions <= u64::from(limits.sessions_max));
        assert!(statistics.retained_messages <= limits.retained_messages_max as u64);
        assert!(statistics.subscriptions <= u64::from(limits.subscriptions_max) * statistics.sessions);
        assert!(statistics.connections <= SEATS as u64);
        // The outbox is filled while there is room, so one batch of answers and one packet may exceed it.
        let output_max = limits.outbox_bytes_max.max(64 * 1024) + 2 * limits.packet_bytes_max as usize;
        assert!(self.seats.iter().all(|seat| seat.output_bytes() <= output_max), "an outbox without a bound");
    }

    /// Everybody reads to the end and leaves, and every session ends.
    fn close_down(mut self) {
        self.hub.socket_bytes = usize::MAX;
        loop {
            self.hub.commit();
            self.seats.iter_mut().for_each(|seat| seat.listen(usize::MAX));
            let moved = self.seats.iter_mut().any(|seat| seat.serve(&mut self.hub));
            if !moved && self.seats.iter().all(Seat::has_heard_all) {
                break;
            }
        }
        for seat in &mut self.seats {
            seat.check_answered();
            seat.lose(&mut self.hub);
        }
        let Hub { broker, effects, now, client_ids, topics, .. } = &mut self.hub;
        for client_id in client_ids.iter() {
            broker.end_session(client_id, ReasonCode::AdministrativeAction, *now, effects);
        }
        for topic in topics.iter() {
            let topic = TopicName::new(topic).expect("it was published to");
            let nothing = Message::new(topic, Vec::new()).with_retain(true);
            broker.publish_from(Origin::System, nothing, *now, effects);
        }
        effects.flush(broker);
        let left = broker.statistics();
        let rests = [left.connections, left.sessions, left.subscriptions, left.shared_subscriptions];
        assert_eq!(rests, [0; 4], "connections, sessions, subscriptions and shared ones are left");
        let rests =
            [left.queued_messages, left.queued_bytes, left.in_flight, left.retained_messages, left.retained_bytes];
        assert_eq!(rests, [0; 5], "queued messages and bytes, in flight, retained messages and bytes are left");
    }
}

impl Hub {
    /// Ends a batch.
    fn flush(&mut self) {
        self.effects.flush(&self.broker);
        self.effects.drain_events().for_each(drop);
        for will in self.effects.take_published() {
            self.topics.insert(will.message.topic().to_owned());
        }
    }

    fn tick(&mut self) {
        self.broker.tick(self.now, &mut self.effects);
        self.flush();
    }

    fn commit(&mut self) {
        if let Some(store) = &self.store {
            store.commit();
            self.broker.committed();
        }
    }

    /// Something comes from inside the broker.
    fn administrate(&mut self, tape: &mut Tape<'_>) {
        let name = tape.pick(&NAMES);
        match tape.byte() % 3 {
            0 => {
                let topic = TopicName::new("a/b").expect("a topic");
                let message =
                    Message::new(topic, &b"from inside"[..]).with_qos(QoS::ExactlyOnce).with_retain(tape.yes());
                self.topics.insert("a/b".to_owned());
                self.broker.publish_from(Origin::Admin, message, self.now, &mut self.effects);
            }
            1 => {
                self.broker.disconnect(name, ReasonCode::AdministrativeAction);
            }
            _ => {
                self.broker.end_session(name, ReasonCode::AdministrativeAction, self.now, &mut self.effects);
            }
        }
        self.flush();
    }
}

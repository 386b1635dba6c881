//! How often memory is allocated for a message, by whoever publishes it: from the bytes that were read to the bytes that
//! the subscribers acknowledged. Clients take what they are sent in batches, as on a socket.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::Arc;

use midge_core::{
    Broker, Connection, ConnectionNumber, Decision, Effects, Limits, MemoryStore, Opening, Peer, Received, Session,
    Time,
};
use midge_protocol::{
    Ack, Connect, ConnectProperties, Decoded, Decoder, MessageProperties, Packet, PacketId, ProtocolVersion, Publish,
    QoS, ReasonCode, Subscribe, SubscribeFilter, SubscribeOptions,
};

/// Some way to publish and to subscribe, and how many allocations a message may cost at most.
struct Case {
    name: &'static str,
    version: ProtocolVersion,
    qos: QoS,
    filter: &'static str,
    subscribers: usize,
    /// Whether their sessions outlive their connections.
    persistent: bool,
    with_properties: bool,
    /// In a thousand messages published, whatever the number of subscribers.
    allocations_max: u64,
}

const PLAIN: Case = Case {
    name: "",
    version: ProtocolVersion::V5,
    qos: QoS::AtMostOnce,
    filter: "site/1/state",
    subscribers: 1,
    persistent: false,
    with_properties: false,
    allocations_max: 0,
};

const LASTING: Case = Case { subscribers: 10, persistent: true, ..PLAIN };

const CASES: &[Case] = &[
    Case { name: "QoS 0", ..PLAIN },
    Case { name: "QoS 0, version 3.1.1", version: ProtocolVersion::V311, ..PLAIN },
    Case { name: "QoS 0, by a wildcard", filter: "site/+/#", ..PLAIN },
    Case { name: "QoS 0, with properties", with_properties: true, ..PLAIN },
    Case { name: "QoS 0, to ten", subscribers: 10, ..PLAIN },
    Case { name: "QoS 0, to one of ten", subscribers: 10, filter: "$share/a/site/+/state", ..PLAIN },
    Case { name: "QoS 1", qos: QoS::AtLeastOnce, ..PLAIN },
    Case { name: "QoS 1, version 3.1.1", qos: QoS::AtLeastOnce, version: ProtocolVersion::V311, ..PLAIN },
    Case { name: "QoS 1, to ten", qos: QoS::AtLeastOnce, subscribers: 10, ..PLAIN },
    // The Packet Identifiers that wait for PUBREL: their list, boxed, grows with the batch, and is given up after it.
    Case { name: "QoS 2", qos: QoS::ExactlyOnce, allocations_max: 157, ..PLAIN },
    Case { name: "QoS 2, to ten", qos: QoS::ExactlyOnce, subscribers: 10, allocations_max: 157, ..PLAIN },
    // The message is kept in case one comes back: once, for all of them, and in one piece.
    Case { name: "QoS 1, to ten that last", qos: QoS::AtLeastOnce, allocations_max: 1000, ..LASTING },
    Case { name: "QoS 2, to ten that last", qos: QoS::ExactlyOnce, allocations_max: 1157, ..LASTING },
    Case {
        name: "QoS 1, to one of ten",
        qos: QoS::AtLeastOnce,
        filter: "$share/a/site/+/state",
        allocations_max: 1000,
        subscribers: 10,
        ..PLAIN
    },
];

/// Messages of a read batch.
const BATCH: u16 = 32;

#[test]
fn a_message_costs_no_more_allocations_than_it_must() {
    let too_many: Vec<String> = CASES
        .iter()
        .filter_map(|case| {
            let allocations = allocations(case);
            let line =
                format!("{}: {allocations} allocations in 1000 messages, {} allowed", case.name, case.allocations_max);
            eprintln!("{line}");
            (allocations > case.allocations_max).then_some(line)
        })
        .collect();
    assert!(too_many.is_empty(), "{too_many:#?}");
}

/// In a thousand messages, once everything that is kept from one to the next is there.
fn allocations(case: &Case) -> u64 {
    const ROUNDS: u64 = 100;
    let mut world = World::new(case);
    (0..20).for_each(|_| world.round());
    let counted = allocation_counter::measure(|| (0..ROUNDS).for_each(|_| world.round()));
    assert_eq!(world.delivered, (ROUNDS + 20) * u64::from(BATCH) * world.copies);
    counted.count_total * 1000 / (ROUNDS * u64::from(BATCH))
}

struct World {
    broker: Broker,
    effects: Effects,
    publisher: Client,
    subscribers: Vec<Client>,
    /// What the publisher sends in a batch.
    batch: Vec<u8>,
    /// Subscribers that get each message.
    copies: u64,
    delivered: u64,
}

struct Client {
    connection: Connection,
    session: Arc<Session>,
    number: ConnectionNumber,
    version: ProtocolVersion,
    decoder: Decoder,
    /// Of the broker's packets.
    answers: Decoder,
    /// What it sends next.
    output: Vec<u8>,
}

/// Sockets here are written by nobody but their owners.
struct Silent;

impl Peer for Silent {
    fn flush(&self, _session: &Arc<Session>, _number: ConnectionNumber) {}
}

const NOW: Time = Time(1_000_000);

impl World {
    fn new(case: &Case) -> Self {
        let broker = Broker::new(Limits::default(), Box::new(MemoryStore), 7);
        let mut effects = Effects::new();
        let publisher = Client::connect(&broker, "publisher", case, &mut effects);
        let subscribers = (0..case.subscribers).map(|number| {
            let mut client = Client::connect(&broker, &format!("subscriber {number}"), case, &mut effects);
            client.subscribe(&broker, case, &mut effects);
            client
        });
        let subscribers = subscribers.collect();
        let mut batch = Vec::new();
        (1..=BATCH).for_each(|id| publish(case, id).encode(case.version, &mut batch).unwrap());
        let copies = if case.filter.starts_with("$share/") { 1 } else { case.subscribers as u64 };
        Self { broker, effects, publisher, subscribers, batch, copies, delivered: 0 }
    }

    /// Publishes a batch, and lets everybody answer until there is nothing more to say.
    fn round(&mut self) {
        let Self { broker, effects, publisher, subscribers, batch, delivered, .. } = self;
        publisher.send(broker, batch, effects);
        effects.flush(broker);
        loop {
            let mut quiet = true;
            for client in subscribers.iter_mut().chain([&mut *publisher]) {
                quiet &= !client.read(delivered);
                let output = std::mem::take(&mut client.output);
                client.send(broker, &output, effects);
                client.output = output;
                client.output.clear();
                effects.flush(broker);
            }
            if quiet {
                return;
            }
        }
    }
}

impl Client {
    fn connect(broker: &Broker, id: &str, case: &Case, effects: &mut Effects) -> Self {
        let session_expiry = (case.persistent && id != "publisher").then_some(1000);
        let connect = Packet::Connect(Box::new(Connect {
            version: case.version,
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            properties: ConnectProperties { session_expiry, ..ConnectProperties::default() },
            client_id: id,
            will: None,
            username: None,
            password: None,
        }));
        let (mut decoder, mut bytes) = (Decoder::server(u32::MAX), Vec::new());
        connect.encode(case.version, &mut bytes).unwrap();
        // The decoder learns the version from it.
        let Ok(Decoded::Packet { packet, .. }) = decoder.decode(&bytes) else { panic!("a CONNECT is one packet") };
        let request = Opening::receive(packet, broker).unwrap();
        let connection = broker.connect(request, Arc::new(Silent), NOW, effects).unwrap();
        effects.flush(broker);
        let (session, number) = (Arc::clone(connection.session()), connection.number());
        let mut client = Self {
            connection,
            session,
            number,
            version: case.version,
            decoder,
            answers: Decoder::client(case.version, u32::MAX),
            output: Vec::new(),
        };
        client.read(&mut 0);
        client
    }

    fn subscribe(&mut self, broker: &Broker, case: &Case, effects: &mut Effects) {
        let options = SubscribeOptions::new(QoS::ExactlyOnce);
        let subscribe = Subscribe {
            packet_id: PacketId::new(1).unwrap(),
            subscription_id: None,
            filters: vec![SubscribeFilter { filter: case.filter, options }],
            user_properties: Default::default(),
        };
        broker.subscribe(&mut self.connection, &subscribe, &[Ok(QoS::ExactlyOnce)], NOW, effects);
        effects.flush(broker);
        self.read(&mut 0);
    }

    /// The broker takes bytes from the client.
    fn send(&mut self, broker: &Broker, mut bytes: &[u8], effects: &mut Effects) {
        while let Decoded::Packet { packet, length } = self.decoder.decode(bytes).unwrap() {
            match self.connection.receive(&packet).unwrap() {
                Received::Publish(mut inbound) => {
                    inbound.keep_encoded(&bytes[..length], self.version);
                    assert!(broker.publish(&mut self.connection, &inbound, Decision::Accept, NOW, effects));
                }
                Received::Acknowledgement(ack) => broker.acknowledge(&mut self.connection, ack, NOW, effects).unwrap(),
                other => panic!("{other:?} was not sent"),
            }
            bytes = &bytes[length..];
        }
    }

    /// The client takes all that is written to it, and notes its answers; false if there was nothing.
    fn read(&mut self, delivered: &mut u64) -> bool {
        let mut any = false;
        while let Some(chunk) = self.session.take_output(self.number) {
            any = true;
            let mut bytes = chunk.front();
            while let Decoded::Packet { packet, length } = self.answers.decode(bytes).unwrap() {
                let answer = match packet {
                    Packet::Publish(publish) => {
                        *delivered += 1;
                        match (publish.qos, publish.packet_id) {
                            (QoS::AtLeastOnce, Some(id)) => Some(Packet::Puback(ack(id))),
                            (QoS::ExactlyOnce, Some(id)) => Some(Packet::Pubrec(ack(id))),
                            _ => None,
                        }
                    }
                    Packet::Pubrec(received) => Some(Packet::Pubrel(ack(received.packet_id))),
                    Packet::Pubrel(released) => Some(Packet::Pubcomp(ack(released.packet_id))),
                    _ => None,
                };
                if let Some(answer) = answer {
                    answer.encode(self.version, &mut self.output).unwrap();
                }
                bytes = &bytes[length..];
            }
            let length = chunk.len();
            self.session.give_back(self.number, chunk, length);
        }
        any
    }
}

fn publish(case: &Case, id: u16) -> Packet<'static> {
    let properties = MessageProperties {
        content_type: case.with_properties.then_some("text/plain"),
        message_expiry: case.with_properties.then_some(60),
        ..MessageProperties::default()
    };
    Packet::Publish(Publish {
        dup: false,
        qos: case.qos,
        retain: false,
        topic: "site/1/state",
        packet_id: PacketId::new(id).filter(|_| case.qos > QoS::AtMostOnce),
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties,
        payload: &[7; 64],
    })
}

fn ack(packet_id: PacketId) -> Ack<'static> {
    Ack { packet_id, reason: ReasonCode::Success, properties: Default::default() }
}

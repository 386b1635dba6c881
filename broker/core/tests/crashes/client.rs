//! A client that remembers over all crashes of the broker what its session has it remember (4.1).

use std::collections::{BTreeSet, VecDeque};

use midge_protocol::{
    Ack, Connect, ConnectProperties, Decoded, Decoder, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode,
    Subscribe, SubscribeFilter, SubscribeOptions,
};

use crate::ledger::{Ledger, Message, Receiver};
use crate::random::Random;
use crate::server::{Server, Wire};

pub(crate) struct Client {
    pub(crate) name: &'static str,
    /// Its number as a publisher.
    number: usize,
    /// What it subscribes to, with which QoS, and for whom in the ledger.
    subscription: Option<(&'static str, u8, Receiver)>,
    pub(crate) wire: Option<Wire>,
    decoder: Decoder,
    /// CONNACK came on this connection.
    welcome: bool,
    /// CONNACK came on some connection: the session exists.
    confirmed: bool,
    subscribed: bool,
    published: u32,
    /// What is not acknowledged to the end; true where PUBREC came.
    in_flight: Vec<(u16, Message, bool)>,
    /// QoS 2 messages that wait for PUBREL.
    received: BTreeSet<u16>,
    /// Acknowledgements that are due on this connection.
    due: VecDeque<(Kind, u16)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Puback,
    Pubrec,
    Pubcomp,
}

impl Client {
    pub(crate) fn new(name: &'static str, number: usize, subscription: Option<(&'static str, u8, Receiver)>) -> Self {
        Self {
            name,
            number,
            subscription,
            wire: None,
            decoder: Decoder::client(ProtocolVersion::V5, u32::MAX),
            welcome: false,
            confirmed: false,
            subscribed: false,
            published: 0,
            in_flight: Vec::new(),
            received: BTreeSet::new(),
            due: VecDeque::new(),
        }
    }

    /// Opens a connection, whether it has one or not.
    pub(crate) fn connect(&mut self, server: &mut Server, receive_maximum: u16) {
        self.forget_connection();
        let properties = ConnectProperties {
            session_expiry: Some(1_000_000),
            receive_maximum: std::num::NonZeroU16::new(receive_maximum),
            ..ConnectProperties::default()
        };
        let connect = Connect {
            version: ProtocolVersion::V5,
            bridge: false,
            clean_start: false,
            keep_alive: 0,
            properties,
            client_id: self.name,
            will: None,
            username: None,
            password: None,
        };
        self.wire = server.connect(Packet::Connect(Box::new(connect)));
    }

    /// The connection is gone.
    pub(crate) fn forget_connection(&mut self) {
        (self.wire, self.welcome) = (None, false);
        self.due.clear();
        self.decoder = Decoder::client(ProtocolVersion::V5, u32::MAX);
    }

    /// Publishes something new, if it may.
    pub(crate) fn publish(
        &mut self,
        server: &mut Server,
        ledger: &mut Ledger,
        random: &mut Random,
    ) -> Result<(), String> {
        if !self.welcome || self.in_flight.len() >= 4 {
            return Ok(());
        }
        self.published += 1;
        let (topic, qos) = (random.below(2) as u8, 1 + random.below(2) as u8);
        let message = Message { publisher: self.number, number: self.published, topic, qos };
        let free = |id: &u16| self.in_flight.iter().all(|(other, ..)| other != id);
        let id = (1..).find(free).unwrap_or(1);
        ledger.published(message);
        self.in_flight.push((id, message, false));
        self.send(server, publish(id, message, false, &message.payload(), &topic_of(message)))
    }

    /// Sends some of the acknowledgements that are due.
    pub(crate) fn acknowledge(&mut self, server: &mut Server, most: usize) -> Result<(), String> {
        for _ in 0..most {
            let Some((kind, id)) = self.due.pop_front() else { return Ok(()) };
            let ack = ack(id);
            self.send(
                server,
                match kind {
                    Kind::Puback => Packet::Puback(ack),
                    Kind::Pubrec => Packet::Pubrec(ack),
                    Kind::Pubcomp => Packet::Pubcomp(ack),
                },
            )?;
        }
        Ok(())
    }

    /// Takes what the broker sent; whether anything came.
    pub(crate) fn read(&mut self, server: &mut Server, ledger: &mut Ledger) -> Result<bool, String> {
        let Some(wire) = self.wire else { return Ok(false) };
        let output = server.read(wire);
        let mut bytes = output.bytes.as_slice();
        while let Decoded::Packet { packet, length } = self.decoder.decode(bytes).map_err(|error| error.to_string())? {
            self.take(packet, server, ledger)?;
            bytes = &bytes[length..];
        }
        if output.closed {
            self.forget_connection();
        }
        Ok(!output.bytes.is_empty())
    }

    fn take(&mut self, packet: Packet<'_>, server: &mut Server, ledger: &mut Ledger) -> Result<(), String> {
        match packet {
            Packet::Connack(connack) => self.welcomed(connack.session_present, server),
            Packet::Suback(_) => {
                if let Some((_, qos, receiver)) = self.subscription.filter(|_| !self.subscribed) {
                    self.subscribed = true;
                    ledger.subscribed(receiver, qos);
                }
                Ok(())
            }
            Packet::Publish(publish) => self.receive(&publish, ledger),
            Packet::Pubrel(ack) => {
                self.received.remove(&ack.packet_id.get());
                self.due.push_back((Kind::Pubcomp, ack.packet_id.get()));
                Ok(())
            }
            Packet::Puback(ack) | Packet::Pubcomp(ack) => {
                self.in_flight.retain(|(id, ..)| *id != ack.packet_id.get());
                Ok(())
            }
            Packet::Pubrec(received) => {
                let id = received.packet_id.get();
                self.in_flight
                    .iter_mut()
                    .filter(|(other, ..)| *other == id)
                    .for_each(|(.., released)| *released = true);
                self.send(server, Packet::Pubrel(ack(id)))
            }
            Packet::Disconnect(_) => Ok(()),
            other => Err(format!("{} got {other:?}", self.name)),
        }
    }

    /// CONNACK: what is not acknowledged is sent again [MQTT-4.4.0-1].
    fn welcomed(&mut self, present: bool, server: &mut Server) -> Result<(), String> {
        if self.confirmed && !present {
            return Err(format!("the session of {} is gone", self.name));
        }
        (self.welcome, self.confirmed) = (true, true);
        for (id, message, released) in self.in_flight.clone() {
            let (payload, topic) = (message.payload(), topic_of(message));
            let packet = if released { Packet::Pubrel(ack(id)) } else { publish(id, message, true, &payload, &topic) };
            self.send(server, packet)?;
        }
        let Some((filter, qos, _)) = self.subscription.filter(|_| !self.subscribed) else { return Ok(()) };
        let options = SubscribeOptions::new(level(qos));
        self.send(
            server,
            Packet::Subscribe(Subscribe {
                packet_id: packet_id(60_000),
                subscription_id: None,
                user_properties: Default::default(),
                filters: vec![SubscribeFilter { filter, options }],
            }),
        )
    }

    fn receive(&mut self, publish: &Publish<'_>, ledger: &mut Ledger) -> Result<(), String> {
        let message = Message::parse(publish.payload).ok_or("a payload nobody sent")?;
        let (Some(id), Some((.., receiver))) = (publish.packet_id, self.subscription) else {
            return Err(format!("{} got {message:?}, which nobody owes it", self.name));
        };
        let qos = publish.qos as u8;
        let new = qos == 1 || self.received.insert(id.get());
        self.due.push_back((if qos == 1 { Kind::Puback } else { Kind::Pubrec }, id.get()));
        if new { ledger.came(receiver, message, qos) } else { Ok(()) }
    }

    fn send(&mut self, server: &mut Server, packet: Packet<'_>) -> Result<(), String> {
        self.wire.map_or(Ok(()), |wire| server.receive(wire, packet))
    }

    /// Whether it has nothing more to do.
    pub(crate) fn is_quiet(&self) -> bool {
        self.welcome && self.in_flight.is_empty() && self.due.is_empty()
    }
}

fn publish<'a>(id: u16, message: Message, dup: bool, payload: &'a str, topic: &'a str) -> Packet<'a> {
    Packet::Publish(Publish {
        dup,
        qos: level(message.qos),
        retain: false,
        topic,
        packet_id: Some(packet_id(id)),
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: Default::default(),
        payload: payload.as_bytes(),
    })
}

fn topic_of(message: Message) -> String {
    format!("t/{}", message.topic)
}

fn level(qos: u8) -> QoS {
    if qos == 1 { QoS::AtLeastOnce } else { QoS::ExactlyOnce }
}

fn ack<'a>(id: u16) -> Ack<'a> {
    Ack { packet_id: packet_id(id), reason: ReasonCode::Success, properties: Default::default() }
}

fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("identifiers begin at 1")
}

//! A client that keeps the rules, over a network that does not.
//!
//! It encodes what it sends and decodes what it receives. Its own Session State survives its connections, and it
//! acknowledges when the history says so, not when a message comes.

mod inbox;
mod outbox;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use midge_core::{SessionOverrides, Time};
use midge_protocol::{
    Ack, Connect, ConnectProperties, Decoder, Disconnect, Packet, PacketId, PacketKind, ProtocolVersion, QoS,
    ReasonCode, ReasonProperties, Subscribe, SubscribeFilter, SubscribeOptions, SubscriptionId, Unsubscribe, Will,
};

use crate::oracle::{Name, Wire};
use crate::pipe::Pipe;
use crate::server::ruling;

/// A client, connected or not.
pub(crate) struct Client {
    pub(crate) name: Name,
    /// The session that its state belongs to.
    session: Option<u64>,
    /// Messages of its own that are not acknowledged, in their order.
    outgoing: VecDeque<Outgoing>,
    /// QoS 2 messages it has received and not yet released.
    incoming: BTreeSet<u16>,
    /// QoS 2 messages that it did not take, and said so, though the broker may not have heard it.
    refused: BTreeSet<u16>,
    next_id: u16,
    /// It asked for a clean start and does not know whether it got one: its own state is gone, so it may not ask for less.
    starts_clean: bool,
    /// PUBACKs and PUBRECs to come for messages it sent more often than it had to.
    surplus: BTreeMap<u16, u32>,
    /// It sent some message more often than it had to, so that answers come in another order.
    repeated: bool,
    pub(crate) link: Option<Link>,
}

/// The client's side of a Network Connection.
pub(crate) struct Link {
    pub(crate) wire: Wire,
    pub(crate) version: ProtocolVersion,
    pub(crate) pipe: Arc<Pipe>,
    /// Bytes on their way to the broker.
    pub(crate) sending: VecDeque<u8>,
    /// Whether CONNECT asked for a Session Expiry Interval, so that DISCONNECT may change it.
    pub(crate) expires: bool,
    /// What it asked for.
    session_expiry: u32,
    /// Whether the CONNACK has come.
    pub(crate) ready: bool,
    opened_at: Time,
    received: Vec<u8>,
    decoder: Decoder,
    /// Acknowledgements not yet sent, in their order [MQTT-4.6.0-2].
    due: VecDeque<(PacketKind, u16)>,
    /// Received messages that it has not acknowledged completely on this connection.
    unacknowledged: BTreeSet<u16>,
    /// As it asked for itself, or fewer where the broker is told to send no more.
    receive_maximum: u16,
    packet_bytes_max: usize,
    alias_maximum: u16,
    aliases: BTreeMap<u16, String>,
    /// SUBSCRIBE and UNSUBSCRIBE packets without an answer, and what the SUBACK has to grant.
    asked: BTreeMap<u16, Vec<ReasonCode>>,
    /// How many more messages the broker takes before it acknowledges.
    quota: u16,
    /// Aliases the broker takes, and those it knows.
    aliases_out_maximum: u16,
    aliases_out: BTreeMap<u16, String>,
}

/// A message on its way to the broker.
struct Outgoing {
    packet_id: u16,
    message: Message,
    /// PUBREC has come.
    released: bool,
    /// It, or its PUBREL, was sent on this connection.
    sent: bool,
    /// It took a place of the broker's Receive Maximum on this connection.
    counted: bool,
}

/// What a client publishes.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// 0 has no payload.
    pub(crate) number: u32,
    /// Dots that follow it, to make it larger.
    pub(crate) padding: usize,
    pub(crate) topic: &'static str,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expiry: Option<u32>,
}

/// How a client connects.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) version: ProtocolVersion,
    pub(crate) clean_start: bool,
    /// Version 5 only.
    pub(crate) expiry: Option<u32>,
    pub(crate) receive_maximum: u16,
    pub(crate) packet_bytes_max: Option<u32>,
    pub(crate) alias_maximum: u16,
    pub(crate) overrides: SessionOverrides,
    pub(crate) will: Option<(Message, u32)>,
}

impl Client {
    pub(crate) fn new(name: Name) -> Self {
        Self {
            name,
            session: None,
            outgoing: VecDeque::new(),
            incoming: BTreeSet::new(),
            refused: BTreeSet::new(),
            next_id: 1,
            starts_clean: false,
            surplus: BTreeMap::new(),
            repeated: false,
            link: None,
        }
    }

    /// Opens a connection and sends CONNECT.
    ///
    /// So many messages in flight the broker allows.
    pub(crate) fn connect(&mut self, opening: &Opening, wire: Wire, pipe: Arc<Pipe>, in_flight_max: u16, now: Time) {
        let clean_start = opening.clean_start || self.starts_clean;
        if clean_start {
            self.forget();
            self.starts_clean = true;
        }
        let v5 = opening.version == ProtocolVersion::V5;
        self.surplus.clear();
        self.repeated &= !self.outgoing.is_empty();
        self.link = Some(Link {
            wire,
            version: opening.version,
            pipe,
            sending: VecDeque::new(),
            expires: opening.expiry.is_some_and(|expiry| expiry > 0),
            session_expiry: opening.expiry.unwrap_or(0),
            ready: false,
            opened_at: now,
            received: Vec::new(),
            decoder: Decoder::client(opening.version, 1024 * 1024),
            due: VecDeque::new(),
            unacknowledged: BTreeSet::new(),
            receive_maximum: if v5 { opening.receive_maximum.min(in_flight_max) } else { in_flight_max },
            packet_bytes_max: opening.packet_bytes_max.filter(|_| v5).map_or(usize::MAX, |bytes| bytes as usize),
            alias_maximum: if v5 { opening.alias_maximum } else { 0 },
            aliases: BTreeMap::new(),
            asked: BTreeMap::new(),
            quota: u16::MAX,
            aliases_out_maximum: 0,
            aliases_out: BTreeMap::new(),
        });
        let payload = opening.will.as_ref().map(|(message, _)| message.payload()).unwrap_or_default();
        let will = opening.will.as_ref().map(|(message, delay)| Will {
            qos: message.qos,
            retain: message.retain,
            topic: message.topic,
            payload: payload.as_bytes(),
            delay: v5.then_some(*delay),
            properties: message.properties(opening.version),
        });
        let properties = ConnectProperties {
            session_expiry: opening.expiry,
            receive_maximum: NonZeroU16::new(opening.receive_maximum),
            maximum_packet_size: opening.packet_bytes_max.and_then(NonZeroU32::new),
            topic_alias_maximum: Some(opening.alias_maximum),
            ..ConnectProperties::default()
        };
        self.send(&Packet::Connect(Box::new(Connect {
            version: opening.version,
            bridge: false,
            clean_start,
            keep_alive: 0,
            properties: if v5 { properties } else { ConnectProperties::default() },
            client_id: self.name,
            will,
            username: None,
            password: None,
        })));
    }

    pub(crate) fn subscribe(&mut self, filters: &[(&'static str, SubscribeOptions)], id: Option<u32>) {
        let packet_id = self.take_id();
        let answer = |(filter, options): &(&str, SubscribeOptions)| match ruling(filter) {
            Ok(highest) => ReasonCode::granted(options.qos.min(highest)),
            Err(reason) => reason,
        };
        let granted = filters.iter().map(answer).collect();
        let filters = filters.iter().map(|(filter, options)| SubscribeFilter { filter, options: *options }).collect();
        self.ask(packet_id, granted);
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: packet(packet_id),
            subscription_id: id.and_then(SubscriptionId::new),
            user_properties: Default::default(),
            filters,
        }));
    }

    pub(crate) fn unsubscribe(&mut self, filter: &'static str) {
        let packet_id = self.take_id();
        self.ask(packet_id, Vec::new());
        self.send(&Packet::Unsubscribe(Unsubscribe {
            packet_id: packet(packet_id),
            user_properties: Default::default(),
            filters: vec![filter],
        }));
    }

    /// Sends so many of the acknowledgements that are due; a message that `fails` is not taken, of which only version 5
    /// can tell.
    pub(crate) fn acknowledge(&mut self, most: usize, fails: bool) {
        for _ in 0..most {
            let Some(link) = &mut self.link else { return };
            let Some((kind, id)) = link.due.pop_front() else { return };
            let answers = matches!(kind, PacketKind::Puback | PacketKind::Pubrec);
            let fails = fails && answers && link.version == ProtocolVersion::V5;
            if fails && kind == PacketKind::Pubrec {
                // That is the end of the exchange [MQTT-4.3.3-9].
                self.incoming.remove(&id);
                self.refused.insert(id);
            }
            if fails || matches!(kind, PacketKind::Puback | PacketKind::Pubcomp) {
                link.unacknowledged.remove(&id);
            }
            let reason = if fails { ReasonCode::UnspecifiedError } else { ReasonCode::Success };
            let ack = Ack { packet_id: packet(id), reason, properties: ReasonProperties::default() };
            let answer = match kind {
                PacketKind::Puback => Packet::Puback(ack),
                PacketKind::Pubrec => Packet::Pubrec(ack),
                PacketKind::Pubrel => Packet::Pubrel(ack),
                _ => Packet::Pubcomp(ack),
            };
            self.send(&answer);
        }
    }

    pub(crate) fn ping(&mut self) {
        self.send(&Packet::Pingreq);
    }

    /// Says goodbye. The caller delivers what is being sent and closes the connection.
    pub(crate) fn disconnect(&mut self, with_will: bool, expiry: Option<u32>) {
        let reason = if with_will { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
        self.send(&Packet::Disconnect(Disconnect { session_expiry: expiry, ..Disconnect::new(reason) }));
    }

    /// Whether it has nothing to send, to acknowledge or to wait for.
    pub(crate) fn is_quiet(&self) -> bool {
        let quiet = |link: &Link| {
            link.ready
                && link.sending.is_empty()
                && link.due.is_empty()
                && link.asked.is_empty()
                && link.pipe.len() == 0
        };
        self.outgoing.is_empty() && self.link.as_ref().is_none_or(quiet)
    }

    /// What is still open, for a report.
    pub(crate) fn open_ends(&self) -> String {
        let unacknowledged: Vec<u32> = self.outgoing.iter().map(|outgoing| outgoing.message.number).collect();
        let asked: Vec<&u16> = self.link.iter().flat_map(|link| link.asked.keys()).collect();
        let ready = self.link.as_ref().is_none_or(|link| link.ready);
        format!("{}: messages {unacknowledged:?} not acknowledged, {asked:?} not answered, CONNACK: {ready}", self.name)
    }

    /// The broker has no session for it: its own means nothing any more.
    fn forget(&mut self) {
        self.outgoing.clear();
        self.incoming.clear();
        self.refused.clear();
    }

    fn ask(&mut self, packet_id: u16, granted: Vec<ReasonCode>) {
        if let Some(link) = &mut self.link {
            link.asked.insert(packet_id, granted);
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let Some(link) = &mut self.link else { return };
        let mut bytes = Vec::new();
        packet.encode(link.version, &mut bytes).expect("nothing a simulated client sends is too large");
        link.sending.extend(bytes);
    }
}

fn packet(id: u16) -> PacketId {
    PacketId::new(id).expect("identifiers are counted from 1")
}

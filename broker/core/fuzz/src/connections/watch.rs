//! What a client sees of the broker, and the rules it must see kept whatever it does itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use midge_protocol::{Connect, Decoded, Decoder, Packet, PacketKind, ProtocolVersion, Publish, QoS, TopicName};

/// The client's end of one Network Connection.
pub(crate) struct Watch {
    pub(crate) version: ProtocolVersion,
    decoder: Decoder,
    unread: Vec<u8>,
    greeted: bool,
    /// Nothing may follow a DISCONNECT.
    dismissed: bool,
    receive_maximum: u16,
    packet_bytes_max: usize,
    alias_maximum: u16,
    aliases: BTreeMap<u16, String>,
    /// The answers the broker owes, in order [MQTT-4.6.0-2], [MQTT-4.6.0-3].
    owed: VecDeque<(PacketKind, u16)>,
    /// Messages of the broker that the client has not acknowledged.
    open: BTreeSet<u16>,
    /// Acknowledgements that came before the message had been read: it is on its way and counts no more.
    early: BTreeSet<u16>,
}

impl Watch {
    /// A connection whose CONNECT was this.
    pub(crate) fn new(connect: &Connect<'_>) -> Self {
        let properties = &connect.properties;
        let packet_bytes_max = properties.maximum_packet_size.map_or(u32::MAX, std::num::NonZeroU32::get);
        Self {
            version: connect.version,
            decoder: Decoder::client(connect.version, u32::MAX),
            unread: Vec::new(),
            greeted: false,
            dismissed: false,
            receive_maximum: properties.receive_maximum.map_or(u16::MAX, std::num::NonZeroU16::get),
            packet_bytes_max: packet_bytes_max as usize,
            alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            aliases: BTreeMap::new(),
            owed: VecDeque::new(),
            open: BTreeSet::new(),
            early: BTreeSet::new(),
        }
    }

    /// Identifiers an acknowledgement could be about.
    pub(crate) fn open(&self) -> Vec<u16> {
        self.open.iter().copied().collect()
    }

    /// Whether every answer that was owed has come, and nothing is cut off.
    pub(crate) fn check_answered(&self) {
        assert!(self.owed.is_empty(), "never answered: {:?}", self.owed);
        assert!(self.unread.is_empty(), "part of a packet is missing: {:?}", self.unread);
    }

    /// The broker accepted a packet of the client: what does it owe now?
    pub(crate) fn accepted(&mut self, packet: &Packet<'_>) {
        let owed = match packet {
            Packet::Publish(publish) => {
                let Some(id) = publish.packet_id else { return };
                let answer = if publish.qos == QoS::AtLeastOnce { PacketKind::Puback } else { PacketKind::Pubrec };
                (answer, id.get())
            }
            Packet::Pubrel(ack) => (PacketKind::Pubcomp, ack.packet_id.get()),
            Packet::Subscribe(subscribe) => (PacketKind::Suback, subscribe.packet_id.get()),
            Packet::Unsubscribe(unsubscribe) => (PacketKind::Unsuback, unsubscribe.packet_id.get()),
            Packet::Pingreq => (PacketKind::Pingresp, 0),
            Packet::Puback(ack) | Packet::Pubcomp(ack) => return self.close(ack.packet_id.get()),
            Packet::Pubrec(ack) if ack.reason.is_error() => return self.close(ack.packet_id.get()),
            _ => return,
        };
        self.owed.push_back(owed);
    }

    fn close(&mut self, id: u16) {
        if !self.open.remove(&id) {
            self.early.insert(id);
        }
    }

    /// Bytes arrive at the client.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        let mut decoder = self.decoder.clone();
        loop {
            match decoder.decode(rest) {
                Ok(Decoded::Packet { packet, length }) => {
                    self.take(&packet, length);
                    rest = &rest[length..];
                }
                Ok(Decoded::Incomplete { .. }) => break,
                Err(malformed) => panic!("the broker sent what no client can read: {malformed}: {rest:?}"),
            }
        }
        self.unread = rest.to_vec();
    }

    fn take(&mut self, packet: &Packet<'_>, length: usize) {
        assert!(!self.dismissed, "{} came after DISCONNECT", packet.kind());
        let kind = packet.kind();
        if !std::mem::replace(&mut self.greeted, true) {
            // A farewell may come first where the CONNACK waited for the store too long.
            assert!(matches!(kind, PacketKind::Connack | PacketKind::Disconnect), "{kind} came first");
        }
        match packet {
            Packet::Publish(publish) => self.take_publish(publish, length),
            Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubcomp(ack) => self.settle(kind, ack.packet_id.get()),
            Packet::Suback(suback) => self.settle(kind, suback.packet_id.get()),
            Packet::Unsuback(unsuback) => self.settle(kind, unsuback.packet_id.get()),
            Packet::Pingresp => self.settle(kind, 0),
            Packet::Disconnect(_) => self.dismissed = true,
            Packet::Connack(_) | Packet::Pubrel(_) => {}
            _ => panic!("{kind} is not for clients"),
        }
    }

    fn settle(&mut self, kind: PacketKind, id: u16) {
        let owed = self.owed.pop_front();
        assert_eq!(owed, Some((kind, id)), "answered out of order");
    }

    fn take_publish(&mut self, publish: &Publish<'_>, length: usize) {
        assert!(length <= self.packet_bytes_max, "{length} bytes are more than the client takes [MQTT-3.1.2-24]");
        let alias = publish.topic_alias;
        assert!(alias.is_none_or(|alias| alias <= self.alias_maximum), "[MQTT-3.1.2-26]");
        let topic = match alias {
            Some(alias) if publish.topic.is_empty() => self.aliases.get(&alias).expect("an alias was defined").clone(),
            _ => publish.topic.to_owned(),
        };
        assert!(TopicName::new(&topic).is_ok(), "{topic:?} is no topic");
        if let Some(alias) = alias {
            self.aliases.insert(alias, topic);
        }
        let Some(id) = publish.packet_id else { return };
        if self.early.remove(&id.get()) {
            return;
        }
        assert!(self.open.insert(id.get()), "identifier {id:?} is in use [MQTT-2.2.1-4]");
        assert!(self.open.len() <= usize::from(self.receive_maximum), "too many at once [MQTT-3.3.4-9]");
    }
}

//! What a client publishes, and sends again.

use midge_protocol::{Ack, MessageProperties, Packet, ProtocolVersion, Publish, QoS, ReasonCode, ReasonProperties};

use super::{Client, Message, Outgoing, packet};
use crate::server::payload;

impl Client {
    /// Publishes; says whether quota and protocol allow it now.
    pub(crate) fn publish(&mut self, message: Message, alias: bool) -> bool {
        if self.link.is_none() {
            return false;
        }
        if message.qos == QoS::AtMostOnce {
            self.send_publish(&message, None, false, alias);
            return true;
        }
        let quota = self.link.as_ref().map_or(0, |link| link.quota);
        if quota == 0 || self.outgoing.iter().any(|outgoing| !outgoing.sent) {
            return false;
        }
        let packet_id = self.take_id();
        self.count_sent();
        self.send_publish(&message, Some(packet_id), false, alias);
        self.outgoing.push_back(Outgoing { packet_id, message, released: false, sent: true, counted: true });
        true
    }

    /// Sends a message again that it could be waiting for an answer to, as version 3 does not forbid on the same connection;
    /// says whether there was one.
    pub(crate) fn repeat(&mut self) -> bool {
        let Some(link) = self.link.as_ref().filter(|link| link.ready && link.version < ProtocolVersion::V5) else {
            return false;
        };
        debug_assert!(link.quota > 0, "version 3 knows no quota");
        let waits = |outgoing: &&Outgoing| outgoing.sent && !outgoing.released;
        let Some(again) = self.outgoing.iter().find(waits) else { return false };
        let (packet_id, message) = (again.packet_id, again.message.clone());
        *self.surplus.entry(packet_id).or_default() += 1;
        self.repeated = true;
        self.send_publish(&message, Some(packet_id), true, false);
        true
    }

    /// On a new connection: what was not acknowledged has to be sent again.
    pub(super) fn resume(&mut self) {
        for outgoing in &mut self.outgoing {
            (outgoing.sent, outgoing.counted) = (false, false);
        }
        self.resend();
    }

    /// Sends again what was not acknowledged, in order [MQTT-4.4.0-1], [MQTT-4.6.0-1], as far as the broker takes it.
    pub(super) fn resend(&mut self) {
        let mut outgoing = std::mem::take(&mut self.outgoing);
        for again in outgoing.iter_mut().filter(|outgoing| !outgoing.sent) {
            if again.released {
                let (reason, properties) = (ReasonCode::Success, ReasonProperties::default());
                self.send(&Packet::Pubrel(Ack { packet_id: packet(again.packet_id), reason, properties }));
            } else if self.link.as_ref().is_some_and(|link| link.quota > 0) {
                self.count_sent();
                self.send_publish(&again.message, Some(again.packet_id), true, false);
                again.counted = true;
            } else {
                break;
            }
            again.sent = true;
        }
        self.outgoing = outgoing;
    }

    fn count_sent(&mut self) {
        if let Some(link) = &mut self.link {
            link.quota -= 1;
        }
    }

    fn send_publish(&mut self, message: &Message, packet_id: Option<u16>, dup: bool, alias: bool) {
        let Some(link) = &mut self.link else { return };
        let mut topic = message.topic;
        let mut topic_alias = None;
        if alias && link.aliases_out_maximum > 0 {
            let alias = u16::from(message.topic.len() > 1) % link.aliases_out_maximum + 1;
            topic_alias = Some(alias);
            if link.aliases_out.insert(alias, topic.to_owned()).as_deref() == Some(topic) {
                topic = "";
            }
        }
        let version = link.version;
        self.send(&Packet::Publish(Publish {
            dup,
            qos: message.qos,
            retain: message.retain,
            topic,
            packet_id: packet_id.map(packet),
            topic_alias,
            subscription_ids: Vec::new(),
            properties: message.properties(version),
            payload: message.payload().as_bytes(),
        }));
    }

    /// A Packet Identifier that stands for nothing else.
    pub(super) fn take_id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            // Few enough that they come round often.
            self.next_id = self.next_id % 40 + 1;
            let asked = self.link.as_ref().is_some_and(|link| link.asked.contains_key(&id));
            if !asked
                && !self.surplus.contains_key(&id)
                && self.outgoing.iter().all(|outgoing| outgoing.packet_id != id)
            {
                return id;
            }
        }
    }
}

impl Message {
    pub(super) fn payload(&self) -> String {
        payload(self.number, self.padding)
    }

    pub(super) fn properties(&self, version: ProtocolVersion) -> MessageProperties<'static> {
        let message_expiry = self.expiry.filter(|_| version == ProtocolVersion::V5);
        MessageProperties { message_expiry, ..MessageProperties::default() }
    }
}

//! What a client receives.

use midge_protocol::{
    Ack, Connack, Decoded, Packet, PacketId, PacketKind, ProtocolVersion, Publish, QoS, ReasonCode, Suback,
};

use super::{Client, Link, Outgoing};
use crate::oracle::{Oracle, Seen, Verdict};
use crate::server::number;

impl Client {
    /// Takes at most so many bytes from the connection, and every packet that is complete then.
    pub(crate) fn receive(&mut self, most: usize, oracle: &mut Oracle) -> Verdict {
        let Some(link) = &mut self.link else { return Ok(()) };
        if link.pipe.is_closed() {
            self.link = None;
            return Ok(());
        }
        let mut received = std::mem::take(&mut link.received);
        received.extend(link.pipe.read(most));
        let mut decoder = link.decoder.clone();
        let mut rest = received.as_slice();
        while self.link.is_some() {
            let decoded = decoder.decode(rest);
            let decoded = decoded.map_err(|malformed| format!("{} cannot read the broker: {malformed}", self.name))?;
            let Decoded::Packet { packet, length } = decoded else { break };
            rest = &rest[length..];
            self.take(packet, length, oracle)?;
        }
        if let Some(link) = &mut self.link {
            link.received = rest.to_vec();
        }
        Ok(())
    }

    fn take(&mut self, packet: Packet<'_>, length: usize, oracle: &mut Oracle) -> Verdict {
        let name = self.name;
        let Some(link) = &mut self.link else { return Ok(()) };
        if length > link.packet_bytes_max {
            return Err(format!("{name} received {length} bytes, more than it takes [MQTT-3.1.2-24]: {packet:?}"));
        }
        match packet {
            Packet::Connack(connack) if !link.ready => self.take_connack(&connack, oracle),
            other if !link.ready => Err(format!("{name} received {} before CONNACK [MQTT-3.2.0-1]", other.kind())),
            Packet::Publish(publish) => self.take_publish(&publish, oracle),
            Packet::Puback(ack) => self.take_acknowledgement(PacketKind::Puback, &ack),
            Packet::Pubrec(ack) => self.take_acknowledgement(PacketKind::Pubrec, &ack),
            Packet::Pubcomp(ack) => self.take_acknowledgement(PacketKind::Pubcomp, &ack),
            Packet::Pubrel(ack) if self.refused.contains(&ack.packet_id.get()) => {
                Err(format!("{name} received PUBREL for what it did not take [MQTT-4.3.3-4]: {ack:?}"))
            }
            Packet::Pubrel(ack) => {
                self.incoming.remove(&ack.packet_id.get());
                link.due.push_back((PacketKind::Pubcomp, ack.packet_id.get()));
                Ok(())
            }
            Packet::Suback(suback) => link.take_suback(&suback),
            Packet::Unsuback(unsuback) => link.take_answer(unsuback.packet_id).map(|_| ()),
            Packet::Pingresp => Ok(()),
            Packet::Disconnect(disconnect) => Err(format!("{name} was sent away: {}", disconnect.reason.name())),
            other => Err(format!("{name} received {}, which no server sends", other.kind())),
        }
    }

    fn take_connack(&mut self, connack: &Connack<'_>, oracle: &Oracle) -> Verdict {
        if connack.reason != ReasonCode::Success {
            return Err(format!("{} was refused: {}", self.name, connack.reason.name()));
        }
        let Some(link) = &mut self.link else { return Ok(()) };
        link.ready = true;
        self.starts_clean = false;
        if link.version == ProtocolVersion::V5 {
            link.quota = connack.properties.receive_maximum.map_or(u16::MAX, std::num::NonZeroU16::get);
            let expiry = connack.properties.session_expiry.unwrap_or(link.session_expiry);
            let right = oracle.session_expiry(self.name);
            if oracle.is_current(self.name, link.wire) && right != Some(expiry) {
                return Err(format!("{} was told a Session Expiry of {expiry}, it is {right:?}", self.name));
            }
            link.aliases_out_maximum = connack.properties.topic_alias_maximum.unwrap_or(0);
        }
        let right = link.version > ProtocolVersion::V31 && oracle.is_resumed(self.name);
        if oracle.is_current(self.name, link.wire) && connack.session_present != right {
            return Err(format!("{} was not told the truth, Session Present: {right} [MQTT-3.2.2-2]", self.name));
        }
        // Version 3.1 has no way to say so (its CONNACK has no flags), and nobody can know that a session was made anew on a
        // connection of which no CONNACK came: these clients are told by a higher power.
        let session = oracle.session(self.name);
        let same = std::mem::replace(&mut self.session, session) == session;
        let present = connack.session_present || link.version == ProtocolVersion::V31;
        if present && same {
            self.resume();
        } else {
            self.forget();
        }
        Ok(())
    }

    fn take_publish(&mut self, publish: &Publish<'_>, oracle: &mut Oracle) -> Verdict {
        let name = self.name;
        let Some(link) = &mut self.link else { return Ok(()) };
        let topic = link.resolve(publish)?;
        let packet_id = publish.packet_id.map(PacketId::get);
        let (number, padding) = number(publish.payload)?;
        let mut ids: Vec<u32> = publish.subscription_ids.iter().map(|id| id.get()).collect();
        ids.sort_unstable();
        let seen = Seen {
            wire: link.wire,
            version: link.version,
            connected_at: link.opened_at,
            number,
            padding,
            topic,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_id,
            ids,
            expiry: publish.properties.message_expiry,
        };
        if let Some(id) = packet_id {
            if !link.unacknowledged.insert(id) {
                return Err(format!("{name} received identifier {id} again before it acknowledged it: {seen:?}"));
            }
            if link.unacknowledged.len() > usize::from(link.receive_maximum) {
                return Err(format!("{name} received more than its Receive Maximum [MQTT-3.3.4-9]"));
            }
            let answer = if publish.qos == QoS::AtLeastOnce { PacketKind::Puback } else { PacketKind::Pubrec };
            link.due.push_back((answer, id));
            let refused = self.refused.remove(&id) && seen.dup;
            if publish.qos == QoS::ExactlyOnce && (!self.incoming.insert(id) || refused) {
                // Sent again because our PUBREC was lost; it has been seen already.
                return if seen.dup { Ok(()) } else { Err(format!("a QoS 2 message without DUP: {seen:?}")) };
            }
        }
        oracle.receive(name, &seen)
    }

    fn take_acknowledgement(&mut self, kind: PacketKind, ack: &Ack<'_>) -> Verdict {
        let id = ack.packet_id.get();
        if kind != PacketKind::Pubcomp && self.take_surplus(id) {
            return Ok(());
        }
        let Some(link) = &mut self.link else { return Ok(()) };
        let Some(place) = self.outgoing.iter().position(|outgoing| outgoing.packet_id == id) else {
            return Err(format!("{} received {kind} for {id}, which it is not waiting for", self.name));
        };
        let waits_for_this = |outgoing: &&Outgoing| match kind {
            PacketKind::Puback => outgoing.message.qos == QoS::AtLeastOnce,
            PacketKind::Pubrec => outgoing.message.qos == QoS::ExactlyOnce && !outgoing.released,
            _ => outgoing.released,
        };
        let first = self.outgoing.iter().find(waits_for_this).map(|outgoing| outgoing.packet_id);
        // Where a message was sent again its last answer comes in its own place.
        if first != Some(id) && !self.repeated {
            return Err(format!("{} received {kind} for {id}, {first:?} came first [MQTT-4.6.0-2]", self.name));
        }
        let outgoing = &mut self.outgoing[place];
        let fits = match kind {
            PacketKind::Puback => outgoing.message.qos == QoS::AtLeastOnce,
            PacketKind::Pubrec => outgoing.message.qos == QoS::ExactlyOnce,
            _ => outgoing.released,
        };
        if !fits {
            return Err(format!("{} received {kind} out of turn for {:?}", self.name, outgoing.message));
        }
        if kind == PacketKind::Pubrec && !ack.reason.is_error() {
            outgoing.released = true;
            link.due.push_back((PacketKind::Pubrel, id));
            return Ok(());
        }
        let refused = outgoing.message.topic.starts_with("refused") || outgoing.message.topic.starts_with('$');
        if ack.reason.is_error() != (refused && link.version == ProtocolVersion::V5) && kind != PacketKind::Pubcomp {
            return Err(format!("{} received {kind} {} for {:?}", self.name, ack.reason.name(), outgoing.message));
        }
        link.quota += u16::from(outgoing.counted);
        self.outgoing.remove(place);
        self.resend();
        Ok(())
    }

    /// One of several answers to a message that was sent several times: only the last one counts.
    fn take_surplus(&mut self, id: u16) -> bool {
        let Some(left) = self.surplus.get_mut(&id) else { return false };
        *left -= 1;
        if *left == 0 {
            self.surplus.remove(&id);
        }
        true
    }
}

impl Link {
    /// The Topic Name, from the packet or by its alias.
    fn resolve(&mut self, publish: &Publish<'_>) -> Result<String, String> {
        let Some(alias) = publish.topic_alias else { return Ok(publish.topic.to_owned()) };
        if alias > self.alias_maximum {
            return Err(format!("alias {alias} is above the maximum {} [MQTT-3.1.2-26]", self.alias_maximum));
        }
        if publish.topic.is_empty() {
            return self.aliases.get(&alias).cloned().ok_or_else(|| format!("alias {alias} stands for nothing"));
        }
        self.aliases.insert(alias, publish.topic.to_owned());
        Ok(publish.topic.to_owned())
    }

    fn take_suback(&mut self, suback: &Suback<'_>) -> Verdict {
        let granted = self.take_answer(suback.packet_id)?;
        // What version 3 can say of a refusal is that it is one.
        let version = self.version;
        let same = |(due, told): (&ReasonCode, &ReasonCode)| {
            due == told || (version < ProtocolVersion::V5 && due.is_error() && told.is_error())
        };
        let right = granted.len() == suback.reasons.len() && granted.iter().zip(&suback.reasons).all(same);
        if right { Ok(()) } else { Err(format!("{granted:?} had to be granted: {suback:?}")) }
    }

    fn take_answer(&mut self, packet_id: PacketId) -> Result<Vec<ReasonCode>, String> {
        self.asked.remove(&packet_id.get()).ok_or_else(|| format!("an answer to {packet_id:?}, which was not asked"))
    }
}

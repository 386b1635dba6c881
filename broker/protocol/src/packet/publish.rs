//! PUBLISH (3.3).

use crate::packet::message::topic_name;
use crate::properties::{self, Property, Writer, id, not_allowed};
use crate::wire::{Reader, put_binary, put_packet, put_prefixed, put_variable_integer};
use crate::{
    Cause, Malformed, MessageProperties, PacketId, PacketKind, ProtocolVersion, QoS,
    SubscriptionId, TooLarge,
};

/// An Application Message on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish<'a> {
    /// DUP: perhaps sent before.
    pub dup: bool,
    /// How surely it is delivered.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Topic Name; empty only together with a Topic Alias.
    pub topic: &'a str,
    /// Packet Identifier; there exactly above QoS 0 [MQTT-2.2.1-2].
    pub packet_id: Option<PacketId>,
    /// Topic Alias, never 0 when decoded [MQTT-3.3.2-8].
    pub topic_alias: Option<u16>,
    /// Subscription Identifiers, from a Server only.
    pub subscription_ids: Vec<SubscriptionId>,
    /// What travels with the message.
    pub properties: MessageProperties<'a>,
    /// The payload; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    pub(crate) fn decode(
        flags: u8,
        mut reader: Reader<'a>,
        version: ProtocolVersion,
    ) -> Result<Self, Malformed> {
        let dup = flags & 0b1000 != 0;
        let qos = QoS::from_bits((flags >> 1) & 0b11).ok_or(Cause::QosIsThree)?;
        if dup && qos == QoS::AtMostOnce {
            return Err(Cause::DupWithoutQos.into());
        }
        let topic = reader.string()?;
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(PacketId::read(&mut reader)?),
        };
        let mut publish = Self {
            dup,
            qos,
            retain: flags & 1 != 0,
            topic,
            packet_id,
            topic_alias: None,
            subscription_ids: Vec::new(),
            properties: MessageProperties::default(),
            payload: &[],
        };
        if version.is_v5() {
            publish.read_properties(&mut reader)?;
        }
        // An alias stands for a Topic Name only where there is none [MQTT-3.3.2-1].
        if !topic.is_empty() || publish.topic_alias.is_none() {
            topic_name(topic)?;
        }
        publish.payload = reader.take_rest();
        Ok(publish)
    }

    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let Self {
            properties,
            topic_alias,
            subscription_ids,
            ..
        } = self;
        let user_properties = properties::read(reader, |property| {
            match properties.accept(property)? {
                None => {}
                Some(Property::TwoBytes(id::TOPIC_ALIAS, 0)) => {
                    return Err(Cause::TopicAliasIsZero.into());
                }
                Some(Property::TwoBytes(id::TOPIC_ALIAS, alias)) => *topic_alias = Some(alias),
                Some(Property::Variable(id::SUBSCRIPTION_ID, value)) => {
                    subscription_ids
                        .push(SubscriptionId::new(value).ok_or(Cause::SubscriptionIdIsZero)?);
                }
                Some(other) => return not_allowed(other),
            }
            Ok(())
        })?;
        self.properties.user_properties = user_properties;
        Ok(())
    }

    /// Appends the packet to `out`; below version 5 without properties.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        self.encode_located(version, out).map(|_| ())
    }

    /// As [`Self::encode`], and says where in `out` the Packet Identifier stands, so that one encoding serves many
    /// subscribers: each gets a copy with its own identifier written there.
    ///
    /// # Errors
    /// As [`Self::encode`].
    #[inline]
    pub fn encode_located(
        &self,
        version: ProtocolVersion,
        out: &mut Vec<u8>,
    ) -> Result<Option<usize>, TooLarge> {
        if version.is_v5() && !self.has_no_properties() {
            return self.encode_with_properties(out);
        }
        // Everything that is not topic and payload is a few bytes, so the lengths can be added up beforehand.
        let property_length = usize::from(version.is_v5());
        let id_length = if self.packet_id.is_some() { 2 } else { 0 };
        let fixed = 2_usize
            .saturating_add(id_length)
            .saturating_add(property_length);
        let length = fixed
            .saturating_add(self.topic.len())
            .saturating_add(self.payload.len());
        if self.topic.len() > usize::from(u16::MAX) || length > LENGTH_MAX {
            return Err(TooLarge);
        }
        out.reserve(length.saturating_add(5));
        out.push(self.first_byte());
        put_variable_integer(out, length)?;
        put_binary(out, self.topic.as_bytes())?;
        let located = self.put_packet_id(out);
        if version.is_v5() {
            out.push(0);
        }
        out.extend_from_slice(self.payload);
        Ok(located)
    }

    fn encode_with_properties(&self, out: &mut Vec<u8>) -> Result<Option<usize>, TooLarge> {
        let start = out.len();
        put_packet(out, self.first_byte(), |out| {
            put_binary(out, self.topic.as_bytes())?;
            self.put_packet_id(out);
            put_prefixed(out, |out| {
                let mut writer = Writer { out };
                self.properties.write(&mut writer)?;
                writer.two_bytes(id::TOPIC_ALIAS, self.topic_alias);
                self.subscription_ids
                    .iter()
                    .try_for_each(|id| writer.variable(id::SUBSCRIPTION_ID, id.get()))
            })?;
            out.extend_from_slice(self.payload);
            Ok(())
        })?;
        // The Remaining Length was written last and may have moved the rest, so the place is counted from the start:
        // behind the first byte, the Remaining Length, and the Topic Name with its own two bytes of length.
        let more_length_bytes = out
            .iter()
            .skip(start.saturating_add(1))
            .take_while(|byte| **byte & 0x80 != 0)
            .count();
        let located = start
            .saturating_add(more_length_bytes)
            .saturating_add(4)
            .saturating_add(self.topic.len());
        Ok(self.packet_id.map(|_| located))
    }

    fn put_packet_id(&self, out: &mut Vec<u8>) -> Option<usize> {
        let id = self.packet_id?;
        let located = out.len();
        out.extend_from_slice(&id.get().to_be_bytes());
        Some(located)
    }

    fn first_byte(&self) -> u8 {
        PacketKind::Publish.first_byte()
            | (u8::from(self.dup) << 3)
            | ((self.qos as u8) << 1)
            | u8::from(self.retain)
    }

    fn has_no_properties(&self) -> bool {
        self.topic_alias.is_none() && self.subscription_ids.is_empty() && self.properties.is_empty()
    }
}

/// The largest Remaining Length.
const LENGTH_MAX: usize = 268_435_455;

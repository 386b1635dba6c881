//! PUBLISH (3.3).

use crate::properties::{self, Property, Writer, id, not_allowed};
use crate::wire::{Reader, VARIABLE_INTEGER_MAX, put_binary, put_variable_integer, variable_integer_length};
use crate::{
    Cause, Malformed, MessageProperties, PacketId, PacketKind, ProtocolVersion, QoS, SubscriptionId, TooLarge,
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
    #[inline(always)]
    pub(crate) fn decode(flags: u8, mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let qos = QoS::from_bits((flags >> 1) & 0b11).ok_or(Cause::QosIsThree)?;
        let mut dup = flags & 0b1000 != 0;
        if dup && qos == QoS::AtMostOnce {
            // Version 3.1 gave DUP no meaning here, and did not forbid it.
            if version > ProtocolVersion::V31 {
                return Err(Cause::DupWithoutQos.into());
            }
            dup = false;
        }
        let topic = reader.topic_name()?;
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(PacketId::read(&mut reader)?),
        };
        let rest = if version.is_v5() && !reader.skip_zero() { Rest::read(&mut reader)? } else { Rest::default() };
        let Rest { topic_alias, subscription_ids, properties } = rest;
        // Only an alias can stand for the Topic Name (3.3.2.3.4).
        if topic.is_empty() && topic_alias.is_none() {
            return Err(Cause::TopicNameEmpty.into());
        }
        // Made here at once: a packet that is changed after it was made is moved more often.
        Ok(Self {
            dup,
            qos,
            retain: flags & 1 != 0,
            topic,
            packet_id,
            topic_alias,
            subscription_ids,
            properties,
            payload: reader.take_rest(),
        })
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
    pub fn encode_located(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<Option<usize>, TooLarge> {
        let located = self.encode_head(version, out)?;
        out.extend_from_slice(self.payload);
        Ok(located)
    }

    /// As [`Self::encode_located`], but leaves out the payload, which has to follow: it need not be copied to be sent.
    ///
    /// # Errors
    /// As [`Self::encode`].
    #[inline]
    pub fn encode_head(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<Option<usize>, TooLarge> {
        // All lengths are known before a byte is written, so that nothing has to be moved or taken back.
        let properties = version.is_v5().then(|| self.properties_length());
        let section = properties.map_or(0, |length| length.saturating_add(variable_integer_length(length)));
        let length = 2_usize
            .saturating_add(self.topic.len())
            .saturating_add(if self.packet_id.is_some() { 2 } else { 0 })
            .saturating_add(section)
            .saturating_add(self.payload.len());
        if length > VARIABLE_INTEGER_MAX || !self.texts_fit() {
            return Err(TooLarge);
        }
        out.reserve(length.saturating_add(5));
        out.push(self.first_byte());
        put_variable_integer(out, length)?;
        put_binary(out, self.topic.as_bytes())?;
        let located = self.packet_id.map(|id| {
            let located = out.len();
            out.extend_from_slice(&id.get().to_be_bytes());
            located
        });
        match properties {
            None => {}
            Some(0) => out.push(0),
            Some(length) => self.put_properties(length, out)?,
        }
        Ok(located)
    }

    /// Whether every text and binary is one that a packet can hold.
    fn texts_fit(&self) -> bool {
        self.topic.len() <= usize::from(u16::MAX) && self.properties.fit()
    }

    fn properties_length(&self) -> usize {
        let alias: usize = if self.topic_alias.is_some() { 3 } else { 0 };
        self.subscription_ids
            .iter()
            .map(|id| usize::try_from(id.get()).unwrap_or(usize::MAX))
            .map(|id| variable_integer_length(id).saturating_add(1))
            .fold(alias, usize::saturating_add)
            .saturating_add(self.properties.encoded_length())
    }

    fn put_properties(&self, length: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_variable_integer(out, length)?;
        let mut writer = Writer { out };
        self.properties.write(&mut writer)?;
        writer.two_bytes(id::TOPIC_ALIAS, self.topic_alias);
        self.subscription_ids.iter().try_for_each(|id| writer.variable(id::SUBSCRIPTION_ID, id.get()))
    }

    fn first_byte(&self) -> u8 {
        PacketKind::Publish.first_byte() | (u8::from(self.dup) << 3) | ((self.qos as u8) << 1) | u8::from(self.retain)
    }
}

/// What the property section of a PUBLISH says.
#[derive(Default)]
struct Rest<'a> {
    topic_alias: Option<u16>,
    subscription_ids: Vec<SubscriptionId>,
    properties: MessageProperties<'a>,
}

impl<'a> Rest<'a> {
    #[inline(never)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut rest = Self::default();
        let user_properties = properties::read(reader, |property| {
            match rest.properties.accept(property)? {
                None => {}
                Some(Property::TwoBytes(id::TOPIC_ALIAS, 0)) => {
                    return Err(Cause::TopicAliasIsZero.into());
                }
                Some(Property::TwoBytes(id::TOPIC_ALIAS, alias)) => rest.topic_alias = Some(alias),
                Some(Property::Variable(id::SUBSCRIPTION_ID, value)) => {
                    rest.subscription_ids.push(SubscriptionId::new(value).ok_or(Cause::SubscriptionIdIsZero)?);
                }
                Some(other) => return not_allowed(other),
            }
            Ok(())
        })?;
        rest.properties.user_properties = user_properties;
        Ok(rest)
    }
}

#[cfg(test)]
mod tests;

//! SUBSCRIBE (3.8).

use crate::properties::{self, Property, Writer, id, not_allowed};
use crate::topic::are_wildcards_right;
use crate::wire::{Reader, put_binary, put_packet, put_prefixed};
use crate::{
    Cause, Malformed, PacketId, PacketKind, ProtocolVersion, QoS, SubscriptionId, TooLarge, TopicError, TopicFilter,
    UserProperties,
};

/// A client's wish for messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe<'a> {
    /// Packet Identifier, repeated in SUBACK.
    pub packet_id: PacketId,
    /// Subscription Identifier of all its filters.
    pub subscription_id: Option<SubscriptionId>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// At least one filter [MQTT-3.8.3-2].
    pub filters: Vec<SubscribeFilter<'a>>,
}

/// One Topic Filter with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeFilter<'a> {
    /// As sent and checked, `$share/NAME/` included. Below version 5 perhaps one that begins like a shared subscription and
    /// is none: version 3 knows no such thing, so that the packet is legal, and yet nothing can be subscribed to by it.
    pub filter: &'a str,
    /// How messages are wanted.
    pub options: SubscribeOptions,
}

/// Subscription Options (3.8.3.1). Below version 5 only the QoS is sent; the others are then as they are here by
/// [`SubscribeOptions::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Maximum QoS.
    pub qos: QoS,
    /// No Local: not the client's own messages.
    pub no_local: bool,
    /// Retain As Published: forwarded messages keep their RETAIN.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent in answer to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: at every SUBSCRIBE [MQTT-3.3.1-9].
    OnSubscribe = 0,
    /// 1: only if the subscription is new [MQTT-3.3.1-10].
    IfNew = 1,
    /// 2: never [MQTT-3.3.1-11].
    Never = 2,
}

impl SubscribeOptions {
    /// The options of a version 3 client.
    #[must_use]
    pub const fn new(qos: QoS) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::OnSubscribe }
    }

    fn decode(byte: u8, version: ProtocolVersion) -> Result<Self, Malformed> {
        let reserved = match version {
            // Called unused, not reserved.
            ProtocolVersion::V31 => 0,
            ProtocolVersion::V311 => 0b1111_1100,
            ProtocolVersion::V5 => 0b1100_0000,
        };
        if byte & reserved != 0 {
            return Err(Cause::SubscribeOptionsReserved.into());
        }
        let qos = QoS::from_bits(byte & 0b11).ok_or(Cause::SubscribeQosIsThree)?;
        if !version.is_v5() {
            return Ok(Self::new(qos));
        }
        let retain_handling = match (byte >> 4) & 0b11 {
            0 => RetainHandling::OnSubscribe,
            1 => RetainHandling::IfNew,
            2 => RetainHandling::Never,
            _ => return Err(Cause::RetainHandlingIsThree.into()),
        };
        Ok(Self { qos, no_local: byte & 0b100 != 0, retain_as_published: byte & 0b1000 != 0, retain_handling })
    }

    fn byte(self, version: ProtocolVersion) -> u8 {
        let qos = self.qos as u8;
        if !version.is_v5() {
            return qos;
        }
        let retain_handling = (self.retain_handling as u8) << 4;
        qos | (u8::from(self.no_local) << 2) | (u8::from(self.retain_as_published) << 3) | retain_handling
    }
}

impl<'a> Subscribe<'a> {
    pub(crate) fn decode(mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let packet_id = PacketId::read(&mut reader)?;
        let mut subscription_id = None;
        let mut user_properties = UserProperties::default();
        if version.is_v5() {
            user_properties = properties::read(&mut reader, |property| match property {
                // The reader lets this one property come more than once; a client may not.
                Property::Variable(id::SUBSCRIPTION_ID, _) if subscription_id.is_some() => {
                    Err(Cause::PropertyTwice(id::SUBSCRIPTION_ID).into())
                }
                Property::Variable(id::SUBSCRIPTION_ID, value) => {
                    subscription_id = Some(SubscriptionId::new(value).ok_or(Cause::SubscriptionIdIsZero)?);
                    Ok(())
                }
                other => not_allowed(other),
            })?;
        }
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = topic_filter(&mut reader, version)?;
            let options = SubscribeOptions::decode(reader.u8()?, version)?;
            if options.no_local && TopicFilter::new(filter).is_ok_and(|filter| filter.share().is_some()) {
                return Err(Cause::SharedNoLocal.into());
            }
            filters.push(SubscribeFilter { filter, options });
        }
        if filters.is_empty() {
            return Err(Cause::ListEmpty(PacketKind::Subscribe).into());
        }
        Ok(Self { packet_id, subscription_id, user_properties, filters })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Subscribe.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                put_prefixed(out, |out| {
                    let mut writer = Writer { out };
                    if let Some(id) = self.subscription_id {
                        writer.variable(id::SUBSCRIPTION_ID, id.get())?;
                    }
                    writer.user_properties(self.user_properties)
                })?;
            }
            self.filters.iter().try_for_each(|SubscribeFilter { filter, options }| {
                put_binary(out, filter.as_bytes())?;
                out.push(options.byte(version));
                Ok(())
            })
        })
    }
}

/// A Topic Filter inside a packet.
pub(crate) fn topic_filter<'a>(reader: &mut Reader<'a>, version: ProtocolVersion) -> Result<&'a str, Malformed> {
    let text = reader.string()?;
    let cause = match TopicFilter::new(text) {
        Ok(_) => return Ok(text),
        Err(TopicError::Share) if version.is_v5() => Cause::ShareInvalid,
        // To version 3, which knows no shared subscriptions, it is a filter like any other.
        Err(TopicError::Share) if are_wildcards_right(text) => return Ok(text),
        Err(TopicError::Null) => Cause::StringHasNull,
        Err(TopicError::Empty) => Cause::TopicFilterEmpty,
        // What was read from a packet is never too long.
        Err(TopicError::Wildcard | TopicError::Share | TopicError::TooLong) => Cause::TopicFilterWildcard,
    };
    Err(cause.into())
}

#[cfg(test)]
mod tests;

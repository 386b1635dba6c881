//! CONNACK (3.2).

use std::num::{NonZeroU16, NonZeroU32};

use crate::packet::ack::read_reason;
use crate::properties::{self, Property, Writer, boolean, id, not_allowed};
use crate::wire::{Reader, put_packet, put_prefixed};
use crate::{Cause, Malformed, PacketKind, ProtocolVersion, QoS, ReasonCode, ReasonProperties, TooLarge};

/// The Server's answer to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connack<'a> {
    /// Session Present: false with every error [MQTT-3.2.2-6].
    pub session_present: bool,
    /// Success, or why not. Below version 5 it is sent as the return code it stands for; see
    /// [`ReasonCode::connack_v3`].
    pub reason: ReasonCode,
    /// Properties of version 5.
    pub properties: ConnackProperties<'a>,
}

/// CONNACK properties (3.2.2.3). None stands for the default of the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ConnackProperties<'a> {
    /// Session Expiry Interval in seconds, where the Server chose another.
    pub session_expiry: Option<u32>,
    /// Receive Maximum.
    pub receive_maximum: Option<NonZeroU16>,
    /// Maximum QoS: 0 or 1; none for 2.
    pub maximum_qos: Option<QoS>,
    /// Retain Available.
    pub retain_available: Option<bool>,
    /// Maximum Packet Size in bytes.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Assigned Client Identifier.
    pub assigned_client_id: Option<&'a str>,
    /// Topic Alias Maximum.
    pub topic_alias_maximum: Option<u16>,
    /// Reason String and User Properties.
    pub reason: ReasonProperties<'a>,
    /// Wildcard Subscription Available.
    pub wildcard_subscription_available: Option<bool>,
    /// Subscription Identifiers Available.
    pub subscription_ids_available: Option<bool>,
    /// Shared Subscription Available.
    pub shared_subscription_available: Option<bool>,
    /// Server Keep Alive in seconds.
    pub server_keep_alive: Option<u16>,
    /// Response Information.
    pub response_information: Option<&'a str>,
    /// Server Reference.
    pub server_reference: Option<&'a str>,
    /// Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// Authentication Data.
    pub authentication_data: Option<&'a [u8]>,
}

impl<'a> Connack<'a> {
    /// A refusal, or a plain success without a session.
    #[must_use]
    pub fn new(reason: ReasonCode) -> Self {
        Self { session_present: false, reason, properties: ConnackProperties::default() }
    }

    pub(crate) fn decode(mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let flags = reader.u8()?;
        let (reason, properties) = if version.is_v5() {
            (read_reason(PacketKind::Connack, &mut reader)?, ConnackProperties::read(&mut reader)?)
        } else {
            let code = reader.u8()?;
            let reason = ReasonCode::from_connack_v3(code).ok_or(Cause::ReasonCode(PacketKind::Connack, code))?;
            (reason, ConnackProperties::default())
        };
        reader.finish()?;
        // Version 3.1 does not use the byte.
        let flags = if version > ProtocolVersion::V31 { flags } else { 0 };
        let session_present = flags & 1 != 0;
        if flags & !1 != 0 || (session_present && reason != ReasonCode::Success) {
            return Err(Cause::ConnackFlags.into());
        }
        Ok(Self { session_present, reason, properties })
    }

    /// Appends the packet to `out`. Below version 5 a reason without a return code is sent as "Server unavailable"; a
    /// Server closes without a CONNACK instead. MQTT 3.1 knows no Session Present.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Connack.first_byte(), |out| {
            out.push(u8::from(self.session_present && version > ProtocolVersion::V31));
            if version.is_v5() {
                out.push(self.reason.value());
                put_prefixed(out, |out| self.properties.write(&mut Writer { out }))
            } else {
                out.push(self.reason.connack_v3().unwrap_or(3));
                Ok(())
            }
        })
    }
}

impl<'a> ConnackProperties<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut read = Self::default();
        let user_properties = properties::read(reader, |property| read.accept(property))?;
        read.reason.user_properties = user_properties;
        Ok(read)
    }

    fn accept(&mut self, property: Property<'a>) -> Result<(), Malformed> {
        match property {
            Property::FourBytes(id::SESSION_EXPIRY, value) => self.session_expiry = Some(value),
            Property::TwoBytes(id::RECEIVE_MAXIMUM, value) => {
                self.receive_maximum = Some(NonZeroU16::new(value).ok_or(Cause::PropertyValue(id::RECEIVE_MAXIMUM))?);
            }
            Property::Byte(id::MAXIMUM_QOS, value) => {
                let lower = QoS::from_bits(value).filter(|qos| *qos < QoS::ExactlyOnce);
                self.maximum_qos = Some(lower.ok_or(Cause::PropertyValue(id::MAXIMUM_QOS))?);
            }
            Property::Byte(id @ id::RETAIN_AVAILABLE, value) => self.retain_available = Some(boolean(id, value)?),
            Property::FourBytes(id::MAXIMUM_PACKET_SIZE, value) => {
                let value = NonZeroU32::new(value).ok_or(Cause::PropertyValue(id::MAXIMUM_PACKET_SIZE))?;
                self.maximum_packet_size = Some(value);
            }
            Property::Text(id::ASSIGNED_CLIENT_ID, value) => self.assigned_client_id = Some(value),
            Property::TwoBytes(id::TOPIC_ALIAS_MAXIMUM, value) => self.topic_alias_maximum = Some(value),
            Property::Text(id::REASON_STRING, value) => self.reason.reason_string = Some(value),
            Property::Byte(id @ id::WILDCARD_AVAILABLE, value) => {
                self.wildcard_subscription_available = Some(boolean(id, value)?);
            }
            Property::Byte(id @ id::SUBSCRIPTION_ID_AVAILABLE, value) => {
                self.subscription_ids_available = Some(boolean(id, value)?);
            }
            Property::Byte(id @ id::SHARED_AVAILABLE, value) => {
                self.shared_subscription_available = Some(boolean(id, value)?);
            }
            Property::TwoBytes(id::SERVER_KEEP_ALIVE, value) => self.server_keep_alive = Some(value),
            Property::Text(id::RESPONSE_INFORMATION, value) => self.response_information = Some(value),
            Property::Text(id::SERVER_REFERENCE, value) => self.server_reference = Some(value),
            Property::Text(id::AUTHENTICATION_METHOD, value) => self.authentication_method = Some(value),
            Property::Binary(id::AUTHENTICATION_DATA, value) => self.authentication_data = Some(value),
            other => return not_allowed(other),
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), TooLarge> {
        writer.four_bytes(id::SESSION_EXPIRY, self.session_expiry);
        writer.two_bytes(id::RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        let maximum_qos = self.maximum_qos.filter(|qos| *qos < QoS::ExactlyOnce);
        writer.byte(id::MAXIMUM_QOS, maximum_qos.map(|qos| qos as u8));
        writer.boolean(id::RETAIN_AVAILABLE, self.retain_available);
        writer.four_bytes(id::MAXIMUM_PACKET_SIZE, self.maximum_packet_size.map(NonZeroU32::get));
        writer.text(id::ASSIGNED_CLIENT_ID, self.assigned_client_id)?;
        writer.two_bytes(id::TOPIC_ALIAS_MAXIMUM, self.topic_alias_maximum);
        writer.boolean(id::WILDCARD_AVAILABLE, self.wildcard_subscription_available);
        writer.boolean(id::SUBSCRIPTION_ID_AVAILABLE, self.subscription_ids_available);
        writer.boolean(id::SHARED_AVAILABLE, self.shared_subscription_available);
        writer.two_bytes(id::SERVER_KEEP_ALIVE, self.server_keep_alive);
        writer.text(id::RESPONSE_INFORMATION, self.response_information)?;
        writer.text(id::SERVER_REFERENCE, self.server_reference)?;
        writer.text(id::AUTHENTICATION_METHOD, self.authentication_method)?;
        writer.binary(id::AUTHENTICATION_DATA, self.authentication_data)?;
        self.reason.write(writer)
    }
}

#[cfg(test)]
mod tests;

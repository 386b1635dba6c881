//! DISCONNECT (3.14).

use crate::packet::ack::read_reason;
use crate::properties::{self, Property, Writer, id, not_allowed};
use crate::wire::{Reader, put_packet, put_prefixed};
use crate::{Malformed, PacketKind, ProtocolVersion, ReasonCode, ReasonProperties, TooLarge};

/// The last packet of a Network Connection. Below version 5 only a client sends it, and it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why; success is a normal disconnection.
    pub reason: ReasonCode,
    /// Session Expiry Interval in seconds, from a client only.
    pub session_expiry: Option<u32>,
    /// Another Server to use, from a Server only.
    pub server_reference: Option<&'a str>,
    /// What explains the reason.
    pub properties: ReasonProperties<'a>,
}

impl<'a> Disconnect<'a> {
    /// With this reason and nothing else.
    #[must_use]
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, session_expiry: None, server_reference: None, properties: ReasonProperties::default() }
    }

    pub(crate) fn decode(mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let mut disconnect = Self::new(ReasonCode::Success);
        if version.is_v5() && !reader.is_empty() {
            disconnect.reason = read_reason(PacketKind::Disconnect, &mut reader)?;
            if !reader.is_empty() {
                disconnect.read_properties(&mut reader)?;
            }
        }
        reader.finish()?;
        Ok(disconnect)
    }

    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let user_properties = properties::read(reader, |property| {
            match property {
                Property::FourBytes(id::SESSION_EXPIRY, value) => self.session_expiry = Some(value),
                Property::Text(id::SERVER_REFERENCE, value) => self.server_reference = Some(value),
                Property::Text(id::REASON_STRING, value) => self.properties.reason_string = Some(value),
                other => return not_allowed(other),
            }
            Ok(())
        })?;
        self.properties.user_properties = user_properties;
        Ok(())
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let first_byte = PacketKind::Disconnect.first_byte();
        let has_properties =
            self.session_expiry.is_some() || self.server_reference.is_some() || !self.properties.is_empty();
        if !version.is_v5() || (self.reason == ReasonCode::Success && !has_properties) {
            out.extend_from_slice(&[first_byte, 0]);
            return Ok(());
        }
        put_packet(out, first_byte, |out| {
            out.push(self.reason.value());
            if !has_properties {
                return Ok(());
            }
            put_prefixed(out, |out| {
                let mut writer = Writer { out };
                writer.four_bytes(id::SESSION_EXPIRY, self.session_expiry);
                writer.text(id::SERVER_REFERENCE, self.server_reference)?;
                self.properties.write(&mut writer)
            })
        })
    }
}

#[cfg(test)]
mod tests;

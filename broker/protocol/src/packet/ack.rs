//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7): one shape.

use crate::wire::{Reader, put_packet};
use crate::{Cause, Malformed, PacketId, PacketKind, ProtocolVersion, ReasonCode, ReasonProperties, TooLarge};

/// The answer to a PUBLISH, or a later step of QoS 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The Packet Identifier of the PUBLISH.
    pub packet_id: PacketId,
    /// Success, or why not. Below version 5 always success.
    pub reason: ReasonCode,
    /// What explains the reason.
    pub properties: ReasonProperties<'a>,
}

impl<'a> Ack<'a> {
    /// A success.
    #[must_use]
    pub const fn new(packet_id: PacketId) -> Self {
        Self::with_reason(packet_id, ReasonCode::Success)
    }

    /// With this reason and no explanation.
    #[must_use]
    pub const fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
        let properties = ReasonProperties { reason_string: None, user_properties: crate::UserProperties::NONE };
        Self { packet_id, reason, properties }
    }

    pub(crate) fn decode(
        kind: PacketKind,
        mut reader: Reader<'a>,
        version: ProtocolVersion,
    ) -> Result<Self, Malformed> {
        let mut ack = Self::new(PacketId::read(&mut reader)?);
        // Success without properties may be left out, and so may the properties (3.4.2.1).
        if version.is_v5() && !reader.is_empty() {
            ack.reason = read_reason(kind, &mut reader)?;
            if !reader.is_empty() {
                ack.properties = ReasonProperties::read(&mut reader)?;
            }
        }
        reader.finish()?;
        Ok(ack)
    }

    /// Appends the packet to `out`; `kind` says which of the four it is.
    ///
    /// # Errors
    /// The explanation is longer than MQTT can express; `out` is then as it was.
    #[inline]
    pub fn encode(&self, kind: PacketKind, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let [high, low] = self.packet_id.get().to_be_bytes();
        let has_properties = !self.properties.is_empty();
        if !version.is_v5() || (self.reason == ReasonCode::Success && !has_properties) {
            out.extend_from_slice(&[kind.first_byte(), 2, high, low]);
            return Ok(());
        }
        let reason = self.reason.value();
        if !has_properties {
            out.extend_from_slice(&[kind.first_byte(), 3, high, low, reason]);
            return Ok(());
        }
        put_packet(out, kind.first_byte(), |out| {
            out.extend_from_slice(&[high, low, reason]);
            self.properties.write_section(out)
        })
    }
}

/// A Reason Code that this packet may have.
pub(crate) fn read_reason(kind: PacketKind, reader: &mut Reader<'_>) -> Result<ReasonCode, Malformed> {
    let value = reader.u8()?;
    ReasonCode::from_u8(value)
        .filter(|reason| reason.is_allowed_in(kind))
        .ok_or_else(|| Cause::ReasonCode(kind, value).into())
}

#[cfg(test)]
mod tests;

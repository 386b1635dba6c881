//! SUBACK (3.9).

use crate::packet::ack::read_reason;
use crate::wire::{Reader, put_packet};
use crate::{Cause, Malformed, PacketId, PacketKind, ProtocolVersion, ReasonCode, ReasonProperties, TooLarge};

/// The answer to SUBSCRIBE.
#[derive(Clone, Debug, PartialEq)]
pub struct Suback<'a> {
    /// The Packet Identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// What explains the reasons.
    pub properties: ReasonProperties<'a>,
    /// One for each filter, in their order [MQTT-3.9.3-1]. Below version 5 every error is sent as 0x80.
    pub reasons: Vec<ReasonCode>,
}

impl<'a> Suback<'a> {
    pub(crate) fn decode(mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let packet_id = PacketId::read(&mut reader)?;
        let properties = match version.is_v5() {
            true => ReasonProperties::read(&mut reader)?,
            false => ReasonProperties::default(),
        };
        let mut reasons = Vec::new();
        while !reader.is_empty() {
            let reason = read_reason(PacketKind::Suback, &mut reader)?;
            if !version.is_v5() && reason.suback_v3() != reason.value() {
                return Err(Cause::ReasonCode(PacketKind::Suback, reason.value()).into());
            }
            reasons.push(reason);
        }
        if reasons.is_empty() {
            return Err(Cause::ListEmpty(PacketKind::Suback).into());
        }
        Ok(Self { packet_id, properties, reasons })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Suback.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                self.properties.write_section(out)?;
                out.extend(self.reasons.iter().map(|reason| reason.value()));
            } else {
                out.extend(self.reasons.iter().map(|reason| reason.suback_v3()));
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

//! UNSUBACK (3.11).

use crate::packet::ack::read_reason;
use crate::wire::{Reader, put_packet};
use crate::{Cause, Malformed, PacketId, PacketKind, ProtocolVersion, ReasonCode, ReasonProperties, TooLarge};

/// The answer to UNSUBSCRIBE.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsuback<'a> {
    /// The Packet Identifier of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// What explains the reasons.
    pub properties: ReasonProperties<'a>,
    /// One for each filter, in their order [MQTT-3.11.3-1]; below version 5 none is sent.
    pub reasons: Vec<ReasonCode>,
}

impl<'a> Unsuback<'a> {
    pub(crate) fn decode(mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let packet_id = PacketId::read(&mut reader)?;
        let mut unsuback = Self { packet_id, properties: ReasonProperties::default(), reasons: Vec::new() };
        if version.is_v5() {
            unsuback.properties = ReasonProperties::read(&mut reader)?;
            while !reader.is_empty() {
                unsuback.reasons.push(read_reason(PacketKind::Unsuback, &mut reader)?);
            }
            if unsuback.reasons.is_empty() {
                return Err(Cause::ListEmpty(PacketKind::Unsuback).into());
            }
        }
        reader.finish()?;
        Ok(unsuback)
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Unsuback.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                self.properties.write_section(out)?;
                out.extend(self.reasons.iter().map(|reason| reason.value()));
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;

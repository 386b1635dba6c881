//! UNSUBSCRIBE (3.10).

use crate::packet::subscribe::topic_filter;
use crate::properties::{self, Writer, not_allowed};
use crate::wire::{Reader, put_binary, put_packet, put_prefixed};
use crate::{Cause, Malformed, PacketId, PacketKind, ProtocolVersion, TooLarge, UserProperties};

/// A client wants messages no longer.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsubscribe<'a> {
    /// Packet Identifier, repeated in UNSUBACK.
    pub packet_id: PacketId,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// At least one Topic Filter [MQTT-3.10.3-2], `$share/NAME/` included; below version 5 see
    /// [`SubscribeFilter`](crate::SubscribeFilter).
    pub filters: Vec<&'a str>,
}

impl<'a> Unsubscribe<'a> {
    pub(crate) fn decode(mut reader: Reader<'a>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let packet_id = PacketId::read(&mut reader)?;
        let user_properties = match version.is_v5() {
            true => properties::read(&mut reader, not_allowed)?,
            false => UserProperties::default(),
        };
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(topic_filter(&mut reader, version)?);
        }
        if filters.is_empty() {
            return Err(Cause::ListEmpty(PacketKind::Unsubscribe).into());
        }
        Ok(Self { packet_id, user_properties, filters })
    }

    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Unsubscribe.first_byte(), |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                put_prefixed(out, |out| Writer { out }.user_properties(self.user_properties))?;
            }
            self.filters.iter().try_for_each(|filter| put_binary(out, filter.as_bytes()))
        })
    }
}

#[cfg(test)]
mod tests;

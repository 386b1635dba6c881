//! Cuts control packets out of a byte stream.

use crate::wire::{Reader, is_padded, variable_integer};
use crate::{
    Ack, Auth, Cause, Connack, Connect, Disconnect, Malformed, Packet, PacketId, PacketKind, ProtocolVersion, Publish,
    Suback, Subscribe, Unsuback, Unsubscribe,
};

/// Decodes what one peer sends on one Network Connection.
///
/// It keeps no bytes: the caller shows it what has arrived, it borrows from there, and says how many bytes to drop.
#[derive(Clone, Debug)]
pub struct Decoder {
    role: Role,
    /// On a Server none until CONNECT has named it.
    version: Option<ProtocolVersion>,
    maximum_packet_size: u32,
}

/// On which side of the connection the decoder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

/// What stands at the start of a buffer.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<'a> {
    /// A whole packet, and how many bytes it takes.
    Packet {
        /// The packet.
        packet: Packet<'a>,
        /// Its length in the buffer.
        length: usize,
    },
    /// The beginning of a packet.
    Incomplete {
        /// How many bytes the buffer must hold, from its start, before it is worth asking again.
        needed: usize,
    },
}

impl Decoder {
    /// For what clients send. The first packet must be CONNECT and sets the version; `maximum_packet_size` counts whole
    /// packets in bytes.
    #[must_use]
    pub const fn server(maximum_packet_size: u32) -> Self {
        Self { role: Role::Server, version: None, maximum_packet_size }
    }

    /// For what a Server sends to a client of this version.
    #[must_use]
    pub const fn client(version: ProtocolVersion, maximum_packet_size: u32) -> Self {
        Self { role: Role::Client, version: Some(version), maximum_packet_size }
    }

    /// The version that is spoken. On a Server it is known once CONNECT has named it, even where that CONNECT is
    /// refused for something else, so that the refusal can be written in it.
    #[must_use]
    pub const fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// From now on packets may be this long, in bytes.
    pub fn set_maximum_packet_size(&mut self, bytes: u32) {
        self.maximum_packet_size = bytes;
    }

    /// Reads the packet at the start of `buffer`. A packet that is too long, or can never become one, is refused as soon
    /// as its first bytes show it.
    ///
    /// # Errors
    /// [`Malformed`] says why the connection must be closed.
    #[inline(always)]
    pub fn decode<'a>(&mut self, buffer: &'a [u8]) -> Result<Decoded<'a>, Malformed> {
        let Some((&first_byte, rest)) = buffer.split_first() else {
            return Ok(Decoded::Incomplete { needed: 2 });
        };
        let kind = self.kind(first_byte)?;
        let Some((remaining, length_bytes)) = variable_integer(rest)? else {
            return Ok(Decoded::Incomplete { needed: buffer.len().saturating_add(1) });
        };
        let header = length_bytes.saturating_add(1);
        let length = header.saturating_add(usize::try_from(remaining).unwrap_or(usize::MAX));
        if u32::try_from(length).map_or(true, |length| length > self.maximum_packet_size) {
            return Err(Cause::PacketTooLarge.into());
        }
        let Some(contents) = buffer.get(header..length) else {
            return Ok(Decoded::Incomplete { needed: length });
        };
        let packet = match self.version {
            // Apart, so that the one packet that comes all the time is made where its reader wants it.
            Some(version) if kind == PacketKind::Publish => {
                Packet::Publish(self.publish(first_byte, contents, version)?)
            }
            Some(_)
                if let [high, low] = *contents
                    && let Some(packet) = plain_ack(kind, [high, low])? =>
            {
                packet
            }
            _ => self.contents(kind, first_byte, Reader::new(contents))?,
        };
        // Only version 5 asks for the shortest form, and CONNECT tells the version after its Remaining Length.
        let is_v5 = self.version == Some(ProtocolVersion::V5);
        if is_v5 && rest.get(..length_bytes).is_some_and(is_padded) {
            return Err(Cause::IntegerNotMinimal.into());
        }
        Ok(Decoded::Packet { packet, length })
    }

    #[inline(always)]
    fn publish<'a>(
        &self,
        first_byte: u8,
        contents: &'a [u8],
        version: ProtocolVersion,
    ) -> Result<Publish<'a>, Malformed> {
        let publish = Publish::decode(first_byte & 0x0F, Reader::new(contents), version)?;
        if self.role == Role::Server && !publish.subscription_ids.is_empty() {
            return Err(Cause::SubscriptionIdFromClient.into());
        }
        Ok(publish)
    }

    /// The packet type and its flags (2.1.2, 2.1.3).
    #[inline]
    fn kind(&self, first_byte: u8) -> Result<PacketKind, Malformed> {
        let kind = PacketKind::from_first_byte(first_byte).ok_or(Cause::UnknownPacketType(first_byte >> 4))?;
        if self.version.is_none() && kind != PacketKind::Connect {
            return Err(Cause::FirstPacketNotConnect.into());
        }
        if kind == PacketKind::Publish {
            return Ok(kind);
        }
        if kind == PacketKind::Auth && self.version != Some(ProtocolVersion::V5) {
            return Err(Cause::UnknownPacketType(first_byte >> 4).into());
        }
        // MQTT 3.1 knew DUP in SUBSCRIBE, UNSUBSCRIBE and PUBREL, and called the other flags unused, not reserved.
        let is_lenient = self.version == Some(ProtocolVersion::V31);
        if first_byte != kind.first_byte() && !is_lenient {
            return Err(Cause::FixedHeaderFlags(kind).into());
        }
        let may_come = match self.role {
            Role::Server => kind.comes_from_client(),
            Role::Client => kind.comes_from_server(),
        };
        if may_come { Ok(kind) } else { Err(Cause::WrongSender(kind).into()) }
    }

    /// What a packet may say depends, in a few places, on which side says it.
    fn check_sender(&self, packet: &Packet<'_>) -> Result<(), Malformed> {
        let reason = match packet {
            Packet::Disconnect(disconnect) => match self.role {
                Role::Server if disconnect.server_reference.is_some() => {
                    return Err(Cause::ServerReferenceFromClient.into());
                }
                Role::Client if disconnect.session_expiry.is_some() => {
                    return Err(Cause::SessionExpiryFromServer.into());
                }
                Role::Server | Role::Client => disconnect.reason,
            },
            Packet::Auth(auth) => auth.reason,
            _ => return Ok(()),
        };
        let may_say = match self.role {
            Role::Server => reason.may_come_from_client(packet.kind()),
            Role::Client => reason.may_come_from_server(packet.kind()),
        };
        if may_say { Ok(()) } else { Err(Cause::ReasonOfOtherSide(packet.kind(), reason.value()).into()) }
    }

    #[inline(never)]
    /// Any packet; PUBLISH comes here only where it is none.
    fn contents<'a>(&mut self, kind: PacketKind, first_byte: u8, reader: Reader<'a>) -> Result<Packet<'a>, Malformed> {
        let Some(version) = self.version else {
            self.version = Connect::version(reader);
            return Ok(Packet::Connect(Box::new(Connect::decode(reader)?)));
        };
        let packet = match kind {
            PacketKind::Publish => Packet::Publish(Publish::decode(first_byte & 0x0F, reader, version)?),
            PacketKind::Puback => Packet::Puback(Ack::decode(kind, reader, version)?),
            PacketKind::Pubrec => Packet::Pubrec(Ack::decode(kind, reader, version)?),
            PacketKind::Pubrel => Packet::Pubrel(Ack::decode(kind, reader, version)?),
            PacketKind::Pubcomp => Packet::Pubcomp(Ack::decode(kind, reader, version)?),
            // Whatever is wrong in a second CONNECT, that it is one is told: its reason fits DISCONNECT, which has none for a
            // version that is not supported [MQTT-3.14.2-1].
            PacketKind::Connect => {
                Packet::Connect(Box::new(Connect::decode(reader).map_err(|_| Cause::SecondConnect)?))
            }
            PacketKind::Connack => Packet::Connack(Box::new(Connack::decode(reader, version)?)),
            PacketKind::Subscribe => Packet::Subscribe(Subscribe::decode(reader, version)?),
            PacketKind::Suback => Packet::Suback(Suback::decode(reader, version)?),
            PacketKind::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(reader, version)?),
            PacketKind::Unsuback => Packet::Unsuback(Unsuback::decode(reader, version)?),
            PacketKind::Pingreq => reader.finish().map(|()| Packet::Pingreq)?,
            PacketKind::Pingresp => reader.finish().map(|()| Packet::Pingresp)?,
            PacketKind::Disconnect => Packet::Disconnect(Disconnect::decode(reader, version)?),
            PacketKind::Auth => Packet::Auth(Auth::decode(reader)?),
        };
        self.check_sender(&packet)?;
        Ok(packet)
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP that says no more than its Packet Identifier: success, in every version.
#[inline]
fn plain_ack(kind: PacketKind, packet_id: [u8; 2]) -> Result<Option<Packet<'static>>, Malformed> {
    let packet: fn(Ack<'static>) -> Packet<'static> = match kind {
        PacketKind::Puback => Packet::Puback,
        PacketKind::Pubrec => Packet::Pubrec,
        PacketKind::Pubrel => Packet::Pubrel,
        PacketKind::Pubcomp => Packet::Pubcomp,
        _ => return Ok(None),
    };
    let packet_id = PacketId::new(u16::from_be_bytes(packet_id)).ok_or(Cause::PacketIdIsZero)?;
    Ok(Some(packet(Ack::new(packet_id))))
}

#[cfg(test)]
mod tests;

//! The control packets, and the words they share.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod message;
mod publish;
mod reason_properties;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

pub use ack::Ack;
pub use auth::Auth;
pub use connack::{Connack, ConnackProperties};
pub use connect::{Connect, ConnectProperties, Will};
pub use disconnect::Disconnect;
pub use message::MessageProperties;
pub use publish::Publish;
pub use reason_properties::ReasonProperties;
pub use suback::Suback;
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions};
pub use unsuback::Unsuback;
pub use unsubscribe::Unsubscribe;

use crate::wire::Reader;
use crate::{Cause, Malformed, TooLarge};

/// One MQTT control packet, borrowed from the bytes it was decoded from.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet<'a> {
    /// Client to Server: the first packet of a Network Connection.
    Connect(Box<Connect<'a>>),
    /// Server to Client: the answer to CONNECT.
    Connack(Box<Connack<'a>>),
    /// Either way: an Application Message.
    Publish(Publish<'a>),
    /// Answer to a QoS 1 PUBLISH.
    Puback(Ack<'a>),
    /// First answer to a QoS 2 PUBLISH.
    Pubrec(Ack<'a>),
    /// Answer to PUBREC.
    Pubrel(Ack<'a>),
    /// Answer to PUBREL.
    Pubcomp(Ack<'a>),
    /// Client to Server: asks for messages.
    Subscribe(Subscribe<'a>),
    /// Answer to SUBSCRIBE.
    Suback(Suback<'a>),
    /// Client to Server: asks for messages no longer.
    Unsubscribe(Unsubscribe<'a>),
    /// Answer to UNSUBSCRIBE.
    Unsuback(Unsuback<'a>),
    /// Client to Server: still there.
    Pingreq,
    /// Answer to PINGREQ.
    Pingresp,
    /// The last packet of a Network Connection.
    Disconnect(Disconnect<'a>),
    /// Either way, version 5: a step of enhanced authentication.
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// Appends the packet's bytes to `out`.
    ///
    /// # Errors
    /// A string or the whole is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        match self {
            Self::Connect(packet) => packet.encode(out),
            Self::Connack(packet) => packet.encode(version, out),
            Self::Publish(packet) => packet.encode(version, out),
            Self::Puback(packet) | Self::Pubrec(packet) | Self::Pubrel(packet) | Self::Pubcomp(packet) => {
                packet.encode(self.kind(), version, out)
            }
            Self::Subscribe(packet) => packet.encode(version, out),
            Self::Suback(packet) => packet.encode(version, out),
            Self::Unsubscribe(packet) => packet.encode(version, out),
            Self::Unsuback(packet) => packet.encode(version, out),
            Self::Pingreq | Self::Pingresp => {
                out.extend_from_slice(&[self.kind().first_byte(), 0]);
                Ok(())
            }
            Self::Disconnect(packet) => packet.encode(version, out),
            Self::Auth(packet) => packet.encode(out),
        }
    }

    /// What kind of packet it is.
    #[must_use]
    pub const fn kind(&self) -> PacketKind {
        match self {
            Self::Connect(_) => PacketKind::Connect,
            Self::Connack(_) => PacketKind::Connack,
            Self::Publish(_) => PacketKind::Publish,
            Self::Puback(_) => PacketKind::Puback,
            Self::Pubrec(_) => PacketKind::Pubrec,
            Self::Pubrel(_) => PacketKind::Pubrel,
            Self::Pubcomp(_) => PacketKind::Pubcomp,
            Self::Subscribe(_) => PacketKind::Subscribe,
            Self::Suback(_) => PacketKind::Suback,
            Self::Unsubscribe(_) => PacketKind::Unsubscribe,
            Self::Unsuback(_) => PacketKind::Unsuback,
            Self::Pingreq => PacketKind::Pingreq,
            Self::Pingresp => PacketKind::Pingresp,
            Self::Disconnect(_) => PacketKind::Disconnect,
            Self::Auth(_) => PacketKind::Auth,
        }
    }
}

/// The control packet types (2.1.2) with their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PacketKind {
    /// CONNECT
    Connect = 1,
    /// CONNACK
    Connack = 2,
    /// PUBLISH
    Publish = 3,
    /// PUBACK
    Puback = 4,
    /// PUBREC
    Pubrec = 5,
    /// PUBREL
    Pubrel = 6,
    /// PUBCOMP
    Pubcomp = 7,
    /// SUBSCRIBE
    Subscribe = 8,
    /// SUBACK
    Suback = 9,
    /// UNSUBSCRIBE
    Unsubscribe = 10,
    /// UNSUBACK
    Unsuback = 11,
    /// PINGREQ
    Pingreq = 12,
    /// PINGRESP
    Pingresp = 13,
    /// DISCONNECT
    Disconnect = 14,
    /// AUTH
    Auth = 15,
}

impl PacketKind {
    /// All of them, in the order of their values.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::Connack,
        Self::Publish,
        Self::Puback,
        Self::Pubrec,
        Self::Pubrel,
        Self::Pubcomp,
        Self::Subscribe,
        Self::Suback,
        Self::Unsubscribe,
        Self::Unsuback,
        Self::Pingreq,
        Self::Pingresp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The name in the standard, such as `CONNECT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    /// Whether clients send it (table 2-1).
    pub(crate) const fn comes_from_client(self) -> bool {
        !matches!(self, Self::Connack | Self::Suback | Self::Unsuback | Self::Pingresp)
    }

    /// Whether Servers send it.
    pub(crate) const fn comes_from_server(self) -> bool {
        !matches!(self, Self::Connect | Self::Subscribe | Self::Unsubscribe | Self::Pingreq)
    }

    /// The type in the upper half of the first byte.
    pub(crate) fn from_first_byte(byte: u8) -> Option<Self> {
        let index = usize::from(byte >> 4).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// The first byte of a packet whose flags are fixed (2.1.3); for PUBLISH without any flag.
    pub(crate) const fn first_byte(self) -> u8 {
        let flags = match self {
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            _ => 0,
        };
        ((self as u8) << 4) | flags
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A version of the protocol; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// MQTT 3.1: `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: `MQTT`, level 4.
    V311,
    /// MQTT 5.0: `MQTT`, level 5.
    V5,
}

impl ProtocolVersion {
    /// Whether packets have properties and reason codes.
    #[must_use]
    pub const fn is_v5(self) -> bool {
        matches!(self, Self::V5)
    }

    /// The Protocol Name and Protocol Level of CONNECT.
    pub(crate) const fn name_and_level(self) -> (&'static str, u8) {
        match self {
            Self::V31 => ("MQIsdp", 3),
            Self::V311 => ("MQTT", 4),
            Self::V5 => ("MQTT", 5),
        }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        })
    }
}

/// Quality of Service (4.3); better ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum QoS {
    /// 0: at most once.
    AtMostOnce = 0,
    /// 1: at least once.
    AtLeastOnce = 1,
    /// 2: exactly once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The QoS with this value; none above 2.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// A Packet Identifier: 1 to 65,535 [MQTT-2.2.1-3].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// None for 0.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        match NonZeroU16::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Self::new(reader.u16()?).ok_or_else(|| Cause::PacketIdIsZero.into())
    }
}

/// A Subscription Identifier: 1 to 268,435,455.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// None for 0 and above 268,435,455.
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        match NonZeroU32::new(value) {
            Some(id) if value <= 268_435_455 => Some(Self(id)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

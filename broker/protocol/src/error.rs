//! What can be wrong with bytes, named after the sender's deviation.

use std::fmt;

use crate::{PacketKind, ReasonCode};

/// Bytes that are not a legal packet. The connection they came from has to be closed [MQTT-4.13.1-1].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    cause: Cause,
}

impl Malformed {
    /// What exactly was wrong.
    #[must_use]
    pub const fn cause(self) -> Cause {
        self.cause
    }

    /// The statement of the standard that was broken; a bare id is one of MQTT 5.0.
    #[must_use]
    pub const fn statement(self) -> &'static str {
        self.cause.facts().1
    }

    /// What a version 5 sender is told in CONNACK or DISCONNECT.
    #[must_use]
    pub const fn reason_code(self) -> ReasonCode {
        self.cause.facts().0
    }
}

impl From<Cause> for Malformed {
    fn from(cause: Cause) -> Self {
        Self { cause }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.cause, self.statement())
    }
}

impl std::error::Error for Malformed {}

/// The deviations a decoder knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The first packet of a client was not CONNECT.
    FirstPacketNotConnect,
    /// A CONNECT came after the first packet, and was not even well formed.
    SecondConnect,
    /// The packet type is 0, or AUTH below version 5.
    UnknownPacketType(u8),
    /// The flags of the fixed header are not those of the packet type.
    FixedHeaderFlags(PacketKind),
    /// A variable byte integer, such as the Remaining Length, has a fifth byte.
    IntegerTooLong,
    /// A variable byte integer is longer than it needs to be; below version 5 the Remaining Length may be.
    IntegerNotMinimal,
    /// The packet is larger than the receiver accepts.
    PacketTooLarge,
    /// The packet ends before its contents do.
    Truncated,
    /// The packet goes on behind its contents.
    TrailingBytes,
    /// A string is not UTF-8.
    StringNotUtf8,
    /// A string contains U+0000.
    StringHasNull,
    /// CONNECT names another protocol than `MQTT` or `MQIsdp`.
    ProtocolName,
    /// CONNECT names a version that does not exist.
    ProtocolVersion(u8),
    /// The reserved bit of the Connect Flags is set.
    ConnectFlagReserved,
    /// Will QoS is 3.
    WillQosIsThree,
    /// Will QoS or Will Retain are set without a Will.
    WillFlagsWithoutWill,
    /// A password without a user name, below version 5.
    PasswordWithoutUserName,
    /// A Packet Identifier is 0.
    PacketIdIsZero,
    /// The QoS of a PUBLISH is 3.
    QosIsThree,
    /// DUP is set in a PUBLISH of QoS 0.
    DupWithoutQos,
    /// A Topic Name that is empty, without a Topic Alias to stand for it.
    TopicNameEmpty,
    /// A Topic Name, Will Topic or Response Topic with a wildcard.
    TopicNameWildcard,
    /// A Topic Alias of 0.
    TopicAliasIsZero,
    /// A Topic Filter that is empty.
    TopicFilterEmpty,
    /// A Topic Filter with a wildcard in the wrong place.
    TopicFilterWildcard,
    /// `$share/` without a ShareName or an ordinary filter behind it.
    ShareInvalid,
    /// No Local on a shared subscription.
    SharedNoLocal,
    /// A SUBSCRIBE or UNSUBSCRIBE without a Topic Filter, or an answer to one without a Reason Code.
    ListEmpty(PacketKind),
    /// Reserved bits of the Subscription Options are set.
    SubscribeOptionsReserved,
    /// The Maximum QoS of a subscription is 3.
    SubscribeQosIsThree,
    /// Retain Handling is 3.
    RetainHandlingIsThree,
    /// A property this packet may not have.
    PropertyNotAllowed(u8),
    /// A property that may be there once is there twice.
    PropertyTwice(u8),
    /// A property with a value it may not have.
    PropertyValue(u8),
    /// A Subscription Identifier of 0.
    SubscriptionIdIsZero,
    /// A packet that only the other side sends (table 2-1).
    WrongSender(PacketKind),
    /// A Reason Code that in this packet only the other side sends.
    ReasonOfOtherSide(PacketKind, u8),
    /// A client sent a Subscription Identifier in a PUBLISH.
    SubscriptionIdFromClient,
    /// A client sent a Server Reference in a DISCONNECT.
    ServerReferenceFromClient,
    /// A Server sent a Session Expiry Interval in a DISCONNECT.
    SessionExpiryFromServer,
    /// A CONNECT with Authentication Data and no Authentication Method.
    AuthenticationDataWithoutMethod,
    /// An AUTH without an Authentication Method.
    AuthenticationMethodMissing,
    /// A Reason Code this packet may not have.
    ReasonCode(PacketKind, u8),
    /// Session Present is set together with an error, or the other Acknowledge Flags are set.
    ConnackFlags,
}

impl Cause {
    /// What the sender is told, and the statement it broke.
    const fn facts(self) -> (ReasonCode, &'static str) {
        use ReasonCode as R;
        match self {
            Self::FirstPacketNotConnect => (R::ProtocolError, "MQTT-3.1.0-1"),
            Self::SecondConnect => (R::ProtocolError, "MQTT-3.1.0-2"),
            Self::UnknownPacketType(_) => (R::MalformedPacket, "MQTT-4.13.1-1"),
            Self::FixedHeaderFlags(kind) => (R::MalformedPacket, flags_statement(kind)),
            Self::IntegerTooLong | Self::IntegerNotMinimal => (R::MalformedPacket, "MQTT-1.5.5-1"),
            Self::PacketTooLarge => (R::PacketTooLarge, "MQTT-3.2.2-15"),
            Self::Truncated | Self::TrailingBytes => (R::MalformedPacket, "MQTT-4.13.1-1"),
            Self::StringNotUtf8 => (R::MalformedPacket, "MQTT-1.5.4-1"),
            Self::StringHasNull => (R::MalformedPacket, "MQTT-1.5.4-2"),
            Self::ProtocolName => (R::UnsupportedProtocolVersion, "MQTT-3.1.2-1"),
            Self::ProtocolVersion(_) => (R::UnsupportedProtocolVersion, "MQTT-3.1.2-2"),
            Self::ConnectFlagReserved => (R::MalformedPacket, "MQTT-3.1.2-3"),
            Self::WillQosIsThree => (R::MalformedPacket, "MQTT-3.1.2-12"),
            Self::WillFlagsWithoutWill => (R::MalformedPacket, "MQTT-3.1.2-11"),
            Self::PasswordWithoutUserName => (R::MalformedPacket, "v3.1.1 MQTT-3.1.2-22"),
            Self::PacketIdIsZero => (R::ProtocolError, "MQTT-2.2.1-3"),
            Self::QosIsThree => (R::MalformedPacket, "MQTT-3.3.1-4"),
            Self::DupWithoutQos => (R::MalformedPacket, "MQTT-3.3.1-2"),
            // A Protocol Error in PUBLISH (3.3.2.1), and so everywhere.
            Self::TopicNameEmpty | Self::TopicFilterEmpty => (R::ProtocolError, "MQTT-4.7.3-1"),
            Self::TopicAliasIsZero => (R::TopicAliasInvalid, "MQTT-3.3.2-8"),
            // The codes 0x8F and 0x90 are for topics that are correctly formed and yet not accepted (table 2-6).
            Self::TopicNameWildcard => (R::MalformedPacket, "MQTT-3.3.2-2"),
            Self::TopicFilterWildcard => (R::MalformedPacket, "MQTT-4.7.1-1"),
            Self::ShareInvalid => (R::MalformedPacket, "MQTT-4.8.2-2"),
            Self::SharedNoLocal => (R::ProtocolError, "MQTT-3.8.3-4"),
            Self::ListEmpty(kind) => (R::ProtocolError, list_statement(kind)),
            Self::SubscribeOptionsReserved => (R::MalformedPacket, "MQTT-3.8.3-5"),
            Self::SubscribeQosIsThree | Self::RetainHandlingIsThree => (R::ProtocolError, "MQTT-4.13.1-1"),
            Self::PropertyNotAllowed(_) => (R::MalformedPacket, "MQTT-4.13.1-1"),
            Self::PropertyTwice(_) | Self::PropertyValue(_) => (R::ProtocolError, "MQTT-4.13.1-1"),
            Self::SubscriptionIdIsZero => (R::ProtocolError, "MQTT-4.13.1-1"),
            Self::WrongSender(_) | Self::ServerReferenceFromClient => (R::ProtocolError, "MQTT-4.13.1-1"),
            Self::ReasonOfOtherSide(kind, _) => (R::ProtocolError, reason_statement(kind)),
            Self::SubscriptionIdFromClient => (R::ProtocolError, "MQTT-3.3.4-6"),
            Self::SessionExpiryFromServer => (R::ProtocolError, "MQTT-3.14.2-2"),
            Self::AuthenticationDataWithoutMethod | Self::AuthenticationMethodMissing => {
                (R::ProtocolError, "MQTT-4.13.1-1")
            }
            Self::ReasonCode(kind, _) => (R::MalformedPacket, reason_statement(kind)),
            Self::ConnackFlags => (R::MalformedPacket, "MQTT-3.2.2-1"),
        }
    }
}

/// Each packet type whose flags are fixed has a statement of its own for them.
const fn flags_statement(kind: PacketKind) -> &'static str {
    match kind {
        PacketKind::Pubrel => "MQTT-3.6.1-1",
        PacketKind::Subscribe => "MQTT-3.8.1-1",
        PacketKind::Unsubscribe => "MQTT-3.10.1-1",
        PacketKind::Disconnect => "MQTT-3.14.1-1",
        PacketKind::Auth => "MQTT-3.15.1-1",
        _ => "MQTT-2.1.3-1",
    }
}

/// A list that must not be empty has a statement of its own in each packet.
const fn list_statement(kind: PacketKind) -> &'static str {
    match kind {
        PacketKind::Subscribe => "MQTT-3.8.3-2",
        PacketKind::Suback => "MQTT-3.8.4-6",
        PacketKind::Unsubscribe => "MQTT-3.10.3-2",
        PacketKind::Unsuback => "MQTT-3.11.3-1",
        _ => "MQTT-4.13.1-1",
    }
}

/// Each packet type with a Reason Code has a statement of its own for those it may carry.
const fn reason_statement(kind: PacketKind) -> &'static str {
    match kind {
        PacketKind::Connack => "MQTT-3.2.2-8",
        PacketKind::Puback => "MQTT-3.4.2-1",
        PacketKind::Pubrec => "MQTT-3.5.2-1",
        PacketKind::Pubrel => "MQTT-3.6.2-1",
        PacketKind::Pubcomp => "MQTT-3.7.2-1",
        PacketKind::Suback => "MQTT-3.9.3-2",
        PacketKind::Unsuback => "MQTT-3.11.3-2",
        PacketKind::Disconnect => "MQTT-3.14.2-1",
        PacketKind::Auth => "MQTT-3.15.2-1",
        _ => "MQTT-4.13.1-1",
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::FirstPacketNotConnect => "the first packet is not CONNECT",
            Self::SecondConnect => "a second CONNECT",
            Self::UnknownPacketType(code) => return write!(f, "packet type {code} does not exist"),
            Self::FixedHeaderFlags(kind) => {
                return write!(f, "wrong fixed header flags for {kind}");
            }
            Self::IntegerTooLong => "a variable byte integer has more than four bytes",
            Self::IntegerNotMinimal => "a variable byte integer is longer than it needs to be",
            Self::PacketTooLarge => "the packet is larger than the maximum packet size",
            Self::Truncated => "the packet ends before its contents do",
            Self::TrailingBytes => "the packet goes on behind its contents",
            Self::StringNotUtf8 => "a string is not UTF-8",
            Self::StringHasNull => "a string contains U+0000",
            Self::ProtocolName => "the protocol name is neither MQTT nor MQIsdp",
            Self::ProtocolVersion(level) => {
                return write!(f, "protocol version {level} does not exist");
            }
            Self::ConnectFlagReserved => "the reserved connect flag is set",
            Self::WillQosIsThree => "the will QoS is 3",
            Self::WillFlagsWithoutWill => "will QoS or will retain without a will",
            Self::PasswordWithoutUserName => "a password without a user name",
            Self::PacketIdIsZero => "the packet identifier is 0",
            Self::QosIsThree => "the QoS is 3",
            Self::DupWithoutQos => "DUP is set with QoS 0",
            Self::TopicNameEmpty => "the topic name is empty",
            Self::TopicNameWildcard => "the topic name contains a wildcard",
            Self::TopicAliasIsZero => "the topic alias is 0",
            Self::TopicFilterEmpty => "the topic filter is empty",
            Self::TopicFilterWildcard => "the topic filter has a misplaced wildcard",
            Self::ShareInvalid => "the shared subscription has no valid share name or filter",
            Self::SharedNoLocal => "no local on a shared subscription",
            Self::ListEmpty(kind) => return write!(f, "{kind} has no topic filter or reason code"),
            Self::SubscribeOptionsReserved => "reserved bits of the subscription options are set",
            Self::SubscribeQosIsThree => "the maximum QoS of a subscription is 3",
            Self::RetainHandlingIsThree => "retain handling is 3",
            Self::PropertyNotAllowed(id) => {
                return write!(f, "property 0x{id:02x} is not allowed in this packet");
            }
            Self::PropertyTwice(id) => return write!(f, "property 0x{id:02x} is there twice"),
            Self::PropertyValue(id) => {
                return write!(f, "property 0x{id:02x} has a value it may not have");
            }
            Self::SubscriptionIdIsZero => "the subscription identifier is 0",
            Self::WrongSender(kind) => return write!(f, "only the other side sends {kind}"),
            Self::ReasonOfOtherSide(kind, code) => {
                return write!(f, "only the other side sends reason code 0x{code:02x} in {kind}");
            }
            Self::ServerReferenceFromClient => "a client sent a server reference in a DISCONNECT",
            Self::SubscriptionIdFromClient => "a client sent a subscription identifier in a PUBLISH",
            Self::SessionExpiryFromServer => "a server sent a session expiry interval in a DISCONNECT",
            Self::AuthenticationMethodMissing => "an AUTH without an authentication method",
            Self::AuthenticationDataWithoutMethod => "authentication data without an authentication method",
            Self::ReasonCode(kind, code) => {
                return write!(f, "reason code 0x{code:02x} is not allowed in {kind}");
            }
            Self::ConnackFlags => "the connect acknowledge flags contradict the reason code",
        };
        f.write_str(text)
    }
}

/// A packet that cannot be encoded: a string above 65,535 bytes, or more than 268,435,455 bytes in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or the packet is longer than MQTT can express")
    }
}

impl std::error::Error for TooLarge {}

/// Why a text is no Topic Name or no Topic Filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// It is empty [MQTT-4.7.3-1].
    Empty,
    /// It contains U+0000 [MQTT-4.7.3-2].
    Null,
    /// It is longer than 65,535 bytes [MQTT-4.7.3-3].
    TooLong,
    /// A Topic Name contains a wildcard, or a Topic Filter one in the wrong place [MQTT-4.7.1-1], [MQTT-4.7.1-2].
    Wildcard,
    /// `$share/` without a valid ShareName or an ordinary filter behind it [MQTT-4.8.2-1], [MQTT-4.8.2-2].
    Share,
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic is at least one character long",
            Self::Null => "a topic contains no U+0000",
            Self::TooLong => "a topic is at most 65,535 bytes long",
            Self::Wildcard => "a wildcard stands alone in its level, # in the last one, and never in a topic name",
            Self::Share => "a shared subscription is $share/NAME/FILTER, without / + # in NAME",
        })
    }
}

impl std::error::Error for TopicError {}

#[cfg(test)]
mod tests;

//! Properties (2.2.2): reading them in place, writing them, and the two forms of User Properties.

use std::fmt;

use crate::wire::{Reader, put_binary, put_variable_integer};
use crate::{Cause, Malformed, TooLarge};

/// User Properties: pairs in their order, the same name as often as it comes [MQTT-3.1.3-10]. Borrowed from the packet
/// they came in, whose bytes have been checked, or from a [`UserPropertiesBuf`].
#[derive(Clone, Copy, Default)]
pub struct UserProperties<'a> {
    /// A run of properties, each with its identifier.
    encoded: &'a [u8],
    /// Whether other properties are among them, which are passed over.
    is_mixed: bool,
}

impl<'a> UserProperties<'a> {
    /// No pair.
    pub(crate) const NONE: Self = Self { encoded: &[], is_mixed: false };

    /// The pairs in their order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut reader = Reader::new(self.encoded);
        std::iter::from_fn(move || {
            while !reader.is_empty() {
                if let Property::User(name, value) = Property::read(&mut reader).ok()? {
                    return Some((name, value));
                }
            }
            None
        })
    }

    /// How many bytes they take in a packet.
    pub(crate) fn encoded_length(self) -> usize {
        if !self.is_mixed {
            return self.encoded.len();
        }
        // An identifier, and two texts behind their lengths.
        self.iter()
            .map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(5))
            .fold(0, usize::saturating_add)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        if self.is_mixed { self.iter().next().is_none() } else { self.encoded.is_empty() }
    }
}

impl fmt::Debug for UserProperties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for UserProperties<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for UserProperties<'_> {}

/// User Properties that own their text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserPropertiesBuf {
    encoded: Vec<u8>,
}

impl UserPropertiesBuf {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { encoded: Vec::new() }
    }

    /// Adds a pair at the end. One of more than 65,535 bytes, which no packet can carry, is cut there.
    pub fn push(&mut self, name: &str, value: &str) {
        self.encoded.push(id::USER_PROPERTY);
        for text in [name, value] {
            let end = text.floor_char_boundary(usize::from(u16::MAX));
            let text = text.get(..end).unwrap_or_default();
            // Cut to what fits, it cannot be too large.
            let _ = put_binary(&mut self.encoded, text.as_bytes());
        }
    }

    /// The same pairs, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> UserProperties<'_> {
        UserProperties { encoded: &self.encoded, is_mixed: false }
    }
}

impl fmt::Debug for UserPropertiesBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for UserPropertiesBuf {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut properties = Self::new();
        for (name, value) in pairs {
            properties.push(name.as_ref(), value.as_ref());
        }
        properties
    }
}

/// One property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    Byte(u8, u8),
    TwoBytes(u8, u16),
    FourBytes(u8, u32),
    Variable(u8, u32),
    Text(u8, &'a str),
    Binary(u8, &'a [u8]),
    User(&'a str, &'a str),
}

impl<'a> Property<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let id = u8::try_from(reader.variable_integer()?).map_err(|_| Cause::PropertyNotAllowed(u8::MAX))?;
        Ok(match id {
            id::PAYLOAD_FORMAT
            | id::REQUEST_PROBLEM
            | id::REQUEST_RESPONSE
            | id::MAXIMUM_QOS
            | id::RETAIN_AVAILABLE
            | id::WILDCARD_AVAILABLE
            | id::SUBSCRIPTION_ID_AVAILABLE
            | id::SHARED_AVAILABLE => Self::Byte(id, reader.u8()?),
            id::SERVER_KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS_MAXIMUM | id::TOPIC_ALIAS => {
                Self::TwoBytes(id, reader.u16()?)
            }
            id::MESSAGE_EXPIRY | id::SESSION_EXPIRY | id::WILL_DELAY | id::MAXIMUM_PACKET_SIZE => {
                Self::FourBytes(id, reader.u32()?)
            }
            id::SUBSCRIPTION_ID => Self::Variable(id, reader.variable_integer()?),
            id::CONTENT_TYPE
            | id::RESPONSE_TOPIC
            | id::ASSIGNED_CLIENT_ID
            | id::AUTHENTICATION_METHOD
            | id::RESPONSE_INFORMATION
            | id::SERVER_REFERENCE
            | id::REASON_STRING => Self::Text(id, reader.string()?),
            id::CORRELATION_DATA | id::AUTHENTICATION_DATA => Self::Binary(id, reader.binary()?),
            id::USER_PROPERTY => Self::User(reader.string()?, reader.string()?),
            _ => return Err(Cause::PropertyNotAllowed(id).into()),
        })
    }
}

/// Reads the property section of a packet, and gives every property but the User Properties to `accept`, which
/// refuses what the packet may not have. That one property comes twice is refused here, but for the Subscription
/// Identifier, which PUBLISH may have often.
pub(crate) fn read<'a>(
    reader: &mut Reader<'a>,
    mut accept: impl FnMut(Property<'a>) -> Result<(), Malformed>,
) -> Result<UserProperties<'a>, Malformed> {
    let length = reader.variable_integer()?;
    let section = reader.take(usize::try_from(length).map_err(|_| Cause::Truncated)?)?;
    if section.is_empty() {
        return Ok(UserProperties::default());
    }
    let mut section_reader = Reader::new(section);
    // One bit for each identifier; they are all below 64.
    let mut seen = 0_u64;
    let mut has_user_properties = false;
    let mut is_mixed = false;
    while !section_reader.is_empty() {
        let property = Property::read(&mut section_reader)?;
        let id = match property {
            Property::User(..) => {
                has_user_properties = true;
                continue;
            }
            Property::Byte(id, _)
            | Property::TwoBytes(id, _)
            | Property::FourBytes(id, _)
            | Property::Variable(id, _)
            | Property::Text(id, _)
            | Property::Binary(id, _) => id,
        };
        is_mixed = true;
        let bit = 1_u64.wrapping_shl(u32::from(id));
        // A Server names every subscription that matched.
        if seen & bit != 0 && id != id::SUBSCRIPTION_ID {
            return Err(Cause::PropertyTwice(id).into());
        }
        seen |= bit;
        accept(property)?;
    }
    Ok(if has_user_properties { UserProperties { encoded: section, is_mixed } } else { UserProperties::default() })
}

/// The refusal of a property that the packet may not have.
pub(crate) fn not_allowed<T>(property: Property<'_>) -> Result<T, Malformed> {
    let id = match property {
        Property::Byte(id, _)
        | Property::TwoBytes(id, _)
        | Property::FourBytes(id, _)
        | Property::Variable(id, _)
        | Property::Text(id, _)
        | Property::Binary(id, _) => id,
        Property::User(..) => id::USER_PROPERTY,
    };
    Err(Cause::PropertyNotAllowed(id).into())
}

/// A byte that may be 0 or 1.
pub(crate) fn boolean(id: u8, value: u8) -> Result<bool, Malformed> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Cause::PropertyValue(id).into()),
    }
}

/// Writes properties that are there.
pub(crate) struct Writer<'o> {
    pub(crate) out: &'o mut Vec<u8>,
}

impl Writer<'_> {
    pub(crate) fn byte(&mut self, id: u8, value: Option<u8>) {
        if let Some(value) = value {
            self.out.extend_from_slice(&[id, value]);
        }
    }

    pub(crate) fn boolean(&mut self, id: u8, value: Option<bool>) {
        self.byte(id, value.map(u8::from));
    }

    pub(crate) fn two_bytes(&mut self, id: u8, value: Option<u16>) {
        if let Some(value) = value {
            self.out.push(id);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub(crate) fn four_bytes(&mut self, id: u8, value: Option<u32>) {
        if let Some(value) = value {
            self.out.push(id);
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub(crate) fn variable(&mut self, id: u8, value: u32) -> Result<(), TooLarge> {
        self.out.push(id);
        put_variable_integer(self.out, usize::try_from(value).map_err(|_| TooLarge)?)
    }

    pub(crate) fn binary(&mut self, id: u8, value: Option<&[u8]>) -> Result<(), TooLarge> {
        let Some(value) = value else { return Ok(()) };
        self.out.push(id);
        put_binary(self.out, value)
    }

    pub(crate) fn text(&mut self, id: u8, value: Option<&str>) -> Result<(), TooLarge> {
        self.binary(id, value.map(str::as_bytes))
    }

    pub(crate) fn user_properties(&mut self, properties: UserProperties<'_>) -> Result<(), TooLarge> {
        if !properties.is_mixed {
            self.out.extend_from_slice(properties.encoded);
            return Ok(());
        }
        for (name, value) in properties.iter() {
            self.text(id::USER_PROPERTY, Some(name))?;
            put_binary(self.out, value.as_bytes())?;
        }
        Ok(())
    }
}

/// Property identifiers (table 2-4).
pub(crate) mod id {
    pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION_DATA: u8 = 0x09;
    pub(crate) const SUBSCRIPTION_ID: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY: u8 = 0x11;
    pub(crate) const ASSIGNED_CLIENT_ID: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
    pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM: u8 = 0x17;
    pub(crate) const WILL_DELAY: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1A;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1C;
    pub(crate) const REASON_STRING: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const TOPIC_ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER_PROPERTY: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub(crate) const WILDCARD_AVAILABLE: u8 = 0x28;
    pub(crate) const SUBSCRIPTION_ID_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_AVAILABLE: u8 = 0x2A;
}

#[cfg(test)]
mod tests;

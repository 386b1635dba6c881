//! CONNECT (3.1).

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use crate::properties::{self, Property, Writer, boolean, id, not_allowed};
use crate::wire::{Reader, put_binary, put_packet, put_prefixed};
use crate::{Cause, Malformed, MessageProperties, PacketKind, ProtocolVersion, QoS, TooLarge, UserProperties};

/// The first packet of a client.
#[derive(Clone, PartialEq)]
pub struct Connect<'a> {
    /// The version the client speaks, and this packet is written in.
    pub version: ProtocolVersion,
    /// The highest bit of the protocol level: mosquitto's bridges set it to say that they are one.
    pub bridge: bool,
    /// Clean Start; Clean Session below version 5.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 is none.
    pub keep_alive: u16,
    /// Properties of version 5.
    pub properties: ConnectProperties<'a>,
    /// Client Identifier; empty asks the Server for one, which MQTT 3.1 did not know. There it had 1 to 23 characters;
    /// longer ones are decoded too, as clients have always sent them.
    pub client_id: &'a str,
    /// The Will.
    pub will: Option<Will<'a>>,
    /// User Name.
    pub username: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
}

/// CONNECT properties (3.1.2.11). None stands for the default of the standard.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectProperties<'a> {
    /// Session Expiry Interval in seconds.
    pub session_expiry: Option<u32>,
    /// Receive Maximum.
    pub receive_maximum: Option<NonZeroU16>,
    /// Maximum Packet Size in bytes.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Topic Alias Maximum.
    pub topic_alias_maximum: Option<u16>,
    /// Request Response Information.
    pub request_response_information: Option<bool>,
    /// Request Problem Information.
    pub request_problem_information: Option<bool>,
    /// User Properties.
    pub user_properties: UserProperties<'a>,
    /// Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// Authentication Data; only with a method.
    pub authentication_data: Option<&'a [u8]>,
}

/// The Will of a CONNECT (3.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Topic.
    pub topic: &'a str,
    /// Will Payload.
    pub payload: &'a [u8],
    /// Will Delay Interval in seconds.
    pub delay: Option<u32>,
    /// What travels with the Will Message.
    pub properties: MessageProperties<'a>,
}

impl<'a> Connect<'a> {
    pub(crate) fn decode(mut reader: Reader<'a>) -> Result<Self, Malformed> {
        let (version, bridge) = read_version(&mut reader)?;
        let flags = Flags::read(&mut reader, version)?;
        let keep_alive = reader.u16()?;
        let properties = match version.is_v5() {
            true => ConnectProperties::read(&mut reader)?,
            false => ConnectProperties::default(),
        };
        let client_id = reader.string()?;
        let will = match flags.will {
            Some((qos, retain)) => Some(Will::read(&mut reader, version, qos, retain)?),
            None => None,
        };
        // MQTT 3.1 lets a packet end where the flags still promise a User Name or a Password (3.1, "User name and
        // password flags").
        let is_over = |reader: &Reader<'_>| version == ProtocolVersion::V31 && reader.is_empty();
        let username = match flags.username && !is_over(&reader) {
            true => Some(reader.string()?),
            false => None,
        };
        let password = match flags.password && !is_over(&reader) {
            true => Some(reader.binary()?),
            false => None,
        };
        reader.finish()?;
        let clean_start = flags.clean_start;
        Ok(Self { version, bridge, clean_start, keep_alive, properties, client_id, will, username, password })
    }

    /// The version that the contents of a CONNECT name, whatever follows.
    pub(crate) fn version(mut contents: Reader<'_>) -> Option<ProtocolVersion> {
        read_version(&mut contents).ok().map(|(version, _)| version)
    }

    /// Appends the packet to `out`, as the version it names.
    ///
    /// # Errors
    /// It is longer than MQTT can express; `out` is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        put_packet(out, PacketKind::Connect.first_byte(), |out| {
            let (name, level) = self.version.name_and_level();
            put_binary(out, name.as_bytes())?;
            out.push(level | if self.bridge { BRIDGE } else { 0 });
            out.push(self.flags());
            out.extend_from_slice(&self.keep_alive.to_be_bytes());
            if self.version.is_v5() {
                put_prefixed(out, |out| self.properties.write(&mut Writer { out }))?;
            }
            put_binary(out, self.client_id.as_bytes())?;
            if let Some(will) = &self.will {
                will.write(out, self.version)?;
            }
            if let Some(username) = self.username {
                put_binary(out, username.as_bytes())?;
            }
            self.password.map_or(Ok(()), |password| put_binary(out, password))
        })
    }

    fn flags(&self) -> u8 {
        let will = self
            .will
            .map_or(0, |will| Flags::WILL | ((will.qos as u8) << 3) | if will.retain { Flags::WILL_RETAIN } else { 0 });
        let set = |condition: bool, flag: u8| if condition { flag } else { 0 };
        set(self.username.is_some(), Flags::USERNAME)
            | set(self.password.is_some(), Flags::PASSWORD)
            | set(self.clean_start, Flags::CLEAN_START)
            | will
    }
}

/// Protocol Name and Protocol Level: which version, and whether a bridge speaks.
fn read_version(reader: &mut Reader<'_>) -> Result<(ProtocolVersion, bool), Malformed> {
    let name = reader.binary()?;
    let level = reader.u8()?;
    let version = match (name, level & !BRIDGE) {
        (b"MQIsdp", 3) => ProtocolVersion::V31,
        (b"MQTT", 4) => ProtocolVersion::V311,
        (b"MQTT", 5) => ProtocolVersion::V5,
        (b"MQTT" | b"MQIsdp", _) => return Err(Cause::ProtocolVersion(level).into()),
        _ => return Err(Cause::ProtocolName.into()),
    };
    Ok((version, level & BRIDGE != 0))
}

/// Connect Flags (3.1.2.3), checked for contradictions.
struct Flags {
    clean_start: bool,
    will: Option<(QoS, bool)>,
    username: bool,
    password: bool,
}

impl Flags {
    const RESERVED: u8 = 1;
    const CLEAN_START: u8 = 1 << 1;
    const WILL: u8 = 1 << 2;
    const WILL_QOS: u8 = 0b11 << 3;
    const WILL_RETAIN: u8 = 1 << 5;
    const PASSWORD: u8 = 1 << 6;
    const USERNAME: u8 = 1 << 7;

    fn read(reader: &mut Reader<'_>, version: ProtocolVersion) -> Result<Self, Malformed> {
        let byte = reader.u8()?;
        // Version 3.1 disregards the reserved bit, and QoS and RETAIN of a Will that is not there.
        let is_strict = version > ProtocolVersion::V31;
        if is_strict && byte & Self::RESERVED != 0 {
            return Err(Cause::ConnectFlagReserved.into());
        }
        let will = if byte & Self::WILL != 0 {
            let qos = QoS::from_bits((byte & Self::WILL_QOS) >> 3).ok_or(Cause::WillQosIsThree)?;
            Some((qos, byte & Self::WILL_RETAIN != 0))
        } else if is_strict && byte & (Self::WILL_QOS | Self::WILL_RETAIN) != 0 {
            return Err(Cause::WillFlagsWithoutWill.into());
        } else {
            None
        };
        let username = byte & Self::USERNAME != 0;
        let password = byte & Self::PASSWORD != 0;
        if password && !username && !version.is_v5() {
            return Err(Cause::PasswordWithoutUserName.into());
        }
        Ok(Self { clean_start: byte & Self::CLEAN_START != 0, will, username, password })
    }
}

impl<'a> ConnectProperties<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut read = Self::default();
        let user_properties = properties::read(reader, |property| {
            match property {
                Property::FourBytes(id::SESSION_EXPIRY, value) => read.session_expiry = Some(value),
                Property::TwoBytes(id::RECEIVE_MAXIMUM, value) => {
                    read.receive_maximum =
                        Some(NonZeroU16::new(value).ok_or(Cause::PropertyValue(id::RECEIVE_MAXIMUM))?);
                }
                Property::FourBytes(id::MAXIMUM_PACKET_SIZE, value) => {
                    let value = NonZeroU32::new(value).ok_or(Cause::PropertyValue(id::MAXIMUM_PACKET_SIZE))?;
                    read.maximum_packet_size = Some(value);
                }
                Property::TwoBytes(id::TOPIC_ALIAS_MAXIMUM, value) => read.topic_alias_maximum = Some(value),
                Property::Byte(id @ id::REQUEST_RESPONSE, value) => {
                    read.request_response_information = Some(boolean(id, value)?);
                }
                Property::Byte(id @ id::REQUEST_PROBLEM, value) => {
                    read.request_problem_information = Some(boolean(id, value)?);
                }
                Property::Text(id::AUTHENTICATION_METHOD, value) => read.authentication_method = Some(value),
                Property::Binary(id::AUTHENTICATION_DATA, value) => read.authentication_data = Some(value),
                other => return not_allowed(other),
            }
            Ok(())
        })?;
        if read.authentication_data.is_some() && read.authentication_method.is_none() {
            return Err(Cause::AuthenticationDataWithoutMethod.into());
        }
        Ok(Self { user_properties, ..read })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), TooLarge> {
        writer.four_bytes(id::SESSION_EXPIRY, self.session_expiry);
        writer.two_bytes(id::RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        writer.four_bytes(id::MAXIMUM_PACKET_SIZE, self.maximum_packet_size.map(NonZeroU32::get));
        writer.two_bytes(id::TOPIC_ALIAS_MAXIMUM, self.topic_alias_maximum);
        writer.boolean(id::REQUEST_RESPONSE, self.request_response_information);
        writer.boolean(id::REQUEST_PROBLEM, self.request_problem_information);
        writer.text(id::AUTHENTICATION_METHOD, self.authentication_method)?;
        writer.binary(id::AUTHENTICATION_DATA, self.authentication_data)?;
        writer.user_properties(self.user_properties)
    }
}

impl<'a> Will<'a> {
    fn read(reader: &mut Reader<'a>, version: ProtocolVersion, qos: QoS, retain: bool) -> Result<Self, Malformed> {
        let mut delay = None;
        let mut properties = MessageProperties::default();
        if version.is_v5() {
            let user_properties = properties::read(reader, |property| match properties.accept(property)? {
                None => Ok(()),
                Some(Property::FourBytes(id::WILL_DELAY, value)) => {
                    delay = Some(value);
                    Ok(())
                }
                Some(other) => not_allowed(other),
            })?;
            properties.user_properties = user_properties;
        }
        let topic = reader.topic_name()?;
        if topic.is_empty() {
            return Err(Cause::TopicNameEmpty.into());
        }
        Ok(Self { qos, retain, topic, payload: reader.binary()?, delay, properties })
    }

    fn write(&self, out: &mut Vec<u8>, version: ProtocolVersion) -> Result<(), TooLarge> {
        if version.is_v5() {
            put_prefixed(out, |out| {
                let mut writer = Writer { out };
                writer.four_bytes(id::WILL_DELAY, self.delay);
                self.properties.write(&mut writer)
            })?;
        }
        put_binary(out, self.topic.as_bytes())?;
        put_binary(out, self.payload)
    }
}

/// What nobody should read in a log is not shown.
impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("bridge", &self.bridge)
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("properties", &self.properties)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "…"))
            .finish()
    }
}

impl fmt::Debug for ConnectProperties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectProperties")
            .field("session_expiry", &self.session_expiry)
            .field("receive_maximum", &self.receive_maximum)
            .field("maximum_packet_size", &self.maximum_packet_size)
            .field("topic_alias_maximum", &self.topic_alias_maximum)
            .field("request_response_information", &self.request_response_information)
            .field("request_problem_information", &self.request_problem_information)
            .field("user_properties", &self.user_properties)
            .field("authentication_method", &self.authentication_method)
            .field("authentication_data", &self.authentication_data.map(|_| "…"))
            .finish()
    }
}

/// The bit of the protocol level by which mosquitto's bridges are known.
const BRIDGE: u8 = 0x80;

#[cfg(test)]
mod tests;

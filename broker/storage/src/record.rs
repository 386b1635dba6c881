//! Values as bytes. Every record starts with its version, so that a later release can read what this one wrote.
//!
//! A message is kept as what it came as, an MQTT 5 PUBLISH packet, behind what the packet does not say: its QoS (a packet of QoS 0
//! needs no Packet Identifier), its RETAIN flag, when it expires, and who published it.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use midge_core::{
    BodyId, DeliveryRecord, KeptMessage, Message, Properties, SessionRecord, SubscriptionRecord, Time, Will,
};
use midge_protocol::{Decoded, Decoder, Packet, PacketId, ProtocolVersion, Publish, QoS, SubscriptionId, TopicName};

use crate::PluginEntry;

/// A value that is not what was written, or was written by a later release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// The record's version is not known here.
    #[error("a record of version {0}, which this release of Midge does not know here")]
    Version(u8),
    /// The record ends early, or holds what it cannot hold.
    #[error("a damaged record")]
    Damaged,
}

/// The version that is written, of all but sessions and subscriptions.
pub(crate) const VERSION: u8 = 1;

/// The version of sessions that is written. Version 1 named no principal.
const SESSION: u8 = 2;

/// The version of subscriptions that is written. In version 1 the Topic Filter was only in the key.
const SUBSCRIPTION: u8 = 2;

/// The record of a message.
pub(crate) fn message(message: &Message) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put_message(&mut bytes, message);
    bytes
}

pub(crate) fn read_message(bytes: &[u8]) -> Result<Message, BadRecord> {
    let mut bytes = versioned(bytes)?;
    take_message(&mut bytes)
}

/// The record of a plugin's entry. Its names are digests in the key.
pub(crate) fn plugin_entry(entry: &PluginEntry) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    put_text(&mut bytes, &entry.store);
    put_text(&mut bytes, &entry.key);
    put_time(&mut bytes, entry.expires_at);
    bytes.put_slice(&entry.value);
    bytes
}

pub(crate) fn read_plugin_entry(bytes: &[u8]) -> Result<PluginEntry, BadRecord> {
    let mut bytes = versioned(bytes)?;
    let (store, key) = (take_text(&mut bytes)?.to_owned(), take_text(&mut bytes)?.to_owned());
    let expires_at = take_time(&mut bytes)?;
    Ok(PluginEntry { store, key, value: bytes.to_vec(), expires_at })
}

pub(crate) fn session(record: &SessionRecord) -> Vec<u8> {
    let mut bytes = vec![SESSION];
    put_text(&mut bytes, &record.client_id);
    put_text(&mut bytes, record.principal.as_deref().unwrap_or(""));
    bytes.put_u32(record.session_expiry);
    put_time(&mut bytes, record.expires_at);
    put_time(&mut bytes, record.will_due);
    bytes.put_u8(u8::from(record.will.is_some()));
    if let Some(will) = &record.will {
        bytes.put_u32(will.delay);
        bytes.put_u8(u8::from(will.message_expiry.is_some()));
        bytes.put_u32(will.message_expiry.unwrap_or_default());
        put_message(&mut bytes, &will.message);
    }
    bytes
}

pub(crate) fn read_session(bytes: &[u8]) -> Result<SessionRecord, BadRecord> {
    let names_principal = bytes.first() != Some(&1);
    let mut bytes = of_version(if names_principal { SESSION } else { 1 }, bytes)?;
    let client_id = take_text(&mut bytes)?.into();
    let principal = if names_principal { take_text(&mut bytes)? } else { "" };
    let principal = (!principal.is_empty()).then(|| principal.into());
    let session_expiry = bytes.try_get_u32().map_err(damaged)?;
    let expires_at = take_time(&mut bytes)?;
    let will_due = take_time(&mut bytes)?;
    let will = if take_flag(&mut bytes)? { Some(Box::new(take_will(&mut bytes)?)) } else { None };
    Ok(SessionRecord { client_id, principal, session_expiry, expires_at, will, will_due })
}

pub(crate) fn subscription(record: &SubscriptionRecord) -> Vec<u8> {
    let mut bytes = vec![SUBSCRIPTION, record.qos as u8];
    bytes.put_u8(u8::from(record.no_local) | u8::from(record.retain_as_published) << 1);
    bytes.put_u32(record.subscription_id.map_or(0, SubscriptionId::get));
    bytes.put_slice(record.filter.as_bytes());
    bytes
}

pub(crate) fn read_subscription(bytes: &[u8]) -> Result<SubscriptionRecord, BadRecord> {
    let mut bytes = of_version(SUBSCRIPTION, bytes)?;
    take_subscription(&mut bytes, None)
}

/// A record of version 1, whose filter comes from the key.
pub(crate) fn read_subscription_1(filter: &str, bytes: &[u8]) -> Result<SubscriptionRecord, BadRecord> {
    let mut bytes = of_version(1, bytes)?;
    take_subscription(&mut bytes, Some(filter))
}

fn take_subscription(bytes: &mut &[u8], filter: Option<&str>) -> Result<SubscriptionRecord, BadRecord> {
    let qos = take_qos(bytes)?;
    let flags = bytes.try_get_u8().map_err(damaged)?;
    let id = bytes.try_get_u32().map_err(damaged)?;
    let filter = match filter {
        Some(filter) => filter,
        None => std::str::from_utf8(bytes).map_err(damaged)?,
    };
    Ok(SubscriptionRecord {
        filter: filter.into(),
        qos,
        no_local: flags & 1 != 0,
        retain_as_published: flags & 2 != 0,
        subscription_id: SubscriptionId::new(id),
    })
}

pub(crate) fn delivery(body: BodyId, message: &Message, record: &DeliveryRecord) -> Vec<u8> {
    let mut bytes = vec![VERSION, record.qos as u8, u8::from(record.retain)];
    bytes.put_u64(body.0);
    put_time(&mut bytes, message.expires_at());
    bytes.put_u32(u32::try_from(message.weight()).unwrap_or(u32::MAX));
    bytes.put_u16(u16::try_from(record.subscription_ids.len()).unwrap_or(u16::MAX));
    for id in record.subscription_ids.iter().take(usize::from(u16::MAX)) {
        bytes.put_u32(id.get());
    }
    if let Some(shared) = &record.shared {
        put_text(&mut bytes, shared);
    }
    bytes
}

pub(crate) fn read_delivery(bytes: &[u8]) -> Result<KeptMessage, BadRecord> {
    let mut bytes = versioned(bytes)?;
    let qos = take_qos(&mut bytes)?;
    let retain = take_flag(&mut bytes)?;
    let body = BodyId(bytes.try_get_u64().map_err(damaged)?);
    let expires_at = take_time(&mut bytes)?;
    let weight = bytes.try_get_u32().map_err(damaged)?;
    let ids = bytes.try_get_u16().map_err(damaged)?;
    let subscription_ids = (0..ids)
        .map(|_| SubscriptionId::new(bytes.try_get_u32().map_err(damaged)?).ok_or(BadRecord::Damaged))
        .collect::<Result<_, _>>()?;
    let shared = if bytes.is_empty() { None } else { Some(take_text(&mut bytes)?.into()) };
    Ok(KeptMessage { body, expires_at, weight, delivery: DeliveryRecord { qos, retain, subscription_ids, shared } })
}

pub(crate) fn packet_id(id: PacketId) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.put_u16(id.get());
    bytes
}

pub(crate) fn read_packet_id(bytes: &[u8]) -> Result<PacketId, BadRecord> {
    read_packet_id_1(versioned(bytes)?)
}

/// Records of layout 1 had no version.
pub(crate) fn read_packet_id_1(bytes: &[u8]) -> Result<PacketId, BadRecord> {
    let bytes = bytes.try_into().map_err(damaged)?;
    PacketId::new(u16::from_be_bytes(bytes)).ok_or(BadRecord::Damaged)
}

/// What stands under a key that says everything itself.
pub(crate) fn presence() -> Vec<u8> {
    vec![VERSION]
}

pub(crate) fn read_presence(bytes: &[u8]) -> Result<(), BadRecord> {
    if versioned(bytes)?.is_empty() { Ok(()) } else { Err(BadRecord::Damaged) }
}

fn put_message(bytes: &mut Vec<u8>, message: &Message) {
    bytes.put_u8(message.qos() as u8 | u8::from(message.retain()) << 2);
    put_time(bytes, message.expires_at());
    put_text(bytes, message.publisher().map_or("", |publisher| publisher));
    let properties = message.properties();
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: message.topic(),
        packet_id: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: properties.map(Properties::as_wire).unwrap_or_default(),
        payload: message.payload(),
    };
    // Every message came out of a packet, or was made of parts that were checked to fit one.
    let encoded = Packet::Publish(publish).encode(ProtocolVersion::V5, bytes);
    debug_assert!(encoded.is_ok(), "a message fits a packet");
}

fn take_message(bytes: &mut &[u8]) -> Result<Message, BadRecord> {
    let flags = bytes.try_get_u8().map_err(damaged)?;
    let expires_at = take_time(bytes)?;
    let publisher = take_text(bytes)?;
    let publisher: Option<Arc<str>> = (!publisher.is_empty()).then(|| publisher.into());
    let decoder = Decoder::client(ProtocolVersion::V5, u32::MAX);
    let Ok(Decoded::Packet { packet: Packet::Publish(publish), length }) = decoder.clone().decode(bytes) else {
        return Err(BadRecord::Damaged);
    };
    let topic = TopicName::new(publish.topic).map_err(damaged)?;
    let message = Message::copied(topic, publish.payload)
        .with_qos(qos(flags & 3)?)
        .with_retain(flags & 4 != 0)
        .with_expiry(expires_at)
        .with_publisher(publisher)
        .with_properties(Properties::from(&publish.properties));
    *bytes = &bytes[length..];
    Ok(message)
}

fn take_will(bytes: &mut &[u8]) -> Result<Will, BadRecord> {
    let delay = bytes.try_get_u32().map_err(damaged)?;
    let expires = take_flag(bytes)?;
    let message_expiry = Some(bytes.try_get_u32().map_err(damaged)?).filter(|_| expires);
    Ok(Will { message: take_message(bytes)?, message_expiry, delay })
}

/// What follows the version.
pub(crate) fn versioned(bytes: &[u8]) -> Result<&[u8], BadRecord> {
    of_version(VERSION, bytes)
}

fn of_version(wanted: u8, bytes: &[u8]) -> Result<&[u8], BadRecord> {
    match bytes.split_first() {
        Some((version, rest)) if *version == wanted => Ok(rest),
        Some((version, _)) => Err(BadRecord::Version(*version)),
        None => Err(BadRecord::Damaged),
    }
}

fn put_time(bytes: &mut Vec<u8>, time: Option<Time>) {
    bytes.put_u64(time.map_or(NEVER, |time| time.0));
}

fn take_time(bytes: &mut &[u8]) -> Result<Option<Time>, BadRecord> {
    let time = bytes.try_get_u64().map_err(damaged)?;
    Ok((time != NEVER).then_some(Time(time)))
}

/// Texts of MQTT have at most 65,535 bytes, but a filter with `$share/` and its name may be put together from two.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.put_u32(u32::try_from(text.len()).unwrap_or_default());
    bytes.put_slice(text.as_bytes());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, BadRecord> {
    let length = bytes.try_get_u32().map_err(damaged)?;
    let (text, rest) = bytes.split_at_checked(length as usize).ok_or(BadRecord::Damaged)?;
    *bytes = rest;
    std::str::from_utf8(text).map_err(damaged)
}

fn take_flag(bytes: &mut &[u8]) -> Result<bool, BadRecord> {
    Ok(bytes.try_get_u8().map_err(damaged)? != 0)
}

fn take_qos(bytes: &mut &[u8]) -> Result<QoS, BadRecord> {
    qos(bytes.try_get_u8().map_err(damaged)?)
}

fn qos(byte: u8) -> Result<QoS, BadRecord> {
    QoS::from_bits(byte).ok_or(BadRecord::Damaged)
}

fn damaged<E>(_: E) -> BadRecord {
    BadRecord::Damaged
}

/// The time that never comes.
const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests;

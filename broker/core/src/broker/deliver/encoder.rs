//! One message encoded at most once per layout, however many sessions it goes to.

use bytes::Bytes;
use midge_protocol::{MessageProperties, PacketId, ProtocolVersion, Publish, QoS, SubscriptionId, TooLarge};

use super::outgoing::Outgoing;
use crate::Message;
use crate::connection::aliases::AliasUse;
use crate::connection::encoded::Encoded;
use crate::message::LARGE_BYTES_MIN;
use crate::session::outbox::Outbox;
use crate::session::state::Link;

/// The encodings of the message that is being routed. Its buffers are kept from message to message.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// By whether properties and whether a Packet Identifier are part of it.
    layouts: [Layout; 4],
    /// Whether somebody has the message.
    appended: bool,
}

#[derive(Debug, Default)]
struct Layout {
    bytes: Vec<u8>,
    packet_id_at: Option<usize>,
    filled: bool,
}

/// What differs between the copies of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) dup: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) packet_id: Option<PacketId>,
}

impl Header {
    fn first_byte(self) -> u8 {
        0x30 | u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain)
    }
}

impl Encoder {
    /// Another message is about to be routed.
    pub(crate) fn reset(&mut self) {
        self.appended = false;
        for layout in &mut self.layouts {
            layout.filled = false;
            if layout.bytes.capacity() > SCRATCH_KEPT_MAX {
                layout.bytes = Vec::new();
            }
        }
    }

    /// Lets go of what large messages needed.
    pub(crate) fn rest(&mut self) {
        for layout in &mut self.layouts {
            if layout.bytes.capacity() > SCRATCH_AT_REST_MAX {
                *layout = Layout::default();
            }
        }
    }

    /// Appends a copy of the message: of the packet it came in, where that serves, or else of its one encoding in this layout.
    pub(crate) fn append(
        &mut self,
        outgoing: &mut Outgoing<'_>,
        header: Header,
        subscription_ids: &[SubscriptionId],
        link: &mut Link,
        outbox: &mut Outbox,
    ) -> Result<(), TooLarge> {
        if link.version == ProtocolVersion::V5 && (link.alias_maximum > 0 || !subscription_ids.is_empty()) {
            return append_own(outgoing, header, subscription_ids, link, outbox);
        }
        // The first one is copied: to make the payload one that can be shared is a copy too.
        let shares = self.appended && outgoing.payload.len() >= LARGE_BYTES_MIN;
        self.appended = true;
        let serves = |encoded: &&Encoded<'_>| encoded.serves(link.version.is_v5(), header.packet_id.is_some());
        let (bytes, packet_id_at) = match outgoing.encoded.as_ref().filter(serves) {
            Some(encoded) => (encoded.bytes, encoded.packet_id_at),
            None => {
                let layout = self.layout(outgoing, header, link.version)?;
                (layout.bytes.as_slice(), layout.packet_id_at)
            }
        };
        if bytes.len() > link.maximum_packet_size as usize {
            return Err(TooLarge);
        }
        let message = shares.then(|| outgoing.shared());
        let payload = message.as_ref().and_then(Message::large_payload);
        let copied = &bytes[..bytes.len() - payload.map_or(0, Bytes::len)];
        let buffer = outbox.buffer();
        let start = buffer.len();
        buffer.extend_from_slice(copied);
        buffer[start] = header.first_byte();
        if let (Some(id), Some(at)) = (header.packet_id, packet_id_at) {
            buffer[start + at..start + at + 2].copy_from_slice(&id.get().to_be_bytes());
        }
        if let Some(payload) = payload {
            outbox.share(payload);
        }
        Ok(())
    }

    fn layout(
        &mut self,
        outgoing: &Outgoing<'_>,
        header: Header,
        version: ProtocolVersion,
    ) -> Result<&Layout, TooLarge> {
        let index = usize::from(version == ProtocolVersion::V5) * 2 + usize::from(header.packet_id.is_some());
        let layout = &mut self.layouts[index];
        if !layout.filled {
            layout.bytes.clear();
            let publish = packet(outgoing, header, outgoing.properties());
            layout.packet_id_at = publish.encode_located(version, &mut layout.bytes)?;
            layout.filled = true;
        }
        Ok(layout)
    }
}

/// Encodes a copy that nobody else can use, right where it goes: with aliases or Subscription Identifiers.
pub(crate) fn append_own(
    outgoing: &mut Outgoing<'_>,
    header: Header,
    subscription_ids: &[SubscriptionId],
    link: &mut Link,
    outbox: &mut Outbox,
) -> Result<(), TooLarge> {
    let mut publish = packet(outgoing, header, outgoing.properties());
    publish.subscription_ids = subscription_ids.to_vec();
    let alias = match (link.alias_maximum, &link.aliases) {
        (0, _) => AliasUse::Name,
        (maximum, Some(aliases)) => aliases.choose(outgoing.topic, maximum),
        (_, None) => AliasUse::Define(1),
    };
    match alias {
        AliasUse::Name => {}
        AliasUse::Define(alias) => publish.topic_alias = Some(alias),
        AliasUse::Alias(alias) => {
            publish.topic = "";
            publish.topic_alias = Some(alias);
        }
    }
    let message = (outgoing.payload.len() >= LARGE_BYTES_MIN).then(|| outgoing.shared());
    let payload = message.as_ref().and_then(Message::large_payload);
    if append_fitting(&publish, payload, link, outbox).is_ok() {
        if let AliasUse::Define(alias) = alias {
            link.aliases.get_or_insert_default().define(outgoing.topic, alias);
        }
        return Ok(());
    }
    if alias == AliasUse::Name {
        return Err(TooLarge);
    }
    // An alias takes three bytes: the client may still take the message without [MQTT-3.1.2-25].
    publish.topic = outgoing.topic;
    publish.topic_alias = None;
    append_fitting(&publish, payload, link, outbox)
}

/// Appends a packet, if the client takes one of its size [MQTT-3.1.2-24]. Its payload is shared, if it is there for that.
fn append_fitting(
    publish: &Publish<'_>,
    shared: Option<&Bytes>,
    link: &Link,
    outbox: &mut Outbox,
) -> Result<(), TooLarge> {
    let buffer = outbox.buffer();
    let start = buffer.len();
    let encoded = publish.encode_head(link.version, buffer);
    if encoded.is_err() || buffer.len() - start + publish.payload.len() > link.maximum_packet_size as usize {
        buffer.truncate(start);
        return Err(TooLarge);
    }
    match shared {
        Some(payload) => outbox.share(payload),
        None => buffer.extend_from_slice(publish.payload),
    }
    Ok(())
}

fn packet<'a>(outgoing: &Outgoing<'a>, header: Header, properties: MessageProperties<'a>) -> Publish<'a> {
    Publish {
        dup: header.dup,
        qos: header.qos,
        retain: header.retain,
        topic: outgoing.topic,
        packet_id: header.packet_id,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties,
        payload: outgoing.payload,
    }
}

/// Scratch that one large message made grow beyond this is freed after it.
const SCRATCH_KEPT_MAX: usize = 256 * 1024;
/// And beyond this when its thread rests.
const SCRATCH_AT_REST_MAX: usize = 16 * 1024;

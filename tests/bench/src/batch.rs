//! Messages encoded once and sent again and again.

use std::io;

use midge_protocol::{MessageProperties, PacketId, ProtocolVersion, Publish, QoS};

use crate::scenario::STAMP_BYTES;

/// Some PUBLISH packets in a row.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Length of each packet; all are alike.
    packet_bytes: usize,
    /// Where in each packet its Packet Identifier stands.
    id_place: Option<usize>,
    payload_bytes: usize,
    last_id: u16,
}

impl Batch {
    pub(crate) fn new(topic: &str, qos: QoS, payload_bytes: usize, messages: usize) -> io::Result<Self> {
        let payload = vec![b'x'; payload_bytes];
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic,
            packet_id: if qos > QoS::AtMostOnce { PacketId::new(1) } else { None },
            topic_alias: None,
            subscription_ids: Vec::new(),
            properties: MessageProperties::default(),
            payload: &payload,
        };
        let mut packet = Vec::new();
        let id_place = publish.encode_located(ProtocolVersion::V311, &mut packet).map_err(io::Error::other)?;
        Ok(Self { bytes: packet.repeat(messages), packet_bytes: packet.len(), id_place, payload_bytes, last_id: 0 })
    }

    /// How many messages it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.packet_bytes
    }

    /// The bytes with fresh Packet Identifiers.
    pub(crate) fn next(&mut self) -> &[u8] {
        if let Some(place) = self.id_place {
            for packet in self.bytes.chunks_exact_mut(self.packet_bytes) {
                self.last_id = self.last_id.checked_add(1).unwrap_or(1);
                packet[place..place + 2].copy_from_slice(&self.last_id.to_be_bytes());
            }
        }
        &self.bytes
    }

    /// As [`Self::next`], with the time of sending at the start of each payload.
    pub(crate) fn next_stamped(&mut self, nanoseconds: u64) -> &[u8] {
        let payload = self.packet_bytes - self.payload_bytes;
        for packet in self.bytes.chunks_exact_mut(self.packet_bytes) {
            packet[payload..payload + STAMP_BYTES].copy_from_slice(&nanoseconds.to_be_bytes());
        }
        self.next()
    }
}

/// The time in a PUBLISH whose payload has this length.
pub(crate) fn stamp(contents: &[u8], payload_bytes: usize) -> Option<u64> {
    let payload = contents.len().checked_sub(payload_bytes)?;
    contents.get(payload..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_its_own_packet_id_and_never_0() {
        let mut batch = Batch::new("t", QoS::AtLeastOnce, 10, 3).expect("it fits");
        batch.last_id = u16::MAX - 1;
        let ids: Vec<u8> = batch.next().chunks(17).flat_map(|packet| packet[5..7].to_vec()).collect();
        assert_eq!(ids, [0xFF, 0xFF, 0, 1, 0, 2]);
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn the_stamp_comes_back() {
        let mut batch = Batch::new("t", QoS::AtMostOnce, 20, 1).expect("it fits");
        let bytes = batch.next_stamped(123_456_789_012).to_vec();
        assert_eq!(stamp(&bytes[2..], 20), Some(123_456_789_012));
    }
}

//! A PUBLISH as its client encoded it, of which copies can be sent on.

use midge_protocol::{PacketId, ProtocolVersion};

/// The bytes of a packet that says nothing which only its own connection understands. A subscriber that gets the message in
/// the same form gets the same bytes, but for the first one and the Packet Identifier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether it has properties.
    is_v5: bool,
    /// Where its Packet Identifier stands, if it has one.
    pub(crate) packet_id_at: Option<usize>,
}

impl<'a> Encoded<'a> {
    /// None where a copy would not do: a client of version 3 may have written a longer Remaining Length than is needed.
    #[inline]
    pub(crate) fn new(
        bytes: &'a [u8],
        version: ProtocolVersion,
        topic: &str,
        packet_id: Option<PacketId>,
    ) -> Option<Self> {
        let length_bytes = bytes.iter().skip(1).take(3).take_while(|byte| **byte & 0x80 != 0).count() + 1;
        let is_padded = length_bytes > 1 && bytes.get(length_bytes) == Some(&0);
        let packet_id_at = packet_id.map(|_| 1 + length_bytes + 2 + topic.len());
        (!is_padded).then_some(Self { bytes, is_v5: version.is_v5(), packet_id_at })
    }

    /// Whether these are the bytes for a subscriber of this kind.
    #[inline]
    pub(crate) fn serves(&self, is_v5: bool, has_packet_id: bool) -> bool {
        self.is_v5 == is_v5 && self.packet_id_at.is_some() == has_packet_id
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_packet_identifier_is_found_behind_the_topic() {
        let packet = b"\x32\x0a\x00\x03a/b\x00\x07pay";
        let encoded = Encoded::new(packet, ProtocolVersion::V311, "a/b", PacketId::new(7)).unwrap();
        let at = encoded.packet_id_at.unwrap();
        assert_eq!(packet[at..at + 2], [0, 7]);
        assert!(encoded.serves(false, true));
        assert!(!encoded.serves(true, true), "version 5 has properties");
        assert!(!encoded.serves(false, false), "QoS 0 has no Packet Identifier");
    }

    #[test]
    fn what_was_written_longer_than_needed_is_not_sent_on() {
        let new = |packet| Encoded::new(packet, ProtocolVersion::V311, "a", None).is_some();
        assert!(new(b"\x30\x03\x00\x01a"));
        assert!(!new(b"\x30\x83\x00\x00\x01a"), "Remaining Length 3 in two bytes");
        assert!(!new(b"\x30\x83\x80\x80\x00\x00\x01a"), "and in four");
    }
}

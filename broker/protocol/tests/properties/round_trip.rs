//! Encoding and decoding are each other's inverse.

use midge_protocol::{Decoded, Decoder, Packet, ProtocolVersion, TopicFilter, TopicName};
use proptest::prelude::*;

use crate::arbitrary::{Parts, parts};

/// A decoder that has reached the state in which the packet comes.
pub(crate) fn decoder(parts: &Parts) -> Decoder {
    if !parts.is_from_client() {
        return Decoder::client(parts.version, u32::MAX);
    }
    match parts.packet() {
        Packet::Connect(_) => Decoder::server(u32::MAX),
        _ => server(parts.version),
    }
}

/// A Server's decoder behind a CONNECT of this version.
pub(crate) fn server(version: ProtocolVersion) -> Decoder {
    let connect: &[u8] = match version {
        ProtocolVersion::V31 => b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01a",
        ProtocolVersion::V311 => b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00",
        ProtocolVersion::V5 => b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00",
    };
    let mut decoder = Decoder::server(u32::MAX);
    decoder.decode(connect).unwrap();
    decoder
}

pub(crate) fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_the_same(parts in parts()) {
        let packet = parts.packet();
        let bytes = encoded(&packet, parts.version);
        let length = bytes.len();
        prop_assert_eq!(decoder(&parts).decode(&bytes), Ok(Decoded::Packet { packet, length }));
    }

    #[test]
    fn every_beginning_of_a_packet_is_incomplete(parts in parts()) {
        let bytes = encoded(&parts.packet(), parts.version);
        for length in 0..bytes.len() {
            match decoder(&parts).decode(&bytes[..length]) {
                Ok(Decoded::Incomplete { needed }) => prop_assert!(length < needed && needed <= bytes.len()),
                other => prop_assert!(false, "{} bytes of {:?} are {:?}", length, bytes, other),
            }
        }
    }

    #[test]
    fn place_of_the_packet_id_is_where_it_was_written(parts in parts()) {
        if let Packet::Publish(publish) = parts.packet() {
            let mut out = vec![0; 3];
            let place = publish.encode_located(parts.version, &mut out).unwrap();
            prop_assert_eq!(place.is_some(), publish.packet_id.is_some());
            if let (Some(place), Some(id)) = (place, publish.packet_id) {
                prop_assert_eq!(&out[place..place + 2], id.get().to_be_bytes());
            }
            prop_assert_eq!(&out[3..], encoded(&parts.packet(), parts.version));
        }
    }

    #[test]
    fn a_filter_matches_what_a_filter_it_contains_matches(
        filters in (filter(), filter()),
        topic in "[ab$]{0,1}(/[ab]{0,1}){0,3}",
    ) {
        let (Ok(wide), Ok(narrow)) = (TopicFilter::new(&filters.0), TopicFilter::new(&filters.1)) else {
            return Ok(());
        };
        let Ok(topic) = TopicName::new(&topic) else { return Ok(()) };
        if wide.contains(narrow) && narrow.matches(topic) {
            prop_assert!(wide.matches(topic), "{:?} contains {:?} but not {:?}", wide, narrow, topic);
        }
        if wide.matches(topic) && narrow.matches(topic) {
            prop_assert!(wide.overlaps(narrow) && narrow.overlaps(wide), "{:?} {:?} {:?}", wide, narrow, topic);
        }
        prop_assert!(wide.contains(wide));
    }
}

/// Short filters over a small alphabet, so that they meet.
fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("+"), Just("a"), Just("b"), Just(""), Just("$a")];
    let levels = proptest::collection::vec(level, 1..4);
    (levels, any::<bool>()).prop_map(|(levels, multi)| levels.join("/") + if multi { "/#" } else { "" })
}

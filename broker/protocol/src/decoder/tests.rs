use super::*;
use crate::testing::Sender::{Client, NewClient, Server};
use crate::testing::{V5, V31, V311, VERSIONS, connect, decoded, golden, refused};
use crate::{PacketId, QoS};

#[test]
fn pings_are_two_bytes() {
    for version in VERSIONS {
        golden(Client(version), &[&[0xC0, 0]], &Packet::Pingreq);
        golden(Server(version), &[&[0xD0, 0]], &Packet::Pingresp);
        assert_eq!(refused(Client(version), &[&[0xC0, 1, 0]]), Cause::TrailingBytes);
        assert_eq!(refused(Server(version), &[&[0xD0, 1, 0]]), Cause::TrailingBytes);
    }
}

#[test]
fn first_packet_of_a_client_is_connect() {
    for kind in PacketKind::ALL.into_iter().skip(1) {
        let refusal = refused(NewClient, &[&[kind.first_byte(), 0]]);
        assert_eq!(refusal, Cause::FirstPacketNotConnect, "{kind}");
    }
    assert_eq!(refused(NewClient, &[b"GET / HTTP/1.1\r\n"]), Cause::FirstPacketNotConnect);
    assert_eq!(refused(NewClient, &[&[0x00, 0]]), Cause::UnknownPacketType(0));
}

#[test]
fn connect_sets_the_version() {
    for version in VERSIONS {
        let mut decoder = Decoder::server(u32::MAX);
        assert_eq!(decoder.version(), None);
        decoder.decode(connect(version)).unwrap();
        assert_eq!(decoder.version(), Some(version));
    }
}

#[test]
fn refused_connect_still_tells_the_version() {
    let mut decoder = Decoder::server(u32::MAX);
    // A Receive Maximum of 0.
    let connect = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x03\x21\x00\x00\x00\x00";
    assert_eq!(decoder.decode(connect).unwrap_err().cause(), Cause::PropertyValue(0x21));
    assert_eq!(decoder.version(), Some(V5));
    let mut decoder = Decoder::server(u32::MAX);
    let connect = b"\x10\x0C\x00\x04MQTT\x06\x02\x00\x00\x00\x00";
    assert_eq!(decoder.decode(connect).unwrap_err().cause(), Cause::ProtocolVersion(6));
    assert_eq!(decoder.version(), None);
}

#[test]
fn second_connect_is_decoded_and_changes_nothing() {
    let mut decoder = Client(V5).decoder();
    assert!(matches!(decoder.decode(connect(V311)), Ok(Decoded::Packet { packet: Packet::Connect(_), .. })));
    assert_eq!(decoder.version(), Some(V5));
}

#[test]
fn flags_of_the_fixed_header_are_those_of_table_2_2() {
    for version in [V311, V5] {
        for kind in PacketKind::ALL {
            if kind == PacketKind::Publish || (kind == PacketKind::Auth && version < V5) {
                continue;
            }
            let wrong = (0..16).map(|flags| ((kind as u8) << 4) | flags).filter(|byte| *byte != kind.first_byte());
            for first_byte in wrong {
                assert_eq!(refused(Client(version), &[&[first_byte, 0]]), Cause::FixedHeaderFlags(kind));
            }
        }
    }
}

/// Table 2-1, its column "direction of flow".
#[test]
fn each_side_sends_only_its_own_packets() {
    use PacketKind as K;
    for version in VERSIONS {
        for kind in [K::Connack, K::Suback, K::Unsuback, K::Pingresp] {
            assert_eq!(refused(Client(version), &[&[kind.first_byte(), 0]]), Cause::WrongSender(kind));
        }
        for kind in [K::Connect, K::Subscribe, K::Unsubscribe, K::Pingreq] {
            assert_eq!(refused(Server(version), &[&[kind.first_byte(), 0]]), Cause::WrongSender(kind));
        }
    }
}

#[test]
fn version_3_1_sets_dup_and_unused_flags() {
    // PUBREL, SUBSCRIBE and UNSUBSCRIBE sent again; PINGREQ with flags that are not used.
    let pubrel = Packet::Pubrel(Ack::new(PacketId::new(1).unwrap()));
    assert_eq!(decoded(Client(V31), &[0x6A, 2, 0, 1]), (pubrel, 4));
    assert!(matches!(decoded(Client(V31), b"\x8A\x06\x00\x01\x00\x01a\x01").0, Packet::Subscribe(_)));
    assert!(matches!(decoded(Client(V31), b"\xAA\x05\x00\x01\x00\x01a").0, Packet::Unsubscribe(_)));
    assert_eq!(decoded(Client(V31), &[0xCF, 0]), (Packet::Pingreq, 2));
}

#[test]
fn packets_are_cut_from_a_stream() {
    let stream = [connect(V5), &[0xC0, 0], b"\x30\x05\x00\x01a\x00x", &[0xE0, 0]].concat();
    let mut decoder = Decoder::server(u32::MAX);
    let mut rest = &stream[..];
    let mut kinds = Vec::new();
    while let Decoded::Packet { packet, length } = decoder.decode(rest).unwrap() {
        kinds.push(packet.kind());
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    use PacketKind as K;
    assert_eq!(kinds, [K::Connect, K::Pingreq, K::Publish, K::Disconnect]);
}

#[test]
fn needed_is_what_a_reader_should_wait_for() {
    let mut decoder = Client(V311).decoder();
    let mut needed = |bytes: &[u8]| match decoder.decode(bytes).unwrap() {
        Decoded::Incomplete { needed } => needed,
        Decoded::Packet { .. } => 0,
    };
    assert_eq!(needed(&[]), 2);
    assert_eq!(needed(&[0x30]), 2);
    assert_eq!(needed(&[0x30, 0x80]), 3);
    assert_eq!(needed(&[0x30, 0x80, 0x01]), 131);
    assert_eq!(needed(&[0x30, 10, 0]), 12);
}

#[test]
fn hostile_beginnings_are_refused_before_the_rest_arrives() {
    assert_eq!(refused(Client(V5), &[&[0x61]]), Cause::FixedHeaderFlags(PacketKind::Pubrel));
    assert_eq!(refused(Client(V5), &[&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]]), Cause::IntegerTooLong);
    assert_eq!(refused(NewClient, &[&[0x30]]), Cause::FirstPacketNotConnect);
}

#[test]
fn packets_are_no_longer_than_allowed() {
    let mut decoder = Client(V311).decoder();
    let publish = b"\x30\x06\x00\x01axyz";
    decoder.set_maximum_packet_size(8);
    assert!(matches!(decoder.decode(publish), Ok(Decoded::Packet { length: 8, .. })));
    decoder.set_maximum_packet_size(7);
    // Two bytes are enough to see it.
    assert_eq!(decoder.decode(&publish[..2]).unwrap_err().cause(), Cause::PacketTooLarge);
    let mut decoder = Decoder::server(10);
    assert_eq!(decoder.decode(connect(V5)).unwrap_err().cause(), Cause::PacketTooLarge);
    let mut decoder = Decoder::client(V5, 4);
    assert_eq!(decoder.decode(&[0x20, 3]).unwrap_err().cause(), Cause::PacketTooLarge);
}

#[test]
fn remaining_length_takes_the_fewest_bytes_in_version_5() {
    assert_eq!(refused(Client(V5), &[&[0xC0, 0x80, 0x00]]), Cause::IntegerNotMinimal);
    assert_eq!(decoded(Client(V311), &[0xC0, 0x80, 0x00]), (Packet::Pingreq, 3));
    assert_eq!(decoded(Client(V31), &[0xC0, 0x80, 0x80, 0x80, 0x00]), (Packet::Pingreq, 5));
    for version in VERSIONS {
        let (first_byte, rest) = connect(version).split_first().unwrap();
        let (length, contents) = rest.split_first().unwrap();
        let padded = [&[*first_byte, length | 0x80, 0x00], contents].concat();
        match version {
            V5 => assert_eq!(refused(NewClient, &[&padded]), Cause::IntegerNotMinimal),
            _ => assert_eq!(decoded(NewClient, &padded).1, padded.len()),
        }
    }
}

#[test]
fn numbers_of_the_standard_are_kept() {
    assert_eq!(QoS::from_bits(3), None);
    assert_eq!(PacketId::new(0), None);
    assert_eq!(crate::SubscriptionId::new(0), None);
    assert_eq!(crate::SubscriptionId::new(268_435_456), None);
    assert_eq!(crate::SubscriptionId::new(268_435_455).unwrap().get(), 268_435_455);
    for (kind, value) in PacketKind::ALL.into_iter().zip(1..) {
        assert_eq!(kind as u8, value);
        assert_eq!(PacketKind::from_first_byte(kind.first_byte()), Some(kind));
    }
}

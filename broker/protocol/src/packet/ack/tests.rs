use super::*;
use crate::testing::Sender::{Client, Server};
use crate::testing::{V5, VERSIONS, decoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

const KINDS: [(PacketKind, u8); 4] =
    [(PacketKind::Puback, 0x40), (PacketKind::Pubrec, 0x50), (PacketKind::Pubrel, 0x62), (PacketKind::Pubcomp, 0x70)];

fn packet(kind: PacketKind, ack: Ack<'_>) -> Packet<'_> {
    match kind {
        PacketKind::Puback => Packet::Puback(ack),
        PacketKind::Pubrec => Packet::Pubrec(ack),
        PacketKind::Pubrel => Packet::Pubrel(ack),
        _ => Packet::Pubcomp(ack),
    }
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

#[test]
fn success_is_four_bytes_in_every_version() {
    for version in VERSIONS {
        for (kind, first_byte) in KINDS {
            let ack = packet(kind, Ack::new(id(0x1234)));
            golden(Client(version), &[&[first_byte, 2, 0x12, 0x34]], &ack);
            golden(Server(version), &[&[first_byte, 2, 0x12, 0x34]], &ack);
        }
    }
}

#[test]
fn reason_without_properties_ends_after_it() {
    for (kind, first_byte) in KINDS {
        let reason = match kind {
            PacketKind::Puback | PacketKind::Pubrec => ReasonCode::QuotaExceeded,
            _ => ReasonCode::PacketIdentifierNotFound,
        };
        let ack = packet(kind, Ack::with_reason(id(1), reason));
        golden(Client(V5), &[&[first_byte, 3, 0, 1, reason.value()]], &ack);
    }
}

#[test]
fn properties_follow_the_reason() {
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let properties = ReasonProperties { reason_string: Some("why"), user_properties: user_properties.as_ref() };
    for (kind, first_byte) in KINDS {
        let bytes: &[&[u8]] = &[
            &[first_byte, 17],         // Remaining Length
            &[0, 1],                   // Packet Identifier
            &[0x00],                   // Success
            &[13],                     // Property Length
            b"\x1F\x00\x03why",        // Reason String
            b"\x26\x00\x01a\x00\x01b", // User Property
        ];
        golden(Server(V5), bytes, &packet(kind, Ack { properties, ..Ack::new(id(1)) }));
    }
}

#[test]
fn long_forms_of_a_plain_success_are_understood() {
    for (kind, first_byte) in KINDS {
        let plain = packet(kind, Ack::new(id(1)));
        assert_eq!(decoded(Client(V5), &[first_byte, 3, 0, 1, 0]).0, plain);
        assert_eq!(decoded(Client(V5), &[first_byte, 4, 0, 1, 0, 0]).0, plain);
    }
}

#[test]
fn codes_are_those_of_the_packet() {
    for (kind, first_byte) in KINDS {
        for code in [0x01, 0x04, 0x11, 0x81, 0x82, 0x8F, 0x93, 0xFF] {
            let refusal = refused(Client(V5), &[&[first_byte, 3, 0, 1, code]]);
            assert_eq!(refusal, Cause::ReasonCode(kind, code));
        }
    }
    for (first_byte, code) in [(0x40, 0x92), (0x50, 0x92), (0x62, 0x10), (0x70, 0x80)] {
        let refusal = refused(Client(V5), &[&[first_byte, 3, 0, 1, code]]);
        assert!(matches!(refusal, Cause::ReasonCode(_, refused) if refused == code));
    }
}

#[test]
fn packet_id_is_not_zero_and_alone_below_version_5() {
    for version in VERSIONS {
        for (_, first_byte) in KINDS {
            assert_eq!(refused(Client(version), &[&[first_byte, 2, 0, 0]]), Cause::PacketIdIsZero);
            assert_eq!(refused(Client(version), &[&[first_byte, 1, 0]]), Cause::Truncated);
            assert_eq!(refused(Client(version), &[&[first_byte, 0]]), Cause::Truncated);
            let trailing = [first_byte, 5, 0, 1, 0, 0, 7];
            assert_eq!(refused(Client(version), &[&trailing]), Cause::TrailingBytes);
        }
    }
}

#[test]
fn properties_are_those_of_an_answer() {
    for (_, first_byte) in KINDS {
        let other = [first_byte, 7, 0, 1, 0, 3, 0x23, 0, 1];
        assert_eq!(refused(Client(V5), &[&other]), Cause::PropertyNotAllowed(0x23));
        let twice = [first_byte, 10, 0, 1, 0, 6, 0x1F, 0, 0, 0x1F, 0, 0];
        assert_eq!(refused(Client(V5), &[&twice]), Cause::PropertyTwice(0x1F));
    }
}

use super::*;
use crate::testing::Sender::Server;
use crate::testing::{V5, V31, V311, encoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn unsuback(reasons: &[ReasonCode]) -> Unsuback<'static> {
    Unsuback {
        packet_id: PacketId::new(10).unwrap(),
        properties: ReasonProperties::default(),
        reasons: reasons.to_vec(),
    }
}

#[test]
fn version_3_has_no_payload() {
    for version in [V31, V311] {
        golden(Server(version), &[&[0xB0, 2, 0, 10]], &Packet::Unsuback(unsuback(&[])));
        let packet = Packet::Unsuback(unsuback(&[ReasonCode::Success]));
        assert_eq!(encoded(&packet, version), [0xB0, 2, 0, 10]);
        assert_eq!(refused(Server(version), &[&[0xB0, 3, 0, 10, 0]]), Cause::TrailingBytes);
    }
}

#[test]
fn version_5_has_properties_and_reasons() {
    let bytes: &[&[u8]] = &[
        &[0xB0, 18],               // UNSUBACK, Remaining Length
        &[0, 10],                  // Packet Identifier
        &[13],                     // Property Length
        b"\x1F\x00\x03why",        // Reason String
        b"\x26\x00\x01a\x00\x01b", // User Property
        &[0x00, 0x11],             // success; no subscription existed
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let unsuback = Unsuback {
        properties: ReasonProperties { reason_string: Some("why"), user_properties: user_properties.as_ref() },
        ..unsuback(&[ReasonCode::Success, ReasonCode::NoSubscriptionExisted])
    };
    golden(Server(V5), bytes, &Packet::Unsuback(unsuback));
}

#[test]
fn there_is_at_least_one_reason_and_all_are_those_of_unsuback() {
    assert_eq!(refused(Server(V5), &[&[0xB0, 3, 0, 10, 0]]), Cause::ListEmpty(PacketKind::Unsuback));
    for code in [0x01, 0x02, 0x10, 0x97, 0x9E] {
        let refusal = refused(Server(V5), &[&[0xB0, 4, 0, 10, 0, code]]);
        assert_eq!(refusal, Cause::ReasonCode(PacketKind::Unsuback, code));
    }
}

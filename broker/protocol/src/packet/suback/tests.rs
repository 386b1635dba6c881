use super::*;
use crate::testing::Sender::Server;
use crate::testing::{V5, V31, V311, encoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn suback(reasons: &[ReasonCode]) -> Suback<'static> {
    Suback { packet_id: PacketId::new(10).unwrap(), properties: ReasonProperties::default(), reasons: reasons.to_vec() }
}

const VERSION_3: [ReasonCode; 4] =
    [ReasonCode::Success, ReasonCode::GrantedQos1, ReasonCode::GrantedQos2, ReasonCode::UnspecifiedError];

#[test]
fn version_3_has_return_codes() {
    for version in [V31, V311] {
        // SUBACK, Remaining Length; Packet Identifier; QoS 0, 1 and 2 granted, failure
        golden(Server(version), &[&[0x90, 6, 0, 10], &[0, 1, 2, 0x80]], &Packet::Suback(suback(&VERSION_3)));
    }
}

#[test]
fn version_3_is_told_every_error_as_failure() {
    let packet = Packet::Suback(suback(&[ReasonCode::NotAuthorized, ReasonCode::TopicFilterInvalid]));
    assert_eq!(encoded(&packet, V311), [0x90, 4, 0, 10, 0x80, 0x80]);
    let refusal = refused(Server(V311), &[&[0x90, 3, 0, 10, 0x87]]);
    assert_eq!(refusal, Cause::ReasonCode(PacketKind::Suback, 0x87));
}

#[test]
fn version_5_has_properties_and_reasons() {
    let bytes: &[&[u8]] = &[
        &[0x90, 18],               // SUBACK, Remaining Length
        &[0, 10],                  // Packet Identifier
        &[13],                     // Property Length
        b"\x1F\x00\x03why",        // Reason String
        b"\x26\x00\x01a\x00\x01b", // User Property
        &[0x01, 0x9E],             // granted QoS 1; no shared subscriptions
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let reasons = [ReasonCode::GrantedQos1, ReasonCode::SharedSubscriptionsNotSupported];
    let suback = Suback {
        properties: ReasonProperties { reason_string: Some("why"), user_properties: user_properties.as_ref() },
        ..suback(&reasons)
    };
    golden(Server(V5), bytes, &Packet::Suback(suback));
}

#[test]
fn there_is_at_least_one_reason_and_all_are_those_of_suback() {
    assert_eq!(refused(Server(V311), &[&[0x90, 2, 0, 10]]), Cause::ListEmpty(PacketKind::Suback));
    assert_eq!(refused(Server(V5), &[&[0x90, 3, 0, 10, 0]]), Cause::ListEmpty(PacketKind::Suback));
    for code in [0x03, 0x04, 0x11, 0x81, 0x92, 0x9A] {
        let refusal = refused(Server(V5), &[&[0x90, 4, 0, 10, 0, code]]);
        assert_eq!(refusal, Cause::ReasonCode(PacketKind::Suback, code));
    }
}

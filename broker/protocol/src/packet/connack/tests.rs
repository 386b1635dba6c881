use super::*;
use crate::testing::{Sender::Server, V5, V31, V311, decoded, encoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn packet(connack: Connack<'_>) -> Packet<'_> {
    Packet::Connack(Box::new(connack))
}

#[test]
fn version_3_has_a_flag_and_a_return_code() {
    let accepted = Connack { session_present: true, ..Connack::new(ReasonCode::Success) };
    golden(Server(V311), &[&[0x20, 2, 1, 0]], &packet(accepted));
    golden(Server(V31), &[&[0x20, 2, 0, 0]], &packet(Connack::new(ReasonCode::Success)));
    let codes = [
        (1, ReasonCode::UnsupportedProtocolVersion),
        (2, ReasonCode::ClientIdentifierNotValid),
        (3, ReasonCode::ServerUnavailable),
        (4, ReasonCode::BadUserNameOrPassword),
        (5, ReasonCode::NotAuthorized),
    ];
    for (code, reason) in codes {
        golden(Server(V311), &[&[0x20, 2, 0, code]], &packet(Connack::new(reason)));
    }
}

#[test]
fn version_3_1_does_not_use_the_flags() {
    let accepted = Connack { session_present: true, ..Connack::new(ReasonCode::Success) };
    assert_eq!(encoded(&packet(accepted), V31), [0x20, 2, 0, 0]);
    assert_eq!(decoded(Server(V31), &[0x20, 2, 0xFF, 0]).0, packet(Connack::new(ReasonCode::Success)));
}

#[test]
fn version_3_gets_server_unavailable_for_what_it_cannot_say() {
    assert_eq!(encoded(&packet(Connack::new(ReasonCode::ProtocolError)), V311), [0x20, 2, 0, 3]);
    assert_eq!(encoded(&packet(Connack::new(ReasonCode::Banned)), V311), [0x20, 2, 0, 5]);
}

#[test]
fn version_5_shortest() {
    golden(Server(V5), &[&[0x20, 3, 0, 0x87, 0]], &packet(Connack::new(ReasonCode::NotAuthorized)));
}

#[test]
fn version_5_with_everything() {
    let bytes: &[&[u8]] = &[
        &[0x20, 78],                     // CONNACK, Remaining Length
        &[1, 0x00],                      // Session Present, Success
        &[75],                           // Property Length
        &[0x11, 0x00, 0x00, 0x0E, 0x10], // Session Expiry Interval 3600
        &[0x21, 0x00, 0x14],             // Receive Maximum 20
        &[0x24, 1],                      // Maximum QoS 1
        &[0x25, 0],                      // Retain Available: no
        &[0x27, 0x00, 0x01, 0x00, 0x00], // Maximum Packet Size 65536
        b"\x12\x00\x04auto",             // Assigned Client Identifier
        &[0x22, 0x00, 0x0A],             // Topic Alias Maximum 10
        &[0x28, 1, 0x29, 0, 0x2A, 1],    // Wildcard, Subscription Identifiers, Shared
        &[0x13, 0x00, 0x1E],             // Server Keep Alive 30
        b"\x1A\x00\x02ri",               // Response Information
        b"\x1C\x00\x05other",            // Server Reference
        b"\x15\x00\x05SCRAM",            // Authentication Method
        b"\x16\x00\x02\x01\x02",         // Authentication Data
        b"\x1F\x00\x03why",              // Reason String
        b"\x26\x00\x01a\x00\x01b",       // User Property
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let properties = ConnackProperties {
        session_expiry: Some(3600),
        receive_maximum: NonZeroU16::new(20),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: NonZeroU32::new(65_536),
        assigned_client_id: Some("auto"),
        topic_alias_maximum: Some(10),
        reason: ReasonProperties { reason_string: Some("why"), user_properties: user_properties.as_ref() },
        wildcard_subscription_available: Some(true),
        subscription_ids_available: Some(false),
        shared_subscription_available: Some(true),
        server_keep_alive: Some(30),
        response_information: Some("ri"),
        server_reference: Some("other"),
        authentication_method: Some("SCRAM"),
        authentication_data: Some(&[1, 2]),
    };
    let connack = Connack { session_present: true, reason: ReasonCode::Success, properties };
    golden(Server(V5), bytes, &packet(connack));
}

#[test]
fn maximum_qos_2_is_said_by_saying_nothing() {
    let mut connack = Connack::new(ReasonCode::Success);
    connack.properties.maximum_qos = Some(QoS::ExactlyOnce);
    assert_eq!(encoded(&packet(connack), V5), [0x20, 3, 0, 0, 0]);
    assert_eq!(refused(Server(V5), &[&[0x20, 5, 0, 0, 2, 0x24, 2]]), Cause::PropertyValue(0x24));
}

#[test]
fn session_present_comes_only_with_success_and_alone() {
    assert_eq!(refused(Server(V311), &[&[0x20, 2, 1, 5]]), Cause::ConnackFlags);
    assert_eq!(refused(Server(V5), &[&[0x20, 3, 1, 0x87, 0]]), Cause::ConnackFlags);
    assert_eq!(refused(Server(V311), &[&[0x20, 2, 2, 0]]), Cause::ConnackFlags);
}

#[test]
fn codes_are_those_of_connack() {
    for code in [0x01, 0x04, 0x8B, 0x8D, 0x8E, 0x92, 0x9E, 0xA0, 0xFF] {
        let refusal = refused(Server(V5), &[&[0x20, 3, 0, code, 0]]);
        assert_eq!(refusal, Cause::ReasonCode(PacketKind::Connack, code));
    }
    assert_eq!(refused(Server(V311), &[&[0x20, 2, 0, 6]]), Cause::ReasonCode(PacketKind::Connack, 6));
}

#[test]
fn length_and_properties_are_those_of_connack() {
    assert_eq!(refused(Server(V311), &[&[0x20, 1, 0]]), Cause::Truncated);
    assert_eq!(refused(Server(V311), &[&[0x20, 3, 0, 0, 0]]), Cause::TrailingBytes);
    assert_eq!(refused(Server(V5), &[&[0x20, 2, 0, 0]]), Cause::Truncated);
    assert_eq!(refused(Server(V5), &[&[0x20, 5, 0, 0, 2, 0x19, 1]]), Cause::PropertyNotAllowed(0x19));
    assert_eq!(refused(Server(V5), &[&[0x20, 6, 0, 0, 3, 0x21, 0, 0]]), Cause::PropertyValue(0x21));
    let zero_size = [0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 0];
    assert_eq!(refused(Server(V5), &[&zero_size]), Cause::PropertyValue(0x27));
}

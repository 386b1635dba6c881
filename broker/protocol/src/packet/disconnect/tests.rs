use super::*;
use crate::testing::Sender::{Client, Server};
use crate::testing::{V5, V31, V311, VERSIONS, decoded, encoded, golden, refused};
use crate::{Cause, Packet, UserPropertiesBuf};

#[test]
fn normal_disconnection_is_two_bytes_in_every_version() {
    for version in VERSIONS {
        let packet = Packet::Disconnect(Disconnect::new(ReasonCode::Success));
        golden(Client(version), &[&[0xE0, 0]], &packet);
    }
    for version in [V31, V311] {
        let packet = Packet::Disconnect(Disconnect::new(ReasonCode::NotAuthorized));
        assert_eq!(encoded(&packet, version), [0xE0, 0]);
        assert_eq!(refused(Client(version), &[&[0xE0, 1, 0]]), Cause::TrailingBytes);
    }
}

#[test]
fn reason_without_properties_ends_after_it() {
    let packet = Packet::Disconnect(Disconnect::new(ReasonCode::DisconnectWithWill));
    golden(Client(V5), &[&[0xE0, 1, 0x04]], &packet);
    let packet = Packet::Disconnect(Disconnect::new(ReasonCode::SessionTakenOver));
    golden(Server(V5), &[&[0xE0, 1, 0x8E]], &packet);
}

#[test]
fn client_says_how_long_its_session_lives() {
    let bytes: &[&[u8]] = &[
        &[0xE0, 20],                     // DISCONNECT, Remaining Length
        &[0x00],                         // Normal disconnection
        &[18],                           // Property Length
        &[0x11, 0x00, 0x00, 0x0E, 0x10], // Session Expiry Interval 3600
        b"\x1F\x00\x03bye",              // Reason String
        b"\x26\x00\x01a\x00\x01b",       // User Property
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let disconnect = Disconnect {
        session_expiry: Some(3600),
        properties: ReasonProperties { reason_string: Some("bye"), user_properties: user_properties.as_ref() },
        ..Disconnect::new(ReasonCode::Success)
    };
    golden(Client(V5), bytes, &Packet::Disconnect(disconnect));
    assert_eq!(refused(Server(V5), bytes), Cause::SessionExpiryFromServer);
}

#[test]
fn server_names_another_server() {
    let disconnect = Disconnect { server_reference: Some("other"), ..Disconnect::new(ReasonCode::UseAnotherServer) };
    // Use another server; Property Length; Server Reference
    golden(Server(V5), &[&[0xE0, 10, 0x9C, 8], b"\x1C\x00\x05other"], &Packet::Disconnect(disconnect));
}

#[test]
fn long_forms_of_a_normal_disconnection_are_understood() {
    let plain = Packet::Disconnect(Disconnect::new(ReasonCode::Success));
    assert_eq!(decoded(Client(V5), &[0xE0, 1, 0]).0, plain);
    assert_eq!(decoded(Client(V5), &[0xE0, 2, 0, 0]).0, plain);
}

/// Table 3-10, its column "sent by".
#[test]
fn each_side_gives_only_its_own_reasons() {
    let by_servers = [0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2];
    let by_both = [0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    for code in by_servers {
        let refusal = refused(Client(V5), &[&[0xE0, 1, code]]);
        assert_eq!(refusal, Cause::ReasonOfOtherSide(PacketKind::Disconnect, code));
        decoded(Server(V5), &[0xE0, 1, code]);
    }
    for code in by_both {
        decoded(Client(V5), &[0xE0, 1, code]);
        decoded(Server(V5), &[0xE0, 1, code]);
    }
    decoded(Client(V5), &[0xE0, 1, 0x04]);
    assert_eq!(
        refused(Server(V5), &[&[0xE0, 1, 0x04]]),
        Cause::ReasonOfOtherSide(PacketKind::Disconnect, 0x04),
        "only a client has a Will"
    );
    assert_eq!(by_servers.len() + by_both.len() + 1, 29, "the table has so many rows");
}

#[test]
fn codes_and_properties_are_those_of_disconnect() {
    for code in [0x01, 0x10, 0x18, 0x84, 0x85, 0x86, 0x88, 0x8A, 0x8C, 0x91, 0x92, 0xA3] {
        let refusal = refused(Client(V5), &[&[0xE0, 1, code]]);
        assert_eq!(refusal, Cause::ReasonCode(PacketKind::Disconnect, code));
    }
    assert_eq!(refused(Client(V5), &[&[0xE0, 5, 0, 3, 0x21, 0, 1]]), Cause::PropertyNotAllowed(0x21));
    assert_eq!(refused(Client(V5), &[&[0xE0, 3, 0, 0, 0]]), Cause::TrailingBytes);
}

use super::*;
use crate::testing::Sender::{Client, Server};
use crate::testing::{V5, V31, V311, decoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn auth(reason: ReasonCode) -> Auth<'static> {
    Auth { reason, authentication_method: None, authentication_data: None, properties: ReasonProperties::default() }
}

#[test]
fn bare_success_is_two_bytes() {
    golden(Server(V5), &[&[0xF0, 0]], &Packet::Auth(auth(ReasonCode::Success)));
    assert_eq!(decoded(Server(V5), &[0xF0, 2, 0, 0]).0, Packet::Auth(auth(ReasonCode::Success)));
}

#[test]
fn every_step_names_its_method() {
    let bytes: &[&[u8]] = &[
        &[0xF0, 28],               // AUTH, Remaining Length
        &[0x18],                   // Continue authentication
        &[26],                     // Property Length
        b"\x15\x00\x05SCRAM",      // Authentication Method
        b"\x16\x00\x02\x01\x02",   // Authentication Data
        b"\x1F\x00\x03why",        // Reason String
        b"\x26\x00\x01a\x00\x01b", // User Property
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let step = Auth {
        authentication_method: Some("SCRAM"),
        authentication_data: Some(&[1, 2]),
        properties: ReasonProperties { reason_string: Some("why"), user_properties: user_properties.as_ref() },
        ..auth(ReasonCode::ContinueAuthentication)
    };
    golden(Client(V5), bytes, &Packet::Auth(step));
    assert_eq!(refused(Client(V5), &[&[0xF0, 2, 0x18, 0]]), Cause::AuthenticationMethodMissing);
    assert_eq!(refused(Client(V5), &[&[0xF0, 6, 0x19, 4, 0x16, 0, 1, 7]]), Cause::AuthenticationMethodMissing);
}

#[test]
fn codes_and_properties_are_those_of_auth() {
    for code in [0x01, 0x04, 0x80, 0x86, 0x8C] {
        let refusal = refused(Client(V5), &[&[0xF0, 2, code, 0]]);
        assert_eq!(refusal, Cause::ReasonCode(PacketKind::Auth, code));
    }
    assert_eq!(refused(Client(V5), &[&[0xF0, 1, 0x18]]), Cause::Truncated);
    assert_eq!(refused(Client(V5), &[&[0xF0, 5, 0x18, 3, 0x21, 0, 1]]), Cause::PropertyNotAllowed(0x21));
}

/// Table 3-12, its column "sent by".
#[test]
fn each_side_gives_only_its_own_reasons() {
    assert_eq!(refused(Client(V5), &[&[0xF0, 0]]), Cause::ReasonOfOtherSide(PacketKind::Auth, 0x00));
    let step = |code| [0xF0, 6, code, 4, 0x15, 0, 1, b'm'];
    for code in [0x18, 0x19] {
        decoded(Client(V5), &step(code));
    }
    assert_eq!(refused(Client(V5), &[&step(0x00)]), Cause::ReasonOfOtherSide(PacketKind::Auth, 0x00));
    for code in [0x00, 0x18] {
        decoded(Server(V5), &step(code));
    }
    assert_eq!(refused(Server(V5), &[&step(0x19)]), Cause::ReasonOfOtherSide(PacketKind::Auth, 0x19));
}

#[test]
fn versions_below_5_have_no_auth() {
    for version in [V31, V311] {
        assert_eq!(refused(Client(version), &[&[0xF0, 0]]), Cause::UnknownPacketType(15));
        assert_eq!(refused(Server(version), &[&[0xF0, 0]]), Cause::UnknownPacketType(15));
    }
}

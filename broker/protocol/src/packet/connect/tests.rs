use super::*;
use crate::testing::{Sender::NewClient, V5, V31, V311, connect, decoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn empty(version: ProtocolVersion) -> Connect<'static> {
    Connect {
        version,
        bridge: false,
        clean_start: true,
        keep_alive: 0,
        properties: ConnectProperties::default(),
        client_id: "",
        will: None,
        username: None,
        password: None,
    }
}

fn will() -> Will<'static> {
    Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "w",
        payload: b"",
        delay: None,
        properties: MessageProperties::default(),
    }
}

/// A version 3.1.1 CONNECT with these flags and this payload.
fn with_flags(level: u8, flags: u8, payload: &[u8]) -> Cause {
    let name: &[u8] = if level == 3 { b"\x00\x06MQIsdp" } else { b"\x00\x04MQTT" };
    let length = u8::try_from(name.len() + 4 + payload.len()).unwrap();
    refused(NewClient, &[&[0x10, length], name, &[level, flags, 0x00, 0x00], payload])
}

#[test]
fn shortest_of_each_version() {
    golden(NewClient, &[connect(V31)], &Packet::Connect(Box::new(Connect { client_id: "a", ..empty(V31) })));
    golden(NewClient, &[connect(V311)], &Packet::Connect(Box::new(empty(V311))));
    golden(NewClient, &[connect(V5)], &Packet::Connect(Box::new(empty(V5))));
}

#[test]
fn version_3_1_1_with_everything() {
    let bytes: &[&[u8]] = &[
        &[0x10, 32],             // CONNECT, Remaining Length
        b"\x00\x04MQTT",         // Protocol Name
        &[4],                    // Protocol Level
        &[0b1110_1110],          // User Name, Password, Will Retain, Will QoS 1, Will, Clean Session
        &[0x00, 0x0A],           // Keep Alive 10
        b"\x00\x02id",           // Client Identifier
        b"\x00\x01w\x00\x03bye", // Will Topic, Will Message
        b"\x00\x04user",         // User Name
        b"\x00\x02\xFF\x00",     // Password: binary
    ];
    let connect = Connect {
        keep_alive: 10,
        client_id: "id",
        will: Some(Will { retain: true, payload: b"bye", ..will() }),
        username: Some("user"),
        password: Some(&[0xFF, 0x00]),
        ..empty(V311)
    };
    golden(NewClient, bytes, &Packet::Connect(Box::new(connect)));
}

#[test]
fn version_5_with_everything() {
    let bytes: &[&[u8]] = &[
        &[0x10, 105],                             // CONNECT, Remaining Length
        b"\x00\x04MQTT\x05",                      // Protocol Name and Version
        &[0b1111_0100],                           // User Name, Password, Will Retain, Will QoS 2, Will
        &[0x00, 0x3C],                            // Keep Alive 60
        &[40],                                    // Property Length
        &[0x11, 0x00, 0x00, 0x0E, 0x10],          // Session Expiry Interval 3600
        &[0x21, 0x00, 0x14],                      // Receive Maximum 20
        &[0x27, 0x00, 0x01, 0x00, 0x00],          // Maximum Packet Size 65536
        &[0x22, 0x00, 0x0A],                      // Topic Alias Maximum 10
        &[0x19, 1, 0x17, 0],                      // Request Response Information, no Problem Information
        b"\x15\x00\x05SCRAM\x16\x00\x02\x01\x02", // Authentication Method and Data
        b"\x26\x00\x01a\x00\x01b",                // User Property
        b"\x00\x02id",                            // Client Identifier
        &[34],                                    // Will Property Length
        &[0x18, 0x00, 0x00, 0x00, 0x1E],          // Will Delay Interval 30
        &[0x01, 1],                               // Payload Format Indicator: UTF-8
        &[0x02, 0x00, 0x00, 0x00, 0x3C],          // Message Expiry Interval 60
        b"\x03\x00\x04text",                      // Content Type
        b"\x08\x00\x01r",                         // Response Topic
        b"\x09\x00\x01\x09",                      // Correlation Data
        b"\x26\x00\x01k\x00\x01v",                // User Property
        b"\x00\x01w\x00\x03bye",                  // Will Topic, Will Payload
        b"\x00\x01u\x00\x02pw",                   // User Name, Password
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let will_user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let connect = Connect {
        clean_start: false,
        keep_alive: 60,
        properties: ConnectProperties {
            session_expiry: Some(3600),
            receive_maximum: NonZeroU16::new(20),
            maximum_packet_size: NonZeroU32::new(65_536),
            topic_alias_maximum: Some(10),
            request_response_information: Some(true),
            request_problem_information: Some(false),
            user_properties: user_properties.as_ref(),
            authentication_method: Some("SCRAM"),
            authentication_data: Some(&[1, 2]),
        },
        client_id: "id",
        will: Some(Will {
            qos: QoS::ExactlyOnce,
            retain: true,
            payload: b"bye",
            delay: Some(30),
            properties: MessageProperties {
                payload_is_utf8: Some(true),
                message_expiry: Some(60),
                content_type: Some("text"),
                response_topic: Some("r"),
                correlation_data: Some(&[9]),
                user_properties: will_user_properties.as_ref(),
            },
            ..will()
        }),
        username: Some("u"),
        password: Some(b"pw"),
        ..empty(V5)
    };
    golden(NewClient, bytes, &Packet::Connect(Box::new(connect)));
}

#[test]
fn bridges_are_known_by_the_highest_bit_of_the_level() {
    for (version, level) in [(V31, 0x83), (V311, 0x84), (V5, 0x85)] {
        let mut bytes = connect(version).to_vec();
        let place = if version == V31 { 10 } else { 8 };
        bytes[place] = level;
        let connect = Connect { bridge: true, client_id: if version == V31 { "a" } else { "" }, ..empty(version) };
        golden(NewClient, &[&bytes], &Packet::Connect(Box::new(connect)));
    }
}

#[test]
fn version_5_lets_a_password_come_alone() {
    let bytes: &[&[u8]] = &[&[0x10, 17], b"\x00\x04MQTT\x05", &[0x42, 0, 0, 0], b"\x00\x00\x00\x02pw"];
    let connect = Connect { password: Some(b"pw"), ..empty(V5) };
    golden(NewClient, bytes, &Packet::Connect(Box::new(connect)));
    assert_eq!(with_flags(4, 0x42, b"\x00\x00\x00\x02pw"), Cause::PasswordWithoutUserName);
    assert_eq!(with_flags(3, 0x42, b"\x00\x01a\x00\x02pw"), Cause::PasswordWithoutUserName);
}

#[test]
fn protocol_name_and_level_are_one_of_three() {
    let refusal = |name: &[u8], level: u8| {
        let length = u8::try_from(name.len() + 6).unwrap();
        refused(NewClient, &[&[0x10, length], name, &[level, 0x02, 0, 0, 0, 0]])
    };
    assert_eq!(refusal(b"\x00\x04MQTT", 6), Cause::ProtocolVersion(6));
    assert_eq!(refusal(b"\x00\x04MQTT", 3), Cause::ProtocolVersion(3));
    assert_eq!(refusal(b"\x00\x04MQTT", 0x80), Cause::ProtocolVersion(0x80));
    assert_eq!(refusal(b"\x00\x06MQIsdp", 4), Cause::ProtocolVersion(4));
    assert_eq!(refusal(b"\x00\x04mqtt", 4), Cause::ProtocolName);
    assert_eq!(refusal(b"\x00\x00", 4), Cause::ProtocolName);
}

#[test]
fn connect_flags_do_not_contradict_each_other() {
    assert_eq!(with_flags(4, 0x03, b"\x00\x00"), Cause::ConnectFlagReserved);
    assert_eq!(with_flags(4, 0x1E, b"\x00\x00\x00\x01w\x00\x00"), Cause::WillQosIsThree);
    assert_eq!(with_flags(3, 0x1E, b"\x00\x01a\x00\x01w\x00\x00"), Cause::WillQosIsThree);
    // Will QoS 1 and Will Retain, without a Will.
    assert_eq!(with_flags(4, 0x0A, b"\x00\x00"), Cause::WillFlagsWithoutWill);
    assert_eq!(with_flags(4, 0x22, b"\x00\x00"), Cause::WillFlagsWithoutWill);
    assert_eq!(with_flags(5, 0x0A, b"\x00\x00\x00"), Cause::WillFlagsWithoutWill);
}

#[test]
fn fields_that_the_flags_promise_are_there_and_no_more() {
    assert_eq!(with_flags(4, 0x82, b"\x00\x00"), Cause::Truncated);
    assert_eq!(with_flags(4, 0xC2, b"\x00\x00\x00\x01u"), Cause::Truncated);
    assert_eq!(with_flags(4, 0x06, b"\x00\x00\x00\x01w"), Cause::Truncated);
    assert_eq!(with_flags(4, 0x02, b""), Cause::Truncated);
    assert_eq!(with_flags(4, 0x02, b"\x00\x00\x00\x01u"), Cause::TrailingBytes);
    assert_eq!(with_flags(3, 0x82, b"\x00\x01a\x00"), Cause::Truncated);
}

#[test]
fn version_3_1_may_promise_a_user_name_and_not_send_it() {
    // "The Remaining Length field from the fixed header takes precedence over the User Name flag."
    let header: &[u8] = b"\x00\x06MQIsdp\x03";
    let bytes = [&[0x10, 15], header, &[0xC2, 0, 0], b"\x00\x01a"].concat();
    let (packet, _) = decoded(NewClient, &bytes);
    assert_eq!(packet, Packet::Connect(Box::new(Connect { client_id: "a", ..empty(V31) })));
    let bytes = [&[0x10, 18], header, &[0xC2, 0, 0], b"\x00\x01a\x00\x01u"].concat();
    let (packet, _) = decoded(NewClient, &bytes);
    let expected = Connect { client_id: "a", username: Some("u"), ..empty(V31) };
    assert_eq!(packet, Packet::Connect(Box::new(expected)));
}

#[test]
fn version_3_1_disregards_flags_it_does_not_use() {
    // The reserved bit, Will QoS 3 and Will Retain.
    let bytes = [&[0x10, 15][..], b"\x00\x06MQIsdp\x03", &[0x3B, 0, 0], b"\x00\x01a"].concat();
    let (packet, _) = decoded(NewClient, &bytes);
    assert_eq!(packet, Packet::Connect(Box::new(Connect { client_id: "a", ..empty(V31) })));
}

#[test]
fn will_topic_is_a_topic_name() {
    assert_eq!(with_flags(4, 0x06, b"\x00\x00\x00\x00\x00\x00"), Cause::TopicNameEmpty);
    assert_eq!(with_flags(4, 0x06, b"\x00\x00\x00\x03a/#\x00\x00"), Cause::TopicNameWildcard);
    assert_eq!(with_flags(4, 0x06, b"\x00\x00\x00\x01\x00\x00\x00"), Cause::StringHasNull);
}

#[test]
fn properties_are_those_of_connect_with_values_they_may_have() {
    let refusal = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        with_flags(5, 0x02, &[&[length], properties, &[0, 0]].concat())
    };
    assert_eq!(refusal(&[0x21, 0, 0]), Cause::PropertyValue(0x21));
    assert_eq!(refusal(&[0x27, 0, 0, 0, 0]), Cause::PropertyValue(0x27));
    assert_eq!(refusal(&[0x17, 2]), Cause::PropertyValue(0x17));
    assert_eq!(refusal(&[0x19, 2]), Cause::PropertyValue(0x19));
    assert_eq!(refusal(&[0x22, 0, 1, 0x22, 0, 1]), Cause::PropertyTwice(0x22));
    assert_eq!(refusal(&[0x23, 0, 1]), Cause::PropertyNotAllowed(0x23));
    assert_eq!(refusal(&[0x16, 0, 1, 7]), Cause::AuthenticationDataWithoutMethod);
}

#[test]
fn will_properties_are_those_of_a_will() {
    let refusal = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        with_flags(5, 0x06, &[&[0, 0, 0, length], properties, b"\x00\x01w\x00\x00"].concat())
    };
    assert_eq!(refusal(&[0x11, 0, 0, 0, 1]), Cause::PropertyNotAllowed(0x11));
    assert_eq!(refusal(&[0x23, 0, 1]), Cause::PropertyNotAllowed(0x23));
    assert_eq!(refusal(&[0x0B, 1]), Cause::PropertyNotAllowed(0x0B));
    assert_eq!(refusal(&[0x18, 0, 0, 0, 1, 0x18, 0, 0, 0, 1]), Cause::PropertyTwice(0x18));
    assert_eq!(refusal(&[0x01, 2]), Cause::PropertyValue(0x01));
    assert_eq!(refusal(&[0x08, 0, 1, b'+']), Cause::TopicNameWildcard);
}

#[test]
fn secrets_are_not_shown() {
    let connect = Connect {
        properties: ConnectProperties { authentication_data: Some(b"sesame"), ..ConnectProperties::default() },
        username: Some("ann"),
        password: Some(b"sesame"),
        ..empty(V5)
    };
    let shown = format!("{connect:?}");
    assert!(shown.contains("ann"));
    assert!(!shown.contains("sesame") && !shown.contains(&format!("{:?}", b"sesame")));
}

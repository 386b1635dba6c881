use super::*;
use crate::testing::Sender::{Client, Server};
use crate::testing::{V5, V31, V311, VERSIONS, decoded, encoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn publish() -> Publish<'static> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a/b",
        packet_id: None,
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: MessageProperties::default(),
        payload: b"hi",
    }
}

fn with_id(qos: QoS, id: u16) -> Publish<'static> {
    Publish { qos, packet_id: PacketId::new(id), ..publish() }
}

fn subscription_ids(values: &[u32]) -> Vec<SubscriptionId> {
    values.iter().map(|value| SubscriptionId::new(*value).unwrap()).collect()
}

#[test]
fn version_3_has_topic_packet_id_and_payload() {
    for version in [V31, V311] {
        // PUBLISH; Remaining Length; Topic Name; payload
        golden(Client(version), &[&[0x30, 7], b"\x00\x03a/b", b"hi"], &Packet::Publish(publish()));
        // QoS 1 and RETAIN; the example of figure 3.9: topic a/b, Packet Identifier 10
        let retained = Publish { retain: true, ..with_id(QoS::AtLeastOnce, 10) };
        golden(Client(version), &[&[0x33, 9], b"\x00\x03a/b", &[0, 10], b"hi"], &Packet::Publish(retained));
        // QoS 2 and DUP
        let again = Publish { dup: true, ..with_id(QoS::ExactlyOnce, 0xFFFF) };
        golden(Server(version), &[&[0x3C, 9], b"\x00\x03a/b", &[0xFF, 0xFF], b"hi"], &Packet::Publish(again));
    }
}

#[test]
fn version_5_has_properties_even_if_none() {
    golden(Client(V5), &[&[0x30, 8], b"\x00\x03a/b", &[0], b"hi"], &Packet::Publish(publish()));
    let packet = Packet::Publish(with_id(QoS::AtLeastOnce, 10));
    golden(Client(V5), &[&[0x32, 10], b"\x00\x03a/b", &[0, 10], &[0], b"hi"], &packet);
}

#[test]
fn version_5_with_everything() {
    let bytes: &[&[u8]] = &[
        &[0x3D, 48],                     // PUBLISH: DUP, QoS 2, RETAIN; Remaining Length
        b"\x00\x03a/b",                  // Topic Name
        &[0x01, 0x02],                   // Packet Identifier 258
        &[38],                           // Property Length
        &[0x01, 0],                      // Payload Format Indicator: bytes
        &[0x02, 0x00, 0x00, 0x00, 0x3C], // Message Expiry Interval 60
        b"\x03\x00\x04text",             // Content Type
        b"\x08\x00\x01r",                // Response Topic
        b"\x09\x00\x01\x09",             // Correlation Data
        b"\x26\x00\x01k\x00\x01v",       // User Property
        &[0x23, 0x00, 0x05],             // Topic Alias 5
        &[0x0B, 0x01],                   // Subscription Identifier 1
        &[0x0B, 0xFF, 0xFF, 0x7F],       // Subscription Identifier 2097151
        b"hi",
    ];
    let user_properties: UserPropertiesBuf = [("k", "v")].into_iter().collect();
    let publish = Publish {
        dup: true,
        retain: true,
        topic_alias: Some(5),
        subscription_ids: subscription_ids(&[1, 2_097_151]),
        properties: MessageProperties {
            payload_is_utf8: Some(false),
            message_expiry: Some(60),
            content_type: Some("text"),
            response_topic: Some("r"),
            correlation_data: Some(&[9]),
            user_properties: user_properties.as_ref(),
        },
        ..with_id(QoS::ExactlyOnce, 258)
    };
    golden(Server(V5), bytes, &Packet::Publish(publish));
}

#[test]
fn payload_may_be_empty() {
    let packet = Packet::Publish(Publish { payload: b"", ..publish() });
    golden(Client(V311), &[&[0x30, 5], b"\x00\x03a/b"], &packet);
}

#[test]
fn an_alias_stands_for_an_empty_topic() {
    let packet = Packet::Publish(Publish { topic: "", topic_alias: Some(1), ..publish() });
    golden(Client(V5), &[&[0x30, 8], &[0, 0], &[3, 0x23, 0, 1], b"hi"], &packet);
    assert_eq!(refused(Client(V5), &[&[0x30, 3, 0, 0, 0]]), Cause::TopicNameEmpty);
    assert_eq!(refused(Client(V311), &[&[0x30, 2, 0, 0]]), Cause::TopicNameEmpty);
    assert_eq!(refused(Client(V5), &[&[0x30, 7, 0, 1, b'a', 3, 0x23, 0, 0]]), Cause::TopicAliasIsZero);
}

#[test]
fn topic_has_no_wildcard() {
    for version in VERSIONS {
        assert_eq!(refused(Client(version), &[&[0x30, 5], b"\x00\x03a/+"]), Cause::TopicNameWildcard);
        assert_eq!(refused(Client(version), &[&[0x30, 3], b"\x00\x01#"]), Cause::TopicNameWildcard);
        assert_eq!(refused(Client(version), &[&[0x30, 3], b"\x00\x01\x00"]), Cause::StringHasNull);
        assert_eq!(refused(Client(version), &[&[0x30, 3], b"\x00\x01\xFF"]), Cause::StringNotUtf8);
    }
}

#[test]
fn qos_3_does_not_exist() {
    for version in VERSIONS {
        assert_eq!(refused(Client(version), &[&[0x36, 5], b"\x00\x01a\x00\x01"]), Cause::QosIsThree);
    }
}

#[test]
fn dup_has_no_place_in_qos_0() {
    assert_eq!(refused(Client(V5), &[&[0x38, 4], b"\x00\x01a\x00"]), Cause::DupWithoutQos);
    assert_eq!(refused(Client(V311), &[&[0x38, 3], b"\x00\x01a"]), Cause::DupWithoutQos);
    // Version 3.1 gives it no meaning there.
    let (packet, _) = decoded(Client(V31), b"\x38\x03\x00\x01a");
    assert_eq!(packet, Packet::Publish(Publish { topic: "a", payload: b"", ..publish() }));
}

#[test]
fn packet_id_is_there_and_not_zero_above_qos_0() {
    for version in VERSIONS {
        assert_eq!(refused(Client(version), &[&[0x32, 5], b"\x00\x01a\x00\x00"]), Cause::PacketIdIsZero);
        assert_eq!(refused(Client(version), &[&[0x34, 4], b"\x00\x01a\x00"]), Cause::Truncated);
        assert_eq!(refused(Client(version), &[&[0x30, 2], b"\x00\x01"]), Cause::Truncated);
    }
}

#[test]
fn only_a_server_names_subscriptions() {
    let bytes: &[&[u8]] = &[&[0x30, 6], b"\x00\x01a", &[2, 0x0B, 1]];
    assert_eq!(refused(Client(V5), bytes), Cause::SubscriptionIdFromClient);
    let named = Publish { topic: "a", payload: b"", subscription_ids: subscription_ids(&[1]), ..publish() };
    golden(Server(V5), bytes, &Packet::Publish(named));
    assert_eq!(refused(Server(V5), &[&[0x30, 6], b"\x00\x01a", &[2, 0x0B, 0]]), Cause::SubscriptionIdIsZero);
}

#[test]
fn properties_are_those_of_publish_with_values_they_may_have() {
    let refusal = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        refused(Client(V5), &[&[0x30, length + 4], b"\x00\x01a", &[length], properties])
    };
    assert_eq!(refusal(&[0x18, 0, 0, 0, 1]), Cause::PropertyNotAllowed(0x18));
    assert_eq!(refusal(&[0x1F, 0, 0]), Cause::PropertyNotAllowed(0x1F));
    assert_eq!(refusal(&[0x01, 2]), Cause::PropertyValue(0x01));
    assert_eq!(refusal(&[0x23, 0, 1, 0x23, 0, 1]), Cause::PropertyTwice(0x23));
    assert_eq!(refusal(&[0x08, 0, 0]), Cause::TopicNameEmpty);
    assert_eq!(refusal(&[0x08, 0, 1, b'#']), Cause::TopicNameWildcard);
    assert_eq!(refusal(&[0x09, 0, 2, 7]), Cause::Truncated);
}

#[test]
fn place_of_the_packet_id_is_told() {
    let long = "l".repeat(300);
    for version in VERSIONS {
        for topic in ["a", &long] {
            for ids in [&[][..], &[1, 70_000]] {
                let mut out = vec![9; 5];
                let publish =
                    Publish { topic, subscription_ids: subscription_ids(ids), ..with_id(QoS::AtLeastOnce, 0x0102) };
                let place = publish.encode_located(version, &mut out).unwrap().unwrap();
                assert_eq!(out[place..place + 2], [1, 2]);
                out[place..place + 2].copy_from_slice(&[3, 4]);
                let (packet, length) = decoded(Server(version), &out[5..]);
                assert_eq!(length, out.len() - 5);
                let Packet::Publish(packet) = packet else { panic!("{packet:?}") };
                assert_eq!(packet.packet_id, PacketId::new(0x0304));
                assert_eq!(packet.payload, b"hi");
            }
        }
        assert_eq!(publish().encode_located(version, &mut Vec::new()), Ok(None));
    }
}

#[test]
fn below_version_5_properties_are_left_out() {
    let publish = Publish { topic_alias: Some(1), subscription_ids: subscription_ids(&[1]), ..publish() };
    assert_eq!(encoded(&Packet::Publish(publish), V311), b"\x30\x07\x00\x03a/bhi");
}

#[test]
fn what_no_packet_can_hold_is_not_written() {
    let long = "l".repeat(65_536);
    let longest = vec![0; VARIABLE_INTEGER_MAX];
    let with = |properties| Publish { properties, ..publish() };
    let too_large = [
        Publish { topic: &long, ..publish() },
        Publish { payload: &longest, ..publish() },
        with(MessageProperties { content_type: Some(&long), ..MessageProperties::default() }),
        with(MessageProperties { response_topic: Some(&long), ..MessageProperties::default() }),
        with(MessageProperties { correlation_data: Some(long.as_bytes()), ..MessageProperties::default() }),
    ];
    for publish in too_large {
        let mut out = vec![1];
        assert_eq!(publish.encode(V5, &mut out), Err(TooLarge));
        assert_eq!(out, [1]);
    }
}

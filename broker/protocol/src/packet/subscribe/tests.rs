use super::*;
use crate::testing::Sender::Client;
use crate::testing::{V5, V31, V311, VERSIONS, decoded, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn wanted(filter: &str, qos: QoS) -> SubscribeFilter<'_> {
    SubscribeFilter { filter, options: SubscribeOptions::new(qos) }
}

fn subscribe(filters: Vec<SubscribeFilter<'_>>) -> Subscribe<'_> {
    Subscribe {
        packet_id: PacketId::new(10).unwrap(),
        subscription_id: None,
        user_properties: UserProperties::default(),
        filters,
    }
}

/// The refusal of one filter with one byte of options.
fn refusal(version: ProtocolVersion, filter: &str, options: u8) -> Cause {
    let properties: &[u8] = if version == V5 { &[0] } else { &[] };
    let length = u8::try_from(5 + properties.len() + filter.len()).unwrap();
    let filter_length = u8::try_from(filter.len()).unwrap();
    let header = [0x82, length, 0, 10];
    refused(Client(version), &[&header, properties, &[0, filter_length], filter.as_bytes(), &[options]])
}

#[test]
fn version_3_has_filters_with_their_qos() {
    for version in [V31, V311] {
        let bytes: &[&[u8]] = &[
            &[0x82, 14], // SUBSCRIBE, Remaining Length
            &[0, 10],    // Packet Identifier
            b"\x00\x03a/b",
            &[1], // Topic Filter, QoS 1
            b"\x00\x03c/d",
            &[2], // Topic Filter, QoS 2
        ];
        let filters = vec![wanted("a/b", QoS::AtLeastOnce), wanted("c/d", QoS::ExactlyOnce)];
        golden(Client(version), bytes, &Packet::Subscribe(subscribe(filters)));
    }
}

#[test]
fn version_5_with_everything() {
    let bytes: &[&[u8]] = &[
        &[0x82, 38],                     // SUBSCRIBE, Remaining Length
        &[0, 10],                        // Packet Identifier
        &[12],                           // Property Length
        &[0x0B, 0xFF, 0xFF, 0xFF, 0x7F], // Subscription Identifier 268435455
        b"\x26\x00\x01a\x00\x01b",       // User Property
        b"\x00\x01#",
        &[0b0001_1101], // QoS 1, No Local, Retain As Published, only if new
        b"\x00\x03a/+",
        &[0b0010_0000], // QoS 0, never
        b"\x00\x0A$share/g/b",
        &[0b0000_1010], // shared, QoS 2, Retain As Published
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let options = SubscribeOptions::new(QoS::AtLeastOnce);
    let retain_handling = RetainHandling::IfNew;
    let first = SubscribeOptions { no_local: true, retain_as_published: true, retain_handling, ..options };
    let second = SubscribeOptions { qos: QoS::AtMostOnce, retain_handling: RetainHandling::Never, ..options };
    let third = SubscribeOptions { qos: QoS::ExactlyOnce, retain_as_published: true, ..options };
    let subscribe = Subscribe {
        subscription_id: SubscriptionId::new(268_435_455),
        user_properties: user_properties.as_ref(),
        ..subscribe(vec![
            SubscribeFilter { filter: "#", options: first },
            SubscribeFilter { filter: "a/+", options: second },
            SubscribeFilter { filter: "$share/g/b", options: third },
        ])
    };
    golden(Client(V5), bytes, &Packet::Subscribe(subscribe));
}

#[test]
fn there_is_at_least_one_filter() {
    assert_eq!(refused(Client(V311), &[&[0x82, 2, 0, 1]]), Cause::ListEmpty(PacketKind::Subscribe));
    assert_eq!(refused(Client(V5), &[&[0x82, 3, 0, 1, 0]]), Cause::ListEmpty(PacketKind::Subscribe));
}

#[test]
fn every_filter_has_options() {
    assert_eq!(refused(Client(V311), &[&[0x82, 5, 0, 1], b"\x00\x01a"]), Cause::Truncated);
    assert_eq!(refused(Client(V311), &[&[0x82, 3, 0, 1, 0]]), Cause::Truncated);
    assert_eq!(refused(Client(V5), &[&[0x82, 2, 0, 1]]), Cause::Truncated);
}

#[test]
fn packet_id_is_not_zero() {
    for version in VERSIONS {
        assert_eq!(refused(Client(version), &[&[0x82, 2, 0, 0]]), Cause::PacketIdIsZero);
    }
}

#[test]
fn options_use_no_reserved_bit() {
    for bit in [0x40, 0x80] {
        assert_eq!(refusal(V5, "a", bit), Cause::SubscribeOptionsReserved);
    }
    for bit in [0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
        assert_eq!(refusal(V311, "a", bit | 1), Cause::SubscribeOptionsReserved);
    }
    // Version 3.1 says of the upper six bits only that they are not used.
    let (packet, _) = decoded(Client(V31), b"\x82\x06\x00\x0A\x00\x01a\xFD");
    assert_eq!(packet, Packet::Subscribe(subscribe(vec![wanted("a", QoS::AtLeastOnce)])));
}

#[test]
fn options_have_values_they_may_have() {
    for version in VERSIONS {
        assert_eq!(refusal(version, "a", 3), Cause::SubscribeQosIsThree);
    }
    assert_eq!(refusal(V5, "a", 0x30), Cause::RetainHandlingIsThree);
}

#[test]
fn filters_are_topic_filters() {
    for version in VERSIONS {
        assert_eq!(refusal(version, "", 0), Cause::TopicFilterEmpty);
        assert_eq!(refusal(version, "a/#/b", 0), Cause::TopicFilterWildcard);
        assert_eq!(refusal(version, "a+", 0), Cause::TopicFilterWildcard);
        assert_eq!(refusal(version, "a\0", 0), Cause::StringHasNull);
    }
}

#[test]
fn what_begins_like_a_shared_subscription_is_one_or_malformed_in_version_5() {
    for filter in ["$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g/$share/h/a"] {
        assert_eq!(refusal(V5, filter, 0), Cause::ShareInvalid);
        let length = |length: usize| u8::try_from(length).unwrap();
        let bytes = [b"\x00\x0A\x00", &[length(filter.len())][..], filter.as_bytes(), &[1]].concat();
        for version in [V31, V311] {
            let packet = [&[0x82, length(bytes.len())], &bytes[..]].concat();
            let (packet, _) = decoded(Client(version), &packet);
            assert_eq!(packet, Packet::Subscribe(subscribe(vec![wanted(filter, QoS::AtLeastOnce)])));
        }
    }
    assert_eq!(refusal(V5, "$share/g+/a", 0), Cause::ShareInvalid);
    assert_eq!(refusal(V311, "$share/g+/a", 0), Cause::TopicFilterWildcard);
}

#[test]
fn shared_subscriptions_cannot_be_no_local() {
    assert_eq!(refusal(V5, "$share/g/a", 0x04), Cause::SharedNoLocal);
}

#[test]
fn there_is_one_subscription_id_and_it_is_not_zero() {
    let refusal = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        refused(Client(V5), &[&[0x82, 7 + length, 0, 1, length], properties, b"\x00\x01a\x00"])
    };
    assert_eq!(refusal(&[0x0B, 0]), Cause::SubscriptionIdIsZero);
    assert_eq!(refusal(&[0x0B, 1, 0x0B, 1]), Cause::PropertyTwice(0x0B));
    assert_eq!(refusal(&[0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]), Cause::IntegerTooLong);
    assert_eq!(refusal(&[0x1F, 0, 0]), Cause::PropertyNotAllowed(0x1F));
}

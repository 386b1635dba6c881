//! SUBSCRIBE (3.8) and SUBACK (3.9).

use std::num::NonZeroU32;

use midge_protocol::{Packet, PacketId, ProtocolVersion, QoS, ReasonCode, SubscribeOptions};

use super::{encoded, subscribe_all, subscribe_packet};
use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

const EVERY_QOS: [QoS; 3] = [AtMostOnce, AtLeastOnce, ExactlyOnce];

fn one() -> PacketId {
    PacketId::new(1).unwrap()
}

/// [v3.1.1 MQTT-3.8.1-1]
#[test]
fn mqtt_3_8_1_1_any_other_flags_of_subscribe_close() {
    let server = Server::start();
    for version in [V311, V5] {
        let mut bytes = encoded(&subscribe_packet(one(), None, &[("t", SubscribeOptions::new(AtMostOnce))]), version);
        for flags in (0..16).filter(|flags| *flags != 0b0010) {
            let mut client = Client::connect(&server, version, "flags");
            bytes[0] = 0x80 | flags;
            client.send_bytes(&bytes);
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
    }
}

/// [v3.1.1 MQTT-3.8.3-1]
#[test]
fn mqtt_3_8_3_1_a_filter_that_is_no_utf8_closes() {
    let server = Server::start();
    for version in VERSIONS {
        // A stray byte, a surrogate, an overlong form, a truncated sequence.
        for filter in [&b"\xFF"[..], b"a/\xED\xA0\x80", b"\xC0\xAF", b"\xE2\x82"] {
            let mut client = Client::connect(&server, version, "encoding");
            let properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
            let mut bytes = [&[0, 1], properties, &[0, filter.len() as u8], filter, &[0]].concat();
            bytes.splice(0..0, [0x82, bytes.len() as u8]);
            client.send_bytes(&bytes);
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
        let mut client = Client::connect(&server, version, "encoding");
        assert_eq!(client.subscribe("温度/°C/🌡", AtMostOnce), ReasonCode::Success, "{version}");
        client.publish("温度/°C/🌡", "21", AtMostOnce);
        assert_eq!(client.receive().topic, "温度/°C/🌡");
    }
}

/// Midge supports wildcards, so it rejects none: every one is granted, and works.
#[test]
fn v311_3_8_3_2_a_filter_with_wildcards_is_granted() {
    let server = Server::start();
    for version in VERSIONS {
        for filter in ["#", "+/b/c", "a/+/c", "a/b/+", "a/b/#", "+/+/+", "+/#", "a/b/c/#"] {
            let mut client = Client::connect(&server, version, "wild");
            assert_eq!(client.subscribe(filter, AtLeastOnce), ReasonCode::GrantedQos1, "{version} {filter}");
            client.publish("a/b/c", "x", AtLeastOnce);
            assert_eq!(client.take().topic, "a/b/c", "{version} {filter}");
        }
    }
}

/// [v3.1.1 MQTT-3.8.3-3]
#[test]
fn mqtt_3_8_3_2_a_subscribe_without_a_filter_closes() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "empty");
        client.send_bytes(&encoded(&subscribe_packet(one(), None, &[]), version));
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
    for version in VERSIONS {
        let mut bytes = encoded(&subscribe_packet(one(), None, &[("t", SubscribeOptions::new(AtMostOnce))]), version);
        bytes.pop();
        bytes[1] -= 1;
        let mut client = Client::connect(&server, version, "no-options");
        client.send_bytes(&bytes);
        client.expect_disconnect(ReasonCode::MalformedPacket);
    }
}

/// [v3.1.1 MQTT-3.8.3-4]: in 3.1.1 all but the QoS is reserved, and a QoS of 3 is as malformed. 3.1 calls the bits unused.
#[test]
fn mqtt_3_8_3_5_reserved_option_bits_close() {
    let server = Server::start();
    let try_options = |version: ProtocolVersion, options: u8| {
        let mut bytes = encoded(&subscribe_packet(one(), None, &[("t", SubscribeOptions::new(AtMostOnce))]), version);
        *bytes.last_mut().unwrap() = options;
        let mut client = Client::connect(&server, version, "reserved");
        client.send_bytes(&bytes);
        client
    };
    for options in [0x40, 0x80, 0xC0, 0x41] {
        try_options(V5, options).expect_disconnect(ReasonCode::MalformedPacket);
    }
    for options in [0x03, 0x30, 0x33] {
        try_options(V5, options).expect_disconnect(ReasonCode::ProtocolError);
    }
    for options in [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFE] {
        try_options(V311, options).expect_close();
    }
    assert_eq!(try_options(V31, 0xFE).suback(one()), [ReasonCode::GrantedQos2]);
    try_options(V31, 0x03).expect_close();
}

/// [MQTT-3.8.4-1] [v3.1.1 MQTT-3.8.4-1] [v3.1.1 MQTT-3.8.4-2]
#[test]
fn mqtt_3_8_4_2_every_subscribe_has_its_suback_with_its_packet_id() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "subscriber");
        let ids = [1, 0x1234, 0xFFFF, 2];
        for id in ids {
            let options = SubscribeOptions::new(AtLeastOnce);
            client.send(&subscribe_packet(PacketId::new(id).unwrap(), None, &[("t", options)]));
        }
        for id in ids {
            let [high, low] = id.to_be_bytes();
            match version {
                V5 => assert_eq!(client.bytes_or_close(6), [0x90, 4, high, low, 0, 1]),
                V31 | V311 => assert_eq!(client.bytes_or_close(5), [0x90, 3, high, low, 1]),
            }
        }
        client.expect_nothing();
    }
}

/// [MQTT-3.8.4-6] [MQTT-3.9.3-1] [v3.1.1 MQTT-3.8.4-4] [v3.1.1 MQTT-3.9.3-1]: and of two equal filters the second replaces
/// the first, as if it had come in a packet of its own.
#[test]
fn mqtt_3_8_4_5_many_filters_are_as_many_subscribes_with_one_suback() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "many");
        let names: Vec<String> = (0..1000).map(|number| format!("many/{number}")).collect();
        let qos = |number: usize| EVERY_QOS[number * number % 7 % 3];
        let asked = names.iter().enumerate();
        let mut filters: Vec<_> =
            asked.map(|(number, name)| (name.as_str(), SubscribeOptions::new(qos(number)))).collect();
        filters.push((&names[7], SubscribeOptions::new(AtMostOnce)));
        let expected: Vec<_> = filters.iter().map(|(_, options)| ReasonCode::granted(options.qos)).collect();
        assert_eq!(subscribe_all(&mut client, None, &filters), expected, "{version}");
        client.expect_nothing();
        for number in [0, 1, 3, 998, 999] {
            client.publish(&names[number], "x", ExactlyOnce);
            assert_eq!(client.take().qos, qos(number), "{version} {number}");
        }
        client.publish(&names[7], "x", ExactlyOnce);
        assert_eq!(client.take().qos, AtMostOnce, "{version}");
        client.expect_nothing();
    }
}

/// [MQTT-3.9.3-2] [v3.1.1 MQTT-3.8.4-5] [v3.1.1 MQTT-3.9.3-2]
#[test]
fn mqtt_3_8_4_7_each_filter_is_granted_a_qos_or_fails_for_itself() {
    let server = Server::with("[limits]\nsubscriptions_max = 2\nmaximum_qos = 1\ntopic_levels_max = 3");
    for (version, codes) in [(V311, &[1, 0x80, 0, 0x80][..]), (V5, &[1, 0x8F, 0, 0x97])] {
        let mut client = Client::connect(&server, version, "graded");
        let options = SubscribeOptions::new;
        client.send(&subscribe_packet(
            one(),
            None,
            &[
                ("a", options(ExactlyOnce)),
                ("1/2/3/4", options(AtMostOnce)),
                ("b", options(AtMostOnce)),
                ("c", options(AtMostOnce)),
            ],
        ));
        let head: &[u8] = if version.is_v5() { &[0x90, 7, 0, 1, 0] } else { &[0x90, 6, 0, 1] };
        assert_eq!(client.bytes_or_close(head.len() + 4), [head, codes].concat(), "{version}");
        for (topic, comes) in [("a", 1), ("b", 1), ("c", 0)] {
            client.publish(topic, "x", AtLeastOnce);
            assert_eq!(client.messages_until_pong(), comes, "{version} {topic}");
        }
    }
}

/// [v3.1.1 MQTT-3.8.4-6]
#[test]
fn mqtt_3_8_4_8_messages_come_with_the_lower_of_both_qos() {
    let server = Server::start();
    for version in VERSIONS {
        let mut publisher = Client::connect(&server, version, "publisher");
        for granted in EVERY_QOS {
            let mut subscriber = Client::connect(&server, version, "subscriber");
            assert_eq!(subscriber.subscribe("t", granted), ReasonCode::granted(granted));
            for published in EVERY_QOS {
                publisher.publish("t", "x", published);
                assert_eq!(subscriber.take().qos, published.min(granted), "{version} {published:?} to {granted:?}");
            }
            subscriber.expect_nothing();
        }
    }
}

/// What the broker grants is what it sends with, though more was asked for. [v3.1.1 MQTT-3.8.4-6]
#[test]
fn mqtt_3_8_4_8_a_qos_that_was_lowered_holds() {
    let server = Server::with("[limits]\nmaximum_qos = 0");
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        assert_eq!(client.subscribe("t", ExactlyOnce), ReasonCode::Success, "granted QoS 0");
        client.publish("t", "x", AtMostOnce);
        assert_eq!(client.receive().qos, AtMostOnce, "{version}");
    }
}

/// [MQTT-3.9.2-2]: SUBACK has neither, whatever it says, and so fits into any Maximum Packet Size that it can fit into. In
/// a smaller one it is discarded, while the subscriptions are made.
#[test]
fn mqtt_3_9_2_1_a_reason_string_never_makes_suback_too_large() {
    let server = Server::with("[limits]\ntopic_levels_max = 2");
    let (mut client, _) = Client::connect_with(&server, V5, "small", |connect| {
        connect.properties.maximum_packet_size = NonZeroU32::new(100);
    });
    client.send(&subscribe_packet(one(), None, &[("a/b/c", SubscribeOptions::new(AtMostOnce)); 95]));
    let expected = [&[0x90, 98, 0, 1, 0][..], &[0x8F; 95]].concat();
    assert_eq!(client.bytes_or_close(100), expected);
    client.send(&subscribe_packet(one(), None, &[("t", SubscribeOptions::new(AtMostOnce)); 96]));
    client.send(&Packet::Publish(publish("t", b"x")));
    assert_eq!(client.receive().text(), "x");
}

//! Topic Names and Topic Filters (4.7).

use midge_protocol::{Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, SubscribeOptions};

use super::{encoded, subscribe_packet, unsubscribe_packet};
use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::V31;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

fn one() -> PacketId {
    PacketId::new(1).unwrap()
}

/// That SUBSCRIBE and UNSUBSCRIBE with this filter close the connection.
fn refused(server: &Server, version: ProtocolVersion, filter: &str, reason: ReasonCode) {
    let options = SubscribeOptions::new(AtMostOnce);
    for packet in [subscribe_packet(one(), None, &[(filter, options)]), unsubscribe_packet(one(), &[filter])] {
        let mut client = Client::connect(server, version, "refused");
        client.send(&packet);
        client.expect_disconnect(reason);
    }
}

/// [v3.1.1 MQTT-4.7.1-1]
#[test]
fn mqtt_4_7_0_1_a_wildcard_in_a_topic_name_closes() {
    let server = Server::start();
    for version in VERSIONS {
        for topic in ["#", "+", "a/#", "a/+/b", "a+", "#a"] {
            for qos in [AtMostOnce, AtLeastOnce] {
                let mut client = Client::connect(&server, version, "publisher");
                let packet_id = Some(one()).filter(|_| qos > AtMostOnce);
                client.send(&Packet::Publish(Publish { qos, packet_id, ..publish(topic, b"x") }));
                client.expect_disconnect(ReasonCode::MalformedPacket);
            }
        }
    }
}

/// [v3.1.1 MQTT-4.7.1-2]
#[test]
fn mqtt_4_7_1_1_the_multi_level_wildcard_is_the_whole_last_level() {
    let server = Server::start();
    for version in VERSIONS {
        for filter in ["a/#/b", "#/a", "#/#", "a#", "/a#", "##", "#a", "a/##", "a/#/", "#+", "+#"] {
            refused(&server, version, filter, ReasonCode::MalformedPacket);
        }
        let mut client = Client::connect(&server, version, "client");
        for filter in ["#", "/#", "a/#", "+/#", "a//#"] {
            assert_eq!(client.subscribe(filter, AtMostOnce), ReasonCode::Success, "{version} {filter}");
        }
    }
}

/// [v3.1.1 MQTT-4.7.1-3]
#[test]
fn mqtt_4_7_1_2_the_single_level_wildcard_is_a_whole_level() {
    let server = Server::start();
    for version in VERSIONS {
        for filter in ["a+", "+a", "a/b+/c", "++", "a/+b", "+ /a", "a/+#"] {
            refused(&server, version, filter, ReasonCode::MalformedPacket);
        }
        let mut client = Client::connect(&server, version, "client");
        for filter in ["+", "/+", "+/", "a/+/b", "+/+/+", "+/a/#"] {
            assert_eq!(client.subscribe(filter, AtMostOnce), ReasonCode::Success, "{version} {filter}");
        }
    }
}

/// [v3.1.1 MQTT-4.7.2-1]: neither as they are published nor retained. And clients do not publish there.
#[test]
fn mqtt_4_7_2_1_a_leading_wildcard_does_not_match_a_leading_dollar() {
    let server = Server::with("[sys]\ninterval_s = 1");
    for version in VERSIONS {
        let mut curious = Client::connect(&server, version, "curious");
        for filter in ["#", "+/broker/#", "+/#", "+/+/version"] {
            curious.subscribe(filter, AtMostOnce);
        }
        let mut operator = Client::connect(&server, version, "operator");
        for filter in ["$SYS/broker/#", "$SYS/+/version", "$SYS/#"] {
            operator.subscribe(filter, AtMostOnce);
            assert!(operator.receive().topic.starts_with("$SYS/broker/"), "{version} {filter}");
            operator.unsubscribe(filter);
            operator.messages_until_pong();
        }
        for topic in ["$SYS/broker/version", "$SYS/mine", "$other", "$share/g/t"] {
            operator.subscribe("$SYS/mine", AtMostOnce);
            for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
                let expected = match qos {
                    AtLeastOnce | ExactlyOnce if version.is_v5() => ReasonCode::TopicNameInvalid,
                    _ => ReasonCode::Success,
                };
                assert_eq!(operator.publish(topic, "x", qos), expected, "{version} {topic} {qos:?}");
            }
        }
        operator.expect_nothing();
        curious.expect_nothing();
    }
}

/// [v3.1.1 MQTT-4.7.3-1]
#[test]
fn mqtt_4_7_3_1_an_empty_topic_closes() {
    let server = Server::start();
    for version in VERSIONS {
        refused(&server, version, "", ReasonCode::ProtocolError);
        let mut client = Client::connect(&server, version, "nowhere");
        client.send_bytes(&encoded(&Packet::Publish(publish("", b"x")), version));
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

/// [v3.1.1 MQTT-4.7.3-2]
#[test]
fn mqtt_4_7_3_2_a_null_in_a_topic_closes() {
    let server = Server::start();
    for version in VERSIONS {
        for text in ["\0", "a/\0/b", "a\0", "$share/g/\0", "$share/\0/t"] {
            refused(&server, version, text, ReasonCode::MalformedPacket);
            let mut client = Client::connect(&server, version, "publisher");
            client.send(&Packet::Publish(publish(text, b"x")));
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
    }
}

/// [v3.1.1 MQTT-4.7.3-3]: the longest there is passes whole, as name and as filter; a longer one cannot be written down, for
/// what follows 65,535 bytes is read as something else.
#[test]
fn mqtt_4_7_3_3_topics_of_65535_bytes_pass() {
    let server = Server::start();
    let longest = "é".repeat(32_767) + "x";
    assert_eq!(longest.len(), 65_535);
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "long");
        assert_eq!(client.subscribe(&longest, AtLeastOnce), ReasonCode::GrantedQos1);
        client.retain(&longest, "x", AtLeastOnce);
        assert_eq!(client.take().topic, longest, "{version}");
        client.subscribe("+", AtMostOnce);
        assert_eq!(client.receive().topic, longest, "{version} retained");
        assert_eq!(client.unsubscribe(&longest), ReasonCode::Success);
        client.unsubscribe("+");
        client.retain(&longest, "", AtMostOnce);
        // The 65,536th byte is taken for the options, and has reserved bits set; 3.1 does not look at those.
        let text = "x".repeat(65_535);
        let mut bytes = encoded(&subscribe_packet(one(), None, &[(&text, SubscribeOptions::new(AtMostOnce))]), version);
        *bytes.last_mut().unwrap() = b'x';
        client.send_bytes(&bytes);
        if version != V31 {
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
    }
}

/// However deep they are: as many levels as the longest topic has, and filters as deep. [v3.1.1 MQTT-4.7.3-3]
#[test]
fn mqtt_4_7_3_3_topics_of_65535_levels_pass() {
    let server = Server::with("[limits]\ntopic_levels_max = 65535");
    let deepest = "/".repeat(65_534);
    let deep = "+/".repeat(32_767) + "#";
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "deep");
        for filter in [deepest.as_str(), &deep, "/#"] {
            client.subscribe(filter, AtMostOnce);
            client.publish(&deepest, "x", AtMostOnce);
            assert_eq!(client.receive().topic.len(), 65_534, "{version}");
            client.unsubscribe(filter);
            client.publish(&deepest, "x", AtMostOnce);
            client.expect_nothing();
        }
        client.retain(&deepest, "x", AtMostOnce);
        client.subscribe(&deep, AtMostOnce);
        assert!(client.receive().retain, "{version}");
        client.retain(&deepest, "", AtMostOnce);
        // One level more is refused, and nothing else happens.
        let too_deep = "/".repeat(65_535);
        let refused = client.subscribe(&too_deep, AtMostOnce);
        assert_eq!(
            refused,
            if version.is_v5() { ReasonCode::TopicFilterInvalid } else { ReasonCode::UnspecifiedError }
        );
        let expected = if version.is_v5() { ReasonCode::TopicNameInvalid } else { ReasonCode::Success };
        assert_eq!(client.publish(&too_deep, "x", AtLeastOnce), expected);
        client.messages_until_pong();
        client.disconnect();
    }
}

/// [MQTT-1.5.4-3] [v3.1.1 MQTT-4.7.3-4]: nor folds cases, trims spaces, drops empty levels or a byte order mark.
#[test]
fn mqtt_4_7_3_4_matching_does_not_normalize() {
    let server = Server::start();
    let topics = [
        "é",
        "e\u{301}",
        "É",
        "ﬁ",
        "fi",
        "ｆｉ",
        "Å",
        "\u{212B}",
        "A\u{30A}",
        "\u{FEFF}a",
        "a",
        "a\u{FEFF}",
        "A",
        " a",
        "a ",
        " ",
        "a a",
        "/a",
        "a/",
        "/",
        "//",
        "a//a",
        "a/a",
        "ß",
        "ss",
        "\u{10FFFF}",
        "\u{E000}",
        "\u{FFFE}",
        "\u{1}",
        "a\u{200D}",
        "ı",
        "i",
        "İ",
        "\u{1F468}\u{200D}\u{1F469}",
        "%61",
        "a.",
        "\\",
        "*",
    ];
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        for topic in topics {
            client.subscribe(topic, AtMostOnce);
            for other in topics {
                client.send(&Packet::Publish(publish(other, b"x")));
            }
            let message = client.receive();
            assert_eq!(message.topic.as_bytes(), topic.as_bytes(), "{version}");
            client.expect_nothing();
            client.unsubscribe(topic);
        }
        // As part of a filter with wildcards, and retained.
        for topic in topics {
            client.retain(&format!("r/{topic}"), "x", AtMostOnce);
        }
        for topic in topics {
            let topic = format!("r/{topic}");
            client.subscribe(&format!("+{}", &topic[1..]), AtMostOnce);
            let message = client.receive();
            assert_eq!((message.topic.as_str(), message.retain), (topic.as_str(), true), "{version}");
            client.expect_nothing();
            client.unsubscribe(&format!("+{}", &topic[1..]));
        }
        for topic in topics {
            client.retain(&format!("r/{topic}"), "", AtMostOnce);
        }
    }
}

/// The examples of 4.7.1, and levels without characters.
#[test]
fn wildcards_match_levels() {
    let server = Server::start();
    let rows = [
        ("a/b", "a/b", true),
        ("a/b", "a/b/c", false),
        ("a/b", "a/b/", false),
        ("a/b", "/a/b", false),
        ("a", "A", false),
        ("a/+", "a/b", true),
        ("a/+", "a/b/c", false),
        ("a/+", "a/", true),
        ("a/+", "a", false),
        ("+", "a", true),
        ("+", "/a", false),
        ("+", "a/", false),
        ("+/+", "/a", true),
        ("+/+", "a/", true),
        ("+/+", "/", true),
        ("+/+", "//", false),
        ("/+", "/a", true),
        ("/+", "/", true),
        ("+/+/+", "//", true),
        ("/", "/", true),
        ("//", "//", true),
        ("//", "/", false),
        ("a//b", "a//b", true),
        ("a/+/b", "a//b", true),
        ("a/b", "a//b", false),
        ("a/#", "a", true),
        ("a/#", "a/", true),
        ("a/#", "a/b/c", true),
        ("a/#", "ab", false),
        ("a/#", "/a", false),
        ("a/b/#", "a", false),
        ("+/#", "a", true),
        ("+/#", "/", true),
        ("/#", "/", true),
        ("/#", "a", false),
        ("#", "a/b/c", true),
        ("#", "/", true),
        ("+/b/#", "a/b", true),
        ("+/b/#", "a/c", false),
    ];
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        for (filter, topic, matches) in rows {
            client.subscribe(filter, AtMostOnce);
            client.publish(topic, "x", AtMostOnce);
            assert_eq!(client.messages_until_pong(), usize::from(matches), "{version}: {filter} and {topic}");
            client.unsubscribe(filter);
            client.retain(topic, "x", AtMostOnce);
            client.subscribe(filter, AtMostOnce);
            assert_eq!(client.messages_until_pong(), usize::from(matches), "{version}: {filter} and {topic}, retained");
            client.unsubscribe(filter);
            client.retain(topic, "", AtMostOnce);
        }
    }
}

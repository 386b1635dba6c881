//! Subscription Options (3.8.3.1), Subscription Identifiers, and what becomes of both when filters overlap or are replaced.

use midge_protocol::{
    Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, SubscribeOptions,
};

use super::{encoded, handling, subscribe_all, subscribe_packet};
use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::V5;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use RetainHandling::{IfNew, Never, OnSubscribe};

const NO_LOCAL: SubscribeOptions = SubscribeOptions { no_local: true, ..SubscribeOptions::new(AtLeastOnce) };

/// The other client's messages come; so do the client's own, for another subscription of its that matches.
#[test]
fn mqtt_3_8_3_3_no_local_keeps_own_messages_away() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    let mut other = Client::connect(&server, V5, "other");
    subscribe_all(&mut client, Some(1), &[("t/+", NO_LOCAL)]);
    client.publish("t/a", "own", AtLeastOnce);
    client.expect_nothing();
    other.publish("t/a", "other's", AtLeastOnce);
    assert_eq!(client.take().text(), "other's");
    subscribe_all(&mut client, Some(2), &[("t/a", SubscribeOptions::new(AtMostOnce))]);
    client.publish("t/a", "own", AtLeastOnce);
    let message = client.receive();
    assert_eq!((message.qos, message.subscription_ids), (AtMostOnce, vec![2]), "the other subscription's alone");
    client.expect_nothing();
    // It is the Client Identifier that counts, not the connection.
    drop(client);
    let (mut client, _) = Client::connect_with(&server, V5, "client", |connect| {
        connect.properties.session_expiry = Some(60);
    });
    client.subscribe_with("t/a", NO_LOCAL);
    drop(client);
    let (mut client, present) = Client::connect_with(&server, V5, "client", |connect| connect.clean_start = false);
    assert!(present);
    client.publish("t/a", "own", AtLeastOnce);
    client.expect_nothing();
}

#[test]
fn mqtt_3_8_3_4_no_local_on_a_share_is_a_protocol_error() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.send_subscribe("$share/g/t", NO_LOCAL);
    client.expect_disconnect(ReasonCode::ProtocolError);
    // One among others is enough, and none of them is made.
    let (mut client, _) = Client::connect_with(&server, V5, "client", |connect| {
        connect.properties.session_expiry = Some(60);
    });
    let packet_id = client.new_id();
    client.send(&subscribe_packet(packet_id, None, &[("t", NO_LOCAL), ("$share/g/t", NO_LOCAL)]));
    client.expect_disconnect(ReasonCode::ProtocolError);
    let (mut client, _) = Client::connect_with(&server, V5, "client", |connect| connect.clean_start = false);
    Client::connect(&server, V5, "other").publish("t", "x", AtLeastOnce);
    client.expect_nothing();
}

/// [v3.1.1 MQTT-3.8.4-3]: its QoS changes, its retained messages come again, and there is one subscription as before.
#[test]
fn mqtt_3_8_4_3_an_equal_filter_replaces_the_subscription() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        client.retain("t", "kept", ExactlyOnce);
        for qos in [ExactlyOnce, AtMostOnce, AtLeastOnce] {
            assert_eq!(client.subscribe("t", qos), ReasonCode::granted(qos));
            let kept = client.take();
            assert_eq!((kept.text(), kept.qos, kept.retain), ("kept", qos, true), "{version}");
            client.publish("t", "x", ExactlyOnce);
            let message = client.take();
            assert_eq!((message.text(), message.qos, message.retain), ("x", qos, false), "{version}");
            client.expect_nothing();
        }
        assert_eq!(client.unsubscribe("t"), ReasonCode::Success);
        client.publish("t", "x", ExactlyOnce);
        client.expect_nothing();
    }
}

#[test]
fn mqtt_3_8_4_3_every_option_is_replaced() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    let mut other = Client::connect(&server, V5, "other");
    let quiet = handling(Never, SubscribeOptions::new(AtLeastOnce));
    let loud = SubscribeOptions { no_local: true, retain_as_published: true, ..quiet };
    for (id, options) in [(Some(1), quiet), (Some(2), loud), (None, quiet)] {
        subscribe_all(&mut client, id, &[("t", options)]);
        client.retain("t", "own", AtLeastOnce);
        if !options.no_local {
            assert_eq!(client.take().text(), "own");
        }
        other.retain("t", "other's", AtLeastOnce);
        let message = client.take();
        assert_eq!(message.text(), "other's");
        assert_eq!(message.retain, options.retain_as_published);
        assert_eq!(message.subscription_ids, id.as_slice());
        client.expect_nothing();
    }
}

/// No message is lost, repeated or overtaken while its subscription is replaced a hundred times. [v3.1.1 MQTT-3.8.4-3]
#[test]
fn mqtt_3_8_4_4_replacing_sends_retained_again_and_loses_nothing() {
    const COUNT: usize = 100;
    let server = Server::start();
    for version in VERSIONS {
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.retain("t/kept", "kept", AtLeastOnce);
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("t/+", AtLeastOnce);
        assert_eq!(client.take().text(), "kept");
        let texts: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
        let (mut asked, mut told) = (Vec::new(), Vec::new());
        for text in &texts {
            told.push(publisher.new_id());
            let (packet_id, message) = (told.last().copied(), publish("t/new", text.as_bytes()));
            publisher.send(&Packet::Publish(Publish { qos: AtLeastOnce, packet_id, ..message }));
            asked.push(client.send_subscribe("t/+", SubscribeOptions::new(AtLeastOnce)));
        }
        for packet_id in asked {
            assert_eq!(client.suback(packet_id), [ReasonCode::GrantedQos1]);
        }
        for packet_id in told {
            assert_eq!(publisher.acknowledgement(packet_id), ReasonCode::Success);
        }
        let came: Vec<_> = (0..2 * COUNT).map(|_| client.take()).collect();
        let (kept, new): (Vec<_>, Vec<_>) = came.iter().partition(|message| message.retain);
        assert!(kept.iter().all(|message| message.text() == "kept"), "{version}");
        assert_eq!(new.iter().map(|message| message.text()).collect::<Vec<_>>(), texts, "{version}");
        client.expect_nothing();
    }
}

/// [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]
#[test]
fn mqtt_3_8_4_4_retain_handling_says_when_retained_messages_come() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.retain("t", "kept", AtLeastOnce);
    for (retain_handling, at_first, again) in [(OnSubscribe, 1, 1), (IfNew, 1, 0), (Never, 0, 0)] {
        let options = handling(retain_handling, SubscribeOptions::new(AtMostOnce));
        for filter in ["t", "+", "#"] {
            client.subscribe_with(filter, options);
            assert_eq!(client.messages_until_pong(), at_first, "{retain_handling:?} {filter}");
            client.subscribe_with(filter, options);
            assert_eq!(client.messages_until_pong(), again, "{retain_handling:?} {filter} again");
            client.unsubscribe(filter);
            client.subscribe_with(filter, options);
            assert_eq!(client.messages_until_pong(), at_first, "{retain_handling:?} {filter} anew");
            client.unsubscribe(filter);
        }
    }
    // In one packet as in a sequence: for the second of two equal filters there is a subscription already.
    for (retain_handling, comes) in [(OnSubscribe, 2), (IfNew, 1), (Never, 0)] {
        subscribe_all(&mut client, None, &[("t", handling(retain_handling, SubscribeOptions::new(AtMostOnce))); 2]);
        assert_eq!(client.messages_until_pong(), comes, "{retain_handling:?} twice");
        client.unsubscribe("t");
    }
}

/// The subscription of a session that is resumed exists already. [MQTT-3.3.1-10]
#[test]
fn mqtt_3_8_4_4_a_resumed_session_has_its_subscriptions() {
    let server = Server::start();
    let stay = |connect: &mut Connect<'_>| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(60);
    };
    let (mut client, _) = Client::connect_with(&server, V5, "client", stay);
    client.retain("t", "kept", AtLeastOnce);
    client.subscribe_with("t", handling(IfNew, SubscribeOptions::new(AtMostOnce)));
    assert_eq!(client.receive().text(), "kept");
    drop(client);
    let (mut client, _) = Client::connect_with(&server, V5, "client", stay);
    client.subscribe_with("t", handling(IfNew, SubscribeOptions::new(AtMostOnce)));
    client.expect_nothing();
    client.subscribe_with("t", handling(OnSubscribe, SubscribeOptions::new(AtMostOnce)));
    assert_eq!(client.receive().text(), "kept");
}

/// [MQTT-3.3.1-12] [MQTT-3.3.1-13]: a retained message that greets a subscription has RETAIN set whatever it asks for.
#[test]
fn mqtt_3_3_1_13_retain_as_published_keeps_retain_or_clears_it() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    for retain_as_published in [false, true] {
        let options = SubscribeOptions { retain_as_published, ..SubscribeOptions::new(AtMostOnce) };
        client.subscribe_with("t", options);
        client.retain("t", "kept", AtLeastOnce);
        assert_eq!(client.receive().retain, retain_as_published);
        client.publish("t", "passing", AtLeastOnce);
        assert!(!client.receive().retain);
        client.subscribe_with("t", options);
        let greeting = client.receive();
        assert_eq!((greeting.text(), greeting.retain), ("kept", true));
        client.retain("t", "", AtLeastOnce);
        assert_eq!(client.receive().retain, retain_as_published);
        client.unsubscribe("t");
    }
    // Of two subscriptions that match one is enough.
    client.subscribe_with("t", SubscribeOptions { retain_as_published: true, ..SubscribeOptions::new(AtMostOnce) });
    client.subscribe("#", AtMostOnce);
    client.retain("t", "kept", AtLeastOnce);
    assert!(client.receive().retain);
    client.expect_nothing();
}

/// [MQTT-3.3.4-2] [MQTT-3.3.4-3]: Midge sends one copy for all subscriptions that match.
#[test]
fn mqtt_3_3_4_4_overlapping_subscriptions_get_one_copy_with_every_identifier() {
    const LARGEST: u32 = 268_435_455;
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    for (id, filter, qos) in [
        (Some(1), "a/#", AtMostOnce),
        (Some(LARGEST), "a/b", ExactlyOnce),
        (None, "+/b", AtLeastOnce),
        (Some(1), "#", AtMostOnce),
        (Some(3), "other", AtMostOnce),
    ] {
        subscribe_all(&mut client, id, &[(filter, SubscribeOptions::new(qos))]);
    }
    client.publish("a/b", "x", ExactlyOnce);
    let mut message = client.take();
    message.subscription_ids.sort_unstable();
    // An identifier that two of them share may come twice (3.8.4).
    message.subscription_ids.dedup();
    assert_eq!((message.qos, message.subscription_ids), (ExactlyOnce, vec![1, LARGEST]));
    client.expect_nothing();
    // Each replaced one counts no more.
    subscribe_all(&mut client, Some(9), &[("a/b", SubscribeOptions::new(AtMostOnce))]);
    client.publish("a/b", "x", ExactlyOnce);
    let mut message = client.take();
    message.subscription_ids.sort_unstable();
    message.subscription_ids.dedup();
    assert_eq!((message.qos, message.subscription_ids), (AtLeastOnce, vec![1, 9]));
    client.expect_nothing();
    // Below version 5 the same, without identifiers.
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "below");
        client.subscribe("a/#", AtMostOnce);
        client.subscribe("a/b", ExactlyOnce);
        client.publish("a/b", "x", ExactlyOnce);
        let message = client.take();
        assert_eq!((message.qos, message.subscription_ids), (ExactlyOnce, vec![]), "{version}");
        client.expect_nothing();
    }
}

/// The largest identifier takes four bytes, and retained messages carry theirs like any other. [MQTT-3.3.4-4]
#[test]
fn mqtt_3_3_4_3_the_identifier_comes_with_every_message_byte_for_byte() {
    let server = Server::start();
    let mut client = Client::connect(&server, V5, "client");
    client.retain("t", "k", AtMostOnce);
    for (id, bytes) in [(1, &[1][..]), (127, &[0x7F]), (128, &[0x80, 1]), (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F])] {
        let packet_id = client.new_id();
        client.send(&subscribe_packet(packet_id, Some(id), &[("t", SubscribeOptions::new(AtMostOnce))]));
        client.bytes_or_close(6);
        let properties = [&[bytes.len() as u8 + 1, 0x0B][..], bytes].concat();
        let body = [b"\0\x01t", &properties[..], b"k"].concat();
        let expected = [&[0x31, body.len() as u8][..], &body].concat();
        assert_eq!(client.bytes_or_close(expected.len()), expected, "{id}");
    }
}

/// [MQTT-4.13.1-1]: a client may have more than one identifier for the same filter only one after the other.
#[test]
fn mqtt_4_13_1_1_an_identifier_of_zero_twice_or_too_long_is_refused() {
    let server = Server::start();
    let whole =
        encoded(&subscribe_packet(PacketId::new(1).unwrap(), None, &[("t", SubscribeOptions::new(AtMostOnce))]), V5);
    for (properties, reason) in [
        (&[0x0B, 0][..], ReasonCode::ProtocolError),
        (&[0x0B, 1, 0x0B, 2], ReasonCode::ProtocolError),
        (&[0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 1], ReasonCode::MalformedPacket),
        (&[0x0B, 0x81, 0x00], ReasonCode::MalformedPacket),
    ] {
        let mut bytes = whole.clone();
        bytes.splice(4..5, [&[properties.len() as u8], properties].concat());
        bytes[1] += properties.len() as u8;
        let mut client = Client::connect(&server, V5, "client");
        client.send_bytes(&bytes);
        client.expect_disconnect(reason);
    }
}

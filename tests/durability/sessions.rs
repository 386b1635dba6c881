//! Sessions: that they are there, with their subscriptions and what waits for them, and that their time goes on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use midge_protocol::{
    MessageProperties, ProtocolVersion, Publish, QoS, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions,
    SubscriptionId, UserProperties, UserPropertiesBuf,
};
use rustix::process::Signal;

use super::{ENDS, away, back, durable, kept, stay};
use crate::support::message::publish;
use crate::support::{Client, PATIENCE, VERSIONS};

/// [MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-4.1.0-1] [v3.1.1 MQTT-3.1.2-4] [v3.1.1 MQTT-3.2.2-2]
#[test]
fn a_lasting_session_is_there_again_and_another_is_not() {
    for end in ENDS {
        let mut server = durable();
        for version in VERSIONS {
            let id = format!("stays-{version}");
            away(&server, version, &id, "a/#", QoS::AtLeastOnce);
            drop(Client::connect(&server, version, &format!("goes-{version}")));
        }
        server.again(end);
        for version in VERSIONS {
            let id = format!("stays-{version}");
            let mut client = back(&server, version, &id);
            client.publish("a/b", "still subscribed", QoS::AtLeastOnce);
            assert_eq!(client.take().text(), "still subscribed");
            let id = format!("goes-{version}");
            assert!(!Client::connect_with(&server, version, &id, kept).1, "{end:?} {version}");
        }
    }
}

#[test]
fn a_session_that_was_given_up_does_not_come_back() {
    for end in ENDS {
        let mut server = durable();
        let version = ProtocolVersion::V5;
        away(&server, version, "c", "a", QoS::AtLeastOnce);
        let (client, present) = Client::connect_with(&server, version, "c", |connect| connect.clean_start = true);
        assert!(!present);
        drop(client);
        server.again(end);
        assert!(!Client::connect_with(&server, version, "c", kept).1, "{end:?}");
    }
}

#[test]
fn subscriptions_keep_their_options() {
    for end in ENDS {
        let mut server = durable();
        let version = ProtocolVersion::V5;
        let mut client = stay(&server, version, "c");
        let subscribe = |client: &mut Client, filter, id, options| {
            let packet_id = client.new_id();
            client.send(&midge_protocol::Packet::Subscribe(Subscribe {
                packet_id,
                subscription_id: SubscriptionId::new(id),
                user_properties: UserProperties::default(),
                filters: vec![SubscribeFilter { filter, options }],
            }));
            client.suback(packet_id);
        };
        let options = SubscribeOptions::new(QoS::ExactlyOnce);
        subscribe(&mut client, "mine", 7, SubscribeOptions { no_local: true, ..options });
        subscribe(&mut client, "published", 8, SubscribeOptions { retain_as_published: true, ..options });
        subscribe(&mut client, "low", 9, SubscribeOptions::new(QoS::AtMostOnce));
        subscribe(&mut client, "gone", 10, SubscribeOptions { retain_handling: RetainHandling::Never, ..options });
        client.unsubscribe("gone");
        server.again(end);

        let mut client = back(&server, version, "c");
        let mut other = Client::connect(&server, version, "other");
        client.publish("mine", "mine", QoS::AtLeastOnce);
        for topic in ["gone", "mine", "low"] {
            other.publish(topic, topic, QoS::AtLeastOnce);
        }
        other.retain("published", "published", QoS::ExactlyOnce);
        let mine = client.take();
        assert_eq!(
            (mine.text(), mine.qos, mine.subscription_ids.as_slice()),
            ("mine", QoS::AtLeastOnce, [7].as_slice())
        );
        let low = client.take();
        assert_eq!((low.text(), low.qos, low.subscription_ids.as_slice()), ("low", QoS::AtMostOnce, [9].as_slice()));
        let published = client.take();
        assert_eq!((published.qos, published.retain), (QoS::ExactlyOnce, true));
        client.expect_nothing();
    }
}

/// [MQTT-3.3.2-4] [MQTT-3.3.2-6] [MQTT-4.6.0-6]
#[test]
fn what_waits_is_delivered_in_order_with_everything_it_came_with() {
    for end in ENDS {
        let mut server = durable();
        let version = ProtocolVersion::V5;
        away(&server, version, "away", "a/#", QoS::ExactlyOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for number in 0..50 {
            let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            publisher.publish("a/plain", &number.to_string(), qos);
        }
        let user_properties: UserPropertiesBuf = [("name", "value")].into_iter().collect();
        let sent = Instant::now();
        publisher.publish_with(Publish {
            qos: QoS::AtLeastOnce,
            properties: MessageProperties {
                payload_is_utf8: Some(true),
                message_expiry: Some(1000),
                content_type: Some("text/plain"),
                response_topic: Some("answers"),
                correlation_data: Some(b"\x00\xff"),
                user_properties: user_properties.as_ref(),
            },
            ..publish("a/rich", b"rich")
        });
        server.again(end);

        let mut back = back(&server, version, "away");
        for number in 0..50 {
            assert_eq!(back.take().text(), number.to_string(), "{end:?}");
        }
        let rich = back.take();
        assert_eq!((rich.topic.as_str(), rich.text(), rich.qos), ("a/rich", "rich", QoS::AtLeastOnce));
        assert_eq!(rich.payload_is_utf8, Some(true));
        assert_eq!(rich.content_type.as_deref(), Some("text/plain"));
        assert_eq!(rich.response_topic.as_deref(), Some("answers"));
        assert_eq!(rich.correlation_data.as_deref(), Some(b"\x00\xff".as_slice()));
        assert_eq!(rich.user_properties, [("name".to_owned(), "value".to_owned())]);
        let left = u64::from(rich.message_expiry.unwrap());
        assert!(left <= 1000 && left + sent.elapsed().as_secs() + 2 > 1000, "{left} s are left");
        back.expect_nothing();
        drop(back);
        super::settle(&server);

        server.again(end);
        super::back(&server, version, "away").expect_nothing();
    }
}

/// [MQTT-3.3.2-5]
#[test]
fn a_message_expires_while_the_broker_is_down() {
    let mut server = durable();
    let version = ProtocolVersion::V5;
    away(&server, version, "away", "a", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, version, "publisher");
    let expiring = |seconds| MessageProperties { message_expiry: Some(seconds), ..MessageProperties::default() };
    for (payload, seconds) in [("short", 1), ("long", 1000)] {
        let message = Publish { properties: expiring(seconds), ..publish("a", payload.as_bytes()) };
        publisher.publish_with(Publish { qos: QoS::AtLeastOnce, ..message });
    }
    server.end(Signal::KILL);
    sleep(Duration::from_millis(1200));
    server.begin();
    let mut client = back(&server, version, "away");
    assert_eq!(client.take().text(), "long");
    client.expect_nothing();
}

/// [MQTT-3.1.2-23] [MQTT-4.1.0-2]
#[test]
fn a_session_expires_while_the_broker_is_down() {
    let mut server = durable();
    let version = ProtocolVersion::V5;
    let connect = |server: &_, id, seconds| {
        Client::connect_with(server, version, id, |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(seconds);
        })
    };
    for (id, seconds) in [("short", 1), ("long", 1000)] {
        connect(&server, id, seconds).0.disconnect();
    }
    server.end(Signal::KILL);
    sleep(Duration::from_millis(1200));
    server.begin();
    server.metric_reaches("midge_sessions_expired_total", &[], 1.0);
    assert!(!connect(&server, "short", 1).1, "it has expired");
    assert!(connect(&server, "long", 1000).1, "it has not");
}

/// The connection of a client ends with the broker: its session's time begins to count then, and not before.
#[test]
fn a_session_that_was_connected_when_the_broker_died_has_all_its_time_left() {
    let mut server = durable();
    let version = ProtocolVersion::V5;
    let connect = |server: &_| {
        Client::connect_with(server, version, "c", |connect| {
            connect.clean_start = false;
            connect.properties.session_expiry = Some(2);
        })
    };
    let (client, _) = connect(&server);
    server.end(Signal::KILL);
    drop(client);
    sleep(Duration::from_millis(2200));
    server.begin();
    assert!(connect(&server).1, "it was connected while the broker ran");
    let deadline = Instant::now() + PATIENCE;
    while connect_later(&server) {
        assert!(Instant::now() < deadline, "it never expires");
    }
}

/// Whether the session is still there after its two seconds.
fn connect_later(server: &crate::support::Server) -> bool {
    sleep(Duration::from_millis(2500));
    let (client, present) = Client::connect_with(server, ProtocolVersion::V5, "c", |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(2);
    });
    drop(client);
    present
}

#[test]
fn what_came_back_is_said_at_start_and_counted() {
    let mut server = durable();
    let version = ProtocolVersion::V5;
    away(&server, version, "away", "a", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, version, "publisher");
    publisher.publish("a", "1", QoS::AtLeastOnce);
    publisher.retain("r", "2", QoS::AtLeastOnce);
    server.again(Signal::KILL);
    server.logged(&["what the store kept is back", "sessions=1", "messages=1", "retained=1"]);
    assert!(server.log().contains("sessions 1, messages for them 1, retained messages 1"), "{}", server.log());
    let count = |name| server.metric(name, &[]);
    assert_eq!(
        (count("midge_sessions"), count("midge_queued_messages"), count("midge_retained_messages")),
        (1.0, 1.0, 1.0)
    );
    assert_eq!((count("midge_store_sessions"), count("midge_store_deliveries")), (1.0, 1.0));
}

//! Filters and options of ordinary subscriptions.

use midge_protocol::{
    Packet, ProtocolVersion, QoS, ReasonCode, Subscribe, SubscribeFilter, SubscribeOptions, SubscriptionId,
    UserProperties,
};

use crate::support::{Client, Server, VERSIONS};

#[test]
fn mqtt_4_7_wildcards_match_levels() {
    let server = Server::start();
    let rows = [
        ("a/b", "a/b", true),
        ("a/b", "a/b/c", false),
        ("a/+", "a/b", true),
        ("a/+", "a/b/c", false),
        ("a/+", "a/", true),
        ("+", "/a", false),
        ("+/+", "/a", true),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("#", "a/b/c", true),
        ("a", "A", false),
        ("a/b", "a/b/", false),
    ];
    for (filter, topic, matches) in rows {
        let mut client = Client::connect(&server, ProtocolVersion::V311, "client");
        client.subscribe(filter, QoS::AtMostOnce);
        client.publish(topic, "x", QoS::AtLeastOnce);
        assert_eq!(client.messages_until_pong(), usize::from(matches), "{filter} and {topic}");
    }
}

#[test]
fn mqtt_4_7_2_1_wildcards_do_not_reach_topics_of_the_broker() {
    let server = Server::with("[sys]\ninterval_s = 1");
    let mut curious = Client::connect(&server, ProtocolVersion::V5, "curious");
    curious.subscribe("#", QoS::AtMostOnce);
    curious.subscribe("+/broker/#", QoS::AtMostOnce);
    let mut operator = Client::connect(&server, ProtocolVersion::V5, "operator");
    operator.subscribe("$SYS/broker/#", QoS::AtMostOnce);
    assert!(operator.receive().topic.starts_with("$SYS/broker/"));
    curious.expect_nothing();
    operator.unsubscribe("$SYS/broker/#");
    for topic in ["$SYS/broker/version", "$other"] {
        operator.publish_refused(topic, ReasonCode::TopicNameInvalid);
    }
}

#[test]
fn a_bad_filter_is_refused_and_never_matches() {
    let server = Server::start();
    for filter in ["a/#/b", "a#", "a+/b", ""] {
        let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
        client.send_subscribe(filter, SubscribeOptions::new(QoS::AtMostOnce));
        client.expect_refusal(&[
            ReasonCode::TopicFilterInvalid,
            ReasonCode::ProtocolError,
            ReasonCode::MalformedPacket,
        ]);
    }
}

#[test]
fn overlapping_subscriptions_deliver_with_the_best_quality() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        client.subscribe("a/#", QoS::AtMostOnce);
        client.subscribe("a/b", QoS::ExactlyOnce);
        client.publish("a/b", "x", QoS::ExactlyOnce);
        assert_eq!(client.take().qos, QoS::ExactlyOnce, "{version}");
    }
}

#[test]
fn mqtt_3_8_4_3_subscribing_again_replaces() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V311, "client");
    client.subscribe("t", QoS::ExactlyOnce);
    client.subscribe("t", QoS::AtMostOnce);
    client.publish("t", "x", QoS::ExactlyOnce);
    assert_eq!(client.take().qos, QoS::AtMostOnce);
    client.expect_nothing();
}

#[test]
fn mqtt_3_10_4_1_after_unsubscribe_nothing_arrives() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    client.subscribe("t", QoS::AtLeastOnce);
    assert_eq!(client.unsubscribe("t"), ReasonCode::Success);
    assert_eq!(client.unsubscribe("t"), ReasonCode::NoSubscriptionExisted);
    client.publish("t", "x", QoS::AtLeastOnce);
    client.expect_nothing();
}

#[test]
fn mqtt_3_8_3_3_no_local_keeps_own_messages_away() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    client.subscribe_with("t", SubscribeOptions { no_local: true, ..SubscribeOptions::new(QoS::AtLeastOnce) });
    client.publish("t", "own", QoS::AtLeastOnce);
    client.expect_nothing();
    Client::connect(&server, ProtocolVersion::V5, "other").publish("t", "other's", QoS::AtLeastOnce);
    assert_eq!(client.take().text(), "other's");
}

#[test]
fn mqtt_3_3_4_3_the_subscription_id_comes_with_the_message() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    for (filter, id) in [("t/#", 7), ("t/a", 268_435_455)] {
        let packet_id = client.new_id();
        client.send(&Packet::Subscribe(Subscribe {
            packet_id,
            subscription_id: SubscriptionId::new(id),
            user_properties: UserProperties::default(),
            filters: vec![SubscribeFilter { filter, options: SubscribeOptions::new(QoS::AtMostOnce) }],
        }));
        client.suback(packet_id);
    }
    client.publish("t/b", "x", QoS::AtLeastOnce);
    assert_eq!(client.receive().subscription_ids, [7]);
    client.publish("t/a", "x", QoS::AtLeastOnce);
    let mut ids = client.receive().subscription_ids;
    if ids.len() == 1 {
        ids.extend(client.receive().subscription_ids);
    }
    ids.sort_unstable();
    assert_eq!(ids, [7, 268_435_455], "in one message or in two");
}

#[test]
fn mqtt_3_8_4_6_one_reason_for_every_filter_in_order() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    let packet_id = client.new_id();
    let filter = |filter, qos| SubscribeFilter { filter, options: SubscribeOptions::new(qos) };
    client.send(&Packet::Subscribe(Subscribe {
        packet_id,
        subscription_id: None,
        user_properties: UserProperties::default(),
        filters: vec![filter("a", QoS::ExactlyOnce), filter("b", QoS::AtMostOnce), filter("c", QoS::AtLeastOnce)],
    }));
    let granted = [QoS::ExactlyOnce, QoS::AtMostOnce, QoS::AtLeastOnce].map(ReasonCode::granted);
    assert_eq!(client.suback(packet_id), granted);
}

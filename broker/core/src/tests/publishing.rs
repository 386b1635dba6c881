//! PUBLISH from a client: acknowledgements, aliases, quotas, decisions.

use midge_protocol::{ReasonCode, TopicName};

use super::client::{World, publish_packet};
use crate::{Decision, Message, Origin, ProtocolError};

#[test]
fn each_qos_has_its_acknowledgement() {
    let world = World::new();
    let mut subscriber = world.client("s");
    subscriber.subscribe("t", 2);
    let mut publisher = world.client("p");
    publisher.publish("t", "zero", 0, 0);
    publisher.publish("t", "one", 1, 5);
    publisher.publish("t", "two", 2, 6);
    publisher.pubrel(6);
    assert_eq!(publisher.output(), ["CONNACK 00", "PUBACK 5 00", "PUBREC 6 00", "PUBCOMP 6 00"]);
    assert_eq!(subscriber.output(), ["CONNACK 00", "SUBACK 02", "t zero", "t one q1 #1", "t two q2 #2"]);
}

#[test]
fn a_message_nobody_subscribed_to_is_acknowledged_with_0x10() {
    let world = World::new();
    let mut client = world.client("p");
    client.publish("t", "", 1, 1);
    client.publish("t", "", 2, 2);
    assert_eq!(client.output(), ["CONNACK 00", "PUBACK 1 10", "PUBREC 2 10"]);
    assert_eq!(world.broker.statistics().messages_unmatched, 2);
    let mut old = world.v3("o", true);
    old.publish("t", "", 1, 1);
    assert_eq!(old.output(), ["CONNACK 00", "PUBACK 1 00"]);
}

#[test]
fn a_qos_2_message_sent_again_is_acknowledged_and_not_routed_again() {
    let world = World::new();
    let mut subscriber = world.client("s");
    subscriber.subscribe("t", 0);
    let mut publisher = world.durable("p");
    publisher.publish("t", "once", 2, 7);
    publisher.lose();
    let mut publisher = world.durable("p");
    publisher.publish_with("t", "once", 2, 7, |publish| publish.dup = true);
    publisher.pubrel(7);
    publisher.publish("t", "another", 2, 7);
    assert_eq!(publisher.output(), ["CONNACK 00 present", "PUBREC 7 00", "PUBCOMP 7 00", "PUBREC 7 00"]);
    assert_eq!(subscriber.output()[2..], ["t once", "t another"]);
}

#[test]
fn pubrel_for_an_unknown_id_is_answered_with_0x92() {
    let world = World::new();
    let mut client = world.client("p");
    client.pubrel(3);
    assert_eq!(client.output(), ["CONNACK 00", "PUBCOMP 3 92"]);
}

#[test]
fn more_unacknowledged_messages_than_receive_maximum_end_the_connection_with_0x93() {
    let world = World::with(|limits| limits.receive_maximum = 2);
    let mut client = world.client("p");
    client.publish("t", "", 2, 1);
    client.publish("t", "", 2, 2);
    let error = client.send(publish_packet("t", "", 1, 3, |_| {})).unwrap_err();
    assert_eq!(
        (error, error.reason_code()),
        (ProtocolError::ReceiveMaximumExceeded(2), ReasonCode::ReceiveMaximumExceeded)
    );
}

#[test]
fn acknowledgements_give_the_quota_back() {
    let world = World::with(|limits| limits.receive_maximum = 1);
    let mut client = world.client("p");
    for id in 1..5 {
        client.publish("t", "", 1, id);
        client.publish("t", "", 2, id);
        client.pubrel(id);
        let refuse = Decision::Refuse { reason: ReasonCode::NotAuthorized, text: None };
        client.send_decided(publish_packet("t", "", 2, id, |_| {}), refuse).unwrap();
    }
    let mut old = world.v3("o", true);
    old.publish("t", "", 2, 1);
    old.publish("t", "", 2, 2);
}

#[test]
fn a_refused_message_is_not_routed_and_version_5_is_told_why() {
    let world = World::new();
    let mut subscriber = world.client("s");
    subscriber.subscribe("#", 0);
    let refuse = Decision::Refuse { reason: ReasonCode::NotAuthorized, text: Some("rule 3") };
    let mut client = world.client("p");
    for qos in 0..3 {
        client.send_decided(publish_packet("t", "", qos, u16::from(qos), |_| {}), refuse).unwrap();
    }
    assert_eq!(client.output(), ["CONNACK 00", "PUBACK 1 87 `rule 3`", "PUBREC 2 87 `rule 3`"]);
    let mut old = world.v3("o", true);
    old.send_decided(publish_packet("t", "", 1, 1, |_| {}), refuse).unwrap();
    assert_eq!(old.output(), ["CONNACK 00", "PUBACK 1 00"]);
    assert_eq!(subscriber.output().len(), 2);
    assert_eq!(world.broker.statistics().messages_refused, 4);
}

#[test]
fn reason_strings_are_left_out_where_not_wanted_or_too_large() {
    let world = World::new();
    let refuse = Decision::Refuse { reason: ReasonCode::NotAuthorized, text: Some("a long explanation") };
    let mut client = world.connect("p", |connect| connect.properties.request_problem_information = Some(false));
    client.send_decided(publish_packet("t", "", 1, 1, |_| {}), refuse).unwrap();
    assert_eq!(client.output()[1..], ["PUBACK 1 87"]);
    let mut client = world.client("q");
    client.connection.maximum_packet_size = 10;
    client.send_decided(publish_packet("t", "", 1, 1, |_| {}), refuse).unwrap();
    assert_eq!(client.output()[1..], ["PUBACK 1 87"]);
}

#[test]
fn a_decision_may_replace_a_message() {
    let world = World::new();
    let mut subscriber = world.client("s");
    subscriber.subscribe("#", 0);
    let instead = Message::new(TopicName::new("u").unwrap(), "new");
    let mut client = world.client("p");
    client.send_decided(publish_packet("t", "old", 1, 1, |_| {}), Decision::Replace(&[instead])).unwrap();
    client.send_decided(publish_packet("t", "old", 2, 2, |_| {}), Decision::Replace(&[])).unwrap();
    let reserved = Message::new(TopicName::new("$SYS/u").unwrap(), "new");
    client.send_decided(publish_packet("t", "old", 1, 3, |_| {}), Decision::Replace(&[reserved])).unwrap();
    assert_eq!(client.output()[1..], ["PUBACK 1 00", "PUBREC 2 00", "PUBACK 3 10"]);
    assert_eq!(subscriber.output()[2..], ["u new"]);
}

#[test]
fn topics_that_begin_with_a_dollar_sign_belong_to_the_broker() {
    let world = World::new();
    let mut subscriber = world.client("s");
    subscriber.subscribe("$SYS/#", 0);
    let mut client = world.client("p");
    client.publish("$SYS/broker/version", "mine", 1, 1);
    client.publish("$share/g/t", "mine", 2, 2);
    assert_eq!(client.output()[1..], ["PUBACK 1 90", "PUBREC 2 90"]);
    let message = || Message::new(TopicName::new("$SYS/broker/version").unwrap(), "1");
    let publish =
        |origin| world.batch(|effects| world.broker.publish_from(origin, message(), world.now.get(), effects));
    assert_eq!((publish(Origin::Plugin), publish(Origin::System)), (0, 1));
    assert_eq!(subscriber.output()[2..], ["$SYS/broker/version 1"]);
}

#[test]
fn topics_with_too_many_levels_are_refused() {
    let world = World::with(|limits| limits.topic_levels_max = 2);
    let mut client = world.client("p");
    client.publish("a/b", "", 1, 1);
    client.publish("a/b/c", "", 1, 2);
    client.subscribe("+/b/#", 0);
    assert_eq!(client.output()[1..], ["PUBACK 1 10", "PUBACK 2 90", "SUBACK 8f"]);
}

#[test]
fn payloads_that_claim_to_be_text_are_checked_where_that_is_wanted() {
    let world = World::with(|limits| limits.check_payload_format = true);
    let mut client = world.client("p");
    for (id, payload) in [(1, &b"text"[..]), (2, &[0xFF][..])] {
        client.publish_with("t", "", 1, id, |publish| {
            publish.payload = payload;
            publish.properties.payload_is_utf8 = Some(true);
        });
    }
    assert_eq!(client.output()[1..], ["PUBACK 1 10", "PUBACK 2 99"]);
}

#[test]
fn a_topic_alias_stands_for_the_topic_it_was_last_defined_with() {
    let world = World::new();
    let mut subscriber = world.client("s");
    subscriber.subscribe("#", 0);
    let mut client = world.client("p");
    client.publish_with("a", "1", 0, 0, |publish| publish.topic_alias = Some(64));
    client.publish_with("", "2", 0, 0, |publish| publish.topic_alias = Some(64));
    client.publish_with("b", "3", 0, 0, |publish| publish.topic_alias = Some(64));
    client.publish_with("", "4", 0, 0, |publish| publish.topic_alias = Some(64));
    assert_eq!(subscriber.output()[2..], ["a 1", "a 2", "b 3", "b 4"]);
}

#[test]
fn topic_aliases_are_bounded_and_end_with_the_connection() {
    let world = World::new();
    let alias =
        |topic: &'static str, alias| publish_packet(topic, "", 0, 0, move |publish| publish.topic_alias = Some(alias));
    let mut client = world.durable("p");
    client.send(alias("a", 1)).unwrap();
    assert_eq!(client.send(alias("a", 65)), Err(ProtocolError::TopicAliasTooLarge(65, 64)));
    assert_eq!(client.send(publish_packet("", "", 0, 0, |_| {})), Err(ProtocolError::TopicMissing));
    client.lose();
    let mut client = world.durable("p");
    let error = client.send(alias("", 1)).unwrap_err();
    assert_eq!((error, error.reason_code()), (ProtocolError::TopicAliasUnknown(1), ReasonCode::ProtocolError));
}

#[test]
fn properties_travel_with_the_message_to_version_5_only() {
    let world = World::new();
    let mut new = world.client("new");
    new.subscribe("t", 1);
    let mut old = world.v3("old", true);
    old.subscribe("t", 1);
    let properties: midge_protocol::UserPropertiesBuf = [("b", "2"), ("a", "1"), ("b", "3")].into_iter().collect();
    let mut client = world.client("p");
    let packet = publish_packet("t", "x", 1, 1, |publish| publish.properties.user_properties = properties.as_ref());
    client.send(packet).unwrap();
    assert_eq!(new.output()[2..], ["t x q1 #1 b=2 a=1 b=3"]);
    assert_eq!(old.output()[2..], ["t x q1 #1"]);
}

#[test]
fn counters_tell_what_came_and_what_went() {
    let world = World::new();
    let mut client = world.client("a");
    client.subscribe("t", 2);
    client.publish("t", "123", 0, 0);
    client.publish("t", "45", 1, 1);
    client.publish("t", "6", 2, 2);
    let statistics = world.broker.statistics();
    let received =
        (statistics.messages_received_qos0, statistics.messages_received_qos1, statistics.messages_received_qos2);
    let sent = (statistics.messages_sent_qos0, statistics.messages_sent_qos1, statistics.messages_sent_qos2);
    assert_eq!((received, sent), ((1, 1, 1), (1, 1, 1)));
    assert_eq!((statistics.payload_bytes_received, statistics.payload_bytes_sent), (6, 6));
    assert_eq!(
        (statistics.connections, statistics.sessions, statistics.subscriptions, statistics.in_flight),
        (1, 1, 1, 2)
    );
    client.disconnect();
    let statistics = world.broker.statistics();
    assert_eq!(
        (statistics.connections, statistics.sessions, statistics.subscriptions, statistics.in_flight),
        (0, 0, 0, 0)
    );
}

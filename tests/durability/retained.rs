//! Retained messages.

use std::thread::sleep;
use std::time::Duration;

use midge_protocol::{MessageProperties, ProtocolVersion, Publish, QoS};
use rustix::process::Signal;

use super::{ENDS, durable};
use crate::support::message::publish;
use crate::support::{Client, VERSIONS};

/// [MQTT-3.3.1-5] [v3.1.1 MQTT-3.3.1-5]
#[test]
fn a_retained_message_is_there_again_until_it_is_replaced_or_cleared() {
    for end in ENDS {
        let mut server = durable();
        for version in VERSIONS {
            let mut publisher = Client::connect(&server, version, "publisher");
            for (topic, payload) in
                [("kept", "1"), ("replaced", "1"), ("replaced", "2"), ("cleared", "1"), ("cleared", "")]
            {
                publisher.retain(&format!("{topic}/{version}"), payload, QoS::AtLeastOnce);
            }
            server.again(end);
            let mut subscriber = Client::connect(&server, version, "subscriber");
            subscriber.subscribe(&format!("+/{version}"), QoS::ExactlyOnce);
            let mut messages = [subscriber.take(), subscriber.take()].map(|message| {
                assert!(message.retain && message.qos == QoS::AtLeastOnce);
                (message.topic.clone(), message.text().to_owned())
            });
            messages.sort();
            let meant = [("kept", "1"), ("replaced", "2")];
            let meant = meant.map(|(topic, payload)| (format!("{topic}/{version}"), payload.to_owned()));
            assert_eq!(messages, meant, "{end:?}");
            subscriber.expect_nothing();
        }
    }
}

#[test]
fn a_retained_message_expires_while_the_broker_is_down() {
    let mut server = durable();
    let version = ProtocolVersion::V5;
    let mut publisher = Client::connect(&server, version, "publisher");
    for (topic, seconds) in [("a/short", 1), ("a/long", 1000)] {
        let properties = MessageProperties { message_expiry: Some(seconds), ..MessageProperties::default() };
        let message = Publish { qos: QoS::AtLeastOnce, retain: true, properties, ..publish(topic, b"x") };
        publisher.publish_with(message);
    }
    server.end(Signal::KILL);
    sleep(Duration::from_millis(1200));
    server.begin();
    let mut subscriber = Client::connect(&server, version, "subscriber");
    subscriber.subscribe("a/+", QoS::AtMostOnce);
    let long = subscriber.receive();
    assert_eq!(long.topic, "a/long");
    assert!(long.message_expiry.unwrap() < 1000);
    subscriber.expect_nothing();
}

#[test]
fn what_the_broker_says_of_itself_is_not_kept() {
    let mut server = super::with("[sys]\ninterval_s = 1\n");
    let mut subscriber = Client::connect(&server, ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("$SYS/broker/uptime", QoS::AtMostOnce);
    subscriber.receive();
    server.again(Signal::KILL);
    server.logged(&["what the store kept is back", "retained=0"]);
}

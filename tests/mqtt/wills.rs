//! Wills: what is said in the name of a client that is gone.

use midge_protocol::{Connect, Disconnect, MessageProperties, Packet, ProtocolVersion, QoS, ReasonCode, Will};

use crate::support::{Client, Server, VERSIONS};

fn will<'a>(connect: &mut Connect<'a>, topic: &'a str) {
    connect.will = Some(Will {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic,
        payload: b"gone",
        delay: None,
        properties: MessageProperties::default(),
    });
}

#[test]
fn mqtt_3_1_2_8_a_lost_connection_publishes_the_will() {
    let server = Server::start();
    for version in VERSIONS {
        let mut witness = Client::connect(&server, version, "witness");
        witness.subscribe("wills", QoS::ExactlyOnce);
        let (client, _) = Client::connect_with(&server, version, "mortal", |connect| will(connect, "wills"));
        drop(client);
        let message = witness.take();
        assert_eq!((message.text(), message.qos), ("gone", QoS::AtLeastOnce), "{version}");
    }
}

#[test]
fn mqtt_3_1_2_10_a_client_that_takes_leave_has_no_will() {
    let server = Server::start();
    for version in VERSIONS {
        let mut witness = Client::connect(&server, version, "witness");
        witness.subscribe("wills", QoS::AtMostOnce);
        let (client, _) = Client::connect_with(&server, version, "polite", |connect| will(connect, "wills"));
        client.disconnect();
        witness.expect_nothing();
    }
}

#[test]
fn a_client_may_leave_and_have_its_will_published() {
    let server = Server::start();
    let mut witness = Client::connect(&server, ProtocolVersion::V5, "witness");
    witness.subscribe("wills", QoS::AtMostOnce);
    // Every reason but "normal disconnection" [MQTT-3.14.4-3].
    for reason in [ReasonCode::DisconnectWithWill, ReasonCode::UnspecifiedError, ReasonCode::QuotaExceeded] {
        let (mut client, _) =
            Client::connect_with(&server, ProtocolVersion::V5, "dramatic", |connect| will(connect, "wills"));
        client.send(&Packet::Disconnect(Disconnect::new(reason)));
        assert_eq!(witness.receive().text(), "gone", "{reason}");
    }
}

#[test]
fn a_protocol_error_publishes_the_will() {
    let server = Server::start();
    let mut witness = Client::connect(&server, ProtocolVersion::V311, "witness");
    witness.subscribe("wills", QoS::AtMostOnce);
    let (mut client, _) =
        Client::connect_with(&server, ProtocolVersion::V311, "rude", |connect| will(connect, "wills"));
    client.send_bytes(&[0xF0, 0]);
    assert_eq!(witness.receive().text(), "gone");
}

#[test]
fn mqtt_3_1_2_14_a_will_may_be_retained() {
    let server = Server::start();
    let (client, _) = Client::connect_with(&server, ProtocolVersion::V311, "retaining", |connect| {
        will(connect, "wills/r");
        connect.will.as_mut().into_iter().for_each(|will| will.retain = true);
    });
    let mut witness = Client::connect(&server, ProtocolVersion::V311, "witness");
    witness.subscribe("wills/r", QoS::AtMostOnce);
    drop(client);
    assert_eq!(witness.receive().text(), "gone");
    let mut late = Client::connect(&server, ProtocolVersion::V311, "late");
    late.subscribe("wills/r", QoS::AtMostOnce);
    assert!(late.receive().retain);
}

#[test]
fn mqtt_3_1_3_9_a_client_that_is_back_in_time_takes_its_will_back() {
    let server = Server::start();
    let mut witness = Client::connect(&server, ProtocolVersion::V5, "witness");
    witness.subscribe("wills", QoS::AtMostOnce);
    let delayed = |delay| {
        move |connect: &mut Connect<'static>| {
            will(connect, "wills");
            connect.clean_start = false;
            connect.properties.session_expiry = Some(60);
            connect.will.as_mut().into_iter().for_each(|will| will.delay = Some(delay));
        }
    };
    let (client, _) = Client::connect_with(&server, ProtocolVersion::V5, "late", delayed(30));
    drop(client);
    let (client, present) = Client::connect_with(&server, ProtocolVersion::V5, "late", delayed(1));
    assert!(present);
    witness.expect_nothing();
    drop(client);
    assert_eq!(witness.receive().text(), "gone", "after its delay");
}

//! Sessions that outlive their connection, and those that do not.

use midge_protocol::{Ack, Connect, Disconnect, Packet, ProtocolVersion, QoS, ReasonCode, ReasonProperties};

use crate::support::client::connect;
use crate::support::{Client, Server, VERSIONS};

/// Asks for the session of before, kept for a minute after the connection.
fn kept(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    if connect.version.is_v5() {
        connect.properties.session_expiry = Some(60);
    }
}

#[test]
fn mqtt_3_2_2_3_session_present_tells_the_truth() {
    let server = Server::start();
    for version in VERSIONS {
        let name = format!("present-{version}");
        let connect = |clean: bool| {
            Client::connect_with(&server, version, &name, |connect| {
                kept(connect);
                connect.clean_start = clean;
            })
        };
        let (client, present) = connect(false);
        assert!(!present, "{version}: there was none");
        client.disconnect();
        // Below 3.1.1 CONNACK has no such flag.
        let (client, present) = connect(false);
        assert_eq!(present, version != ProtocolVersion::V31, "{version}: kept");
        client.disconnect();
        let (client, present) = connect(true);
        assert!(!present, "{version}: clean start");
        client.disconnect();
        if !version.is_v5() {
            let (_client, present) = connect(false);
            assert!(!present, "{version}: a clean session is not kept");
        }
    }
}

#[test]
fn mqtt_4_1_0_missed_messages_wait_and_arrive_in_order() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut away, _) = Client::connect_with(&server, version, "away", kept);
        away.subscribe("missed/#", QoS::ExactlyOnce);
        away.disconnect();
        let mut publisher = Client::connect(&server, version, "publisher");
        for number in 0..20 {
            let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            publisher.publish("missed/a", &number.to_string(), qos);
        }
        publisher.publish("missed/a", "QoS 0 is not kept, or is last", QoS::AtMostOnce);
        let (mut back, _) = Client::connect_with(&server, version, "away", kept);
        for number in 0..20 {
            assert_eq!(back.take().text(), number.to_string(), "{version}");
        }
        let (end, _) = Client::connect_with(&server, version, "away", |connect| connect.clean_start = true);
        end.disconnect();
    }
}

#[test]
fn mqtt_4_4_0_1_what_was_not_acknowledged_is_sent_again() {
    let server = Server::start();
    for version in VERSIONS {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut first, _) = Client::connect_with(&server, version, "again", |connect| {
                kept(connect);
                connect.clean_start = version.is_v5();
            });
            first.subscribe("t", qos);
            first.publish("t", "x", QoS::ExactlyOnce);
            let before = first.receive();
            drop(first);
            let (mut second, _) = Client::connect_with(&server, version, "again", kept);
            let after = second.take();
            assert!(after.dup, "{version} {qos:?}");
            assert_eq!((after.packet_id, after.text()), (before.packet_id, "x"));
            second.expect_nothing();
        }
    }
}

#[test]
fn mqtt_4_4_0_1_an_unfinished_pubrel_is_sent_again() {
    let server = Server::start();
    let version = ProtocolVersion::V5;
    let (mut first, _) = Client::connect_with(&server, version, "pubrel", kept);
    first.subscribe("t", QoS::ExactlyOnce);
    first.publish("t", "x", QoS::ExactlyOnce);
    let id = first.receive().packet_id.unwrap();
    first.send(&Packet::Pubrec(Ack::new(id)));
    first.next(|packet| assert!(matches!(packet, Packet::Pubrel(_)), "{packet:?}"));
    drop(first);
    let (mut second, _) = Client::connect_with(&server, version, "pubrel", kept);
    second.next(|packet| assert!(matches!(packet, Packet::Pubrel(ack) if ack.packet_id == id), "{packet:?}"));
    second.send(&Packet::Pubcomp(Ack::new(id)));
    second.expect_nothing();
}

#[test]
fn mqtt_3_1_2_6_a_clean_start_forgets_subscriptions_and_messages() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut client, _) = Client::connect_with(&server, version, "forgetful", kept);
        client.subscribe("t", QoS::AtLeastOnce);
        client.disconnect();
        Client::connect(&server, version, "publisher").publish("t", "missed", QoS::AtLeastOnce);
        let mut client = Client::connect(&server, version, "forgetful");
        client.publish("t", "now", QoS::AtLeastOnce);
        client.expect_nothing();
    }
}

#[test]
fn a_session_ends_when_its_expiry_interval_is_over() {
    let server = Server::start();
    let brief = |connect: &mut Connect<'_>| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(1);
    };
    let (client, _) = Client::connect_with(&server, ProtocolVersion::V5, "brief", brief);
    client.disconnect();
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    // Each look is a new connection, which ends the wait for the old expiry: so look as late as it is allowed to live.
    loop {
        std::thread::sleep(std::time::Duration::from_millis(2500));
        let (client, present) = Client::connect_with(&server, ProtocolVersion::V5, "brief", brief);
        client.disconnect();
        if !present {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the session is still there");
    }
}

#[test]
fn mqtt_3_14_2_2_disconnect_may_shorten_but_not_create_an_expiry() {
    let server = Server::start();
    let leave = |session_expiry| {
        Packet::Disconnect(Disconnect {
            reason: ReasonCode::Success,
            session_expiry: Some(session_expiry),
            server_reference: None,
            properties: ReasonProperties::default(),
        })
    };
    let (mut client, _) = Client::connect_with(&server, ProtocolVersion::V5, "shorter", kept);
    client.send(&leave(0));
    client.expect_close();
    let (_, present) = Client::connect_with(&server, ProtocolVersion::V5, "shorter", kept);
    assert!(!present);

    let mut client = Client::connect(&server, ProtocolVersion::V5, "longer");
    client.send(&leave(60));
    client.expect_disconnect(ReasonCode::ProtocolError);
}

#[test]
fn mqtt_3_1_3_6_a_client_without_id_is_given_one() {
    let server = Server::start();
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut client = Client::open(server.address(), ProtocolVersion::V5);
        client.send(&Packet::Connect(Box::new(connect(ProtocolVersion::V5, ""))));
        names.push(client.connack(|connack| connack.properties.assigned_client_id.unwrap().to_owned()));
    }
    assert_ne!(names[0], names[1]);
    assert!(!names[0].is_empty());
    Client::connect(&server, ProtocolVersion::V311, "").ping();
}

#[test]
fn mqtt_v3_1_1_3_1_3_8_without_id_and_clean_session_a_client_is_refused() {
    let server = Server::start();
    let mut client = Client::open(server.address(), ProtocolVersion::V311);
    let mut hello = connect(ProtocolVersion::V311, "");
    hello.clean_start = false;
    client.send(&Packet::Connect(Box::new(hello)));
    assert_eq!(client.connack(|connack| connack.reason), ReasonCode::ClientIdentifierNotValid);
    client.expect_close();
}

//! Clean Start, the Session Expiry Interval, and what belongs to a session.

use midge_protocol::{Connect, Disconnect, Packet, ProtocolVersion, QoS, ReasonCode, ReasonProperties};

use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};

/// Asks for the session of before, kept for so long after the connection.
fn expiring(seconds: u32) -> impl FnOnce(&mut Connect<'_>) {
    move |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = connect.version.is_v5().then_some(seconds);
    }
}

fn leave(mut client: Client, session_expiry: Option<u32>) {
    client.send(&Packet::Disconnect(Disconnect {
        reason: ReasonCode::Success,
        session_expiry,
        server_reference: None,
        properties: ReasonProperties::default(),
    }));
    client.expect_close();
}

/// Whether the client's session is there, without a trace of having looked.
fn is_there(server: &Server, name: &str) -> bool {
    let (client, present) = Client::connect_with(server, V5, name, expiring(60));
    client.disconnect();
    present
}

/// Neither what it had subscribed to, nor what waited for it, nor what it was in the middle of.
///
/// [MQTT-3.1.4-4] [MQTT-3.2.2-2] [v3.1.1 MQTT-3.1.2-6] [v3.1.1 MQTT-3.1.4-3] [v3.1.1 MQTT-3.2.2-1]
#[test]
fn mqtt_3_1_2_4_a_clean_start_has_nothing_of_the_session_before() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut old, _) = Client::connect_with(&server, version, "client", expiring(60));
        old.subscribe("t", QoS::AtLeastOnce);
        old.publish("t", "in flight", QoS::AtLeastOnce);
        old.receive();
        drop(old);
        Client::connect(&server, version, "publisher").publish("t", "missed", QoS::AtLeastOnce);
        let (mut clean, present) = Client::connect_with(&server, version, "client", |connect| {
            expiring(60)(connect);
            connect.clean_start = true;
        });
        assert!(!present, "{version}");
        clean.publish("t", "now", QoS::AtLeastOnce);
        clean.expect_nothing();
        clean.disconnect();
        // Below version 5 the flag also says that the session ends with its connection.
        let (client, present) = Client::connect_with(&server, version, "client", expiring(60));
        assert_eq!(present, version.is_v5(), "{version}");
        leave(client, version.is_v5().then_some(0));
    }
}

/// While it is connected, and while it is not.
///
/// [MQTT-3.1.2-6] [MQTT-3.1.2-23] [MQTT-3.2.2-3] [v3.1.1 MQTT-3.1.2-4] [v3.1.1 MQTT-3.1.2-5] [v3.1.1 MQTT-3.2.2-2]
/// [v3.1.1 MQTT-3.2.2-3]
#[test]
fn mqtt_3_1_2_5_a_session_is_made_kept_and_resumed() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut client, present) = Client::connect_with(&server, version, "client", expiring(60));
        assert!(!present, "{version}: there was none");
        client.subscribe("t", QoS::ExactlyOnce);
        client.disconnect();
        let mut publisher = Client::connect(&server, version, "publisher");
        publisher.publish("t", "1", QoS::AtLeastOnce);
        publisher.publish("t", "2", QoS::ExactlyOnce);
        let (mut back, present) = Client::connect_with(&server, version, "client", expiring(60));
        // CONNACK of MQTT 3.1 has no such flag.
        assert_eq!(present, version != V31, "{version}");
        for (text, qos) in [("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)] {
            let message = back.take();
            assert_eq!((message.text(), message.qos), (text, qos), "{version}");
        }
        publisher.publish("t", "3", QoS::AtLeastOnce);
        assert_eq!(back.take().text(), "3");
        leave(back, None);
        Client::connect(&server, version, "client").disconnect();
    }
}

#[test]
fn v311_3_1_2_7_retained_messages_are_no_part_of_a_session() {
    let server = Server::start();
    for version in VERSIONS {
        let topic = format!("retained/{version}");
        let mut client = Client::connect(&server, version, "client");
        client.retain(&topic, "kept", QoS::AtLeastOnce);
        client.disconnect();
        server.metric_reaches("midge_sessions_created_total", &[], 1.0);
        let mut late = Client::connect(&server, version, "late");
        late.subscribe(&topic, QoS::AtMostOnce);
        assert_eq!(late.receive().text(), "kept", "{version}");
    }
}

/// Neither for the time it is connected longer than its Session Expiry Interval, nor for one of zero.
///
/// [v3.1.1 MQTT-4.1.0-1] [v3.1.1 MQTT-4.1.0-2]
#[test]
fn mqtt_4_1_0_1_a_session_lasts_as_long_as_its_connection() {
    let server = Server::start();
    let (mut brief, _) = Client::connect_with(&server, V5, "brief", expiring(1));
    let mut none = Client::connect(&server, V5, "none");
    let mut old = Client::connect(&server, V311, "old");
    for client in [&mut brief, &mut none, &mut old] {
        client.subscribe("t", QoS::ExactlyOnce);
    }
    // The session of another client that leaves now shows how time goes.
    let (clock, _) = Client::connect_with(&server, V5, "clock", expiring(2));
    clock.disconnect();
    server.metric_reaches("midge_sessions_expired_total", &[], 1.0);
    Client::connect(&server, V5, "publisher").publish("t", "x", QoS::ExactlyOnce);
    for client in [&mut brief, &mut none, &mut old] {
        assert_eq!(client.take().text(), "x");
    }
}

#[test]
fn mqtt_4_1_0_2_a_session_ends_when_its_expiry_interval_has_passed_and_not_before() {
    let server = Server::start();
    for (name, seconds) in [("brief", 1), ("long", 600), ("for ever", u32::MAX)] {
        let (mut client, _) = Client::connect_with(&server, V5, name, expiring(seconds));
        client.subscribe("t", QoS::AtLeastOnce);
        client.disconnect();
    }
    let (client, _) = Client::connect_with(&server, V5, "none", |_| {});
    client.disconnect();
    server.metric_reaches("midge_sessions_expired_total", &[], 1.0);
    assert!(!is_there(&server, "none") && !is_there(&server, "brief"));
    assert!(is_there(&server, "long") && is_there(&server, "for ever"));
}

/// At DISCONNECT the client says how long its session is kept, in place of what it said at CONNECT.
///
/// [MQTT-3.1.2-23]
#[test]
fn mqtt_4_1_0_2_disconnect_changes_the_session_expiry() {
    let server = Server::with("[limits]\nsession_expiry_max_s = 1000");
    let connect = |name, seconds| Client::connect_with(&server, V5, name, expiring(seconds)).0;
    leave(connect("ended", 60), Some(0));
    assert!(!is_there(&server, "ended"));
    leave(connect("shorter", 60), Some(1));
    server.metric_reaches("midge_sessions_expired_total", &[], 1.0);
    assert!(!is_there(&server, "shorter"));
    leave(connect("longer", 1), Some(u32::MAX));
    leave(connect("same", 600), None);
    let (clock, _) = Client::connect_with(&server, V5, "clock", expiring(2));
    clock.disconnect();
    server.metric_reaches("midge_sessions_expired_total", &[], 2.0);
    assert!(is_there(&server, "longer") && is_there(&server, "same"));
    // A session that was to end with its connection is not kept after all, and asking for it is an error.
    let mut client = Client::connect(&server, V5, "raised");
    client.send_bytes(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 60]);
    client.expect_disconnect(ReasonCode::ProtocolError);
    assert!(!is_there(&server, "raised"));
}

/// [MQTT-3.1.4-4] [v3.1.1 MQTT-3.1.4-3]
#[test]
fn mqtt_3_1_4_3_a_clean_start_ends_the_session_of_a_client_that_is_connected() {
    let server = Server::start();
    for version in VERSIONS {
        let (mut old, _) = Client::connect_with(&server, version, "client", expiring(60));
        old.subscribe("t", QoS::AtLeastOnce);
        old.publish("t", "in flight", QoS::AtLeastOnce);
        old.receive();
        let mut new = Client::connect(&server, version, "client");
        old.expect_disconnect(ReasonCode::SessionTakenOver);
        new.publish("t", "nobody listens", QoS::AtLeastOnce);
        new.expect_nothing();
        new.disconnect();
    }
}

//! PINGREQ and PINGRESP (3.12, 3.13), DISCONNECT (3.14).

use midge_protocol::{
    Connect, Disconnect, MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, Will,
};
use rustix::process::Signal;

use crate::hostile::plugin;
use crate::support::client::connect;
use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::{V5, V31, V311};

/// A client whose Will is "gone" to `wills`.
fn mortal(server: &Server, version: ProtocolVersion) -> Client {
    let with_will = |connect: &mut Connect<'_>| {
        connect.will = Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "wills",
            payload: b"gone",
            delay: None,
            properties: MessageProperties::default(),
        });
    };
    Client::connect_with(server, version, "mortal", with_will).0
}

fn witness(server: &Server) -> Client {
    let mut witness = Client::connect(server, V5, "witness");
    witness.subscribe("wills", QoS::AtMostOnce);
    witness
}

/// [v3.1.1 MQTT-3.12.4-1]: each of them, and with nothing but its two bytes.
#[test]
fn mqtt_3_12_4_1_every_pingreq_has_its_pingresp() {
    let server = Server::start();
    for version in VERSIONS {
        let mut client = Client::connect(&server, version, "client");
        for count in [1, 5] {
            client.send_bytes(&[0xC0, 0].repeat(count));
            assert_eq!(client.bytes_or_close(2 * count), [0xD0, 0].repeat(count), "{version}");
        }
        client.disconnect();
    }
}

/// What is wrong before CONNACK is answered by a CONNACK that says so, or by silence.
#[test]
fn mqtt_3_14_0_1_no_disconnect_before_a_connack_that_accepts() {
    let server = Server::with("[limits]\nclient_id_bytes_max = 30");
    let refused: [&[u8]; 8] = [
        b"\xC0\0",
        b"\xE0\0",
        b"\x30\x04\0\x01t\0",
        b"\x10\x0d\0\x04MQTT\x05\x03\0\0\0\0\0",
        b"\x10\x0d\0\x04MQTT\x09\x02\0\0\0\0\0",
        b"\x10\x0d\0\x04MQTT\x05\x02\0\0\x01\x7F\0",
        b"\x10\x0f\0\x04MQTT\x05\x02\0\0\x02\x22\x22\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for bytes in refused {
        let mut client = Client::open(server.address(), V5);
        client.send_bytes(bytes);
        let answer = client.bytes_until_close();
        assert!(answer.is_empty() || (answer[0] == 0x20 && answer[3] >= 0x80), "{bytes:02x?}: {answer:02x?}");
        assert!(answer.is_empty() || answer.len() == 2 + usize::from(answer[1]), "only CONNACK: {answer:02x?}");
    }
    let mut client = Client::open(server.address(), V5);
    client.send(&Packet::Connect(Box::new(connect(V5, &"x".repeat(31)))));
    assert_eq!(client.bytes_until_close()[..4], [0x20, 3, 0, 0x85]);
    // After it there is one, if there is something to say.
    let mut client = Client::connect(&server, V5, "accepted");
    client.send_bytes(&[0xF0, 0]);
    assert_eq!(client.bytes_until_close(), [0xE0, 1, 0x82]);
}

/// [v3.1.1 MQTT-3.14.1-1]: such a DISCONNECT is none, and the Will is published.
#[test]
fn mqtt_3_14_1_1_reserved_bits_of_disconnect_are_malformed() {
    let server = Server::start();
    let mut witness = witness(&server);
    for version in [V311, V5] {
        for flags in 1..16 {
            let mut client = mortal(&server, version);
            client.send_bytes(&[0xE0 | flags, 0]);
            client.expect_disconnect(ReasonCode::MalformedPacket);
            assert_eq!(witness.receive().text(), "gone", "{version} {flags}");
        }
    }
}

/// [MQTT-3.14.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4]: the broker's goodbye is three bytes, a reason of DISCONNECT and no
/// property at all. No CONNACK is that small, so whoever got one takes it.
#[test]
fn mqtt_3_14_2_1_the_broker_gives_a_reason_of_disconnect_and_no_property() {
    let server = Server::with(
        "[limits]\nmaximum_qos = 1\nretain_available = false\nreceive_maximum = 1\ntopic_alias_maximum = 2\n\
         packet_bytes_max = \"1KiB\"",
    );
    let qos2 = Publish { qos: QoS::ExactlyOnce, packet_id: PacketId::new(1), ..publish("t", b"") };
    let sent = |packet: &Packet<'_>| {
        let mut bytes = Vec::new();
        packet.encode(V5, &mut bytes).unwrap();
        bytes
    };
    let rows: [(Vec<u8>, u8); 9] = [
        (b"\xC1\0".to_vec(), 0x81),
        (b"\xF0\0".to_vec(), 0x82),
        (sent(&Packet::Connect(Box::new(connect(V5, "again")))), 0x82),
        (sent(&Packet::Publish(publish("t", &[0; 1024]))), 0x95),
        (sent(&Packet::Publish(Publish { topic_alias: Some(3), ..publish("t", b"") })), 0x94),
        (sent(&Packet::Publish(qos2)), 0x9B),
        (sent(&Packet::Publish(Publish { retain: true, ..publish("t", b"") })), 0x9A),
        (b"\xE0\x01\x42".to_vec(), 0x81),
        (b"\xE0\x01\x01".to_vec(), 0x81),
    ];
    for (bytes, reason) in rows {
        let mut client = Client::connect(&server, V5, "client");
        client.send_bytes(&bytes);
        assert_eq!(client.bytes_until_close(), [0xE0, 1, reason], "{bytes:02x?}");
    }
    let mut old = Client::connect(&server, V5, "same");
    let mut new = Client::connect(&server, V5, "same");
    assert_eq!(old.bytes_until_close(), [0xE0, 1, 0x8E]);
    server.signal(Signal::TERM);
    assert_eq!(new.bytes_until_close(), [0xE0, 1, 0x8B]);
}

/// One that a plugin chooses too; which it may choose, `ending.rs` tests.
#[test]
fn mqtt_3_14_2_1_a_plugin_that_disconnects_a_client_gives_a_reason_of_disconnect() {
    let server = Server::with(&plugin("importer", "allow = { disconnect = true }"));
    let log_in = |client_id: &str, username: &'static str, password: &str| {
        let mut client = Client::open(server.address(), V5);
        let mut hello = connect(V5, client_id);
        (hello.username, hello.password) = (Some(username), Some(password.as_bytes()));
        client.send(&Packet::Connect(Box::new(hello)));
        client.connack(|connack| assert_eq!(connack.reason, ReasonCode::Success));
        client
    };
    let mut unwanted = log_in("unwanted", "clock", "");
    log_in("operator", "disconnect", "unwanted").ping();
    assert_eq!(unwanted.bytes_until_close(), [0xE0, 1, 0x98]);
}

/// Below version 5 there is no DISCONNECT from a Server, whatever the reason.
#[test]
fn mqtt_3_14_2_1_an_older_client_is_told_nothing() {
    let server = Server::start();
    for version in [V31, V311] {
        let mut old = Client::connect(&server, version, "same");
        let mut new = Client::connect(&server, version, "same");
        old.expect_close();
        new.send_bytes(&[0x00, 0]);
        new.expect_close();
    }
}

/// [MQTT-3.14.4-2]: it closes, and nothing comes between, though more was under way.
#[test]
fn mqtt_3_14_4_1_the_broker_sends_nothing_after_its_disconnect() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, V5, "publisher");
    let mut client = Client::connect(&server, V5, "client");
    client.subscribe("t", QoS::AtMostOnce);
    client.send_bytes(b"\xC0\0\xC1\0\xC0\0\xC0\0");
    for _ in 0..10 {
        publisher.send(&Packet::Publish(publish("t", b"x")));
    }
    let bytes = client.bytes_until_close();
    assert!(bytes.ends_with(&[0xE0, 1, 0x81]), "{bytes:02x?}");
    assert_eq!(bytes.windows(2).filter(|pair| *pair == [0xD0, 0]).count(), 1, "{bytes:02x?}");
}

/// [MQTT-3.14.4-2] [v3.1.1 MQTT-3.14.4-1] [v3.1.1 MQTT-3.14.4-2]: a client that goes on has left all the same, and if it does
/// not close, the broker does.
#[test]
fn mqtt_3_14_4_1_packets_behind_a_disconnect_are_ignored() {
    let server = Server::start();
    let mut witness = Client::connect(&server, V5, "witness");
    witness.subscribe("#", QoS::AtMostOnce);
    for version in VERSIONS {
        let mut client = mortal(&server, version);
        let mut bytes = vec![0xE0, 0];
        Packet::Publish(publish("t", b"too late")).encode(version, &mut bytes).unwrap();
        bytes.extend([0xC0, 0, 0x00, 0xFF]);
        client.send_bytes(&bytes);
        assert_eq!(client.bytes_until_close(), b"", "{version}");
        witness.expect_nothing();
    }
}

/// [v3.1.1 MQTT-3.14.4-3]: in each of the forms that mean 0x00.
#[test]
fn mqtt_3_14_4_3_a_normal_disconnection_takes_the_will_back() {
    let server = Server::start();
    let mut witness = witness(&server);
    for (version, bytes) in [
        (V31, &[0xE0, 0][..]),
        (V311, &[0xE0, 0]),
        (V5, &[0xE0, 0]),
        (V5, &[0xE0, 1, 0]),
        (V5, &[0xE0, 2, 0, 0]),
        (V5, &[0xE0, 7, 0, 5, 0x1F, 0, 2, b'o', b'k']),
    ] {
        let mut client = mortal(&server, version);
        client.send_bytes(bytes);
        client.expect_close();
        witness.expect_nothing();
    }
}

/// Any other reason leaves it. [MQTT-3.1.2-8] [MQTT-3.14.2-1]
#[test]
fn mqtt_3_14_4_3_no_other_reason_takes_the_will_back() {
    let server = Server::start();
    let mut witness = witness(&server);
    for code in [0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99] {
        let mut client = mortal(&server, V5);
        client.send_bytes(&[0xE0, 1, code]);
        client.expect_close();
        assert_eq!(witness.receive().text(), "gone", "0x{code:02x}");
    }
}

/// [MQTT-4.13.1-1]: it is a protocol error to give a session that was to end with its connection time to live, and anything
/// else counts from then on.
#[test]
fn mqtt_3_1_2_23_disconnect_may_change_the_session_expiry_but_not_from_zero() {
    let server = Server::start();
    let leave = |at_connect: Option<u32>, at_disconnect: Option<u32>| {
        let (mut client, _) = Client::connect_with(&server, V5, "leaver", |connect| {
            connect.properties.session_expiry = at_connect;
        });
        client.send(&Packet::Disconnect(Disconnect {
            session_expiry: at_disconnect,
            ..Disconnect::new(ReasonCode::Success)
        }));
        client
    };
    for at_connect in [None, Some(0)] {
        leave(at_connect, Some(1)).expect_disconnect(ReasonCode::ProtocolError);
        leave(at_connect, Some(0)).expect_close();
    }
    for (at_disconnect, stays) in [(Some(0), false), (Some(30), true), (None, true), (Some(u32::MAX), true)] {
        leave(Some(60), at_disconnect).expect_close();
        let (client, present) = Client::connect_with(&server, V5, "leaver", |connect| connect.clean_start = false);
        assert_eq!(present, stays, "{at_disconnect:?}");
        client.disconnect();
    }
}

/// A Will with DISCONNECT 0x04, and a session that ends there: both hold. [MQTT-3.1.2-8]
#[test]
fn mqtt_3_14_4_3_a_client_may_leave_with_its_will_and_without_its_session() {
    let server = Server::start();
    let mut witness = witness(&server);
    let (mut client, _) = Client::connect_with(&server, V5, "leaver", |connect| {
        connect.properties.session_expiry = Some(60);
        connect.will = Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "wills",
            payload: b"at the end",
            delay: Some(30),
            properties: MessageProperties::default(),
        });
    });
    client.send(&Packet::Disconnect(Disconnect {
        session_expiry: Some(0),
        ..Disconnect::new(ReasonCode::DisconnectWithWill)
    }));
    client.expect_close();
    // Its delay is cut short by the end of the session.
    assert_eq!(witness.receive().text(), "at the end");
    let (_, present) = Client::connect_with(&server, V5, "leaver", |connect| connect.clean_start = false);
    assert!(!present);
}

//! MQTT over WebSocket, chapter 6.

use std::io::{BufRead, BufReader, Write};

use midge_protocol::{ProtocolVersion, QoS};
use tempfile::TempDir;

use crate::support::pki::Pki;
use crate::support::stream::{Stream, tcp, tls};
use crate::support::websocket::{BINARY, CLOSE, PING, PONG, TEXT, Upgrade, WebSocket};
use crate::support::{Client, PATIENCE, Server, VERSIONS};

const WS: &str = "[[listener]]\nname = \"ws\"\naddress = \"127.0.0.1:0\"\nprotocol = \"ws\"\n";

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a";
const CONNACK: &[u8] = b"\x20\x02\0\0";

fn open(server: &Server) -> WebSocket<std::net::TcpStream> {
    WebSocket::open(tcp(server.address()), &Upgrade::default()).unwrap()
}

/// [MQTT-4.2-1]
#[test]
fn messages_travel_in_frames() {
    let server = Server::with(WS);
    for version in VERSIONS {
        let mut client = Client::over(Box::new(open(&server)), version);
        client.say_hello("framed", |_| {});
        client.subscribe("t", QoS::ExactlyOnce);
        let large = "large ".repeat(50_000);
        for (qos, text) in [(QoS::AtMostOnce, "a"), (QoS::AtLeastOnce, large.as_str()), (QoS::ExactlyOnce, "c")] {
            client.publish("t", text, qos);
            assert_eq!(client.take().text(), text);
        }
    }
}

#[test]
fn frames_travel_encrypted() {
    let directory = TempDir::new().unwrap();
    let pki = Pki::in_directory(&directory);
    let server =
        Server::beside(directory, &format!("{WS}tls = {{ certificate = \"server.pem\", key = \"server.key\" }}"));
    assert!(server.url().starts_with("wss://"), "{}", server.url());
    let stream = WebSocket::open(tls(server.address(), pki.client(None)), &Upgrade::default()).unwrap();
    let mut client = Client::over(Box::new(stream), ProtocolVersion::V5);
    client.say_hello("secure", |_| {});
    client.ping();
}

/// [v3.1.1 MQTT-6.0.0-2]
#[test]
fn mqtt_6_0_0_2_packets_are_not_aligned_with_frames() {
    let server = Server::with(WS);
    let mut socket = open(&server);
    for byte in CONNECT {
        socket.frame(BINARY, &[*byte]).unwrap();
    }
    assert_eq!(socket.read_frame().unwrap(), (BINARY, CONNACK.to_vec()));
    socket.frame(BINARY, &[0xC0, 0, 0xC0, 0, 0xC0]).unwrap();
    socket.frame(BINARY, &[0]).unwrap();
    let mut pongs = Vec::new();
    while pongs.len() < 6 {
        pongs.extend(socket.read_frame().unwrap().1);
    }
    assert_eq!(pongs, [0xD0, 0, 0xD0, 0, 0xD0, 0]);
}

/// [v3.1.1 MQTT-6.0.0-1]
#[test]
fn mqtt_6_0_0_1_a_text_frame_closes_with_1003() {
    let server = Server::with(WS);
    let mut socket = open(&server);
    socket.frame(BINARY, CONNECT).unwrap();
    socket.read_frame().unwrap();
    socket.frame(TEXT, b"hello").unwrap();
    let (opcode, payload) = socket.read_frame().unwrap();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1003_u16.to_be_bytes()[..]));
}

/// Of all that a client offers it is the one that is answered.
///
/// [v3.1.1 MQTT-6.0.0-4]
#[test]
fn mqtt_6_0_0_4_the_subprotocol_is_mqtt() {
    let server = Server::with(WS);
    for offered in ["mqtt", "chat, mqtt", "mqttv3.1, mqtt", "mqtt, mqttv3.1", "mqtt,chat"] {
        let mut stream = tcp(server.address());
        stream.set_patience(PATIENCE);
        let request = format!(
            "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: {offered}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let head: Vec<String> = lines.map(|line| line.to_lowercase()).collect();
        assert!(head[0].starts_with("http/1.1 101"), "{head:?}");
        let answers: Vec<&String> = head.iter().filter(|line| line.starts_with("sec-websocket-protocol:")).collect();
        assert_eq!(answers, ["sec-websocket-protocol: mqtt"], "{offered}");
    }
}

/// [v3.1.1 MQTT-6.0.0-3]
#[test]
fn mqtt_6_0_0_3_without_the_subprotocol_or_elsewhere_there_is_no_websocket() {
    let server = Server::with(WS);
    let ask = |path, subprotocol| WebSocket::open(tcp(server.address()), &Upgrade { path, subprotocol }).err().unwrap();
    assert!(ask("/mqtt", None).starts_with("HTTP/1.1 400"));
    assert!(ask("/mqtt", Some("chat")).starts_with("HTTP/1.1 400"));
    assert!(ask("/", Some("mqtt")).starts_with("HTTP/1.1 404"));
    assert!(WebSocket::open(tcp(server.address()), &Upgrade { path: "/mqtt", subprotocol: Some("mqttv3.1") }).is_ok());
}

#[test]
fn a_websocket_ping_is_answered_before_and_after_connect() {
    let server = Server::with(WS);
    let mut socket = open(&server);
    socket.frame(PING, b"1").unwrap();
    assert_eq!(socket.read_frame().unwrap(), (PONG, b"1".to_vec()));
    socket.frame(BINARY, CONNECT).unwrap();
    assert_eq!(socket.read_frame().unwrap(), (BINARY, CONNACK.to_vec()));
    socket.frame(PING, b"2").unwrap();
    assert_eq!(socket.read_frame().unwrap(), (PONG, b"2".to_vec()));
}

#[test]
fn a_lost_websocket_publishes_the_will() {
    let server = Server::with(&format!("{WS}\n[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\n"));
    let mut witness = Client::open(server.address_of("tcp"), ProtocolVersion::V311);
    witness.say_hello("witness", |_| {});
    witness.subscribe("gone", QoS::AtMostOnce);
    let mut socket = open(&server);
    socket.frame(BINARY, b"\x10\x16\0\x04MQTT\x04\x06\0\0\0\x01a\0\x04gone\0\x01x").unwrap();
    assert_eq!(socket.read_frame().unwrap(), (BINARY, CONNACK.to_vec()));
    socket.frame(CLOSE, &1001_u16.to_be_bytes()).unwrap();
    assert_eq!(witness.receive().text(), "x");
}

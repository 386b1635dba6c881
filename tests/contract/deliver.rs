//! What a client may have of what is sent to it: `authz-deliver`.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use crate::hostile::plugin;
use crate::support::{Client, Server, VERSIONS};

const DROPPED: &str = "midge_messages_dropped_total";
const ASKED: &str = "midge_custom_asked_total";

fn courier(more: &str) -> Server {
    Server::with(&plugin("courier", &format!("hooks = [\"authz-deliver\"]\n{more}")))
}

/// A subscriber to everything, and a publisher called alice.
fn pair(server: &Server, version: ProtocolVersion) -> (Client, Client) {
    let mut client = Client::connect(server, version, &format!("s{version}"));
    client.subscribe("#", QoS::ExactlyOnce);
    (client, Client::connect(server, version, "alice"))
}

/// Waits until so many messages were not to be had.
fn all_denied(server: &Server, count: f64) {
    server.metric_reaches(DROPPED, &[("reason", "denied")], count);
    assert_eq!(denied(server), count);
}

fn denied(server: &Server) -> f64 {
    server.metric(DROPPED, &[("reason", "denied")])
}

#[test]
fn a_client_gets_what_it_may_have_in_order_and_the_rest_is_counted() {
    let server = courier("");
    for version in VERSIONS {
        let (mut client, mut alice) = pair(&server, version);
        let before = denied(&server);
        let mut dropped = 0.0;
        let all = ["a/1", "deny/1", "a/2", "next/1", "a/3", "err/1", "from/1"];
        for (number, topic) in all.into_iter().enumerate() {
            let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][number % 3];
            assert!(!alice.publish(topic, topic, qos).is_error(), "a publisher is not told");
            if topic.starts_with(['a', 'f']) {
                assert_eq!(client.take().text(), topic, "{version}");
            } else {
                dropped += 1.0;
                all_denied(&server, before + dropped);
            }
        }
        client.expect_nothing();
        client.disconnect();
        alice.disconnect();
    }
    server.logged(&["denied", "action=\"deliver\"", "deny/1", "courier", "authz-deliver"]);
    server.logged(&["messages dropped", "reason=\"denied\""]);
}

#[test]
fn a_plugin_is_told_who_published_and_how_the_message_is_sent() {
    let server = courier("");
    let (mut client, mut alice) = pair(&server, ProtocolVersion::V5);
    let mut mallory = Client::connect(&server, ProtocolVersion::V5, "mallory");
    for (from, topic) in [(&mut mallory, "from/1"), (&mut alice, "from/2")] {
        from.publish(topic, topic, QoS::AtLeastOnce);
        from.publish("qos0/1", "qos0/1", QoS::AtLeastOnce);
    }
    alice.publish("qos0/2", "qos0/2", QoS::AtMostOnce);
    alice.ping();
    let got: Vec<String> = (0..2).map(|_| client.take().text().to_owned()).collect();
    assert_eq!(got, ["from/2", "qos0/2"]);
    client.expect_nothing();
}

#[test]
fn retained_messages_are_asked_about_as_retained() {
    let server = courier("");
    let mut alice = Client::connect(&server, ProtocolVersion::V5, "alice");
    for topic in ["a/1", "new/1", "deny/1"] {
        alice.retain(topic, topic, QoS::AtLeastOnce);
    }
    let mut client = Client::connect(&server, ProtocolVersion::V5, "s");
    client.subscribe("#", QoS::AtLeastOnce);
    let first = client.take();
    assert_eq!(first.text(), "a/1");
    client.expect_nothing();
    alice.publish("new/1", "now", QoS::AtLeastOnce);
    assert_eq!(client.take().text(), "now");
}

#[test]
fn an_answer_that_may_be_used_again_is_until_the_grant_is_revoked() {
    let server = courier("");
    let (mut client, mut alice) = pair(&server, ProtocolVersion::V5);
    let asked = || server.metric(ASKED, &[("plugin", "courier")]);
    for number in 0..10 {
        alice.publish(&format!("once/{number}"), "x", QoS::AtLeastOnce);
        alice.publish(&format!("never/{number}"), "x", QoS::AtLeastOnce);
        client.take();
        all_denied(&server, f64::from(number) + 1.0);
    }
    client.expect_nothing();
    assert_eq!(asked(), 2.0);
    let (is_done, printed) = server.midge_plugin(&["revoke", "anonymous", "--only-authorization"]);
    assert!(is_done, "{printed}");
    client.ping();
    alice.publish("once/again", "x", QoS::AtLeastOnce);
    client.take();
    assert_eq!(asked(), 3.0);
}

#[test]
fn a_message_that_waited_for_its_client_is_asked_about_when_the_client_is_back() {
    let server = courier("");
    let hello = |version| {
        Client::connect_with(&server, version, "s", |hello| {
            hello.clean_start = false;
            if version == ProtocolVersion::V5 {
                hello.properties.session_expiry = Some(600);
            }
        })
        .0
    };
    for version in VERSIONS {
        let mut client = hello(version);
        client.subscribe("#", QoS::AtLeastOnce);
        client.disconnect();
        let mut alice = Client::connect(&server, version, "alice");
        let before = (server.metric(ASKED, &[("plugin", "courier")]), denied(&server));
        for topic in ["a/1", "deny/1", "a/2"] {
            alice.publish(topic, topic, QoS::AtLeastOnce);
        }
        assert_eq!(server.metric(ASKED, &[("plugin", "courier")]), before.0, "nobody is there to be asked about");
        let mut client = hello(version);
        assert_eq!([client.take().text(), client.take().text()], ["a/1", "a/2"], "{version}");
        all_denied(&server, before.1 + 1.0);
        client.disconnect();
        alice.disconnect();
    }
}

#[test]
fn clients_of_listeners_that_no_plugin_is_for_get_everything() {
    let listener = |name: &str| format!("[[listener]]\nname = {name:?}\naddress = \"127.0.0.1:0\"\n");
    let courier = plugin("courier", "hooks = [\"authz-deliver\"]\nlisteners = [\"asked\"]");
    let server = Server::with(&format!("{}{}{courier}", listener("asked"), listener("free")));
    let connect = |listener: &str, client_id: &str| {
        let mut client = Client::open(server.address_of(listener), ProtocolVersion::V5);
        assert!(!client.say_hello(client_id, |_| {}));
        client.subscribe("#", QoS::AtLeastOnce);
        client
    };
    let (mut asked, mut free) = (connect("asked", "asked"), connect("free", "free"));
    let mut alice = Client::connect(&server, ProtocolVersion::V5, "alice");
    for topic in ["deny/1", "a/1"] {
        alice.publish(topic, topic, QoS::AtLeastOnce);
    }
    assert_eq!(asked.take().text(), "a/1");
    assert_eq!([free.take().text(), free.take().text()], ["deny/1", "a/1"]);
}

/// A service that answers when it is told to, with which status.
struct Service {
    address: SocketAddr,
    requests: Receiver<(String, Sender<u16>)>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (told, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = told.clone();
                thread::spawn(move || serve(&stream, &told));
            }
        });
        Self { address, requests }
    }

    fn next(&self) -> (String, Sender<u16>) {
        self.requests.recv_timeout(crate::support::PATIENCE).expect("the plugin asks in time")
    }
}

/// Answers the requests of one connection. The other side may close at any time.
fn serve(stream: &TcpStream, told: &Sender<(String, Sender<u16>)>) {
    let mut path = String::new();
    let mut out = stream;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(rest) = line.strip_prefix("GET /") {
            path = rest.split(' ').next().unwrap_or_default().to_owned();
        }
        if line.is_empty() {
            let (answer, status) = channel();
            let Ok(()) = told.send((path.clone(), answer)) else { return };
            let Ok(status) = status.recv() else { return };
            if write!(out, "HTTP/1.1 {status} Word\r\ncontent-length: 0\r\n\r\n").is_err() {
                return;
            }
        }
    }
}

#[test]
fn only_the_client_that_is_asked_about_waits_for_a_slow_service() {
    let service = Service::start();
    let url = format!("http://{}", service.address);
    let more =
        format!("hooks = [\"authz-deliver\"]\nallow = {{ http = [{url:?}] }}\nconfig = {{ service = {url:?} }}\n");
    let server = Server::with(&plugin("distant-courier", &more));
    let (mut client, mut alice) = pair(&server, ProtocolVersion::V5);
    assert_eq!(alice.publish("first", "1", QoS::AtLeastOnce), ReasonCode::Success);
    let (path, first) = service.next();
    assert_eq!(path, "first");
    // The publisher and the subscriber itself go on; the messages behind the first wait.
    for (topic, payload) in [("second", "2"), ("third", "3")] {
        assert_eq!(alice.publish(topic, payload, QoS::AtLeastOnce), ReasonCode::Success);
    }
    assert_eq!(client.messages_until_pong(), 0);
    first.send(200).unwrap();
    assert_eq!(client.take().text(), "1");
    for expected in ["second", "third"] {
        let (path, answer) = service.next();
        assert_eq!(path, expected);
        answer.send(if expected == "second" { 403 } else { 200 }).unwrap();
    }
    assert_eq!(client.take().text(), "3");
    all_denied(&server, 1.0);
}

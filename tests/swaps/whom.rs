//! Whom a generation on trial is asked about: clients, addresses, and what is of no client.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use midge_protocol::{MessageProperties, ProtocolVersion, QoS, ReasonCode, Will};
use socket2::{Domain, Socket, Type};

use super::{configure, done, start};
use crate::support::{Client, PATIENCE, Server};

const SAYS: &str = "config = { says = \"old\" }\nallow = { admin = true, kv = { default = \"1MiB\" } }";

/// What the plugin's page says, or the status of the answer where that is none.
fn says(server: &Server, query: &str) -> String {
    let page = server.page(&format!("/plugins/decides/says{query}"));
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    if status == "200" { body.to_owned() } else { status.to_owned() }
}

fn turns(server: &Server, says: &str) -> f64 {
    server.metric("midge_custom_turns_total", &[("plugin", "decides"), ("says", says)])
}

/// Waits until this generation has had another turn.
fn ticks(server: &Server, says: &str) {
    let least = turns(server, says) + 1.0;
    server.metric_reaches("midge_custom_turns_total", &[("plugin", "decides"), ("says", says)], least);
}

#[test]
fn what_is_of_no_client_goes_to_the_new_generation_once_that_serves_all_and_not_before() {
    let server = start(
        "caretaker",
        &format!("hooks = [\"ticker\", \"admin\"]\ntick_interval_ms = 100\n{SAYS}"),
        "probation_s = 600",
    );
    ticks(&server, "old");
    configure(&server, "says = \"old\"", "says = \"new\"");
    for of_a_part in [&["reload", "decides", "--canary", "99"][..], &["reload", "decides", "--shadow"]] {
        done(&server, of_a_part);
        assert_eq!(says(&server, ""), "old", "{of_a_part:?}");
        ticks(&server, "old");
        assert_eq!(turns(&server, "new"), 0.0, "{of_a_part:?}");
        done(&server, &["abort", "decides"]);
    }
    done(&server, &["reload", "decides"]);
    ticks(&server, "new");
    let ended = turns(&server, "old");
    ticks(&server, "new");
    assert_eq!(turns(&server, "old"), ended, "one generation has turns");
    assert_eq!(says(&server, ""), "new");
    // A page that the new one traps over is the old one's, and that speaks against the new one.
    for _ in 0..3 {
        assert_eq!(says(&server, "?trap"), "old");
    }
    server.logged(&["was rolled back", "plugin=\"decides\""]);
    assert_eq!(says(&server, ""), "old");
    ticks(&server, "old");
}

/// Whether a connection from this address is served. Of one that is not admitted nothing is read.
fn is_admitted(server: &Server, from: Ipv4Addr) -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    if socket.connect(&server.address().into()).is_err() {
        return false;
    }
    let mut stream: std::net::TcpStream = socket.into();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A CONNECT of version 3.1.1 with a Client Identifier of one character.
    let hello = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x00\x00\x01c";
    if std::io::Write::write_all(&mut stream, hello).is_err() {
        return false;
    }
    matches!(stream.read(&mut [0; 4]), Ok(4))
}

#[test]
fn a_canary_is_asked_about_a_part_of_the_addresses_and_always_the_same() {
    let server = start("caretaker", "hooks = [\"admission\"]\nconfig = { says = \"old\" }", "");
    configure(&server, "says = \"old\"", "strict = \"true\"");
    done(&server, &["reload", "decides", "--canary", "50"]);
    let addresses: Vec<Ipv4Addr> = (1..=100).map(|last| Ipv4Addr::new(127, 0, 77, last)).collect();
    let shut_out: Vec<&Ipv4Addr> = addresses.iter().filter(|address| !is_admitted(&server, **address)).collect();
    assert!((25..=75).contains(&shut_out.len()), "{} of 100", shut_out.len());
    assert!(shut_out.iter().all(|address| !is_admitted(&server, **address)), "an address is always on the same side");
    done(&server, &["abort", "decides"]);
    assert!(shut_out.iter().all(|address| is_admitted(&server, **address)));
}

#[test]
fn a_shadow_is_asked_about_addresses_wills_and_ends_of_subscriptions_too() {
    let hooks = "hooks = [\"admission\", \"authz-unsubscribe\", \"authz-will\"]\nconfig = { says = \"old\" }";
    let server = start("caretaker", hooks, "");
    configure(&server, "says = \"old\"", "strict = \"true\"");
    done(&server, &["reload", "decides", "--shadow"]);
    let (mut client, _) = Client::connect_with(&server, ProtocolVersion::V5, "ann", |connect| {
        connect.will = Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "wills/ann",
            payload: b"gone",
            delay: None,
            properties: MessageProperties::default(),
        });
    });
    client.subscribe("a/b", QoS::AtMostOnce);
    assert_eq!(client.unsubscribe("a/b"), ReasonCode::Success, "the old generation is obeyed");
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let json = done(&server, &["status", "decides", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let shadow = &json["trial"]["shadow"];
        if shadow["disagreed"] == 3 {
            break shadow["disagreements"].clone();
        }
        assert!(Instant::now() < deadline, "{shadow}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let told = |hook: &str| found.as_array().unwrap().iter().find(|one| one["hook"] == hook).unwrap().clone();
    let admission = told("admission");
    assert_eq!((&admission["client_id"], &admission["current"]), (&"127.0.0.1".into(), &"admit".into()));
    assert_eq!(admission["candidate"], "do not admit");
    let will = told("authz-will");
    assert_eq!(
        (&will["client_id"], &will["about"], &will["current"]),
        (&"ann".into(), &"wills/ann".into(), &"allow".into())
    );
    assert_eq!(will["candidate"], "deny 0x87: none may be left");
    let unsubscribe = told("authz-unsubscribe");
    assert_eq!((&unsubscribe["about"], &unsubscribe["current"]), (&"a/b".into(), &"allow".into()));
    assert_eq!(unsubscribe["candidate"], "deny 0x87: none may be ended");
}

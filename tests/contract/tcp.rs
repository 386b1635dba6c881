//! Connections that plugins open: to what is granted, for as long as the instance lives, and no more than it may.

use rustix::process::Signal;
use tempfile::TempDir;

use super::ask;
use crate::hostile::plugin;
use crate::support::Server;
use crate::support::peer::{Manner, Peer};
use crate::support::pki::Pki;

/// A broker whose only plugin is the dialer, with one instance, granted `to`, and more keys.
fn dialer(to: &str, more: &str) -> Server {
    Server::with(&dialing(to, more))
}

fn dialing(to: &str, more: &str) -> String {
    let limits = if more.contains("limits") { "" } else { "limits = { instances_max = 1 }" };
    plugin("dialer", &format!("allow = {{ tcp = [{to:?}] }}\n{limits}\n{more}"))
}

#[test]
fn a_connection_stays_open_between_calls_and_is_opened_anew_when_the_other_side_closed_it() {
    let peer = Peer::start(Manner::Echo);
    let to = peer.address().to_string();
    let server = dialer(&to, "");
    for text in ["hello", "again"] {
        assert_eq!(ask(&server, "ask", &format!("{to} {text}")).unwrap(), format!("1: {text}"));
    }
    assert_eq!(server.metric("midge_plugin_tcp_connections", &[("plugin", "dialer")]), 1.0);
    let failure = ask(&server, "ask", &format!("{to} bye")).unwrap_err();
    assert!(failure.contains("the other side closed the connection"), "{failure}");
    assert_eq!(ask(&server, "ask", &format!("{to} anew")).unwrap(), "2: anew");
    assert_eq!(server.metric("midge_plugin_imports_total", &[("what", "tcp_connected")]), 2.0);
    let bytes = |direction| server.metric("midge_plugin_tcp_bytes_total", &[("direction", direction)]);
    assert_eq!((bytes("written"), bytes("read")), (25.0, 29.0), "each line has a line break, each answer its number");
    assert_eq!(peer.accepted(), 2);
}

#[test]
fn tls_is_spoken_to_a_server_that_the_operator_trusts_at_once_or_when_it_was_asked_for() {
    let directory = TempDir::new().unwrap();
    let pki = Pki::in_directory(&directory);
    let config = pki.server("localhost");
    for (what, manner) in
        [("ask-tls", Manner::Secure(config.clone())), ("ask-starttls", Manner::Upgrade(config.clone()))]
    {
        let peer = Peer::start(manner);
        let to = format!("localhost:{}", peer.address().port());
        let ca_file = directory.path().join("ca.pem");
        let allow = format!("allow = {{ tcp = [{to:?}], tcp_ca_file = {ca_file:?} }}");
        let server = Server::with(&plugin("dialer", &allow));
        assert_eq!(ask(&server, what, &format!("{to} psst")).unwrap(), "1: psst");
        let strict = dialer(&to, "");
        let failure = ask(&strict, what, &format!("{to} psst")).unwrap_err();
        assert!(failure.contains("TLS failed"), "{failure}");
    }
}

#[test]
fn what_is_not_granted_is_not_connected_to_and_the_log_says_what_would_grant_it() {
    let peer = Peer::start(Manner::Echo);
    let port = peer.address().port();
    let server = dialer(&format!("127.0.0.1:{port}"), "");
    for to in [format!("localhost:{port}"), format!("127.0.0.2:{port}"), "127.0.0.1:1".to_owned()] {
        let failure = ask(&server, "ask", &format!("{to} x")).unwrap_err();
        assert!(failure.contains("is not granted") && failure.contains("allow.tcp = "), "{failure}");
    }
    server.logged(&["denied", "a connection to localhost", "allow.tcp"]);
    assert_eq!(peer.accepted(), 0);
    assert!(server.metric("midge_plugin_imports_total", &[("what", "not_granted")]) >= 3.0);
}

#[test]
fn a_plugin_has_no_more_connections_than_it_may_and_they_end_with_its_instance() {
    let peer = Peer::start(Manner::Echo);
    let to = peer.address().to_string();
    // Without probation, in which the old instances stand by with all that they have.
    let server = dialer(&to, "\n[swap]\nprobation_s = 0\n");
    assert_eq!(ask(&server, "hoard", &to).unwrap(), "32 too many connections are open");
    assert_eq!(server.metric("midge_plugin_tcp_connections", &[]), 32.0);
    assert!(server.metric("midge_plugin_imports_total", &[("what", "tcp_overloaded")]) >= 1.0);
    server.signal(Signal::HUP);
    server.logged(&["reloaded"]);
    peer.ended(32);

    let server = dialer(&to, "limits = { instances_max = 4, tcp_connections_max = 3 }");
    assert_eq!(ask(&server, "hoard", &to).unwrap(), "3 too many connections are open");
}

#[test]
fn a_read_takes_no_more_at_once_than_the_contract_says() {
    let peer = Peer::start(Manner::Pour(4 << 20));
    let to = peer.address().to_string();
    let largest: usize = ask(&dialer(&to, ""), "swallow", &to).unwrap().parse().unwrap();
    assert!((1..=65_536).contains(&largest), "{largest}");
}

#[test]
fn a_peer_that_never_reads_costs_the_plugin_its_connection_and_nobody_else_anything() {
    let peer = Peer::start(Manner::Silent);
    let to = peer.address().to_string();
    let server = dialer(&to, "");
    assert_eq!(ask(&server, "flood", &to).unwrap(), "not in time, open: false");
    assert_eq!(ask(&server, "wait", &format!("{to} 20")).unwrap(), "not in time");
}

#[test]
fn who_waits_longer_than_the_hook_may_loses_the_instance_and_its_connections() {
    let peer = Peer::start(Manner::Silent);
    let to = peer.address().to_string();
    let server = dialer(&to, "limits = { instances_max = 1, wait_ms = 300 }");
    let failure = ask(&server, "wait", &format!("{to} 60000"));
    // The import may give up a moment before the call is given up.
    if let Ok(why) = failure {
        assert_eq!(why, "not in time");
    } else {
        server.logged(&["connection denied", "waited too long"]);
        peer.ended(1);
    }
    assert_eq!(ask(&server, "wait", &format!("{to} 20")).unwrap(), "not in time", "and the next call is served");
}

//! Who may connect at all, before a byte is read.

use std::io::Read;

use crate::hostile::plugin;
use crate::support::stream::{Stream, tcp};
use crate::support::{Client, PATIENCE, Server};
use midge_protocol::ProtocolVersion::V5;

const LISTENERS: &str = "[[listener]]\nname = \"open\"\naddress = \"127.0.0.1:0\"\nanonymous = true\n\
                         [[listener]]\nname = \"closed\"\naddress = \"127.0.0.1:0\"\nanonymous = true\n";

fn caretaker(more: &str) -> Server {
    let plugin = plugin("caretaker", &format!("hooks = [\"admission\"]\n{more}"));
    Server::with(&format!("{LISTENERS}{plugin}"))
}

/// Whether a connection to this listener is closed though nothing was said.
fn is_closed_at_once(server: &Server, listener: &str) {
    let mut stream = tcp(server.address_of(listener));
    stream.set_patience(PATIENCE);
    // A connection that is closed while nothing was read may also end in a reset.
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
}

fn calls(server: &Server, outcome: &str) -> f64 {
    server.metric("midge_plugin_calls_total", &[("hook", "admission"), ("outcome", outcome)])
}

#[test]
fn an_address_that_is_not_admitted_is_closed_without_a_word_and_others_are_served() {
    let server = caretaker("config = { closed = \"closed\" }");
    is_closed_at_once(&server, "closed");
    let mut client = Client::open(server.address_of("open"), V5);
    client.say_hello("c", |_| {});
    let closed = [("listener", "closed"), ("limit", "admission")];
    assert_eq!(server.metric("midge_connections_closed_at_accept_total", &closed), 1.0);
    server.logged(&["plugins do not admit this address", "127.0.0.1"]);
    assert_eq!((calls(&server, "refused"), calls(&server, "answered")), (1.0, 1.0));
}

#[test]
fn an_answer_is_used_again_for_as_long_as_the_plugin_says() {
    let server = caretaker("config = { closed = \"closed\", reuse_ms = 600000 }");
    for _ in 0..3 {
        is_closed_at_once(&server, "closed");
        Client::open(server.address_of("open"), V5).say_hello("c", |_| {});
    }
    assert_eq!((calls(&server, "refused"), calls(&server, "answered")), (1.0, 1.0), "asked once about each listener");
    assert_eq!(server.metric("midge_admission_cache_hits_total", &[]), 4.0);
    assert_eq!(server.metric("midge_admission_cache_entries", &[]), 2.0);
}

#[test]
fn a_plugin_that_fails_keeps_everybody_out_unless_the_operator_says_otherwise() {
    for crime in ["err", "trap", "spin"] {
        let server = caretaker(&format!("config = {{ admission = {crime:?} }}"));
        is_closed_at_once(&server, "open");
        let lenient = caretaker(&format!("on_error = \"next\"\nconfig = {{ admission = {crime:?} }}"));
        Client::open(lenient.address_of("open"), V5).say_hello("c", |_| {});
    }
}

#[test]
fn a_component_that_can_wait_is_not_loaded_for_it() {
    let directory = tempfile::TempDir::new().unwrap();
    let config = directory.path().join("midge.toml");
    let text = format!("[runtime]\ndata_dir = {:?}\n{}", directory.path(), plugin("sluggish-door", ""));
    std::fs::write(&config, text).unwrap();
    let output = Server::output(&["run", "--check", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("must not wait, but it imports http, tcp or passwords"), "{said}");
}

//! A reload with a plugin that cannot be loaded: a line in the log, and everything stays as it was.

use std::fs;

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{ask, guest};
use crate::support::{Client, PATIENCE, Server};

/// A broker whose plugin lets everybody in and do everything, from a file of its own.
fn start() -> Server {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("decides.wasm");
    fs::copy(guest("allow-all"), &file).unwrap();
    Server::beside(directory, &format!("[[plugin]]\nname = \"decides\"\npath = {file:?}\n"))
}

/// Changes the configuration by `edit`, reloads, and waits for a line about it.
fn reload(server: &Server, edit: impl FnOnce(String) -> String, line: &[&str]) {
    let file = server.directory().join("midge.toml");
    fs::write(&file, edit(fs::read_to_string(&file).unwrap())).unwrap();
    server.signal(Signal::HUP);
    server.logged(line);
}

fn still_decides(server: &Server, client: &mut Client) {
    assert!(!client.publish("before", "x", QoS::AtLeastOnce).is_error());
    assert_eq!(client.take().text(), "x");
    assert_eq!(ask(server, ProtocolVersion::V5, "new", "anybody").1, ReasonCode::Success);
}

#[test]
fn a_file_that_became_garbage_leaves_the_loaded_plugin_in_force() {
    let server = start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "before");
    client.subscribe("before", QoS::AtMostOnce);
    let file = server.directory().join("decides.wasm");
    let whole = fs::read(&file).unwrap();
    let garbage: &[(&[u8], &str)] = &[
        (b"garbage", "is not WebAssembly"),
        (b"\0asm\x01\0\0\0", "is a core WebAssembly module"),
        (&whole[..whole.len() / 2], "is no valid component"),
    ];
    for (bytes, what) in garbage {
        fs::write(&file, bytes).unwrap();
        let line = ["reload failed, everything stays as it was", "decides", "decides.wasm", what];
        reload(&server, |config| config, &line);
        still_decides(&server, &mut client);
    }
    fs::remove_file(&file).unwrap();
    reload(&server, |config| config, &["reload failed", "decides.wasm", "No such file"]);
    still_decides(&server, &mut client);
}

#[test]
fn a_plugin_that_does_not_start_leaves_the_old_ones_in_force() {
    let server = start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "before");
    client.subscribe("before", QoS::AtMostOnce);
    let original = fs::read_to_string(server.directory().join("midge.toml")).unwrap();
    let additions = [
        ("config = { init = \"trap\" }", "failed to start"),
        ("config = { init = \"err\" }", "the guest's backend failed"),
        ("config = { init = \"spin\" }\nlimits = { init_cpu_ms = 100 }", "processor time"),
        ("hoks = [\"authn\"]", "hoks"),
        ("sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "SHA-256"),
    ];
    for (more, what) in additions {
        let added = format!("{original}\n[[plugin]]\nname = \"added\"\npath = {:?}\n{more}\n", guest("hostile"));
        reload(&server, |_| added, &["reload failed, everything stays as it was", what]);
        still_decides(&server, &mut client);
    }
}

#[test]
fn a_reload_that_works_asks_the_new_plugin_from_then_on() {
    let server = start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "before");
    fs::copy(guest("deny-all"), server.directory().join("decides.wasm")).unwrap();
    reload(&server, |config| config, &["reloaded"]);
    assert_eq!(ask(&server, ProtocolVersion::V5, "new", "anybody").1, ReasonCode::BadUserNameOrPassword);
    client.ping();
    fs::copy(guest("allow-all"), server.directory().join("decides.wasm")).unwrap();
    server.signal(Signal::HUP);
    let deadline = std::time::Instant::now() + PATIENCE;
    while ask(&server, ProtocolVersion::V5, "new", "anybody").1.is_error() {
        assert!(std::time::Instant::now() < deadline, "the second reload does not happen:\n{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    client.ping();
}

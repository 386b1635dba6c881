//! One plugin is replaced while clients are connected and messages flow, by `midge plugin` or the admin port.

mod admin;
mod flow;
mod trials;
mod whole;
mod whom;

use std::fs;
use std::path::PathBuf;

use midge_protocol::{ProtocolVersion, ReasonCode};
use tempfile::TempDir;

use crate::hostile::{ask, guest};
use crate::support::Server;

/// A broker whose plugin `decides` is a copy of a guest, with more keys, and with this `[swap]`.
fn start(first: &str, more: &str, swap: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("decides.wasm");
    fs::copy(guest(first), &file).unwrap();
    Server::beside(directory, &format!("[[plugin]]\nname = \"decides\"\npath = {file:?}\n{more}\n[swap]\n{swap}\n"))
}

fn component(server: &Server) -> PathBuf {
    server.directory().join("decides.wasm")
}

/// Puts another guest where the plugin is loaded from. Beside first, so that nobody reads half of it.
fn install(server: &Server, guest_name: &str) {
    let beside = server.directory().join("beside.wasm");
    fs::copy(guest(guest_name), &beside).unwrap();
    fs::rename(beside, component(server)).unwrap();
}

/// Changes the configuration, for whoever reads it again.
fn configure(server: &Server, from: &str, to: &str) {
    let file = server.directory().join("midge.toml");
    let config = fs::read_to_string(&file).unwrap();
    assert!(config.contains(from), "{config}");
    fs::write(&file, config.replace(from, to)).unwrap();
}

/// `midge plugin …`, which must succeed; what it printed.
fn done(server: &Server, arguments: &[&str]) -> String {
    let (is_done, printed) = server.midge_plugin(arguments);
    assert!(is_done, "{arguments:?}: {printed}");
    printed
}

/// `midge plugin …`, which must fail; what it printed.
fn refused(server: &Server, arguments: &[&str]) -> String {
    let (is_done, printed) = server.midge_plugin(arguments);
    assert!(!is_done, "{arguments:?}: {printed}");
    printed
}

/// Whether a new client of this name is let in.
fn is_let_in(server: &Server, name: &str) -> bool {
    ask(server, ProtocolVersion::V5, name, name).1 == ReasonCode::Success
}

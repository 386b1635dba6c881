//! The example in C, `plugins/api-keys`, in a broker.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use midge_protocol::ReasonCode;
use tempfile::TempDir;

use super::{Desk, ask, built};
use crate::support::{PATIENCE, Server};

/// SHA-256 of `first-key` and `second-key`.
const FIRST: &str = "9e24b55356ef2a121ab5fd1a3ee8a3c9191e837f3853e399a369e9044ff183f7";
const SECOND: &str = "f397f260a275cc4d42e7965c556167bf3f068aed491d35a8f5b38c8c2db96bb0";

fn component() -> PathBuf {
    let file = built("examples/api-keys.wasm");
    assert!(file.exists(), "{} is missing; build it with: cargo xtask plugins", file.display());
    file
}

fn broker(keys: &str, more: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("api-keys");
    fs::write(&file, keys).unwrap();
    let config = format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ file = {file:?}{more} }}\nallow = {{ files = [{file:?}] }}\n",
        component()
    );
    Server::beside(directory, &config)
}

#[test]
fn a_key_lets_in_and_what_is_no_key_does_not() {
    let server = broker(&format!("# two devices\nsensor-7:{FIRST}\nsensor-8:{SECOND}:acme\n"), "");
    assert_eq!(ask(&server, "whoever", "first-key"), ReasonCode::Success);
    assert_eq!(ask(&server, "whoever", "second-key"), ReasonCode::Success);
    for wrong in ["third-key", "", FIRST] {
        assert!(ask(&server, "whoever", wrong).is_error(), "{wrong:?}");
    }
    assert!(!server.log().contains("first-key") && !server.log().contains(FIRST), "no credential in the log");
}

#[test]
fn an_unknown_key_is_refused_with_a_reason_where_the_operator_wants_it() {
    let server = broker(&format!("sensor-7:{FIRST}"), ", username = \"api-key\", unknown_key = \"deny\"");
    assert_eq!(ask(&server, "api-key", "first-key"), ReasonCode::Success);
    assert_eq!(ask(&server, "api-key", "second-key"), ReasonCode::BadUserNameOrPassword);
    server.logged(&["api-keys", "unknown API key"]);
}

#[test]
fn a_changed_file_goes_for_the_next_client_and_a_bad_one_changes_nothing() {
    let server = broker(&format!("sensor-7:{FIRST}"), "");
    let file = server.directory().join("api-keys");
    assert!(ask(&server, "any", "second-key").is_error());
    fs::write(&file, format!("sensor-8:{SECOND}")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while ask(&server, "any", "second-key").is_error() {
        assert!(Instant::now() < deadline, "the new key is not known:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(ask(&server, "any", "first-key").is_error(), "the old key is gone");
    fs::write(&file, "sensor-8:second-key").unwrap();
    // Whoever asks has the file read.
    let deadline = Instant::now() + PATIENCE;
    while !server.log().contains("the old keys stay in force") {
        assert!(Instant::now() < deadline, "nobody complains:\n{}", server.log());
        assert_eq!(ask(&server, "any", "second-key"), ReasonCode::Success);
    }
    assert!(!server.log().contains("second-key"), "no credential in the log");
}

#[test]
fn the_folder_is_one_that_an_author_can_build_and_its_fixtures_pass() {
    let desk = Desk::clean();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/api-keys");
    fs::create_dir(desk.path("api-keys")).unwrap();
    for name in ["plugin.toml", "api_keys.c", "table.c", "table.h"] {
        fs::copy(folder.join(name), desk.path("api-keys").join(name)).unwrap();
    }
    desk.well("api-keys", &["build"]);
    for fixture in ["keys.toml", "file.toml"] {
        let fixture = folder.join("fixtures").join(fixture);
        let said = desk.well("api-keys", &["test", "api-keys.wasm", fixture.to_str().unwrap()]);
        assert!(said.contains(" passed, 0 failed"), "{said}");
    }
}

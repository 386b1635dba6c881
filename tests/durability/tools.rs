//! `midge store`, on stores of brokers that have been stopped, or have not.

use std::fs;
use std::process::Output;

use midge_protocol::{ProtocolVersion, QoS};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{back, durable, stay};
use crate::support::{Client, Server};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

/// A broker with something of everything in its store.
fn furnished() -> Server {
    let server = durable();
    let mut client = stay(&server, VERSION, "c");
    client.subscribe("a/#", QoS::ExactlyOnce);
    let mut publisher = Client::connect(&server, VERSION, "publisher");
    publisher.publish("a/1", "sent", QoS::AtLeastOnce);
    client.receive();
    drop(client);
    server.logged(&["client disconnected", "client_id=c "]);
    publisher.publish("a/2", "waits", QoS::ExactlyOnce);
    publisher.retain("r", "retained", QoS::AtLeastOnce);
    server
}

fn store(server: &Server, command: &str, more: &[&str]) -> Output {
    let config = server.directory().join("midge.toml");
    let mut arguments = vec!["store", command, "--config", config.to_str().unwrap()];
    arguments.extend(more);
    Server::output(&arguments)
}

fn well(output: &Output) -> String {
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaint}");
    format!("{said}{complaint}")
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_export_is_imported_elsewhere_and_everything_is_there() {
    let mut old = furnished();
    old.end(Signal::TERM);
    let file = old.directory().join("copy.jsonl");
    let said = well(&store(&old, "export", &[file.to_str().unwrap()]));
    assert!(said.contains("exported: sessions 1, messages for them 2, retained messages 1"), "{said}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("{\"midge-store\":1}\n") && text.contains("\"client_id\":\"c\""), "{text}");
    let to_stdout = store(&old, "export", &[]);
    assert_eq!(String::from_utf8_lossy(&to_stdout.stdout), text);
    assert!(complaint(&store(&old, "export", &[file.to_str().unwrap()])).contains("exists"));

    let mut new = durable();
    new.end(Signal::TERM);
    let said = well(&store(&new, "import", &[file.to_str().unwrap()]));
    assert!(said.contains("imported: sessions 1, messages for them 2, retained messages 1"), "{said}");
    let said = complaint(&store(&new, "import", &[file.to_str().unwrap()]));
    assert!(said.contains("is not empty") && said.contains("--replace"), "{said}");
    well(&store(&new, "import", &["--replace", file.to_str().unwrap()]));
    new.begin();
    let mut client = back(&new, VERSION, "c");
    let sent = client.take();
    assert_eq!((sent.text(), sent.dup), ("sent", true));
    assert_eq!(client.take().text(), "waits");
    client.expect_nothing();
    client.subscribe("r", QoS::AtMostOnce);
    assert_eq!(client.take().text(), "retained");
}

#[test]
fn an_import_that_is_wrong_changes_nothing() {
    let mut server = furnished();
    server.end(Signal::TERM);
    let file = server.directory().join("copy.jsonl");
    well(&store(&server, "export", &[file.to_str().unwrap()]));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}nonsense\n")).unwrap();
    let said = complaint(&store(&server, "import", &["--replace", file.to_str().unwrap()]));
    assert!(said.contains("line 6"), "{said}");
    server.begin();
    assert_eq!(back(&server, VERSION, "c").take().text(), "sent");
}

#[test]
fn info_counts_check_reads_and_compact_leaves_everything() {
    let mut server = furnished();
    server.end(Signal::KILL);
    let info = well(&store(&server, "info", &[]));
    for line in [
        "sessions                1",
        "messages for sessions   2",
        "  in flight             1",
        "retained messages       1",
    ] {
        let line: String = line.split_whitespace().collect();
        assert!(info.lines().any(|it| it.split_whitespace().collect::<String>() == line), "no {line} in {info}");
    }
    assert!(well(&store(&server, "check", &[])).contains("problems 0"));
    assert!(well(&store(&server, "compact", &[])).contains("MiB now"));
    assert!(well(&store(&server, "repair", &[])).contains("removed 0"));
    server.begin();
    assert_eq!(back(&server, VERSION, "c").take().text(), "sent");
}

#[test]
fn the_store_of_a_running_broker_is_left_alone() {
    let server = furnished();
    for command in ["info", "check", "repair", "export", "import", "compact"] {
        let said = complaint(&store(&server, command, &[]));
        assert!(said.contains(&format!("in use by process {}", server.pid())), "{command}: {said}");
    }
    back(&server, VERSION, "c");
}

#[test]
fn a_directory_without_a_store_is_named_and_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap();
    for command in ["info", "check", "repair", "export", "compact"] {
        let said = complaint(&Server::output(&["store", command, "--directory", path]));
        assert!(said.contains("there is no store in") && said.contains(path), "{command}: {said}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_check_of_the_configuration_makes_no_store() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    fs::write(&file, "[runtime]\ndata_dir = \"data\"\n").unwrap();
    let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
    assert!(well(&output).contains("would keep what survives in"));
    assert!(!directory.path().join("data/store").exists());
}

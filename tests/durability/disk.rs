//! Disks that do not do what they should, and stores that cannot be had.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{away, back, durable, stay, with};
use crate::support::{Client, PATIENCE, Server};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

/// Starts with this configuration, which must fail with this status; what the broker said.
fn refused(config: &str, code: i32) -> String {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\n[admin]\nenabled = false\n";
    fs::write(&file, format!("{listener}{config}")).unwrap();
    let output = Server::output(&["run", "--config", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(output.stdout, b"", "it did not start");
    said
}

fn store_in(directory: &Path) -> String {
    format!("[store]\ndirectory = {directory:?}\n")
}

fn expect(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

#[test]
fn two_brokers_do_not_share_a_store_and_the_second_names_the_first() {
    let mut server = durable();
    let store = server.directory().join("data/store");
    let said = refused(&store_in(&store), 2);
    expect(&said, &[store.to_str().unwrap(), &format!("in use by process {}", server.pid()), "store.directory"]);
    // The first one never noticed.
    away(&server, VERSION, "c", "a", QoS::AtLeastOnce);
    server.again(Signal::KILL);
    back(&server, VERSION, "c");
}

#[test]
fn a_store_that_cannot_be_made_ends_the_start_and_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let said = refused(&store_in(&file.join("store")), 2);
    expect(&said, &[file.to_str().unwrap(), "Not a directory", "store.directory"]);

    let locked = directory.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o500)).unwrap();
    // The superuser may write anywhere.
    if fs::write(locked.join("probe"), "").is_err() {
        let said = refused(&store_in(&locked.join("store")), 2);
        expect(&said, &[locked.to_str().unwrap(), "Permission denied", "let the user that runs midge write there"]);
    }
}

#[test]
fn a_read_only_disk_ends_the_start_and_is_named() {
    let Some(disk) = Disk::mount("size=16m,ro") else { return };
    let said = refused(&store_in(&disk.path().join("store")), 2);
    expect(&said, &[disk.path().to_str().unwrap(), "Read-only file system", "store.directory"]);
}

#[test]
fn a_store_that_is_damaged_ends_the_start_and_says_what_to_do() {
    let mut server = durable();
    away(&server, VERSION, "c", "a", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, VERSION, "publisher");
    for _ in 0..10 {
        publisher.publish("a", "x", QoS::AtLeastOnce);
    }
    server.end(Signal::KILL);
    let store = server.directory().join("data/store");
    let journal = store.join("data/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[written / 2] ^= 0xff;
    fs::write(&journal, bytes).unwrap();
    let said = refused(&store_in(&store), 1);
    expect(&said, &["0.jnl is damaged at byte", "midge store repair"]);
    let repaired = Server::output(&["store", "repair", "--directory", store.to_str().unwrap()]);
    assert!(repaired.status.success(), "{}", String::from_utf8_lossy(&repaired.stderr));
    server.begin();
    back(&server, VERSION, "c");
}

/// A half-written end is what a crash leaves: nobody was promised it.
#[test]
fn a_torn_end_is_cut_off_and_told() {
    let mut server = durable();
    away(&server, VERSION, "c", "a", QoS::AtLeastOnce);
    server.end(Signal::KILL);
    let journal = server.directory().join("data/store/data/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes.truncate(written + 1);
    bytes.extend_from_slice(&[1, 2, 0, 0, 0, 9]);
    fs::write(&journal, bytes).unwrap();
    server.begin();
    server.logged(&["the end of a journal was cut off", "0.jnl"]);
    back(&server, VERSION, "c");
}

/// [MQTT-4.9.0-1] does not matter here: what cannot be stored is refused, and everything else goes on.
#[test]
fn a_full_disk_refuses_what_must_survive_until_there_is_room() {
    let Some(disk) = Disk::mount("size=48m") else { return };
    let mut server = with(&format!("directory = {:?}\n", disk.path().join("store")));
    let mut client = stay(&server, VERSION, "c");
    client.subscribe("a", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, VERSION, "publisher");
    publisher.publish("a", "before", QoS::AtLeastOnce);
    let ballast = disk.fill();
    // What is refused is refused with words of its own; what was taken and could not be written is not acknowledged.
    let mut eager = Client::connect(&server, VERSION, "eager");
    let payload = vec![b'x'; 64 << 10];
    for _ in 0..64 {
        let packet_id = Some(eager.new_id());
        let message = crate::support::message::publish("a", &payload);
        let message = midge_protocol::Publish { qos: QoS::AtLeastOnce, packet_id, ..message };
        eager.send(&midge_protocol::Packet::Publish(message));
    }
    server.logged(&["ERROR", "the store cannot be written", "0x97", "make room on the disk"]);
    publisher.publish_refused("a", ReasonCode::QuotaExceeded);
    let mut old = Client::connect(&server, ProtocolVersion::V311, "old");
    old.subscribe("b", QoS::AtMostOnce);
    publisher.publish("b", "QoS 0 goes on", QoS::AtMostOnce);
    assert_eq!(old.receive().text(), "QoS 0 goes on");
    let readiness = server.page("/readyz");
    assert!(readiness.starts_with("HTTP/1.1 503") && readiness.contains("\"refusing\""), "{readiness}");
    assert!(readiness.contains("make room"), "{readiness}");
    assert!(server.metric("midge_store_commits_failed_total", &[]) >= 1.0);

    drop(ballast);
    server.logged(&["INFO", "the store can be written again"]);
    let deadline = Instant::now() + PATIENCE;
    while publisher.publish("a", "after", QoS::AtLeastOnce) == ReasonCode::QuotaExceeded {
        assert!(Instant::now() < deadline, "it goes on refusing");
    }
    assert!(server.page("/readyz").starts_with("HTTP/1.1 200"));
    drop((client, publisher, eager));
    server.again(Signal::KILL);
    let mut client = back(&server, VERSION, "c");
    assert_eq!(client.take().text(), "before");
    while client.take().text() != "after" {}
}

/// A disk of its own, in memory; unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    /// None where nobody may mount one, such as in most containers; the core's simulation and `broker/storage` show the same
    /// without one.
    fn mount(options: &str) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "midge-test"]).arg(directory.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(directory)),
            _ => {
                eprintln!("not tested: this user cannot mount a disk to fill");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room on it.
    fn fill(&self) -> Ballast {
        let file = self.path().join("ballast");
        let mut ballast = fs::File::create(&file).unwrap();
        let chunk = vec![0; 1 << 12];
        while std::io::Write::write_all(&mut ballast, &chunk).is_ok() {}
        Ballast(file)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Takes up all the room there is, until it is dropped.
struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

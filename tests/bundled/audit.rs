//! `audit`: what happens is in the file, or at the endpoint, and what is lost is counted.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use midge_protocol::{Connect, MessageProperties, ProtocolVersion, QoS, ReasonCode, Will};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{plugin, refused_start};
use crate::support::sink::Sink;
use crate::support::{Client, PATIENCE, Server};

/// A broker that writes down what happens, in `audit.jsonl` beside its configuration.
fn recorded(config: &str, grant: &str) -> Server {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("audit.jsonl");
    let more = format!("config = {{ file = {file:?}{config} }}\nallow = {{ append = {{ {file:?} = {grant} }} }}");
    Server::beside(directory, &plugin("audit", &more))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} is no JSON"))).collect()
}

/// Waits until the file has a line that `is_it`.
fn line(server: &Server, is_it: impl Fn(&Value) -> bool) -> Value {
    let path = server.directory().join("audit.jsonl");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = lines(&path);
        if let Some(line) = lines.iter().find(|line| is_it(line)) {
            return line.clone();
        }
        assert!(Instant::now() < deadline, "no such line among {lines:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn of_kind(server: &Server, kind: &str) -> Value {
    line(server, |line| line["kind"] == kind)
}

#[test]
fn the_life_of_a_client_is_in_the_file() {
    let server = recorded("", "\"1MiB\"");
    let (mut client, _) = Client::connect_with(&server, ProtocolVersion::V5, "subject", |connect| {
        connect.will = Some(Will {
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "wills/subject",
            payload: b"gone",
            delay: None,
            properties: MessageProperties::default(),
        });
    });
    client.subscribe("a/#", QoS::AtLeastOnce);
    client.unsubscribe("a/#");
    client.retain("kept", "x", QoS::AtLeastOnce);
    client.retain("kept", "", QoS::AtLeastOnce);
    let mut second = Client::connect(&server, ProtocolVersion::V5, "subject");
    client.expect_disconnect(ReasonCode::SessionTakenOver);
    second.ping();
    second.disconnect();

    let connected = of_kind(&server, "client.connected");
    assert_eq!((&connected["client_id"], &connected["detail"]["mqtt"]), (&"subject".into(), &"5".into()));
    assert!(connected["detail"]["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{connected}");
    assert!(connected["at"].as_str().unwrap().starts_with("20"), "{connected}");
    let subscribed = of_kind(&server, "client.subscribed");
    assert_eq!((&subscribed["topic"], &subscribed["reason_code"]), (&"a/#".into(), &1.into()));
    assert_eq!(of_kind(&server, "client.unsubscribed")["topic"], "a/#");
    assert_eq!(of_kind(&server, "retained.set")["topic"], "kept");
    assert_eq!(of_kind(&server, "retained.cleared")["topic"], "kept");
    assert_eq!(of_kind(&server, "session.taken_over")["client_id"], "subject");
    assert_eq!(of_kind(&server, "will.published")["topic"], "wills/subject");
    let ended = line(&server, |line| line["detail"]["end"] == "taken_over");
    assert_eq!((&ended["kind"], &ended["reason_code"]), (&"client.disconnected".into(), &0x8E.into()));
    line(&server, |line| line["kind"] == "client.disconnected" && line["detail"]["end"] == "disconnected");
    let ended = line(&server, |line| line["kind"] == "session.ended" && line["detail"]["cause"] == "closed");
    assert_eq!(ended["principal"], "anonymous");
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = fs::metadata(server.directory().join("audit.jsonl")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_session_is_the_principals_who_had_it_last_also_while_it_is_away_and_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str| directory.path().join(name);
    for user in ["alice", "bob"] {
        let passwords = file("passwords");
        let arguments = ["passwd", passwords.to_str().unwrap(), user, "--password-stdin"];
        assert!(Server::output_with_input(&arguments, "secret").status.success());
    }
    let grant = |file: &Path, what: &str| format!("config = {{ file = {file:?} }}\nallow = {{ {what} }}");
    let passwords = grant(&file("passwords"), &format!("files = [{:?}]", file("passwords")));
    let log = grant(&file("audit.jsonl"), &format!("append = {{ {:?} = \"1MiB\" }}", file("audit.jsonl")));
    let config = plugin("password-file", &passwords) + &plugin("audit", &log);
    let mut server = Server::beside(directory, &format!("[store]\ndurability = \"os\"\n{config}"));
    let come = |server: &Server, user: &'static str, expiry: u32| {
        let hello = |connect: &mut Connect<'static>| {
            (connect.username, connect.password) = (Some(user), Some(&b"secret"[..]));
            connect.clean_start = false;
            connect.properties.session_expiry = Some(expiry);
        };
        Client::connect_with(server, ProtocolVersion::V5, "shared", hello)
    };

    let (first, _) = come(&server, "alice", 3600);
    assert_eq!(of_kind(&server, "session.created")["principal"], "alice");
    let (mut second, present) = come(&server, "bob", 3600);
    assert!(present);
    let taken = of_kind(&server, "session.taken_over");
    assert_eq!((&taken["principal"], &taken["detail"]["by"]), (&"alice".into(), &"bob".into()), "{taken}");
    let resumed = of_kind(&server, "session.resumed");
    assert_eq!((&resumed["principal"], &resumed["detail"]["before"]), (&"bob".into(), &"alice".into()), "{resumed}");
    drop(first);
    second.subscribe("#", QoS::AtLeastOnce);
    second.disconnect();

    server.again(Signal::TERM);
    let (third, present) = come(&server, "alice", 1);
    assert!(present);
    line(&server, |line| {
        line["kind"] == "session.resumed" && line["principal"] == "alice" && line["detail"]["before"] == "bob"
    });
    third.disconnect();
    let ended = of_kind(&server, "session.ended");
    assert_eq!((&ended["principal"], &ended["detail"]["cause"]), (&"alice".into(), &"expired".into()), "{ended}");
}

#[test]
fn only_what_is_wanted_is_written_and_names_may_be_hashed() {
    let config = ", kinds = [\"client.*\"], clients = [\"seen-*\"], redact = { client_id = \"hash\" }";
    let server = recorded(config, "\"1MiB\"");
    for name in ["unseen", "seen-1"] {
        Client::connect(&server, ProtocolVersion::V5, name).disconnect();
    }
    line(&server, |line| line["kind"] == "client.disconnected");
    let lines = lines(&server.directory().join("audit.jsonl"));
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines.iter().all(|line| line["client_id"].as_str().unwrap().starts_with("sha256:")), "{lines:#?}");
}

#[test]
fn a_refusal_is_written_down_with_who_refused_and_why() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("audit.jsonl");
    let audit = format!("config = {{ file = {file:?} }}\nallow = {{ append = {{ {file:?} = \"1MiB\" }} }}");
    let schema = "config = { rules = [{ filter = \"a\", max_bytes = 1 }] }";
    let server = Server::beside(directory, &(plugin("audit", &audit) + &plugin("schema", schema)));
    // A client of version 3, who is not told.
    Client::connect(&server, ProtocolVersion::V311, "old").publish("a", "too long", QoS::AtLeastOnce);
    let denied = of_kind(&server, "authz.denied");
    assert_eq!(
        (&denied["client_id"], &denied["topic"], &denied["reason_code"]),
        (&"old".into(), &"a".into(), &0x99.into())
    );
    let detail = &denied["detail"];
    assert_eq!(
        (&detail["plugin"], &detail["hook"], &detail["action"]),
        (&"schema".into(), &"messages".into(), &"publish".into())
    );
    assert_eq!(detail["reason"], "max_bytes: the payload has 8 bytes and may have 1");
}

#[test]
fn a_file_that_was_moved_away_is_made_again_and_a_reload_goes_on_with_it() {
    let server = recorded("", "\"1MiB\"");
    let path = server.directory().join("audit.jsonl");
    let talk = |name: &str| Client::connect(&server, ProtocolVersion::V5, name).disconnect();
    talk("first");
    line(&server, |line| line["kind"] == "session.ended");
    fs::rename(&path, server.directory().join("audit.old")).unwrap();
    talk("second");
    line(&server, |line| line["client_id"] == "second");
    server.signal(Signal::HUP);
    server.logged(&["reloaded"]);
    talk("third");
    line(&server, |line| line["client_id"] == "third");
    assert!(lines(&server.directory().join("audit.old")).iter().all(|line| line["client_id"] != "third"));
}

#[test]
fn full_files_are_kept_and_without_that_what_has_no_room_is_counted() {
    let server = recorded("", "{ size = \"1KiB\", keep = 2 }");
    for number in 0..12 {
        Client::connect(&server, ProtocolVersion::V5, &format!("client-{number}")).disconnect();
    }
    let deadline = Instant::now() + PATIENCE;
    // While one is renamed it is not there.
    let length = |name: &str| fs::metadata(server.directory().join(name)).map(|file| file.len()).ok();
    let kept = loop {
        if let (Some(first), Some(second)) = (length("audit.jsonl.1"), length("audit.jsonl.2")) {
            break [first, second];
        }
        assert!(Instant::now() < deadline, "no files were kept:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(kept.iter().all(|length| (1..=1024).contains(length)), "{kept:?}");
    assert_eq!(server.metric("midge_custom_lost_total", &[("plugin", "audit")]), 0.0);

    let server = recorded("", "\"1KiB\"");
    for number in 0..12 {
        Client::connect(&server, ProtocolVersion::V5, &format!("client-{number}")).disconnect();
    }
    server.metric_reaches("midge_custom_lost_total", &[("plugin", "audit")], 10.0);
    let uses = [("plugin", "audit"), ("what", "append_lost")];
    server.metric_reaches("midge_plugin_imports_total", &uses, 10.0);
    assert!(server.metric("midge_plugin_appended_bytes_total", &[("plugin", "audit")]) <= 1024.0);
    server.logged(&["events are lost", "full, or too much waits"]);
    // Somebody makes room.
    fs::rename(server.directory().join("audit.jsonl"), server.directory().join("audit.old")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let lost = loop {
        let lines = lines(&server.directory().join("audit.jsonl"));
        if let Some(lost) = lines.iter().find(|line| line["kind"] == "audit.lost") {
            break lost["count"].as_u64().unwrap();
        }
        assert!(Instant::now() < deadline, "what was lost is not told:\n{}", server.log());
        Client::connect(&server, ProtocolVersion::V5, "later").disconnect();
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(lost >= 10, "{lost}");
}

#[test]
fn what_happened_before_the_end_is_in_the_file() {
    let mut server = recorded("", "\"1MiB\"");
    let mut client = Client::connect(&server, ProtocolVersion::V5, "last");
    client.ping();
    server.end(Signal::TERM);
    let lines = lines(&server.directory().join("audit.jsonl"));
    assert!(lines.iter().any(|line| line["detail"]["end"] == "shutdown" && line["client_id"] == "last"), "{lines:#?}");
}

#[test]
fn an_endpoint_gets_lines_in_order_and_again_after_it_failed() {
    let sink = Sink::start();
    sink.answer_next(&[500, 503]);
    let more = format!(
        "config = {{ url = \"http://{0}/audit\", retry_min_ms = 1, kinds = [\"client.connected\"] }}\n\
         allow = {{ http = [\"http://{0}\"] }}\ntick_interval_ms = 50\nlimits = {{ instances_max = 1 }}",
        sink.address()
    );
    let server = Server::with(&plugin("audit", &more));
    let mut told: Vec<String> = Vec::new();
    let mut failures = 2;
    for number in 0..20 {
        Client::connect(&server, ProtocolVersion::V5, &format!("client-{number}")).disconnect();
    }
    let deadline = Instant::now() + PATIENCE;
    while told.len() < 20 {
        assert!(Instant::now() < deadline, "only {told:?} were told:\n{}", server.log());
        let Some(request) = sink.next_within(Duration::from_millis(100)) else { continue };
        assert_eq!(request.path, "/audit");
        if failures > 0 {
            failures -= 1;
            continue;
        }
        let lines = request.body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        told.extend(lines.map(|line| line["client_id"].as_str().unwrap().to_owned()));
    }
    let expected: Vec<String> = (0..20).map(|number| format!("client-{number}")).collect();
    assert_eq!(told, expected);
    server.metric_reaches("midge_custom_written_total", &[("plugin", "audit")], 20.0);
    assert_eq!(server.metric("midge_custom_lost_total", &[("plugin", "audit")]), 0.0);
}

#[test]
fn a_worn_instance_sends_what_waits_before_it_goes() {
    let sink = Sink::start();
    sink.answer_next(&[500]);
    // What was not taken waits for longer than the test, unless the instance ends.
    let more = format!(
        "config = {{ url = \"http://{0}/audit\", retry_min_ms = 60000, kinds = [\"client.connected\"] }}\n\
         allow = {{ http = [\"http://{0}\"] }}\nlimits = {{ instances_max = 1, calls_max = 5 }}",
        sink.address()
    );
    let server = Server::with(&plugin("audit", &more));
    Client::connect(&server, ProtocolVersion::V5, "waits").disconnect();
    let refused = sink.next_within(PATIENCE).unwrap();
    assert!(refused.body.contains("waits"), "{}", refused.body);
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Every question is a call, of which an instance has five.
        server.page("/readyz");
        if let Some(request) = sink.next_within(Duration::from_millis(20)) {
            assert!(request.body.contains("waits"), "{}", request.body);
            break;
        }
        assert!(Instant::now() < deadline, "the line was lost:\n{}", server.log());
    }
    let name = [("plugin", "audit")];
    server.metric_reaches("midge_plugin_retired_total", &name, 1.0);
    assert_eq!(server.metric("midge_plugin_lost_total", &name) + server.metric("midge_custom_lost_total", &name), 0.0);
}

#[test]
fn a_file_that_cannot_be_appended_to_stops_the_start_with_its_name() {
    let directory = TempDir::new().unwrap();
    let start = |file: &Path, grant: &str| {
        let more = format!("config = {{ file = {file:?} }}\nallow = {{ append = {{ {grant} }} }}");
        refused_start(&plugin("audit", &more))
    };
    let missing = directory.path().join("none/audit.jsonl");
    let said = start(&missing, &format!("{missing:?} = \"1MiB\""));
    assert!(said.contains("allow.append") && said.contains("does not exist; make it first"), "{said}");
    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let said = start(&folder, &format!("{folder:?} = \"1MiB\""));
    assert!(said.contains("it is there and is no regular file"), "{said}");
    let file = directory.path().join("audit.jsonl");
    let said = start(&file, "other = \"1MiB\"");
    assert!(said.contains("not granted; add allow = { append = {"), "{said}");
    let said = start(&file, "other = 1");
    assert!(said.contains("allow.append.other = 1: expected { PATH = SIZE }"), "{said}");
}

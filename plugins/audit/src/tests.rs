#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::testing;
use serde_json::{Value, json};

use super::*;

const LOG: &str = "audit.jsonl";

fn start(table: Value) -> Result<Audit, String> {
    testing::set_config(table);
    Audit::init(&testing::environment())
}

fn to_file(mut table: Value, bytes_max: usize) -> Audit {
    testing::grant_append(LOG, bytes_max);
    table["file"] = json!(LOG);
    start(table).unwrap()
}

fn to_endpoint(mut table: Value) -> Audit {
    table["url"] = json!("http://127.0.0.1:9/audit");
    start(table).unwrap()
}

fn event(kind: &str) -> Event {
    Event {
        kind: kind.to_owned(),
        at_ms: 1_796_058_310_123,
        node: "n1".to_owned(),
        client_id: Some("sensor-1".to_owned()),
        principal: Some("alice".to_owned()),
        topic: None,
        reason_code: None,
        count: 1,
        detail: String::new(),
    }
}

fn lines(text: &[u8]) -> Vec<Value> {
    std::str::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds in the file, or, of requests, in each of them.
fn written() -> Vec<String> {
    kinds(&testing::appended(LOG))
}

fn sent() -> Vec<Vec<String>> {
    testing::requests().iter().map(|request| kinds(&request.body)).collect()
}

fn kinds(text: &[u8]) -> Vec<String> {
    lines(text).iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_event_is_a_line_with_what_it_says_and_nothing_else() {
    let mut plugin = to_file(json!({}), 10_000);
    let full = Event {
        topic: Some("a/b".to_owned()),
        reason_code: Some(0x87),
        count: 3,
        detail: r#"{"action":"publish"}"#.to_owned(),
        ..event("authz.denied")
    };
    let bare = Event { client_id: None, principal: None, ..event("retained.set") };
    plugin.on_events(vec![full, bare]).unwrap();
    let text = String::from_utf8(testing::appended(LOG)).unwrap();
    assert_eq!(
        text,
        "{\"at\":\"2026-11-30T17:05:10.123Z\",\"at_ms\":1796058310123,\"kind\":\"authz.denied\",\"node\":\"n1\",\
         \"client_id\":\"sensor-1\",\"principal\":\"alice\",\"topic\":\"a/b\",\"reason_code\":135,\"count\":3,\
         \"detail\":{\"action\":\"publish\"}}\n\
         {\"at\":\"2026-11-30T17:05:10.123Z\",\"at_ms\":1796058310123,\"kind\":\"retained.set\",\"node\":\"n1\",\"count\":1}\n"
    );
    assert_eq!(testing::metric("written"), 2.0);
}

#[test]
fn only_what_is_wanted_is_written_and_losses_always() {
    let of = |client_id: &str, principal: Option<&str>, kind: &str| Event {
        client_id: Some(client_id.to_owned()),
        principal: principal.map(str::to_owned),
        ..event(kind)
    };
    let table = json!({
        "kinds": ["client.*", "session.ended"], "except_kinds": ["client.subscribed"], "clients": ["sensor-*"],
        "principals": ["alice"],
    });
    let mut plugin = to_file(table, 10_000);
    plugin
        .on_events(vec![
            of("sensor-1", Some("alice"), "client.connected"),
            of("sensor-1", Some("alice"), "client.subscribed"),
            of("sensor-1", Some("alice"), "authz.denied"),
            of("sensor-1", Some("bob"), "client.disconnected"),
            of("other", Some("alice"), "client.disconnected"),
            of("sensor-1", None, "session.ended"),
            Event { client_id: None, principal: None, ..event("events.lost") },
        ])
        .unwrap();
    assert_eq!(written(), ["client.connected", "events.lost"]);
}

#[test]
fn fields_are_hashed_with_salt_or_removed() {
    testing::set_secret("salt", "pepper\n");
    let table = json!({
        "redact": { "client_id": "hash", "principal": "hash", "topic": "remove", "detail.peer": "hash", "detail.reason": "remove" },
        "salt_secret": "salt",
    });
    let mut plugin = to_file(table, 10_000);
    let detail = json!({ "peer": "10.0.0.1:5000", "reason": "x", "end": "closed" }).to_string();
    let told = Event {
        topic: Some("t".to_owned()),
        detail,
        principal: Some("sensor-1".to_owned()),
        ..event("client.disconnected")
    };
    plugin.on_events(vec![told]).unwrap();
    let line = &lines(&testing::appended(LOG))[0];
    let hash = line["client_id"].as_str().unwrap();
    assert!(hash.starts_with("sha256:") && hash.len() == 7 + 16 && line["principal"] == hash, "{line}");
    assert!(line.get("topic").is_none() && line["detail"].get("reason").is_none());
    assert_eq!(line["detail"]["end"], "closed");
    assert!(line["detail"]["peer"].as_str().unwrap().starts_with("sha256:"));
    let text = line.to_string();
    assert!(!text.contains("sensor-1") && !text.contains("10.0.0.1"), "{text}");
}

#[test]
fn a_principal_is_hashed_wherever_it_is_named() {
    let mut plugin = to_file(json!({ "redact": { "principal": "hash", "detail.before": "remove" } }), 10_000);
    let told = |kind: &str, detail: Value| Event { detail: detail.to_string(), ..event(kind) };
    let taken_over = told("session.taken_over", json!({ "by": "alice" }));
    plugin.on_events(vec![taken_over, told("session.resumed", json!({ "before": "alice" }))]).unwrap();
    let lines = lines(&testing::appended(LOG));
    assert_eq!(lines[0]["detail"]["by"], lines[0]["principal"], "{lines:?}");
    assert!(lines[1].get("detail").is_none(), "{lines:?}");
    assert!(lines.iter().all(|line| !line.to_string().contains("alice")), "{lines:?}");
}

#[test]
fn what_has_no_room_in_the_file_is_counted_and_told_as_soon_as_there_is_room() {
    let line = Line::of(&event("a"), &Redaction::new(&Default::default(), Vec::new())).text().len();
    let mut plugin = to_file(json!({}), 2 * line);
    plugin.on_events(vec![event("a"), event("b"), event("c"), event("d")]).unwrap();
    assert_eq!(written(), ["a", "b"]);
    plugin.on_events(vec![event("e")]).unwrap();
    assert_eq!((testing::metric("written"), testing::metric("lost")), (2.0, 3.0));
    assert_eq!(testing::logs().len(), 1);
    testing::grant_append(LOG, 10_000);
    plugin.on_events(vec![event("f")]).unwrap();
    let lines = lines(&testing::appended(LOG));
    assert_eq!(
        (&lines[2]["kind"], &lines[2]["count"], &lines[3]["kind"]),
        (&json!("audit.lost"), &json!(3), &json!("f"))
    );
}

#[test]
fn batches_are_posted_as_lines_with_headers_and_secret() {
    testing::set_secret("token", "s3cret\n");
    let mut plugin = to_endpoint(json!({ "batch_max": 2, "bearer_secret": "token", "headers": { "x-site": "north" } }));
    testing::respond_with(200);
    testing::respond_with(204);
    plugin.on_events(vec![event("a"), event("b"), event("c")]).unwrap();
    assert_eq!(sent(), [vec!["a", "b"], vec!["c"]]);
    let request = &testing::requests()[0];
    let header = |name: &str| request.headers.iter().find(|one| one.0 == name).map(|one| one.1.as_str());
    assert_eq!(header("content-type"), Some("application/x-ndjson"));
    assert_eq!((header("x-site"), header("authorization")), (Some("north"), Some("Bearer s3cret")));
    assert_eq!(testing::metric("written"), 3.0);
}

#[test]
fn events_wait_while_the_endpoint_fails_and_pauses_grow() {
    testing::set_now(1000);
    let mut plugin = to_endpoint(json!({ "retry_min_ms": 100, "retry_max_ms": 150 }));
    testing::respond_with(503);
    plugin.on_events(vec![event("a")]).unwrap();
    plugin.on_events(vec![event("b")]).unwrap();
    assert_eq!(testing::requests().len(), 1, "it is not asked again at once");
    testing::set_now(1100);
    testing::respond(Err(midge_plugin_sdk::http::Error::Timeout));
    plugin.tick().unwrap();
    testing::set_now(1249);
    plugin.tick().unwrap();
    assert_eq!(testing::requests().len(), 2);
    testing::set_now(1250);
    testing::respond_with(200);
    plugin.tick().unwrap();
    assert_eq!(sent()[2], ["a", "b"]);
    assert_eq!(
        (testing::metric("failed_requests"), testing::metric("waiting"), testing::metric("lost")),
        (2.0, 0.0, 0.0)
    );
    assert_eq!(testing::logs().len(), 1);
}

#[test]
fn the_endpoint_may_say_when_to_come_back_but_not_later_than_the_longest_pause() {
    testing::set_now(1000);
    let mut plugin = to_endpoint(json!({ "retry_min_ms": 100, "retry_max_ms": 5000 }));
    for (wish, pause_ms) in [("2", 2000), ("3600", 5000)] {
        let (before, now_ms) = (testing::requests().len(), midge_plugin_sdk::now());
        let headers = vec![("retry-after".to_owned(), wish.to_owned())];
        testing::respond(Ok(midge_plugin_sdk::http::Response { status: 503, headers, body: Vec::new() }));
        plugin.on_events(vec![event("a")]).unwrap();
        testing::set_now(now_ms + pause_ms - 1);
        plugin.tick().unwrap();
        assert_eq!(testing::requests().len() - before, 1, "{wish}");
        testing::set_now(now_ms + pause_ms);
        testing::respond_with(200);
        plugin.tick().unwrap();
        assert_eq!(testing::requests().len() - before, 2, "{wish}");
    }
}

#[test]
fn what_has_no_room_while_it_waits_is_counted_and_told_with_what_comes_after() {
    let mut plugin = to_endpoint(json!({ "batch_max": 2, "buffer_max": 2 }));
    testing::respond_with(500);
    plugin.on_events(vec![event("a"), event("b"), event("c"), event("d")]).unwrap();
    assert_eq!(testing::metric("lost"), 2.0);
    testing::set_now(600_000);
    testing::respond_with(200);
    plugin.tick().unwrap();
    testing::respond_with(200);
    plugin.on_events(vec![event("e")]).unwrap();
    assert_eq!(sent()[1..], [vec!["a", "b"], vec!["audit.lost", "e"]]);
}

#[test]
fn what_the_endpoint_refuses_is_lost_and_what_is_left_at_the_end_too() {
    let mut plugin = to_endpoint(json!({}));
    testing::respond_with(422);
    plugin.on_events(vec![event("a")]).unwrap();
    assert_eq!(testing::metric("lost"), 1.0);
    testing::respond_with(500);
    plugin.on_events(vec![event("b")]).unwrap();
    testing::respond_with(500);
    plugin.shutdown();
    assert_eq!((testing::requests().len(), testing::metric("lost")), (3, 3.0), "with the line that told of the first");
}

#[test]
fn several_instances_for_lines_that_wait_are_warned_of() {
    testing::set_config(json!({ "url": "http://h" }));
    Audit::init(&Environment { instances: 2, ..testing::environment() }).unwrap();
    assert!(testing::logs()[0].message.contains("limits = { instances_max = 1 } keeps them in one place"));
}

#[test]
fn a_wrong_config_is_refused_with_what_would_be_right() {
    testing::grant_append(LOG, 100);
    let cases = [
        (json!({}), "config: says neither `file` nor `url`, or both"),
        (json!({ "file": LOG, "url": "http://h" }), "config: says neither `file` nor `url`, or both"),
        (
            json!({ "file": "b.jsonl" }),
            "config: file: b.jsonl: not granted; add allow = { append = { \"b.jsonl\" = \"64MiB\" } }",
        ),
        (json!({ "url": "ftp://h" }), "config: url = \"ftp://h\": must start with http:// or https://"),
        (
            json!({ "file": LOG, "redact": { "peer": "hash" } }),
            "config: redact.peer: there is no such field; there are node, client_id",
        ),
        (json!({ "file": LOG, "redact": { "topic": "mask" } }), "config: unknown variant `mask`"),
        (json!({ "file": LOG, "salt_secret": "s" }), "config: salt_secret = \"s\": "),
        (json!({ "url": "http://h", "bearer_secret": "s" }), "config: bearer_secret = \"s\": "),
        (json!({ "url": "http://h", "timeout_ms": 0 }), "config: timeout_ms = 0: must be at least 1"),
        (json!({ "url": "http://h", "batch_max": 0 }), "config: batch_max = 0: must be at least 1"),
        (
            json!({ "url": "http://h", "buffer_max": 1 }),
            "config: buffer_max = 1: must be at least batch_max, which is 100",
        ),
        (
            json!({ "url": "http://h", "retry_min_ms": 70_000 }),
            "config: retry_min_ms = 70000: must be 1 to retry_max_ms, which is 60000",
        ),
        (json!({ "file": LOG, "kind": [] }), "config: unknown field `kind`"),
    ];
    for (table, expected) in cases {
        let Err(why) = start(table.clone()) else { panic!("{table} is accepted") };
        assert!(why.starts_with(expected), "{table}: {why}");
    }
}

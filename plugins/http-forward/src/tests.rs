#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::http::{Error, Response};
use midge_plugin_sdk::{Inbound, Message, testing};
use serde_json::{Value, json};

use super::*;

fn start(mut table: Value) -> HttpForward {
    table["url"] = json!("http://127.0.0.1:9/in");
    testing::set_config(table);
    HttpForward::init(&testing::environment()).unwrap()
}

fn batch(count: u64, attempt: u32) -> Vec<Delivery> {
    let inbound = |n: u64| Inbound::of(Message::new("t", n.to_string()));
    (1..=count).map(|sequence| Delivery { sequence, attempt, inbound: inbound(sequence) }).collect()
}

/// The sequence numbers of each request, in order.
fn sent() -> Vec<Vec<u64>> {
    let numbers = |body: &[u8]| -> Vec<u64> {
        let body: Value = serde_json::from_slice(body).unwrap();
        body["messages"].as_array().unwrap().iter().map(|message| message["sequence"].as_u64().unwrap()).collect()
    };
    testing::requests().iter().map(|request| numbers(&request.body)).collect()
}

#[test]
fn a_batch_is_one_request() {
    let mut plugin = start(json!({}));
    testing::respond_with(204);
    assert_eq!(plugin.deliver(batch(3, 0)).unwrap(), [Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(sent(), [[1, 2, 3]]);
    assert_eq!(testing::metric("forwarded"), 3.0);
}

#[test]
fn a_failure_is_tried_again_with_growing_pauses_and_logged_once() {
    let mut plugin = start(json!({ "retry_min_ms": 100 }));
    for (attempt, status) in [(0, 500), (1, 503), (2, 404)] {
        testing::respond_with(status);
        assert_eq!(plugin.deliver(batch(1, attempt)).unwrap(), [Outcome::Retry(100 << attempt)]);
    }
    testing::respond(Err(Error::Timeout));
    assert_eq!(plugin.deliver(batch(1, 3)).unwrap(), [Outcome::Retry(800)]);
    assert_eq!(testing::logs().len(), 1);
    assert_eq!(testing::metric("failed_requests"), 4.0);
}

#[test]
fn the_endpoint_may_say_when_to_come_back() {
    let mut plugin = start(json!({}));
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    testing::respond(Ok(Response { status: 429, headers, body: Vec::new() }));
    assert_eq!(plugin.deliver(batch(1, 0)).unwrap(), [Outcome::Retry(7000)]);
}

#[test]
fn only_the_message_that_is_refused_alone_is_given_up() {
    let mut plugin = start(json!({}));
    // 1 2 3 4, then 1 2, then 3 4, then 3, then 4.
    for status in [422, 200, 422, 200, 422] {
        testing::respond_with(status);
    }
    let outcomes = plugin.deliver(batch(4, 0)).unwrap();
    assert_eq!(sent(), [vec![1, 2, 3, 4], vec![1, 2], vec![3, 4], vec![3], vec![4]]);
    assert_eq!(outcomes[..3], [Outcome::Done, Outcome::Done, Outcome::Done]);
    assert_eq!(outcomes[3], Outcome::Reject("the endpoint answered 422".to_owned()));
}

#[test]
fn it_asks_for_the_topics_of_its_config() {
    assert_eq!(start(json!({ "topics": ["sensors/#"] })).registration().topics, ["sensors/#"]);
}

#[test]
fn a_wrong_config_is_refused_with_what_would_be_right() {
    for (table, words) in [
        (json!({}), "missing field `url`"),
        (json!({ "url": "ftp://h" }), "config: url = \"ftp://h\": must start with http:// or https://"),
        (json!({ "url": "http://h", "timeout_ms": 0 }), "config: timeout_ms = 0: must be at least 1"),
        (json!({ "url": "http://h", "uri": 1 }), "unknown field `uri`"),
        (json!({ "url": "http://h", "bearer_secret": "token" }), "grant it with allow.secrets"),
    ] {
        testing::set_config(table.clone());
        let Err(why) = HttpForward::init(&testing::environment()) else { panic!("{table} is accepted") };
        assert!(why.contains(words), "{table}: {why}");
    }
}

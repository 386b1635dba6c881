#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::http::Error;
use midge_plugin_sdk::testing;
use serde_json::{Value, json};

use super::*;

const URL: &str = "http://127.0.0.1:9/in";

fn open(table: Value) -> Result<Endpoint, String> {
    let settings: Settings = serde_json::from_value(table).map_err(|error| error.to_string())?;
    Endpoint::open(URL, &settings, 10_000)
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Fate {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    testing::respond(Ok(Response { status, headers, body: Vec::new() }));
    open(json!({})).unwrap().post("text/plain", "x")
}

#[test]
fn requests_carry_headers_and_the_secret() {
    testing::set_secret("token", "s3cret\n");
    let endpoint =
        open(json!({ "bearer_secret": "token", "headers": { "x-site": "north" }, "timeout_ms": 7 })).unwrap();
    testing::respond_with(204);
    assert_eq!(endpoint.post("text/plain", "body"), Fate::Delivered);
    let request = &testing::requests()[0];
    let header = |name: &str| request.headers.iter().find(|one| one.0 == name).map(|one| one.1.as_str());
    assert_eq!((request.method.as_str(), request.url.as_str(), request.timeout_ms), ("POST", URL, 7));
    assert_eq!((header("content-type"), request.body.as_slice()), (Some("text/plain"), &b"body"[..]));
    assert_eq!((header("x-site"), header("authorization")), (Some("north"), Some("Bearer s3cret")));
}

#[test]
fn only_what_speaks_of_the_content_refuses_it() {
    for status in [400, 413, 415, 422] {
        assert_eq!(answer(status, &[]), Fate::Refused(format!("the endpoint answered {status}")));
    }
    for status in [302, 401, 404, 429, 500, 503] {
        assert_eq!(
            answer(status, &[]),
            Fate::Failed { why: format!("the endpoint answered {status}"), pause_ms: None }
        );
    }
    testing::respond(Err(Error::Timeout));
    let Fate::Failed { why, .. } = open(json!({})).unwrap().post("text/plain", "") else { panic!("no answer came") };
    assert_eq!(why, "no answer in time");
}

#[test]
fn the_endpoint_may_say_when_to_come_back() {
    let pause = |value| match answer(503, &[("retry-after", value)]) {
        Fate::Failed { pause_ms, .. } => pause_ms,
        other => panic!("{other:?}"),
    };
    assert_eq!((pause("7"), pause("soon"), pause("5000000")), (Some(7000), None, Some(u32::MAX)));
}

#[test]
fn the_pause_doubles_up_to_its_maximum() {
    let endpoint = open(json!({ "retry_min_ms": 100, "retry_max_ms": 1000 })).unwrap();
    let pauses = [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|before| endpoint.pause_ms(before));
    assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000, 1000]);
}

#[test]
fn wrong_values_are_refused_with_what_would_be_accepted() {
    let why = |table| open(table).err().unwrap();
    assert_eq!(why(json!({ "timeout_ms": 0 })), "config: timeout_ms = 0: must be at least 1");
    let expected = "config: retry_min_ms = 70000: must be 1 to retry_max_ms, which is 60000";
    assert_eq!(why(json!({ "retry_min_ms": 70_000 })), expected);
    assert!(why(json!({ "retry_min_ms": 0 })).contains("must be 1 to retry_max_ms"));
    assert!(why(json!({ "bearer_secret": "t" })).starts_with("config: bearer_secret = \"t\": "));
    assert_eq!(
        check_url("url", "ftp://h").unwrap_err(),
        "config: url = \"ftp://h\": must start with http:// or https://"
    );
    testing::set_secret("bytes", [0xFF_u8]);
    assert_eq!(why(json!({ "bearer_secret": "bytes" })), "config: bearer_secret = \"bytes\": the secret is not text");
}

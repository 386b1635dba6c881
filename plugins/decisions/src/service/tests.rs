#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::testing;
use serde_json::json;

use super::*;

fn settings() -> Settings {
    serde_json::from_value(json!({ "url": "https://auth/connect", "deny_cache_s": 5 })).unwrap()
}

fn open(settings: Settings) -> Result<Service, String> {
    Service::open(settings, Reuse { answer_s: 0, refusal_s: 60 })
}

fn start() -> Service {
    testing::set_now(1_000_000);
    open(settings()).unwrap()
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Result<Response, Error> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Response { status, headers, body: b"body".to_vec() })
}

fn asked() -> usize {
    testing::requests().len()
}

#[test]
fn questions_carry_headers_and_secrets() {
    testing::set_secret("token", "s3cret");
    testing::set_secret("key", "k");
    let mut service = open(Settings {
        headers: BTreeMap::from([("x-site".to_owned(), "north".to_owned())]),
        secret_headers: BTreeMap::from([("x-api-key".to_owned(), "key".to_owned())]),
        bearer_secret: Some("token".to_owned()),
        ..settings()
    })
    .unwrap();
    testing::respond(answer(200, &[]));
    assert_eq!(service.ask(b"question").unwrap().said, Said::Yes(b"body".to_vec()));
    let request = &testing::requests()[0];
    let header = |name: &str| request.headers.iter().find(|one| one.0 == name).map(|one| one.1.as_str());
    assert_eq!(
        (request.method.as_str(), request.timeout_ms, request.body.as_slice()),
        ("POST", 3000, &b"question"[..])
    );
    assert_eq!((header("x-site"), header("x-api-key")), (Some("north"), Some("k")));
    assert_eq!((header("authorization"), header("content-type")), (Some("Bearer s3cret"), Some("application/json")));
}

#[test]
fn statuses_that_refuse_are_answers_and_others_are_failures() {
    let mut service = start();
    for (status, said) in [(204, Said::Yes(b"body".to_vec())), (401, Said::No(0x86)), (403, Said::No(0x87))] {
        testing::respond(answer(status, &[]));
        assert_eq!(service.ask(b"").unwrap().said, said);
    }
    for status in [302, 400, 404, 500] {
        testing::respond(answer(status, &[]));
        assert_eq!(service.ask(b"").unwrap_err(), format!("the service answered {status}"));
    }
    assert_eq!(asked(), 7, "none of them is asked again");
}

#[test]
fn what_may_pass_is_asked_again_at_once_and_what_took_too_long_is_not() {
    let mut service = start();
    for failure in [Err(Error::Connect("refused".to_owned())), Err(Error::Other("closed".to_owned())), answer(503, &[])]
    {
        let before = asked();
        testing::respond(failure);
        testing::respond(answer(200, &[]));
        assert!(service.ask(b"").is_ok());
        assert_eq!(asked() - before, 2);
    }
    let before = asked();
    testing::respond(Err(Error::Connect("refused".to_owned())));
    testing::respond(Err(Error::Connect("refused".to_owned())));
    assert_eq!(service.ask(b"").unwrap_err(), "no connection: refused");
    testing::respond(Err(Error::Timeout));
    assert_eq!(service.ask(b"").unwrap_err(), "no answer in time");
    assert_eq!(asked() - before, 3);
}

#[test]
fn a_service_that_wants_to_be_left_alone_is_left_alone() {
    for (wish, pause_s) in [("7", 7), ("3600", 60), ("Thu, 01 Jan 1970 00:16:50 GMT", 10)] {
        let mut service = start();
        let before = asked();
        testing::respond(answer(503, &[("retry-after", wish)]));
        assert!(service.ask(b"").is_err());
        testing::set_now(1_000_000 + pause_s * 1000 - 1);
        assert_eq!(service.ask(b"").unwrap_err(), "the service wants to be left alone for 1 s", "{wish}");
        assert_eq!(asked() - before, 1, "{wish}");
        testing::set_now(1_000_000 + pause_s * 1000);
        testing::respond(answer(200, &[]));
        assert!(service.ask(b"").is_ok(), "{wish}");
    }
    let mut service = start();
    testing::respond(answer(429, &[("retry-after", "soon")]));
    assert!(service.ask(b"").is_err());
    testing::respond(answer(200, &[]));
    assert!(service.ask(b"").is_ok(), "what is no time is no wish");
}

#[test]
fn the_service_says_how_long_its_answers_are_good_and_else_the_operator() {
    let mut service = start();
    for (header, allow_ms, deny_ms) in [
        (None, 0, 5000),
        (Some("max-age=30"), 30_000, 30_000),
        (Some("private, Max-Age=\"30\""), 30_000, 30_000),
        (Some("max-age=30, no-store"), 0, 0),
        (Some("no-cache"), 0, 0),
        (Some("max-age=never"), 0, 0),
        (Some("private"), 0, 5000),
    ] {
        let headers: Vec<(&str, &str)> = header.iter().map(|value| ("cache-control", *value)).collect();
        testing::respond(answer(200, &headers));
        let reply = service.ask(b"").unwrap();
        assert_eq!(
            (service.reuse_ms(&reply, false), service.reuse_ms(&reply, true)),
            (allow_ms, deny_ms),
            "{header:?}"
        );
    }
}

#[test]
fn a_row_of_failures_is_one_line_in_the_log() {
    let mut service = start();
    for status in [500, 500, 200, 500] {
        testing::respond(answer(status, &[]));
        let _ = service.ask(b"");
    }
    let lines: Vec<String> = testing::logs().into_iter().map(|line| line.message).collect();
    let failed = "the service fails: the service answered 500";
    assert_eq!(lines, [failed, "the service answers again", failed]);
    assert_eq!(testing::metric("failed_requests"), 3.0);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_what_would_be_accepted() {
    let why = |settings: Settings| open(settings).err().unwrap();
    assert!(why(Settings { url: "auth".to_owned(), ..settings() }).contains("http:// or https://"));
    assert!(why(Settings { timeout_ms: 0, ..settings() }).contains("at least 1"));
    assert!(why(Settings { retries: 4, ..settings() }).contains("at most 3"));
    assert!(why(Settings { bearer_secret: Some("t".to_owned()), ..settings() }).contains("allow.secrets"));
}

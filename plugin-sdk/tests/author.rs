//! What an author was promised: fifteen lines, and tests without WebAssembly.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};

use midge_plugin_sdk::log::Level;
use midge_plugin_sdk::{
    Admin, Answer, Authenticator, Connect, Credentials, DeliveryAuthorizer, DeliveryQuestion, DeliveryRuling,
    DeliveryVerdict, Environment, IdentityId, Lifecycle, PageRequest, PageResponse, Permit, Publisher, QoS,
    Registration, Ticker, UnsubscribeAuthorizer, config, error, files, http, info, kv, plugin, tcp, testing,
};
use serde::Deserialize;

mod example {
    include!("../examples/authenticator.rs");

    #[test]
    fn it_fits_in_fifteen_lines() {
        let lines = include_str!("../examples/authenticator.rs").lines().filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= 15, "the example has {lines} lines");
    }

    #[test]
    fn it_lets_in_whom_it_knows() {
        let ask = |credentials| OneUser.authenticate(&credentials, &Connect::default()).unwrap();
        assert_eq!(ask(Credentials::of("alice", "secret")), Answer::allow("alice"));
        assert_eq!(ask(Credentials::of("alice", "guess")), Answer::deny("wrong password"));
        assert_eq!(ask(Credentials::of("bob", "secret")), Answer::next());
        assert_eq!(ask(Credentials::anonymous()), Answer::next());
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    greeting: String,
}

struct Greeter(Settings);

impl Lifecycle for Greeter {
    fn init(_: &Environment) -> Result<Self, String> {
        config().map(Greeter)
    }

    fn registration(&self) -> Registration {
        Registration { topics: vec![self.0.greeting.clone()], ..Registration::default() }
    }
}

impl Authenticator for Greeter {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        let Ok(count) = kv::increment("default", &credentials.client_id, 1, 0) else {
            error!("no store");
            return Err("no store".to_owned());
        };
        info!(count = count, greeting = self.0.greeting; "welcome {}", credentials.client_id);
        Ok(Answer::next())
    }
}

plugin!(Greeter: lifecycle, authn);

#[test]
fn a_config_is_read_at_init_and_a_wrong_one_says_what_is_wrong() {
    let Err(refused) = Greeter::init(&testing::environment()) else { panic!("a key is missing") };
    assert_eq!(refused, "config: missing field `greeting`");
    testing::set_config(serde_json::json!({ "greeting": "hello", "grreeting": 1 }));
    let Err(refused) = Greeter::init(&testing::environment()) else { panic!("a key is misspelt") };
    assert_eq!(refused, "config: unknown field `grreeting`, expected `greeting`");
    testing::set_config(serde_json::json!({ "greeting": "hello" }));
    assert_eq!(Greeter::init(&testing::environment()).unwrap().registration().topics, ["hello"]);
}

#[test]
fn logs_and_stores_can_be_read_by_the_test() {
    testing::set_config(serde_json::json!({ "greeting": "hello" }));
    let mut plugin = Greeter::init(&testing::environment()).unwrap();
    let mut ask = || plugin.authenticate(&Credentials::anonymous(), &Connect::default());
    assert!(ask().is_err(), "the store is not granted");
    testing::grant_store("default");
    ask().unwrap();
    ask().unwrap();
    let last = testing::logs().pop().unwrap();
    assert_eq!(last.message, "welcome client");
    assert_eq!(last.fields[0], ("count".to_owned(), "2".to_owned()));
    assert_eq!(kv::get("default", "client").unwrap().unwrap(), b"2");
}

#[test]
fn what_is_kept_for_a_time_is_gone_after_it() {
    testing::grant_store("default");
    kv::set("default", "key", b"value", 1000).unwrap();
    testing::set_now(999);
    assert!(kv::get("default", "key").unwrap().is_some());
    testing::set_now(1000);
    assert!(kv::get("default", "key").unwrap().is_none());
}

#[test]
fn a_connection_is_spoken_over_like_any_stream_and_answered_by_the_test() {
    testing::set_peer("redis", 6379, |said| if said == b"PING\r\n" { b"+PONG\r\n".to_vec() } else { Vec::new() });
    let mut stream = BufReader::new(tcp::Stream::connect("redis", 6379, 1000).unwrap());
    stream.get_mut().write_all(b"PING\r\n").unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "+PONG\r\n");
    assert_eq!(stream.read_line(&mut line).unwrap_err().kind(), ErrorKind::TimedOut, "nothing more was said");
    testing::close_peer("redis", 6379);
    assert!(!stream.get_ref().is_open());
    assert_eq!(stream.get_mut().write_all(b"PING\r\n").unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(testing::written("redis", 6379), b"PING\r\n");
    assert!(tcp::Stream::connect("redis", 6379, 1000).is_ok(), "again");
    assert!(matches!(tcp::Stream::connect("redis", 80, 1000), Err(tcp::Error::NotGranted(_))));
}

#[derive(Default)]
struct Bans;

impl Ticker for Bans {
    fn tick(&mut self) -> Result<(), String> {
        let answer = http::send(&http::Request::get("https://bans.example.com/")).map_err(|_| "no answer")?;
        kv::set("bans", "listed", &answer.body, 0).map_err(|_| "no store")?;
        Ok(())
    }
}

impl Admin for Bans {
    fn handle(&mut self, request: PageRequest) -> Result<PageResponse, String> {
        Ok(match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => {
                let listed = kv::get("bans", "listed").map_err(|_| "no store")?.unwrap_or_default();
                PageResponse::json(&serde_json::json!({ "listed": String::from_utf8_lossy(&listed) }))
            }
            _ => PageResponse::status(404),
        })
    }
}

impl UnsubscribeAuthorizer for Bans {
    fn authorize_unsubscribe(&mut self, _: IdentityId, filter: &str) -> Result<Permit, String> {
        Ok(if filter == "news" { Permit::deny("everybody gets the news") } else { Permit::Allow })
    }
}

impl DeliveryAuthorizer for Bans {
    fn authorize_deliver(&mut self, _: IdentityId, delivery: &DeliveryQuestion) -> Result<DeliveryRuling, String> {
        let is_own = delivery.publisher.is_none();
        Ok(if is_own { DeliveryRuling::allow().for_ms(1_000).covering("bans/#") } else { DeliveryRuling::deny() })
    }
}

plugin!(Bans: ticker, admin, authz_unsubscribe, authz_deliver);

#[test]
fn a_plugins_own_turn_its_pages_and_its_permits_are_called_like_any_function() {
    testing::grant_store("bans");
    assert!(Bans.tick().is_err(), "nobody answers");
    testing::respond(Ok(http::Response { status: 200, headers: Vec::new(), body: b"mallory".to_vec() }));
    Bans.tick().unwrap();
    let page = Bans.handle(PageRequest::get("/")).unwrap();
    assert_eq!((page.status, page.body.as_slice()), (200, &br#"{"listed":"mallory"}"#[..]));
    assert_eq!(Bans.handle(PageRequest::get("/other")).unwrap().status, 404);
    assert_eq!(Bans.authorize_unsubscribe(7, "other").unwrap(), Permit::Allow);
    assert_ne!(Bans.authorize_unsubscribe(7, "news").unwrap(), Permit::Allow);
    let mut delivery =
        DeliveryQuestion { topic: "bans/new".into(), publisher: None, qos: QoS::AtMostOnce, retain: false };
    assert_eq!(Bans.authorize_deliver(7, &delivery).unwrap().verdict, DeliveryVerdict::Allow);
    delivery.publisher = Some(Publisher { client_id: "mallory".into(), who: None });
    assert_eq!(Bans.authorize_deliver(7, &delivery).unwrap(), DeliveryRuling::deny());
}

fn number(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is no number"))
}

#[test]
fn a_watched_file_is_read_again_when_it_has_changed() {
    testing::set_file("n", "\u{feff}1\n");
    let mut watched = files::Watched::open("n", number).unwrap();
    assert_eq!(*watched.get(), 1);
    testing::set_file("n", "2");
    assert_eq!(*watched.get(), 2);
}

#[test]
fn a_watched_file_that_makes_no_sense_is_reported_once_and_changes_nothing() {
    testing::set_file("n", "1");
    let mut watched = files::Watched::open("n", number).unwrap();
    testing::set_file("n", "two");
    assert_eq!((*watched.get(), *watched.get()), (1, 1));
    testing::remove_file("n");
    assert_eq!((*watched.get(), *watched.get()), (1, 1));
    let errors: Vec<_> = testing::logs().into_iter().filter(|line| line.level == Level::Error).collect();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0].message, "what was read before stays in force: n: `two` is no number");
}

#[test]
fn what_is_appended_can_be_read_by_the_test() {
    let why = files::append("log", b"one\n").unwrap_err();
    assert_eq!(why.about("log"), "log: not granted; add allow = { append = { \"log\" = \"64MiB\" } } to this plugin");
    testing::grant_append("log", 10);
    files::append("log", b"one\n").unwrap();
    files::append("log", b"two\n").unwrap();
    assert_eq!(files::append("log", b"three\n"), Err(files::AppendError::OverQuota));
    assert_eq!(testing::appended("log"), b"one\ntwo\n");
}

#[test]
fn a_file_that_is_not_granted_is_refused_with_the_line_that_would_grant_it() {
    let Err(why) = files::Watched::open("n", number) else { panic!("not granted") };
    assert_eq!(why, "n: not granted; add allow = { files = [\"n\"] } to this plugin");
}

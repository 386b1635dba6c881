//! The bundled plugins `http-auth` and `http-acl`: a service decides, and what happens when it cannot.

use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use midge_protocol::{Packet, ProtocolVersion, QoS, ReasonCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{component, set_password};
use crate::interop::SCRIPT_MAX;
use crate::support::client::connect;
use crate::support::endpoint::{Answer, Asked, Endpoint};
use crate::support::program::finish;
use crate::support::{Client, PATIENCE, Server, VERSIONS};

/// The `[[plugin]]` of this name, asking `endpoint`.
fn plugin(name: &str, endpoint: &Endpoint, more: &str) -> String {
    let address = endpoint.address();
    format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ url = \"http://{address}/{name}\", bearer_secret = \"token\"{more} }}\n\
         allow = {{ http = [\"http://{address}\"], secrets = {{ token = {{ value = \"s3cret\" }} }} }}\n",
        component(name)
    )
}

fn http_auth(endpoint: &Endpoint, more: &str) -> Server {
    Server::with(&plugin("http-auth", endpoint, more))
}

/// Lets in whoever's password is "wonderland".
fn by_password(asked: &Asked) -> Answer {
    match asked.json()["password"].as_str() {
        Some("wonderland") => Answer::json(&json!({ "result": "allow" })),
        _ => Answer::json(&json!({ "result": "deny", "reason": "wrong name or password" })),
    }
}

/// What CONNACK says to a user, and the client.
fn login(server: &Server, version: ProtocolVersion, user: &str, password: &str) -> (Client, ReasonCode) {
    let mut client = Client::open(server.address(), version);
    let mut hello = connect(version, user);
    (hello.username, hello.password) = (Some(user), Some(password.as_bytes()));
    client.send(&Packet::Connect(Box::new(hello)));
    let reason = client.connack(|connack| connack.reason);
    (client, reason)
}

fn let_in(server: &Server, user: &str) -> Client {
    let (client, reason) = login(server, ProtocolVersion::V5, user, "wonderland");
    assert_eq!(reason, ReasonCode::Success, "{user}: {}", server.log());
    client
}

fn refused(server: &Server, user: &str, password: &str) -> ReasonCode {
    let (mut client, reason) = login(server, ProtocolVersion::V5, user, password);
    assert!(reason.is_error(), "{user} was let in");
    client.expect_close();
    reason
}

fn until(server: &Server, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came so:\n{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_service_says_who_may_come_in() {
    let endpoint = Endpoint::start(by_password);
    let server = http_auth(&endpoint, "");
    for version in VERSIONS {
        let (mut client, reason) = login(&server, version, "alice", "wonderland");
        assert_eq!(reason, ReasonCode::Success);
        client.ping();
        let (mut client, reason) = login(&server, version, "alice", "looking-glass");
        // To version 3 a denial is "not authorized", whatever it is.
        let expected = if version.is_v5() { ReasonCode::BadUserNameOrPassword } else { ReasonCode::NotAuthorized };
        assert_eq!(reason, expected);
        client.expect_close();
    }
    let asked = &endpoint.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/http-auth"));
    assert_eq!(asked.header("authorization"), Some("Bearer s3cret"));
    let said = asked.json();
    assert_eq!(
        (&said["username"], &said["client_id"], &said["protocol"]),
        (&json!("alice"), &json!("alice"), &json!("3.1"))
    );
    assert_eq!((&said["listener"], &said["tls"]), (&json!("tcp"), &json!(false)));
    server.logged(&["connection denied", "http-auth", "wrong name or password"]);
    for credential in ["wonderland", "looking-glass", "s3cret"] {
        assert!(!server.log().contains(credential), "{credential} is in the log");
    }
}

#[test]
fn mosquitto_is_let_in_and_told_what_the_service_decides() {
    let endpoint = Endpoint::start(by_password);
    let server = http_auth(&endpoint, "");
    let port = server.address().port().to_string();
    let mosquitto = |program: &str, password: &str, more: &[&str]| {
        let mut command = Command::new(program);
        command.args(["-p", &port, "-V", "mqttv5", "-u", "alice", "-P", password, "-t", "t"]).args(more);
        command
    };
    finish(&mut mosquitto("mosquitto_pub", "wonderland", &["-m", "hello", "-r", "-q", "1"]), SCRIPT_MAX);
    assert_eq!(finish(&mut mosquitto("mosquitto_sub", "wonderland", &["-C", "1", "-W", "20"]), SCRIPT_MAX), "hello\n");
    let refused = mosquitto("mosquitto_pub", "x", &["-m", "hello"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.to_lowercase().contains("bad user"), "{said}");
}

#[test]
fn the_service_says_what_a_client_may_do_and_for_how_long() {
    let endpoint = Endpoint::start(|_| {
        Answer::json(&json!({
            "result": "allow", "principal": "device", "tenant": "acme", "client_id": "d1", "expires_in_s": 6,
            "permissions": [{ "effect": "deny", "topic": "%t/secret" }],
            "publish": ["%t/#"], "subscribe": ["%t/%u/%c/#"], "user_properties": [["zone", "north"]],
        }))
    });
    let server = http_auth(&endpoint, "");
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, "ignored");
    hello.username = Some("u");
    client.send(&Packet::Connect(Box::new(hello)));
    let properties = client.connack(|connack| format!("{:?}", connack.properties));
    assert!(properties.contains("d1") && properties.contains("zone"), "{properties}");
    assert_eq!(client.subscribe("acme/device/d1/#", QoS::AtMostOnce), ReasonCode::Success);
    assert_eq!(client.subscribe("acme/#", QoS::AtMostOnce), ReasonCode::NotAuthorized);
    assert!(!client.publish("acme/x", "x", QoS::AtLeastOnce).is_error());
    client.publish_refused("acme/secret", ReasonCode::NotAuthorized);
    client.expect_disconnect(ReasonCode::NotAuthorized);
}

#[test]
fn a_client_that_is_not_the_services_own_goes_to_the_plugin_behind() {
    let endpoint = Endpoint::start(|_| Answer::json(&json!({ "result": "next" })));
    let directory = TempDir::new().unwrap();
    set_password(&directory.path().join("users"), "alice", "wonderland");
    let users = format!(
        "[[plugin]]\npath = {:?}\nconfig = {{ file = \"users\" }}\nallow = {{ files = [\"users\"] }}\n",
        component("password-file")
    );
    let server = Server::beside(directory, &(plugin("http-auth", &endpoint, "") + &users));
    let_in(&server, "alice").ping();
    assert_eq!(refused(&server, "alice", "x"), ReasonCode::BadUserNameOrPassword);
}

#[test]
fn an_answer_is_used_again_as_long_as_the_service_says() {
    let endpoint = Endpoint::start(|asked| match asked.json()["username"].as_str() {
        Some("kept") => by_password(asked).header("cache-control", "private, max-age=60"),
        Some("fresh") => by_password(asked).header("cache-control", "no-store"),
        _ => by_password(asked),
    });
    let server = http_auth(&endpoint, ", deny_cache_s = 60");
    let asked_for = |user: &str, password: &str| {
        for _ in 0..3 {
            let (client, _) = login(&server, ProtocolVersion::V5, user, password);
            drop(client);
        }
        endpoint.asked().iter().filter(|asked| asked.json()["username"] == user).count()
    };
    assert_eq!(asked_for("kept", "wonderland"), 1);
    assert_eq!(asked_for("fresh", "wonderland"), 3);
    assert_eq!(asked_for("plain", "wonderland"), 3, "unless said, it is asked every time");
    assert_eq!(asked_for("wrong", "x"), 1, "a refusal is kept for deny_cache_s");
}

#[test]
fn a_service_that_fails_lets_nobody_in_and_is_left_alone_and_all_recovers() {
    let endpoint = Endpoint::start(|_| Answer::status(500));
    let server = http_auth(&endpoint, "");
    for _ in 0..5 {
        assert_eq!(refused(&server, "alice", "wonderland"), ReasonCode::ServerUnavailable);
    }
    server.logged(&["connection denied", "http-auth", "the service answered 500"]);
    server.metric_reaches("midge_plugin_breaker", &[("plugin", "http-auth"), ("hook", "authn")], 1.0);
    let before = endpoint.asked().len();
    assert_eq!(refused(&server, "alice", "wonderland"), ReasonCode::ServerUnavailable);
    assert!(endpoint.asked().len() <= before + 1, "the breaker is open");
    endpoint.change(by_password);
    until(&server, || login(&server, ProtocolVersion::V5, "alice", "wonderland").1 == ReasonCode::Success);
}

#[test]
fn answers_that_make_no_sense_or_come_too_late_let_nobody_in() {
    let endpoint = Endpoint::start(|asked| match asked.json()["username"].as_str() {
        Some("html") => Answer { body: "<html>".to_owned(), ..Answer::status(200) },
        Some("typo") => Answer::json(&json!({ "result": "allow", "permisions": [] })),
        Some("late") => Answer { after: Duration::from_secs(2), ..by_password(asked) },
        Some("moved") => Answer::status(302).header("location", "http://127.0.0.1:1/"),
        _ => by_password(asked),
    });
    let server = http_auth(&endpoint, ", timeout_ms = 300");
    for user in ["html", "typo", "late", "moved"] {
        assert_eq!(refused(&server, user, "wonderland"), ReasonCode::ServerUnavailable, "{user}");
        // The breaker counts failures in a row.
        let_in(&server, "innocent").ping();
    }
    server.logged(&["connection denied", "unknown field `permisions`"]);
    server.logged(&["connection denied", "no answer in time"]);
}

#[test]
fn a_service_that_asks_for_a_pause_gets_it() {
    let endpoint = Endpoint::start(|_| Answer::status(429).header("retry-after", "2"));
    let server = http_auth(&endpoint, "");
    let began = Instant::now();
    for _ in 0..4 {
        assert_eq!(refused(&server, "alice", "wonderland"), ReasonCode::ServerUnavailable);
    }
    let allowed = 1 + began.elapsed().as_secs() as usize / 2;
    assert!(endpoint.asked().len() <= allowed, "asked {} times in {:?}", endpoint.asked().len(), began.elapsed());
    server.logged(&["connection denied", "the service wants to be left alone for"]);
    endpoint.change(by_password);
    until(&server, || login(&server, ProtocolVersion::V5, "alice", "wonderland").1 == ReasonCode::Success);
}

#[test]
fn who_waits_for_the_service_holds_nobody_up() {
    let (release, held) = channel::<()>();
    let held = Arc::new(Mutex::new(Some(held)));
    let endpoint = Endpoint::start(move |asked| {
        if asked.json()["username"] == "slow"
            && let Some(held) = held.lock().unwrap().take()
        {
            let _ = held.recv_timeout(PATIENCE);
        }
        by_password(asked)
    });
    let patient = plugin("http-auth", &endpoint, ", timeout_ms = 30000") + "limits = { wait_ms = 30000 }\n";
    let server = Server::with(&patient);
    thread::scope(|scope| {
        let slow = scope.spawn(|| let_in(&server, "slow").ping());
        endpoint.wait_for(1);
        for number in 0..20 {
            let mut quick = let_in(&server, &format!("quick{number}"));
            assert_eq!(quick.subscribe("t", QoS::AtMostOnce), ReasonCode::Success);
            quick.publish("t", "x", QoS::AtLeastOnce);
            assert_eq!(quick.take().text(), "x");
        }
        assert!(!slow.is_finished(), "it waits for the service still");
        release.send(()).unwrap();
        slow.join().unwrap();
    });
}

/// A broker in which anybody is who they say, and a service decides what they may do.
fn http_acl(endpoint: &Endpoint, more: &str) -> Server {
    let anybody = plugin("http-auth", endpoint, "");
    Server::with(&(anybody + &plugin("http-acl", endpoint, more)))
}

/// What the service was asked at `/http-acl`.
fn about_actions(endpoint: &Endpoint) -> Vec<Value> {
    endpoint.asked().iter().filter(|asked| asked.path == "/http-acl").map(Asked::json).collect()
}

#[test]
fn rules_are_asked_for_once_and_no_action_is_asked_about() {
    let endpoint = Endpoint::start(|asked| match asked.path.as_str() {
        "/http-auth" => by_password(asked),
        _ => Answer::json(&json!({ "result": "allow", "publish": ["%u/#"], "subscribe": ["%u/#", "news/#"] })),
    });
    let server = http_acl(&endpoint, "");
    let mut alice = let_in(&server, "alice");
    assert_eq!(alice.subscribe("news/#", QoS::AtMostOnce), ReasonCode::Success);
    assert_eq!(alice.subscribe("#", QoS::AtMostOnce), ReasonCode::NotAuthorized);
    for number in 0..10 {
        assert!(!alice.publish("alice/x", &number.to_string(), QoS::AtLeastOnce).is_error());
    }
    alice.publish_refused("bob/x", ReasonCode::NotAuthorized);
    let asked = about_actions(&endpoint);
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0]["action"], &asked[0]["principal"]), (&json!("permissions"), &json!("alice")));
}

#[test]
fn actions_are_asked_about_and_answers_used_again_for_what_they_cover() {
    let endpoint = Endpoint::start(|asked| {
        let question = if asked.path == "/http-acl" { asked.json() } else { return by_password(asked) };
        let target = question["topic"].as_str().or(question["filter"].as_str()).unwrap().to_owned();
        if target.starts_with("open/") {
            Answer::json(&json!({ "result": "allow", "max_qos": 1, "covers": "open/#" }))
        } else if target == "once" {
            Answer::json(&json!({ "result": "allow" })).header("cache-control", "no-store")
        } else {
            Answer::json(&json!({ "result": "deny", "code": 0x97, "reason": "no" }))
        }
    });
    let server = http_acl(&endpoint, ", ask = \"actions\"");
    let mut alice = let_in(&server, "alice");
    assert_eq!(alice.subscribe("open/#", QoS::ExactlyOnce), ReasonCode::granted(QoS::AtLeastOnce));
    for number in 0..10 {
        assert!(!alice.publish(&format!("open/{number}"), "x", QoS::AtLeastOnce).is_error());
        assert_eq!(alice.take().text(), "x");
    }
    assert_eq!(about_actions(&endpoint).len(), 2, "one subscribe, one publish");
    for _ in 0..2 {
        assert!(!alice.publish("once", "x", QoS::AtLeastOnce).is_error());
    }
    assert_eq!(about_actions(&endpoint).len(), 4, "an answer that is not kept");
    alice.publish_refused("closed", ReasonCode::QuotaExceeded);
    let last = about_actions(&endpoint).pop().unwrap();
    assert_eq!((&last["action"], &last["topic"], &last["qos"]), (&json!("publish"), &json!("closed"), &json!(1)));
}

#[test]
fn a_service_that_cannot_be_asked_about_an_action_forbids_it() {
    let endpoint = Endpoint::start(by_password);
    let server = http_acl(&endpoint, ", ask = \"actions\", answers = \"status\"");
    endpoint.change(|asked| match asked.path.as_str() {
        "/http-auth" => by_password(asked),
        _ if asked.json()["topic"] == "good" => Answer::status(204),
        _ => Answer::status(500),
    });
    let mut alice = let_in(&server, "alice");
    assert!(!alice.publish("good", "x", QoS::AtLeastOnce).is_error());
    assert!(alice.publish("bad", "x", QoS::AtLeastOnce).is_error());
    server.logged(&["http-acl", "the service answered 500"]);
    assert!(!alice.publish("good", "x", QoS::AtLeastOnce).is_error());
}

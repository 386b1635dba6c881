//! Plugins in JavaScript, TypeScript and Python, as their toolchains make them, in the broker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use midge_protocol::{MessageProperties, Packet, ProtocolVersion, QoS, ReasonCode, Will};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::hostile::guest;
use crate::support::client::connect;
use crate::support::program::{Ended, end_of};
use crate::support::{Client, Server, VERSIONS};

/// A worked example of `plugins/`, built by `cargo xtask plugins`.
fn example(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/examples/{name}.wasm"));
    assert!(file.exists(), "{} is missing; build it with: cargo xtask plugins", file.display());
    file
}

/// A broker with the guest of every day.
fn everyday() -> Server {
    let path = guest("everyday-js");
    Server::with(&format!("[[plugin]]\nname = \"everyday\"\npath = {path:?}\nconfig = {{ greeting = \"good day\" }}\n"))
}

/// What becomes of a CONNECT with this user name and password: the code, and the reason that the client is told.
fn ask(server: &Server, user: &str, password: &[u8]) -> (ReasonCode, String) {
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, user);
    hello.username = Some(user);
    hello.password = Some(password);
    hello.keep_alive = 77;
    hello.will = Some(Will {
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "will",
        payload: b"farewell",
        delay: None,
        properties: MessageProperties::default(),
    });
    client.send(&Packet::Connect(Box::new(hello)));
    client.connack(|connack| {
        let reason = connack.properties.reason.reason_string.unwrap_or_default().to_owned();
        (connack.reason, reason)
    })
}

/// A client that was let in under this name.
fn named(server: &Server, version: ProtocolVersion, user: &str, password: &str) -> Client {
    let mut client = Client::open(server.address(), version);
    let mut hello = connect(version, user);
    hello.username = Some(user);
    hello.password = Some(password.as_bytes());
    client.send(&Packet::Connect(Box::new(hello)));
    assert_eq!(client.connack(|connack| connack.reason), ReasonCode::Success, "{user}");
    client
}

#[test]
fn what_javascript_throws_is_a_failure_with_its_text() {
    let server = everyday();
    for (user, text) in [
        ("thrown", "backend failed: the backend is down"),
        ("mistaken", "authn.authenticate: TypeError: cannot read property 'at' of undefined"),
        ("forgetful", "authenticate returned nothing; it has to return an answer"),
    ] {
        assert_eq!(ask(&server, user, b"").0, ReasonCode::ServerUnavailable, "{user}");
        server.logged(&["everyday", user, text]);
    }
}

#[test]
fn javascript_reaches_what_the_contract_offers() {
    let server = everyday();
    let told = |user: &str, password: &[u8]| ask(&server, user, password).1;
    assert_eq!(told("connect", b""), "77 true farewell");
    assert_eq!(told("utf8", "grüße, €, 😀".as_bytes()), "grüße, €, 😀");
    assert_eq!(told("utf8", b"bad \xff\xc3"), "bad \u{fffd}\u{fffd}");
    assert_eq!(told("denied", b""), "kv: not-granted");
    let chance = || told("random", b"").split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (chance(), chance());
    assert_eq!(one[1..], ["4", "true"]);
    assert_ne!(one[0], other[0], "chance does not repeat itself");
    server.logged(&["good day everyday {\"nested\":[1,2]}"]);
    server.logged(&["everyday", "inline lane"]);
}

#[test]
fn chance_differs_from_one_broker_to_the_next_though_a_component_is_a_snapshot() {
    let chance = || ask(&everyday(), "random", b"").1;
    assert_ne!(chance().split(' ').next(), chance().split(' ').next());
}

#[test]
fn javascript_authorizes_and_changes_messages() {
    let server = everyday();
    let mut alice = named(&server, ProtocolVersion::V5, "alice", "");
    assert_eq!(alice.subscribe("#", QoS::ExactlyOnce), ReasonCode::granted(QoS::AtLeastOnce));
    assert_eq!(alice.publish("bob/plain", "no", QoS::AtLeastOnce), ReasonCode::NotAuthorized);
    assert!(!alice.publish("alice/plain", "as it is", QoS::AtLeastOnce).is_error());
    assert_eq!(alice.take().text(), "as it is");
    alice.publish("alice/loud", "grüße", QoS::AtLeastOnce);
    assert_eq!(alice.take().text(), "GRÜSSE");
    alice.publish("alice/twice", "again", QoS::AtLeastOnce);
    let (one, other) = (alice.take(), alice.take());
    assert_eq!((one.topic.as_str(), other.topic.as_str(), other.text()), ("alice/twice", "copy", "again"));
    assert_eq!(alice.publish("alice/refused", "no", QoS::AtLeastOnce), ReasonCode::PayloadFormatInvalid);
    assert!(!alice.publish("alice/dropped", "no", QoS::AtLeastOnce).is_error());
    alice.expect_nothing();
    server.logged(&["event client.connected", "client=alice"]);
}

#[test]
fn permissions_made_in_javascript_are_the_brokers_to_judge() {
    let server = everyday();
    let mut ruled = named(&server, ProtocolVersion::V5, "ruled", "");
    assert_eq!(ruled.subscribe("ruled/#", QoS::ExactlyOnce), ReasonCode::granted(QoS::ExactlyOnce));
    assert_eq!(ruled.subscribe("other/#", QoS::AtMostOnce), ReasonCode::NotAuthorized);
}

/// Tenants with the users alice and display at acme, hank at globex; each has the name as the password.
fn tenants() -> Server {
    let hash = |name: &str| {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("passwords");
        let output = Server::output_with_input(&["passwd", file.to_str().unwrap(), name, "--password-stdin"], name);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(&file).unwrap().trim().split_once(':').unwrap().1.to_owned()
    };
    let path = example("tenants");
    Server::with(&format!(
        r#"
[[plugin]]
path = {path:?}

[plugin.config]
public = ["announcements/#"]

[plugin.config.tenants.acme]
users = {{ alice = {:?}, display = {:?} }}
readers = ["display"]

[plugin.config.tenants.globex]
users = {{ hank = {:?} }}
"#,
        hash("alice"),
        hash("display"),
        hash("hank"),
    ))
}

#[test]
fn tenants_let_in_who_has_the_password_and_keep_each_other_out() {
    let server = tenants();
    for version in VERSIONS {
        let mut alice = named(&server, version, "alice@acme", "alice");
        assert_eq!(alice.subscribe("acme/#", QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
        let mut hank = named(&server, version, "hank@globex", "hank");
        hank.publish("acme/secret", "dropped", QoS::AtMostOnce);
        hank.disconnect();
        alice.publish("acme/hello", "heard", QoS::AtLeastOnce);
        assert_eq!(alice.take().text(), "heard", "and not what another tenant says");
    }
    let mut display = named(&server, ProtocolVersion::V5, "display@acme", "display");
    assert_eq!(display.subscribe("announcements/today", QoS::AtMostOnce), ReasonCode::Success);
    assert_eq!(display.subscribe("globex/#", QoS::AtMostOnce), ReasonCode::NotAuthorized);
    assert_eq!(display.publish("acme/x", "no", QoS::AtLeastOnce), ReasonCode::NotAuthorized);
    for (user, password) in [("alice@acme", "hank"), ("hank@acme", "hank"), ("__proto__@acme", "x")] {
        let (code, reason) = ask(&server, user, password.as_bytes());
        assert_eq!((code, reason.as_str()), (ReasonCode::BadUserNameOrPassword, "wrong user name or password"));
    }
    assert!(ask(&server, "alice", b"alice").0.is_error(), "who names no tenant is nobody's");
}

#[test]
fn tenants_refuse_a_config_that_is_wrong_in_their_own_words() {
    let directory = TempDir::new().unwrap();
    let (path, file) = (example("tenants"), directory.path().join("midge.toml"));
    for (config, words) in [
        ("", "tenants is empty"),
        ("[plugin.config]\ntenant = 1", "unknown key tenant"),
        ("[plugin.config.tenants.\"a/b\"]\nusers = {}", "has no /, + or #"),
        ("[plugin.config.tenants.a]\nusers = {}\nreaders = [\"x\"]", "there is no user x"),
    ] {
        let data = directory.path().join("data");
        let text = format!("[runtime]\ndata_dir = {data:?}\n[[plugin]]\npath = {path:?}\n{config}\n");
        fs::write(&file, text).unwrap();
        let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(words), "{config}: {said}");
    }
}

#[test]
fn the_examples_do_as_their_fixtures_say() {
    for (name, fixture, count) in [("tenants", "tenants.toml", 8), ("office-hours", "hours.toml", 4)] {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins").join(name).join("fixtures").join(fixture);
        let mut test = Command::new(env!("CARGO_BIN_EXE_midge"));
        test.args(["plugin", "test"]).arg(example(name)).arg(fixture).env("NO_COLOR", "1");
        // It compiles a CPython, on a machine that may have much to do.
        let Ended { well, said, how } = end_of(&mut test, Duration::from_secs(300));
        assert!(well && said.contains(&format!("{count} passed, 0 failed")), "{name} {how}: {said}");
    }
}

/// One broker for all that is said about Python: it compiles a CPython.
#[test]
fn office_hours_refuse_at_the_wrong_time_and_a_bad_config_leaves_the_old_one() {
    let (path, after) = (example("office-hours"), guest("allow-all"));
    // Neither today nor tomorrow, should midnight pass.
    let days = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let days_since_thursday = usize::try_from(days).unwrap() % 7;
    let day = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"][(days_since_thursday + 3) % 7];
    let server = Server::with(&format!(
        "[[plugin]]\nname = \"office-hours\"\npath = {path:?}\n\n\
         [[plugin.config.rules]]\nusers = [\"*-contractor\"]\ndays = {day:?}\n\n\
         [[plugin]]\nname = \"allow-all\"\npath = {after:?}\n"
    ));
    server.logged(&["office-hours", "inline lane"]);
    let refusal = (ReasonCode::NotAuthorized, format!("let in {day} 00:00 to 24:00"));
    assert_eq!(ask(&server, "anna-contractor", b""), refusal);
    named(&server, ProtocolVersion::V311, "bob", "").ping();

    let file = server.directory().join("midge.toml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, before.replace(&format!("{day:?}"), "\"someday\"")).unwrap();
    server.signal(Signal::HUP);
    server.logged(&["rules[0].days: 'someday' is no day"]);
    assert_eq!(ask(&server, "anna-contractor", b""), refusal, "the old config goes on");
}

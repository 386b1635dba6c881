//! `schema`: what publishers hear of a payload that is wrong, and what subscribers get.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use midge_protocol::{MessageProperties, ProtocolVersion, Publish, QoS, ReasonCode};
use tempfile::TempDir;

use super::{plugin, puback, refused_start, witness};
use crate::support::message::publish;
use crate::support::program::end_of;
use crate::support::{Client, PATIENCE, Server};

const RULES: &str = r#"
[[plugin.config.rules]]
filter = "sensors/+/reading"
schema = { type = "object", required = ["celsius"], properties = { celsius = { type = "number", maximum = 85 } } }

[[plugin.config.rules]]
filter = "divert/#"
utf8 = true
on_failure = "divert"
divert_to = "invalid/%c/$1"

[[plugin.config.rules]]
filter = "drop/#"
max_bytes = 4
on_failure = "drop"

[[plugin.config.rules]]
filter = "typed"
content_type = ["application/json"]
"#;

#[test]
fn a_wrong_payload_is_refused_with_0x99_and_the_place_of_the_mistake() {
    let server = Server::with(&plugin("schema", RULES));
    let mut witness = witness(&server);
    let mut sensor = Client::connect(&server, ProtocolVersion::V5, "sensor");
    let cases: [(&[u8], &str); 4] = [
        (b"{\"celsius\": 86}", "/celsius breaks maximum: must be at most 85"),
        (b"{\"kelvin\": 300}", "the payload breaks required: \"celsius\" is missing"),
        (b"21.5 C", "the payload is no JSON: trailing characters at line 1 column 6"),
        (b"\xff\xfe", "the payload is no JSON: expected value at line 1 column 1"),
    ];
    for (payload, why) in cases {
        let (reason, text) = puback(&mut sensor, "sensors/1/reading", payload);
        assert_eq!((reason, text.as_deref()), (ReasonCode::PayloadFormatInvalid, Some(why)));
    }
    assert_eq!(sensor.publish("sensors/1/reading", "{}", QoS::ExactlyOnce), ReasonCode::PayloadFormatInvalid);
    server.logged(&["denied", "plugin=\"schema\"", "client_id=sensor", "0x99", "/celsius breaks maximum"]);
    for payload in ["{\"celsius\": 85}", "{\"celsius\": -3.5, \"unit\": \"C\"}"] {
        assert!(!sensor.publish("sensors/1/reading", payload, QoS::AtLeastOnce).is_error());
        assert_eq!(witness.take().text(), payload, "and nothing of what was refused");
    }
    assert_eq!(server.metric("midge_custom_failed_total", &[("filter", "sensors/+/reading")]), 5.0);
}

#[test]
fn a_client_of_version_3_is_acknowledged_and_its_wrong_message_goes_nowhere() {
    let server = Server::with(&plugin("schema", RULES));
    let mut witness = witness(&server);
    for version in [ProtocolVersion::V31, ProtocolVersion::V311] {
        let mut sensor = Client::connect(&server, version, "sensor");
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            sensor.publish("sensors/1/reading", "21.5 C", qos);
            sensor.publish("other", "21.5 C", qos);
            assert_eq!(witness.take().topic, "other");
        }
    }
}

#[test]
fn what_is_wrong_is_diverted_with_the_reason_or_dropped() {
    let server = Server::with(&plugin("schema", RULES));
    let mut witness = witness(&server);
    let mut speaker = Client::connect(&server, ProtocolVersion::V5, "speaker");
    assert_eq!(puback(&mut speaker, "divert/a/b", b"\xff").0, ReasonCode::Success);
    let diverted = witness.take();
    assert_eq!((diverted.topic.as_str(), &diverted.payload[..]), ("invalid/speaker/a/b", &b"\xff"[..]));
    let properties = [("schema-error", "utf8: the payload is not UTF-8"), ("schema-topic", "divert/a/b")];
    assert_eq!(diverted.user_properties, properties.map(|(name, value)| (name.to_owned(), value.to_owned())));

    assert!(!puback(&mut speaker, "drop/a", b"12345").0.is_error());
    assert!(!puback(&mut speaker, "drop/a", b"1234").0.is_error());
    assert_eq!(witness.take().text(), "1234");
}

#[test]
fn a_content_type_that_is_not_expected_is_refused() {
    let server = Server::with(&plugin("schema", RULES));
    let mut speaker = Client::connect(&server, ProtocolVersion::V5, "speaker");
    let mut typed = |content_type: &'static str| {
        let properties = MessageProperties { content_type: Some(content_type), ..MessageProperties::default() };
        speaker.publish_with(Publish { qos: QoS::AtLeastOnce, properties, ..publish("typed", b"x") })
    };
    assert_eq!(typed("image/png"), ReasonCode::PayloadFormatInvalid);
    assert!(!typed("application/json; charset=utf-8").is_error());
}

#[test]
fn a_schema_file_that_changes_is_in_force_without_a_reload() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("s.json");
    fs::write(&file, "{\"type\": \"number\"}").unwrap();
    let more = "config = { rules = [{ filter = \"a\", schema_file = \"s.json\" }] }\nallow = { files = [\"s.json\"] }";
    let server = Server::beside(directory, &plugin("schema", more));
    let mut speaker = Client::connect(&server, ProtocolVersion::V5, "speaker");
    assert!(!puback(&mut speaker, "a", b"1").0.is_error());
    assert_eq!(puback(&mut speaker, "a", b"\"x\"").0, ReasonCode::PayloadFormatInvalid);
    fs::write(&file, "{\"type\": \"string\"}").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while puback(&mut speaker, "a", b"\"x\"").0.is_error() {
        assert!(Instant::now() < deadline, "the new schema is not in force:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::write(&file, "{\"typ\": \"number\"}").unwrap();
    // Whoever asks about a message has the file looked at.
    while !server.log().contains("what was read before stays in force") {
        assert!(Instant::now() < deadline, "the bad schema is not reported:\n{}", server.log());
        assert!(!puback(&mut speaker, "a", b"\"x\"").0.is_error());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn mosquitto_pub_is_told_that_the_payload_is_wrong() {
    let server = Server::with(&plugin("schema", RULES));
    let send = |payload: &str| {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &server.address().port().to_string(), "-V", "mqttv5", "-q", "1"]);
        command.args(["-t", "sensors/1/reading", "-m", payload]);
        end_of(&mut command, Duration::from_secs(60))
    };
    let said = send("warm").said;
    assert!(said.to_lowercase().contains("payload format invalid"), "{said}");
    assert!(!send("{\"celsius\": 1}").said.to_lowercase().contains("payload format invalid"));
}

#[test]
fn a_start_with_a_wrong_schema_says_where_it_is_wrong() {
    let rules = "[[plugin.config.rules]]\nfilter = \"a\"\nschema = { properties = { t = { typ = \"number\" } } }\n";
    let said = refused_start(&plugin("schema", rules));
    assert!(said.contains("config: rules[0].schema: #/properties/t/typ: this keyword is not known"), "{said}");
}

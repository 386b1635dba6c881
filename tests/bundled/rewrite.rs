//! `rewrite`: what subscribers get, and what publishers hear where a rule makes no message.

use midge_protocol::{MessageProperties, ProtocolVersion, Publish, QoS, ReasonCode, UserPropertiesBuf};

use super::{plugin, puback, refused_start, witness};
use crate::support::message::publish;
use crate::support::{Client, Server, VERSIONS};

const RULES: &str = r#"
[[plugin.config.rules]]
filter = "old/+/#"
topic = "sites/$1/up/$2"
user_properties = [["came-as", "$0"], ["from", "%c"]]

[[plugin.config.rules]]
filter = "devices/+/state"
topic = "last/$1"
copy = true
retain = true
message_expiry_s = 3600

[[plugin.config.rules]]
regex = "v(?<version>[0-9]+)/(.*)"
topic = "api/${version}/$2"
qos = 0
content_type = "text/v${version}"
stop = true

[[plugin.config.rules]]
filter = "api/#"
topic = "never"

[[plugin.config.rules]]
filter = "tenants/#"
topic = "%t/$1"
"#;

#[test]
fn subscribers_get_what_the_rules_make_in_every_version_and_quality() {
    let server = Server::with(&plugin("rewrite", RULES));
    let mut witness = witness(&server);
    for version in VERSIONS {
        let mut speaker = Client::connect(&server, version, "speaker");
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert!(!speaker.publish("old/kitchen/temperature/2", "21.5", qos).is_error());
            let moved = witness.take();
            assert_eq!(
                (moved.topic.as_str(), moved.text(), moved.qos),
                ("sites/kitchen/up/temperature/2", "21.5", qos)
            );
            let properties = [("came-as", "old/kitchen/temperature/2"), ("from", "speaker")];
            assert_eq!(moved.user_properties, properties.map(|(name, value)| (name.to_owned(), value.to_owned())));

            speaker.publish("v12/things/1", "x", qos);
            let moved = witness.take();
            assert_eq!((moved.topic.as_str(), moved.qos), ("api/12/things/1", QoS::AtMostOnce), "and no further rule");
            assert_eq!(moved.content_type.as_deref(), Some("text/v12"));

            speaker.publish("other", "untouched", qos);
            assert_eq!(witness.take().topic, "other");
        }
    }
    assert_eq!(server.metric("midge_custom_rewritten_total", &[("plugin", "rewrite")]), 18.0);
}

#[test]
fn a_copy_is_routed_after_its_message_and_may_be_retained() {
    let server = Server::with(&plugin("rewrite", RULES));
    let mut witness = witness(&server);
    let mut device = Client::connect(&server, ProtocolVersion::V5, "device");
    let given = UserPropertiesBuf::from_iter([("own", "kept")]);
    let properties = MessageProperties { user_properties: given.as_ref(), ..MessageProperties::default() };
    device.publish_with(Publish { qos: QoS::AtLeastOnce, properties, ..publish("devices/7/state", b"on") });
    let (first, second) = (witness.take(), witness.take());
    assert_eq!((first.topic.as_str(), second.topic.as_str()), ("devices/7/state", "last/7"));
    assert_eq!((second.text(), &second.user_properties), ("on", &first.user_properties));

    let mut late = Client::connect(&server, ProtocolVersion::V5, "late");
    late.subscribe("last/+", QoS::AtLeastOnce);
    let retained = late.take();
    assert!(retained.retain && retained.message_expiry.is_some_and(|left| left <= 3600), "{retained:?}");
}

#[test]
fn what_a_rule_makes_no_topic_of_is_refused_with_the_rule_and_the_reason() {
    let server = Server::with(&plugin("rewrite", RULES));
    let mut witness = witness(&server);
    let mut speaker = Client::connect(&server, ProtocolVersion::V5, "speaker");
    let (reason, text) = puback(&mut speaker, "tenants/a", b"x");
    assert_eq!(reason, ReasonCode::TopicNameInvalid);
    assert_eq!(text.as_deref(), Some("rule 4: %t has no value for this client"));
    server.logged(&["denied", "plugin=\"rewrite\"", "hook=messages", "client_id=speaker", "%t has no value"]);

    // Version 3 cannot be told: the message is acknowledged, and goes nowhere.
    let mut old = Client::connect(&server, ProtocolVersion::V311, "old");
    old.publish("tenants/a", "x", QoS::AtLeastOnce);
    old.publish("afterwards", "x", QoS::AtLeastOnce);
    assert_eq!(witness.take().topic, "afterwards");
}

#[test]
fn a_start_with_a_wrong_rule_says_which_and_why() {
    let rules = "[[plugin.config.rules]]\nfilter = \"a/+\"\ntopic = \"b/$1\"\n\n\
                 [[plugin.config.rules]]\nfilter = \"c/#\"\ntopic = \"d/$2\"\n";
    let said = refused_start(&plugin("rewrite", rules));
    assert!(said.contains("rewrite") && said.contains("config: rules[1].topic = \"d/$2\": there is no $2"), "{said}");
}

//! How safe a message is: for all topics, and for single ones.

use midge_protocol::{ProtocolVersion, QoS};
use rustix::process::Signal;

use super::{away, back};
use crate::support::{Client, Server};

const VERSION: ProtocolVersion = ProtocolVersion::V5;

const LEVELS: &str = "
[store]
[[store.topics]]
filter = \"memory/#\"
durability = \"memory\"
[[store.topics]]
filter = \"os/#\"
durability = \"os\"
";

#[test]
fn a_topic_of_memory_is_acknowledged_at_once_and_gone_after_a_crash() {
    let mut server = Server::with(LEVELS);
    away(&server, VERSION, "away", "#", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, VERSION, "publisher");
    for topic in ["memory/a", "os/a", "fsync/a"] {
        publisher.publish(topic, topic, QoS::AtLeastOnce);
        publisher.retain(&format!("{topic}/retained"), topic, QoS::AtLeastOnce);
    }
    server.again(Signal::KILL);
    let mut client = back(&server, VERSION, "away");
    for topic in ["os/a", "os/a/retained", "fsync/a", "fsync/a/retained"] {
        assert_eq!(client.take().topic, topic);
    }
    client.expect_nothing();
    client.subscribe("memory/#", QoS::AtLeastOnce);
    client.expect_nothing();
    client.subscribe("+/a/retained", QoS::AtLeastOnce);
    let mut retained = [client.take().topic, client.take().topic];
    retained.sort();
    assert_eq!(retained, ["fsync/a/retained", "os/a/retained"]);
    client.expect_nothing();
}

#[test]
fn a_broker_of_memory_alone_makes_no_store() {
    let mut server = Server::with("[store]\ndurability = \"memory\"\n");
    away(&server, VERSION, "away", "a", QoS::AtLeastOnce);
    assert!(server.log().contains("no store: "), "{}", server.log());
    assert!(!server.directory().join("data/store").exists());
    assert_eq!(server.metric("midge_store_health", &[]), 0.0);
    assert!(!server.page("/metrics").contains("midge_store_"));
    server.again(Signal::TERM);
    assert!(!Client::connect_with(&server, VERSION, "away", super::kept).1);
}

#[test]
fn a_store_that_is_not_used_any_more_is_left_alone_and_named() {
    let mut server = super::durable();
    away(&server, VERSION, "away", "a", QoS::AtLeastOnce);
    server.end(Signal::TERM);
    let config = server.directory().join("midge.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"fsync\"", "\"memory\"")).unwrap();
    server.begin();
    server.logged(&["there is a store", "data/store"]);
    assert!(!Client::connect_with(&server, VERSION, "away", super::kept).1);
    server.end(Signal::TERM);
    std::fs::write(&config, text).unwrap();
    server.begin();
    back(&server, VERSION, "away");
}

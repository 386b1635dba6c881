//! Messages flow while plugins are replaced again and again: none is lost, none is delivered twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use midge_protocol::{ProtocolVersion, QoS};

use super::done;
use crate::hostile::plugin;
use crate::support::{Client, Server};

/// Runs `work` while one of the plugins is reloaded after the other, and says how often that was done.
fn while_reloading(server: &Server, plugins: &[&str], work: impl FnOnce()) -> usize {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reloading = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                done(server, &["reload", plugins[count % plugins.len()]]);
                count += 1;
            }
            count
        });
        work();
        over.store(true, Ordering::Relaxed);
        reloading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn no_message_is_lost_or_doubled_and_no_client_dropped_while_plugins_are_replaced() {
    for probation in ["probation_s = 0", "probation_s = 600"] {
        let config =
            plugin("allow-all", "") + &plugin("rewrite", "") + &plugin("count-sink", "topics = [\"rewritten/#\"]");
        let server = Server::with(&format!("{config}[swap]\n{probation}\n"));
        let mut listener = Client::connect(&server, ProtocolVersion::V5, "listener");
        listener.subscribe("rewritten/#", QoS::ExactlyOnce);
        let mut speaker = Client::connect(&server, ProtocolVersion::V5, "speaker");
        let mut said = 0;
        let reloads = while_reloading(&server, &["allow-all", "rewrite", "count-sink"], || {
            // Not before each plugin was replaced a few times.
            while said < 600 {
                let qos = if said % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
                assert!(!speaker.publish("rewrite/number", &format!("n{said}"), qos).is_error());
                let message = listener.take();
                assert_eq!((message.topic.as_str(), message.text()), ("rewritten/number", format!("N{said}").as_str()));
                said += 1;
            }
        });
        assert!(reloads >= 3, "{reloads} reloads");
        let labels = [("plugin", "count-sink")];
        server.metric_reaches("midge_custom_delivered_total", &labels, f64::from(said));
        assert_eq!(server.metric("midge_custom_delivered_total", &labels), f64::from(said));
        listener.expect_nothing();
        speaker.ping();
    }
}

#[test]
fn one_component_under_two_names_is_two_plugins_with_their_own_configuration() {
    let two = |name: &str, more: &str| {
        plugin("count-sink", more).replace("name = \"count-sink\"", &format!("name = {name:?}"))
    };
    let config = two("first", "topics = [\"a/#\"]") + &two("second", "topics = [\"a/#\", \"b/#\"]");
    let server = Server::with(&config);
    let mut client = Client::connect(&server, ProtocolVersion::V5, "c");
    for topic in ["a/1", "b/1", "c/1"] {
        client.publish(topic, "x", QoS::AtLeastOnce);
    }
    server.metric_reaches("midge_custom_delivered_total", &[("plugin", "second")], 2.0);
    server.metric_reaches("midge_custom_delivered_total", &[("plugin", "first")], 1.0);
    done(&server, &["reload", "second"]);
    client.publish("a/2", "x", QoS::AtLeastOnce);
    server.metric_reaches("midge_custom_delivered_total", &[("plugin", "second")], 3.0);
    assert_eq!(server.metric("midge_plugin_generation", &[("plugin", "first")]), 1.0);
}

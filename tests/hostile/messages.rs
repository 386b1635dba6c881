//! Plugins that see messages and events: what they make of them arrives, and what breaks them stays with them.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};
use rustix::process::Signal;

use super::{Conversation, calls, named, plugin};
use crate::support::{Client, Server};

fn listener(server: &Server, filters: &[&str]) -> Client {
    let mut client = named(server, "witness");
    for filter in filters {
        assert_eq!(client.subscribe(filter, QoS::AtLeastOnce), ReasonCode::granted(QoS::AtLeastOnce));
    }
    client
}

fn queue_entries(server: &Server, plugin: &str, outcome: &str, least: f64) {
    server.metric_reaches("midge_plugin_queue_entries_total", &[("plugin", plugin), ("outcome", outcome)], least);
}

#[test]
fn messages_are_replaced_multiplied_dropped_and_refused_before_anybody_gets_them() {
    let server = Server::with(&plugin("rewrite", "topics = [\"#\"]"));
    let mut witness = listener(&server, &["#"]);
    let mut speaker = named(&server, "speaker");
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert!(!speaker.publish("rewrite/a", "text", qos).is_error(), "{qos:?}");
        let rewritten = witness.take();
        assert_eq!((rewritten.topic.as_str(), rewritten.text()), ("rewritten/a", "TEXT"));

        speaker.publish("twice/a", "text", qos);
        assert_eq!([witness.take().topic, witness.take().topic], ["first/a", "second/a"]);

        assert!(!speaker.publish("drop/a", "text", qos).is_error(), "dropped is acknowledged");
        let refused = speaker.publish("refuse/a", "text", qos);
        let failed = speaker.publish("err/a", "text", qos);
        if qos != QoS::AtMostOnce {
            assert_eq!(refused, ReasonCode::NotAuthorized);
            assert_eq!(failed, ReasonCode::ImplementationSpecificError);
        }
        speaker.publish("kept/a", "text", qos);
        assert_eq!(witness.take().topic, "kept/a", "and nothing of what was dropped or refused");
    }
    assert_eq!(calls(&server, "rewrite", "messages", "refused"), 3.0);
    assert_eq!(calls(&server, "rewrite", "messages", "error"), 3.0);
    let labels = |cause| [("plugin", "rewrite"), ("hook", "messages"), ("cause", cause)];
    assert_eq!(server.metric("midge_denied_total", &labels("refused")), 3.0);
    assert_eq!(server.metric("midge_denied_total", &labels("backend")), 3.0);
    let line = server.logged(&["denied", "plugin=\"rewrite\"", "hook=messages", "the guest refuses"]);
    assert!(line.contains("took=") && !line.contains("took=0ns"), "{line}");
}

#[test]
fn whatever_a_message_plugin_does_the_message_is_refused_and_others_talk_on() {
    let server = Server::with(&plugin("hostile", "hooks = [\"messages\"]\ntopics = [\"#\"]"));
    let mut others = Conversation::start(&server);
    let mut witness = listener(&server, &["hostile/#"]);
    for crime in ["spin", "trap", "memory-bomb", "recursion", "slow", "log-flood"] {
        others.during(|| {
            let mut offender = named(&server, &format!("offender-{crime}"));
            let refused = offender.publish(&format!("hostile/{crime}/now"), "x", QoS::AtLeastOnce);
            assert_eq!(refused, ReasonCode::ImplementationSpecificError, "{crime}");
        });
    }
    witness.expect_nothing();
    assert!(calls(&server, "hostile", "messages", "deadline") >= 3.0);
    assert!(calls(&server, "hostile", "messages", "trap") >= 1.0);
}

#[test]
fn a_sink_gets_every_message_and_again_as_it_asks() {
    let more = "topics = [\"#\"]\nconfig = { echo = true }\nallow = { publish = [\"echo/#\"] }";
    let server = Server::with(&plugin("count-sink", more));
    let mut witness = listener(&server, &["echo/#"]);
    let mut speaker = named(&server, "speaker");
    for topic in ["a/1", "retry/2", "err/3", "reject/4", "a/5"] {
        speaker.publish(topic, "x", QoS::AtLeastOnce);
    }
    let echoes: Vec<String> = (0..4).map(|_| witness.take().topic).collect();
    for topic in ["echo/a/1", "echo/retry/2", "echo/err/3", "echo/a/5"] {
        assert!(echoes.iter().any(|echo| echo == topic), "{topic} is not in {echoes:?}");
    }
    queue_entries(&server, "count-sink", "done", 4.0);
    queue_entries(&server, "count-sink", "rejected", 1.0);
    // The batch that failed as a whole is an attempt of each of its messages.
    assert!(server.metric("midge_custom_retried_total", &[("plugin", "count-sink")]) >= 1.0);
    assert_eq!(server.metric("midge_custom_delivered_total", &[("plugin", "count-sink")]), 4.0, "not its own echoes");
    server.logged(&["a sink rejected messages", "reject/4", "the guest wants none of it"]);
}

#[test]
fn a_sink_that_breaks_down_loses_one_message_and_nothing_of_the_service() {
    let hostile = plugin("hostile", "hooks = [\"sink\"]\ntopics = [\"hostile/#\"]\nlimits = { cpu_ms = 20 }");
    let mut server = Server::with(&(hostile + &plugin("count-sink", "topics = [\"hostile/#\"]")));
    let mut others = Conversation::start(&server);
    let mut witness = listener(&server, &["hostile/#"]);
    others.during(|| {
        let mut offender = named(&server, "offender");
        for topic in ["hostile/trap/1", "hostile/none/2", "hostile/none/3"] {
            assert!(!offender.publish(topic, "x", QoS::AtLeastOnce).is_error(), "{topic}");
            assert_eq!(witness.take().topic, topic, "a subscriber does not wait for a sink");
        }
        queue_entries(&server, "count-sink", "done", 3.0);
        queue_entries(&server, "hostile", "rejected", 1.0);
        queue_entries(&server, "hostile", "done", 2.0);
    });
    assert!(calls(&server, "hostile", "sink", "trap") >= 5.0);
    server.logged(&["a sink rejected messages", "hostile/trap/1"]);
    named(&server, "offender").publish("hostile/spin/4", "x", QoS::AtLeastOnce);
    server.signal(Signal::TERM);
    assert!(server.ended().success(), "a stop waits for no hopeless sink for ever");
}

#[test]
fn events_are_counted_and_one_that_breaks_its_plugin_is_lost_alone() {
    let hostile = plugin("hostile", "hooks = [\"events\"]\nlimits = { cpu_ms = 20 }");
    let server = Server::with(&(hostile + &plugin("event-counter", "")));
    let mut others = Conversation::start(&server);
    others.during(|| {
        for crime in ["trap", "spin"] {
            Client::connect(&server, ProtocolVersion::V311, crime).disconnect();
        }
        Client::connect(&server, ProtocolVersion::V5, "innocent").disconnect();
        let kinds = |kind| [("plugin", "event-counter"), ("kind", kind)];
        server.metric_reaches("midge_custom_events_total", &kinds("client.connected"), 5.0);
        server.metric_reaches("midge_custom_events_total", &kinds("client.disconnected"), 3.0);
        queue_entries(&server, "hostile", "rejected", 2.0);
    });
    assert!(calls(&server, "hostile", "events", "trap") + calls(&server, "hostile", "events", "deadline") >= 1.0);
}

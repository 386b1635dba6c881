//! One client that takes nothing, among others that do.

use std::thread;

use midge_protocol::{ProtocolVersion, QoS};

use super::{MIB, dropped, dropped_in_all, flood, kept, number, resident, stuck};
use crate::support::{Client, Server};

const OTHERS: usize = 99;

/// Floods a hundred subscribers of which one takes nothing, and says how many messages that one gets in the end. The others get
/// all of them.
fn one_among_a_hundred(server: &Server, qos: QoS, count: usize, bytes: usize) -> usize {
    let mut deaf = stuck(server, "stuck", kept);
    deaf.subscribe("flood", qos);
    let ids: Vec<String> = (0..OTHERS).map(|number| format!("reader {number}")).collect();
    thread::scope(|scope| {
        for id in &ids {
            let mut reader = Client::connect(server, ProtocolVersion::V5, id);
            reader.subscribe("flood", qos);
            scope.spawn(move || {
                for expected in 0..count {
                    assert_eq!(number(&reader.take().payload), expected, "{id}");
                }
            });
        }
        let before = resident(server);
        flood(&mut Client::connect(server, ProtocolVersion::V5, "publisher"), "flood", qos, count, bytes);
        let grown = resident(server) - before;
        assert!(grown < 100.0 * MIB, "the broker has grown by {} MiB", grown / MIB);
    });
    let waiting = server.metric("midge_outbox_bytes", &[]);
    assert!(qos > QoS::AtMostOnce || waiting > MIB / 2.0, "hardly anything waits for who takes nothing: {waiting}");
    // It takes everything now.
    let mut got = 0;
    loop {
        let more = deaf.messages_until_pong();
        if more == 0 {
            break got;
        }
        got += more;
    }
}

#[test]
fn at_qos_0_only_the_stuck_one_loses_messages_and_each_is_counted() {
    let server = Server::with("[limits]\nwrite_stall_max_s = 600");
    let count = 1000;
    let got = one_among_a_hundred(&server, QoS::AtMostOnce, count, 4000);
    let lost = dropped(&server, "stuck", "outbox_full");
    assert!(lost > 0, "more than sockets and the outbox hold");
    assert_eq!(got + lost, count, "what it did not get was counted");
    assert_eq!(dropped_in_all(&server, "outbox_full"), lost, "nobody else lost anything");
    server.logged(&["messages dropped", "client_id=stuck", "reason=\"outbox_full\""]);
}

#[test]
fn at_qos_1_publishers_wait_for_the_stuck_one_once_and_the_others_lose_nothing() {
    let server = Server::with("[limits]\nwrite_stall_max_s = 600\nin_flight_max = 20\nqueued_messages_max = 200");
    let count = 2000;
    let got = one_among_a_hundred(&server, QoS::AtLeastOnce, count, 100);
    let lost = dropped(&server, "stuck", "queue_full");
    assert_eq!((got, lost), (20 + 200, count - 220), "its window, its queue, and the rest");
    assert_eq!(dropped_in_all(&server, "queue_full"), lost, "nobody else lost anything");
    server.logged(&["messages dropped", "client_id=stuck", "reason=\"queue_full\""]);
    server.logged(&["publishers are slowed down", "client_id=stuck", "reason=\"queue\""]);
    let waited = server.metric("midge_publishers_slowed_seconds_total", &[("reason", "queue")]);
    assert!(waited > 4.0, "the publisher has waited {waited} s");
}

#[test]
fn large_messages_for_a_stuck_client_stay_within_its_bounds() {
    for (qos, reason) in
        [(QoS::AtMostOnce, "outbox_full"), (QoS::AtLeastOnce, "queue_full"), (QoS::ExactlyOnce, "queue_full")]
    {
        let server = Server::with("[limits]\nwrite_stall_max_s = 600\nslow_down_max_ms = 500");
        let mut deaf = stuck(&server, "stuck", kept);
        deaf.subscribe("flood", qos);
        let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
        // What the first hundred leave with the allocator is enough for all that follow.
        flood(&mut publisher, "flood", qos, 100, 900_000);
        let before = resident(&server);
        flood(&mut publisher, "flood", qos, 200, 900_000);
        let grown = resident(&server) - before;
        assert!(grown < 16.0 * MIB, "{qos:?}: the broker has grown by {} MiB", grown / MIB);
        let lost = dropped(&server, "stuck", reason);
        assert!((280..300).contains(&lost), "{qos:?}: {lost} lost");
    }
}

#[test]
fn who_takes_nothing_for_too_long_is_disconnected_and_keeps_its_session() {
    let server = Server::with("[limits]\nwrite_stall_max_s = 1\nslow_down_max_ms = 100");
    let mut deaf = stuck(&server, "stuck", kept);
    deaf.subscribe("flood", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    flood(&mut publisher, "flood", QoS::AtLeastOnce, 100, 100_000);
    server.logged(&["client disconnected", "client_id=stuck", "slow_consumer"]);
    assert_eq!(server.metric("midge_connections_closed_total", &[("reason", "slow_consumer")]), 1.0);
    assert_eq!(server.metric("midge_outbox_bytes", &[]), 0.0, "what waited went with the connection");
    publisher.publish("flood", "99", QoS::AtLeastOnce);
    drop(deaf);
    let (mut back, present) = Client::connect_with(&server, ProtocolVersion::V5, "stuck", kept);
    assert!(present, "the session is kept");
    let lost = dropped(&server, "stuck", "queue_full");
    let got: Vec<usize> = (lost..101).map(|_| number(&back.take().payload)).collect();
    assert_eq!(got.last(), Some(&99));
    back.expect_nothing();
}

//! Publishers that are faster than their subscribers.

use std::thread;

use midge_protocol::{Packet, ProtocolVersion, Publish, QoS};

use super::{dropped_in_all, flood, number};
use crate::support::message::publish;
use crate::support::{Client, Server};

#[test]
fn a_slower_but_steady_consumer_loses_nothing() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let server = Server::with("[limits]\nin_flight_max = 10\nqueued_messages_max = 40");
        let mut consumer = Client::connect(&server, ProtocolVersion::V5, "consumer");
        consumer.subscribe("flood/+", qos);
        let (publishers, count) = (3, 700);
        thread::scope(|scope| {
            for publisher in 0..publishers {
                let server = &server;
                scope.spawn(move || {
                    let id = format!("publisher {publisher}");
                    let mut client = Client::connect(server, ProtocolVersion::V5, &id);
                    flood(&mut client, &format!("flood/{publisher}"), qos, count, 50);
                });
            }
            let mut next = vec![0; publishers];
            for _ in 0..publishers * count {
                let message = consumer.take();
                let publisher: usize = message.topic.rsplit('/').next().unwrap().parse().unwrap();
                assert_eq!(number(&message.payload), next[publisher], "{qos:?} from {publisher}");
                next[publisher] += 1;
                // It does something with each message before it takes the next.
                consumer.ping();
            }
        });
        assert_eq!(dropped_in_all(&server, "queue_full"), 0);
        assert!(server.metric("midge_publishers_slowed_total", &[("reason", "queue")]) > 10.0);
    }
}

#[test]
fn clients_that_flood_each_other_only_slow_each_other_down() {
    let server = Server::with("[limits]\nin_flight_max = 10\nqueued_messages_max = 60");
    let ids = ["0", "1", "2", "3"];
    let clients: Vec<Client> = ids
        .iter()
        .map(|id| {
            let mut client = Client::connect(&server, ProtocolVersion::V5, id);
            client.subscribe("all", QoS::AtLeastOnce);
            client
        })
        .collect();
    thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || (0..5).for_each(|_| publish_before_acknowledging(&mut client, 50)));
        }
    });
    let slowed = |what: &str| server.metric(what, &[("reason", "queue")]);
    let (count, seconds) = (slowed("midge_publishers_slowed_total"), slowed("midge_publishers_slowed_seconds_total"));
    assert!(count > 0.0, "there was little room");
    assert!(seconds / count < 1.0, "{count} waits took {seconds} s: their acknowledgements were behind what waited");
}

/// Publishes so much at once, and acknowledges what has come only when all of it is acknowledged.
fn publish_before_acknowledging(client: &mut Client, count: usize) {
    let ids: Vec<_> = (0..count).map(|_| client.new_id()).collect();
    for id in &ids {
        let message = Publish { qos: QoS::AtLeastOnce, packet_id: Some(*id), ..publish("all", b"x") };
        client.send(&Packet::Publish(message));
    }
    for id in ids {
        client.acknowledgement(id);
    }
    client.messages_until_pong();
}

//! Many threads at once: nobody waits for ever, and in the end nothing is left over.

use std::sync::Arc;
use std::thread;

use midge_protocol::{Packet, QoS, ReasonCode};

use super::client::{connect_packet, publish_packet, subscribe_packet};
use crate::{
    Broker, Connection, ConnectionNumber, Decision, Effects, Ending, Limits, MemoryStore, Opening, Peer, Received,
    Session, Time,
};

/// Writes into nothing, at once, from whatever thread asks.
struct Sink;

impl Peer for Sink {
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber) {
        while let Some(chunk) = session.take_output(number) {
            let length = chunk.len();
            if !session.give_back(number, chunk, length) {
                return;
            }
        }
    }
}

const NOW: Time = Time(1_000_000);

fn connect(broker: &Broker, id: &str, clean: bool, effects: &mut Effects) -> Connection {
    let packet = connect_packet(id, |connect| {
        connect.clean_start = clean;
        connect.properties.session_expiry = Some(if clean { 0 } else { 100 });
    });
    let request = Opening::receive(Packet::Connect(Box::new(packet)), broker).unwrap();
    broker.connect(request, Arc::new(Sink), NOW, effects).unwrap()
}

fn act(broker: &Broker, connection: &mut Connection, packet: Packet<'_>, effects: &mut Effects) {
    match connection.receive(&packet).unwrap() {
        Received::Publish(inbound) => {
            broker.publish(connection, &inbound, Decision::Accept, NOW, effects);
        }
        Received::Subscribe(subscribe) => {
            broker.subscribe(connection, subscribe, &[Ok(QoS::ExactlyOnce)], NOW, effects);
        }
        other => panic!("{other:?}"),
    }
}

/// Connects, subscribes, publishes and goes, over and over, with client ids that other threads use too.
fn live(broker: &Broker, thread: usize) {
    let mut effects = Effects::new();
    for round in 0..300_usize {
        let id = format!("client-{}", (thread + round) % 3);
        let mut connection = connect(broker, &id, round % 4 == 0, &mut effects);
        for (filter, qos) in [("t/+", 1), ("$share/g/t/#", 2), ("t/0", 0)] {
            act(broker, &mut connection, subscribe_packet(filter, qos, None, |_| {}), &mut effects);
        }
        for number in 1..=5_u16 {
            let topic = format!("t/{}", number % 2);
            let packet = publish_packet(&topic, "payload", (number % 3) as u8, number, |publish| {
                publish.retain = number == 5;
                if publish.qos == QoS::AtMostOnce {
                    publish.packet_id = None;
                }
            });
            act(broker, &mut connection, packet, &mut effects);
        }
        effects.flush(broker);
        broker.drained(&mut connection, NOW, &mut effects);
        if round % 7 == 0 {
            broker.disconnect(&id, ReasonCode::AdministrativeAction);
            broker.tick(NOW, &mut effects);
        }
        broker.close(connection, Ending::Lost, NOW, &mut effects);
        effects.flush(broker);
        assert!(effects.drain_events().count() > 0);
    }
}

#[test]
fn take_overs_subscriptions_and_deliveries_from_many_threads_leave_nothing_behind() {
    let broker = Broker::new(Limits::default(), Box::new(MemoryStore), 3);
    thread::scope(|scope| {
        for thread in 0..4 {
            let broker = &broker;
            scope.spawn(move || live(broker, thread));
        }
    });
    let mut effects = Effects::new();
    broker.tick(NOW.after_seconds(101), &mut effects);
    effects.flush(&broker);
    let statistics = broker.statistics();
    assert_eq!((statistics.connections, statistics.sessions, statistics.subscriptions), (0, 0, 0));
    assert_eq!((statistics.queued_messages, statistics.queued_bytes, statistics.in_flight), (0, 0, 0));
}

//! The outbox seen from the socket: who writes, who is woken, what is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use midge_protocol::{Packet, QoS, TopicName};

use super::client::{Client, Woken, World, connect_packet, publish_packet, subscribe_packet};
use crate::{
    CloseReason, Congestion, Connection, ConnectionNumber, Decision, Effects, Message, Opening, Origin, OutboxPolicy,
    Peer, Received, Session, Work,
};

/// Polls with a waker that counts.
fn poll(client: &Client<'_>, woken: &Arc<Woken>) -> Poll<Work> {
    client.session.poll_output(client.number, &mut Context::from_waker(&Waker::from(Arc::clone(woken))))
}

fn count(woken: &Woken) -> usize {
    woken.0.load(Ordering::Relaxed)
}

fn publish(world: &World, payload: &str, effects: &mut Effects) {
    let message = Message::new(TopicName::new("t").unwrap(), payload.to_owned());
    world.broker.publish_from(Origin::Admin, message, world.now.get(), effects);
}

/// A subscriber with an empty outbox.
fn subscriber<'w>(world: &'w World, id: &'static str) -> Client<'w> {
    let mut client = world.client(id);
    client.subscribe("t", 0);
    client.output();
    client.peer.0.store(0, Ordering::Relaxed);
    client
}

#[test]
fn one_batch_asks_a_peer_to_flush_once_however_many_messages() {
    let world = World::new();
    let client = subscriber(&world, "s");
    world.batch(|effects| (0..10).for_each(|_| publish(&world, "x", effects)));
    assert_eq!(client.peer.0.load(Ordering::Relaxed), 1);
}

#[test]
fn bytes_appended_after_a_take_are_flushed_by_whoever_appended_them() {
    // The lost wake-up: batch A promised to flush, the owner took the bytes meanwhile, batch B appends more.
    let world = World::new();
    let mut client = subscriber(&world, "s");
    let (mut a, mut b) = (Effects::new(), Effects::new());
    publish(&world, "1", &mut a);
    assert_eq!(client.written(), ["t 1"]);
    publish(&world, "2", &mut b);
    b.flush(&world.broker);
    assert_eq!(client.peer.0.load(Ordering::Relaxed), 1, "B has to flush what A did not promise");
    a.flush(&world.broker);
    assert_eq!(client.written(), ["t 2"]);
}

#[test]
fn bytes_that_come_between_the_last_look_and_the_waker_are_not_lost() {
    // Look and registration are one step under the lock: whatever comes after it finds the waker.
    let world = World::new();
    let client = subscriber(&world, "s");
    let woken = Arc::new(Woken::default());
    assert!(poll(&client, &woken).is_pending());
    world.batch(|effects| publish(&world, "x", effects));
    client.session.wake(client.number);
    assert_eq!(count(&woken), 1);
    assert!(matches!(poll(&client, &woken), Poll::Ready(Work::Write(_))));
}

#[test]
fn a_batch_given_up_halfway_wakes_whom_it_promised_to_flush() {
    let world = World::new();
    let client = subscriber(&world, "s");
    let woken = Arc::new(Woken::default());
    assert!(poll(&client, &woken).is_pending());
    let mut effects = Effects::new();
    publish(&world, "x", &mut effects);
    drop(effects);
    assert_eq!(count(&woken), 1);
}

#[test]
fn what_a_visitor_could_not_write_is_the_owners_to_write() {
    let world = World::new();
    let client = subscriber(&world, "s");
    let woken = Arc::new(Woken::default());
    assert!(poll(&client, &woken).is_pending());
    world.batch(|effects| publish(&world, "x", effects));
    let chunk = client.session.take_output(client.number).unwrap();
    assert!(client.session.take_output(client.number).is_none(), "one writer at a time");
    assert!(poll(&client, &woken).is_pending());
    let length = chunk.len();
    assert!(!client.session.give_back(client.number, chunk, 3));
    assert_eq!(count(&woken), 1);
    assert!(client.session.is_cut_off(client.number));
    let Poll::Ready(Work::Write(rest)) = poll(&client, &woken) else { panic!("nothing left") };
    assert_eq!(rest.len(), length - 3);
    let length = rest.len();
    client.session.give_back(client.number, rest, length);
    assert!(!client.session.is_cut_off(client.number));
}

#[test]
fn a_writer_is_told_what_came_while_it_wrote() {
    let world = World::new();
    let mut client = subscriber(&world, "s");
    world.batch(|effects| publish(&world, "1", effects));
    let chunk = client.session.take_output(client.number).unwrap();
    world.batch(|effects| publish(&world, "2", effects));
    let length = chunk.len();
    assert!(client.session.give_back(client.number, chunk, length), "there is more");
    assert_eq!(client.written(), ["t 2"]);
}

#[test]
fn beyond_32_sessions_owners_are_woken_instead_of_written_to() {
    let world = World::new();
    let ids: Vec<String> = (0..40).map(|number| format!("s{number}")).collect();
    let woken = Arc::new(Woken::default());
    let clients: Vec<_> = ids
        .iter()
        .map(|id| {
            let mut client = world.connect(id, |_| {});
            client.subscribe("t", 0);
            client.output();
            client.peer.0.store(0, Ordering::Relaxed);
            assert!(poll(&client, &woken).is_pending());
            client
        })
        .collect();
    world.batch(|effects| publish(&world, "x", effects));
    let flushed: usize = clients.iter().map(|client| client.peer.0.load(Ordering::Relaxed)).sum();
    assert_eq!((flushed, count(&woken)), (32, 8));
}

#[test]
fn qos_0_beyond_the_outbox_limit_is_dropped_counted_and_told() {
    let world = World::with(|limits| limits.outbox_bytes_max = 1000);
    let mut client = subscriber(&world, "s");
    let payload = "x".repeat(400);
    world.batch(|effects| {
        (0..2).for_each(|_| publish(&world, &payload, effects));
        assert!(effects.congestion().is_none());
        (0..3).for_each(|_| publish(&world, &payload, effects));
        assert!(matches!(effects.congestion(), Some(Congestion::Outbox(_))), "publishers should slow down");
    });
    assert_eq!(client.output().len(), 2);
    assert_eq!(world.broker.statistics().dropped_outbox_full, 3);
    assert!(world.events().iter().any(|event| event.contains("OutboxFull") && event.contains("count: 3")));
}

#[test]
fn a_client_that_does_not_read_can_be_disconnected_instead() {
    let world = World::with(|limits| (limits.outbox_bytes_max, limits.outbox_policy) = (10, OutboxPolicy::Disconnect));
    let mut client = subscriber(&world, "s");
    world.batch(|effects| (0..4).for_each(|_| publish(&world, "1234", effects)));
    assert_eq!(client.close_reason(), Some(CloseReason::SlowConsumer));
}

#[test]
fn qos_1_beyond_the_outbox_limit_waits_instead() {
    let world = World::with(|limits| limits.outbox_bytes_max = 100);
    let mut client = world.client("s");
    client.subscribe("t", 1);
    client.output();
    let mut publisher = world.client("p");
    for number in 0..20 {
        publisher.publish("t", &format!("{number} {}", "x".repeat(50)), 1, 1);
    }
    assert!(world.broker.statistics().queued_messages > 10);
    assert_eq!(client.output().len(), 20);
    assert_eq!(world.broker.statistics().messages_dropped(), 0);
}

#[test]
fn the_owner_of_a_displaced_connection_closes_once_nobody_writes_on_it() {
    let world = World::new();
    let first = subscriber(&world, "s");
    let woken = Arc::new(Woken::default());
    assert!(poll(&first, &woken).is_pending());
    world.batch(|effects| publish(&world, "x", effects));
    let chunk = first.session.take_output(first.number).unwrap();
    let _second = world.client("s");
    assert_eq!(count(&woken), 1);
    assert!(poll(&first, &woken).is_pending(), "a visitor is still writing");
    first.session.give_back(first.number, chunk, 1);
    assert_eq!(count(&woken), 2);
    assert!(matches!(poll(&first, &woken), Poll::Ready(Work::Close(CloseReason::TakenOver))));
    assert!(first.session.is_cut_off(first.number), "no DISCONNECT into the middle of a packet");
}

#[test]
fn a_close_is_told_even_to_an_owner_that_holds_a_chunk() {
    let world = World::new();
    let client = subscriber(&world, "s");
    world.batch(|effects| publish(&world, "x", effects));
    let woken = Arc::new(Woken::default());
    let Poll::Ready(Work::Write(chunk)) = poll(&client, &woken) else { panic!("nothing to write") };
    assert!(poll(&client, &woken).is_pending());
    client.session.request_close(client.number, CloseReason::KeepAlive);
    assert_eq!(count(&woken), 1);
    assert!(matches!(poll(&client, &woken), Poll::Ready(Work::Close(CloseReason::KeepAlive))));
    client.session.give_back(client.number, chunk, 0);
}

#[test]
fn a_shutdown_lets_what_was_sent_before_be_written() {
    let world = World::new();
    let mut client = subscriber(&world, "s");
    world.batch(|effects| publish(&world, "last words", effects));
    world.broker.disconnect_all(midge_protocol::ReasonCode::ServerShuttingDown);
    assert_eq!(client.output(), ["t last words"]);
    assert_eq!(client.close_reason(), Some(CloseReason::ServerShutdown));
}

#[test]
fn sessions_and_connections_stay_small() {
    // performance.md 2.8: what an idle connection costs, without its client id, filters and socket.
    assert!(size_of::<crate::Session>() <= 352, "{}", size_of::<crate::Session>());
    assert!(size_of::<crate::Connection>() <= 96, "{}", size_of::<crate::Connection>());
}

#[test]
fn everything_may_move_between_threads() {
    fn assert_send<T: Send>() {}
    fn assert_sync<T: Sync>() {}
    assert_sync::<crate::Broker>();
    assert_sync::<crate::Session>();
    assert_send::<crate::Connection>();
    assert_send::<Effects>();
}

#[test]
fn a_large_payload_is_shared_by_those_who_get_it() {
    let world = World::new();
    let (large, small) = ("x".repeat(100_000), "y".repeat(1000));
    let mut clients: Vec<_> = ["a", "b", "c"].map(|id| subscriber(&world, id)).into();
    for payload in [&small, &large, &small] {
        world.batch(|effects| publish(&world, payload, effects));
    }
    let runs = |client: &Client<'_>| {
        let chunk = client.session.take_output(client.number).unwrap();
        let runs: Vec<(usize, usize)> = chunk.parts().map(|part| (part.as_ptr() as usize, part.len())).collect();
        client.session.give_back(client.number, chunk, 0);
        runs
    };
    let (a, b) = (runs(&clients[1]), runs(&clients[2]));
    assert_eq!(a[1], b[1], "one copy of the payload for both");
    assert_eq!(a[1].1, large.len());
    for client in &mut clients {
        assert_eq!(client.written(), [format!("t {small}"), format!("t {large}"), format!("t {small}")]);
    }
}

/// A socket that takes everything, and counts how often it is written to.
#[derive(Default)]
struct Socket(AtomicUsize);

impl Peer for Socket {
    fn flush(&self, session: &Arc<Session>, number: ConnectionNumber) {
        while let Some(chunk) = session.take_output(number) {
            self.0.fetch_add(1, Ordering::Relaxed);
            let length = chunk.len();
            session.give_back(number, chunk, length);
        }
    }
}

#[test]
fn those_who_wait_for_their_turn_do_not_have_the_others_written_to_for_every_message() {
    let world = World::new();
    let (broker, now) = (&world.broker, world.now.get());
    let mut effects = Effects::new();
    let connect = |id: &str, effects: &mut Effects| -> (Connection, Arc<Socket>) {
        let request = Opening::receive(Packet::Connect(Box::new(connect_packet(id, |_| {}))), broker).unwrap();
        let socket = Arc::<Socket>::default();
        (broker.connect(request, Arc::clone(&socket) as _, now, effects).unwrap(), socket)
    };
    let mut subscribers = Vec::new();
    for number in 0..40 {
        let (mut connection, socket) = connect(&format!("subscriber-{number}"), &mut effects);
        let packet = subscribe_packet("t", 0, None, |_| {});
        let Received::Subscribe(subscribe) = connection.receive(&packet).unwrap() else {
            unreachable!("as it was made")
        };
        broker.subscribe(&mut connection, subscribe, &[Ok(QoS::AtMostOnce)], now, &mut effects);
        effects.flush(broker);
        subscribers.push((connection, socket));
    }
    let (mut publisher, _) = connect("publisher", &mut effects);
    let before = subscribers[0].1.0.load(Ordering::Relaxed);
    // Five times what makes an outbox overdue, in one batch; the last eight subscribers wait for their own tasks.
    let payload = "x".repeat(1000);
    for _ in 0..320 {
        let packet = publish_packet("t", &payload, 0, 0, |_| {});
        let Received::Publish(inbound) = publisher.receive(&packet).unwrap() else { unreachable!("as it was made") };
        broker.publish(&mut publisher, &inbound, Decision::Accept, now, &mut effects);
    }
    effects.flush(broker);
    let writes = subscribers[0].1.0.load(Ordering::Relaxed) - before;
    assert!((2..=10).contains(&writes), "{writes} writes");
}

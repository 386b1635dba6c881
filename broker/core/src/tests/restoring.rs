//! What comes back when a broker ends at any moment and another starts from its store.

use std::sync::Arc;

use midge_protocol::{Packet, PacketId};

use super::client::{Client, World, connect_packet};
use super::late::{Handle, LateStore};
use crate::{About, Change, Durabilities, Durability, Effects, EntryNumber, Event, Opening, SessionEnd, Store};

/// A broker with a store that writes when it is told to.
struct Run {
    world: World,
    store: Arc<LateStore>,
}

impl Run {
    fn new() -> Self {
        let store = Arc::<LateStore>::default();
        Self { world: World::stored(|_| {}, Box::new(Handle(Arc::clone(&store)))), store }
    }

    fn sync(&self) {
        self.store.commit();
        self.world.broker.committed();
    }

    /// The broker ends without a word, and another starts so many seconds later.
    fn crash(self, seconds: u32) -> Self {
        let Self { world, store } = self;
        let now = world.now.get().after_seconds(seconds);
        let next = Self { world: World::stored(|_| {}, Box::new(Handle(Arc::clone(&store)))), store };
        next.world.now.set(now);
        let mut effects = Effects::new();
        for kept in next.store.crash() {
            assert!(next.world.broker.restore(kept, now, &mut effects));
        }
        effects.flush(&next.world.broker);
        next
    }

    fn durable(&self, id: &str) -> Client<'_> {
        let client = self.world.durable(id);
        self.sync();
        client
    }

    /// A lasting session with this subscription, which is not connected.
    fn away(&self, id: &str, filter: &str, qos: u8) {
        let mut client = self.durable(id);
        client.subscribe(filter, qos);
        self.sync();
        client.lose();
        self.sync();
    }

    fn publish(&self, topic: &str, payload: &str, qos: u8) {
        let mut publisher = self.world.client("p");
        publisher.publish(topic, payload, qos, 1);
        self.sync();
        publisher.pubrel(1);
        self.sync();
    }
}

#[test]
fn a_session_comes_back_with_the_principal_that_had_it() {
    let run = Run::new();
    let connect = connect_packet("s", |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(10);
    });
    let mut request = Opening::receive(Packet::Connect(Box::new(connect)), &run.world.broker).unwrap();
    request.principal = Some("alice".into());
    let mut client = run.world.accept(request);
    client.subscribe("t", 1);
    client.lose();
    run.sync();
    let run = run.crash(0);
    for _ in 0..=run.world.broker.limits().queued_messages_max {
        run.publish("t", "x", 1);
    }
    run.world.pass(10);
    let about = About { client_id: "s".into(), principal: Some("alice".into()) };
    let told = run.world.told();
    let dropped = |event: &Event| matches!(event, Event::MessageDropped { about: whom, .. } if *whom == about);
    assert!(told.iter().any(dropped), "{told:?}");
    assert!(told.contains(&Event::SessionEnded { about: about.clone(), cause: SessionEnd::Expired }), "{told:?}");
}

#[test]
fn a_session_comes_back_with_its_subscriptions_and_all_that_waits() {
    let run = Run::new();
    run.away("s", "t/#", 2);
    for number in 0..200 {
        run.publish("t/a", &number.to_string(), 1);
    }
    let run = run.crash(1);
    assert_eq!(run.world.broker.statistics().queued_messages, 200);
    run.publish("t/b", "new", 2);
    let mut client = run.durable("s");
    let mut lines = Vec::new();
    for id in 1..=201 {
        lines.extend(client.output());
        run.sync();
        client.puback(id.min(200));
        lines.extend(client.output());
    }
    assert_eq!(lines.remove(0), "CONNACK 00 present");
    let expected = (0..200).map(|number| format!("t/a {number} q1 #{}", number + 1));
    assert_eq!(lines, expected.chain(["t/b new q2 #201".to_owned()]).collect::<Vec<_>>());
    assert_eq!(run.world.broker.statistics().queued_messages, 0);
}

#[test]
fn what_was_sent_is_sent_again_under_its_identifier() {
    let run = Run::new();
    let mut client = run.durable("s");
    client.subscribe("t", 2);
    run.sync();
    for (payload, qos) in [("one", 1), ("two", 2), ("three", 2), ("four", 1)] {
        run.publish("t", payload, qos);
    }
    client.output();
    client.pubrec(3);
    run.sync();
    client.puback(1);
    run.sync();
    drop(client);
    let run = run.crash(0);
    assert_eq!(run.world.broker.statistics().in_flight, 3);
    let mut client = run.durable("s");
    assert_eq!(client.output(), ["CONNACK 00 present", "t two q2 #2 dup", "PUBREL 3 00", "t four q1 #4 dup"]);
    client.pubrec(2);
    run.sync();
    client.pubcomp(3);
    client.pubcomp(2);
    client.puback(4);
    assert_eq!(client.output(), ["PUBREL 2 00"]);
    run.publish("t", "five", 1);
    assert_eq!(client.output(), ["t five q1 #5"]);
}

/// [MQTT-4.3.3-1]: a broker that has forgotten a QoS 2 message, or its identifier, would send it again as another one.
#[test]
fn a_qos_2_message_leaves_when_the_store_knows_it_and_its_identifier() {
    let run = Run::new();
    let mut client = run.durable("s");
    client.subscribe("t", 2);
    run.sync();
    client.output();
    let mut publisher = run.world.client("p");
    publisher.publish("t", "x", 2, 1);
    publisher.publish("t", "y", 0, 2);
    assert_eq!(client.output(), [""; 0], "nothing overtakes it either");
    run.sync();
    assert_eq!(client.output(), ["t x q2 #1", "t y"]);
}

#[test]
fn a_qos_2_message_that_was_routed_is_not_routed_again() {
    let run = Run::new();
    run.away("s", "t", 2);
    let mut publisher = run.durable("p2");
    publisher.publish("t", "x", 2, 7);
    run.sync();
    let run = run.crash(0);
    let mut publisher = run.durable("p2");
    publisher.publish_with("t", "x", 2, 7, |publish| publish.dup = true);
    publisher.pubrel(7);
    run.sync();
    assert_eq!(publisher.output(), ["CONNACK 00 present", "PUBREC 7 00", "PUBCOMP 7 00"]);
    assert_eq!(run.world.broker.statistics().queued_messages, 1);
}

#[test]
fn what_was_not_acknowledged_may_be_gone_as_a_whole() {
    let run = Run::new();
    run.away("s", "t", 2);
    let mut publisher = run.durable("p2");
    publisher.output();
    publisher.publish("t", "x", 2, 7);
    assert_eq!(publisher.output(), [""; 0]);
    let run = run.crash(0);
    assert_eq!(run.world.broker.statistics().queued_messages, 0);
    let mut publisher = run.durable("p2");
    publisher.publish_with("t", "x", 2, 7, |publish| publish.dup = true);
    run.sync();
    assert_eq!(publisher.output(), ["CONNACK 00 present", "PUBREC 7 00"]);
    assert_eq!(run.world.broker.statistics().queued_messages, 1);
}

#[test]
fn session_expiry_and_will_delay_count_from_the_crash_for_who_was_connected() {
    let run = Run::new();
    let _client = run.world.connect("s", |connect| {
        connect.clean_start = false;
        connect.properties.session_expiry = Some(100);
        connect.will = Some(super::wills::will(0));
    });
    run.sync();
    let run = run.crash(1000);
    run.world.pass(0);
    assert_eq!(*run.world.wills.borrow(), ["will"], "its connection is lost");
    run.world.pass(99);
    assert_eq!(run.world.broker.statistics().sessions, 1);
    run.world.pass(1);
    assert_eq!(run.world.broker.statistics().sessions, 0);
    run.sync();
    assert_eq!(run.crash(0).world.broker.statistics().sessions, 0);
}

#[test]
fn session_expiry_and_message_expiry_count_while_the_broker_is_down() {
    let run = Run::new();
    run.away("s", "t", 1);
    let mut publisher = run.world.client("p");
    publisher.publish_with("t", "x", 1, 1, |publish| publish.properties.message_expiry = Some(50));
    publisher.publish_with("t", "y", 1, 2, |publish| publish.properties.message_expiry = Some(500));
    run.sync();
    let run = run.crash(400);
    let mut client = run.durable("s");
    assert_eq!(client.output(), ["CONNACK 00 present", "t y q1 #1 expires100"]);
    client.lose();
    run.sync();
    let run = run.crash(1000);
    assert_eq!(run.durable("s").output(), ["CONNACK 00"]);
}

#[test]
fn what_waited_for_an_absent_member_of_a_share_goes_to_one_that_is_here() {
    let run = Run::new();
    run.away("s", "$share/g/t", 1);
    run.publish("t", "x", 1);
    let run = run.crash(0);
    let mut other = run.durable("o");
    other.output();
    other.subscribe("$share/g/t", 1);
    run.sync();
    assert_eq!(other.output(), ["t x q1 #1", "SUBACK 01"]);
    assert_eq!(run.world.broker.statistics().queued_messages, 0);
    run.sync();
    assert_eq!(run.crash(0).world.broker.statistics().in_flight, 1);
}

#[test]
fn retained_messages_come_back() {
    let run = Run::new();
    let mut publisher = run.world.client("p");
    for topic in ["a", "b"] {
        publisher.publish_with(topic, "x", 1, 1, |publish| publish.retain = true);
    }
    publisher.publish_with("b", "", 1, 1, |publish| publish.retain = true);
    run.sync();
    let run = run.crash(0);
    let mut client = run.world.client("c");
    client.subscribe("#", 1);
    assert_eq!(client.output(), ["CONNACK 00", "SUBACK 01", "a x q1 #1 retain"]);
}

/// The connection that lost the session may know of something the store does not.
#[test]
fn a_session_that_is_taken_over_waits_for_the_last_word_of_the_connection_that_had_it() {
    let run = Run::new();
    let first = run.durable("s");
    let mut second = run.durable("s");
    assert_eq!(second.output(), [""; 0]);
    first.lose();
    assert_eq!(second.output(), [""; 0], "it is said, and not yet safe");
    run.sync();
    assert_eq!(second.output(), ["CONNACK 00 present"]);
}

#[test]
fn messages_that_need_only_memory_are_acknowledged_at_once_and_gone_with_the_process() {
    let store = Arc::<LateStore>::default();
    let mut world = World::stored(|_| {}, Box::new(Handle(Arc::clone(&store))));
    let rules = vec![("m/#".to_owned(), Durability::Memory)];
    world.broker = world.broker.with_durability(Durabilities { default: Durability::Fsync, rules });
    let run = Run { world, store };
    run.away("s", "#", 2);
    let mut publisher = run.world.client("p");
    publisher.publish("m/t", "x", 1, 1);
    publisher.publish("t", "y", 1, 2);
    assert_eq!(publisher.output(), ["CONNACK 00", "PUBACK 1 00"]);
    run.sync();
    publisher.publish("m/t", "z", 1, 3);
    assert_eq!(publisher.output(), ["PUBACK 2 00", "PUBACK 3 00"]);
    let run = run.crash(0);
    assert_eq!(run.durable("s").output(), ["CONNACK 00 present", "t y q1 #1"]);
}

#[test]
fn what_is_retained_only_in_memory_is_not_in_the_store_nor_what_the_broker_says_of_itself() {
    let run = Run::new();
    let retain = |run: &Run, origin, topic: &str| {
        let message = crate::Message::new(midge_protocol::TopicName::new(topic).unwrap(), "x").with_retain(true);
        run.world.batch(|effects| run.world.broker.publish_from(origin, message, run.world.now.get(), effects));
        run.sync();
    };
    for topic in ["m/t", "t"] {
        retain(&run, crate::Origin::Admin, topic);
    }
    retain(&run, crate::Origin::System, "$SYS/broker/uptime");
    let mut kept = run.store.crash();
    assert_eq!(kept.len(), 2);

    // The operator changes his mind about one of them.
    let mut run = Run::new();
    let rules = vec![("m/#".to_owned(), Durability::Memory)];
    run.world.broker = run.world.broker.with_durability(Durabilities { default: Durability::Fsync, rules });
    let mut effects = Effects::new();
    for kept in kept.drain(..) {
        assert!(run.world.broker.restore(kept, run.world.now.get(), &mut effects));
    }
    effects.flush(&run.world.broker);
    retain(&run, crate::Origin::Admin, "m/u");
    assert_eq!(run.world.broker.statistics().retained_messages, 2, "t and m/u");
    let in_store = run.store.crash();
    assert!(in_store.is_empty(), "{in_store:?}");
}

#[test]
fn what_a_client_waits_for_is_fetched_from_the_store_and_not_kept_in_memory() {
    let run = Run::new();
    run.away("s", "t", 1);
    for _ in 0..100 {
        run.publish("t", &"x".repeat(5_000), 1);
    }
    let session = run.durable("s");
    let here = session.session.lock().queue.as_ref().map_or(0, |queue| queue.bytes_here());
    assert_eq!(here, 0, "nothing was asked for yet");
    session.lose();
    let mut client = run.world.connect("s", |connect| {
        connect.clean_start = false;
        connect.properties.receive_maximum = std::num::NonZeroU16::new(10);
        connect.properties.session_expiry = Some(100);
    });
    run.sync();
    client.output();
    let here = client.session.lock().queue.as_ref().map_or(0, |queue| queue.bytes_here());
    assert!(here < 64 * 6_000, "{here} bytes: what is to be sent next, and no more");
    client.send(Packet::Pingreq).unwrap();
    assert_eq!(client.output(), ["PINGRESP"]);
}

/// What was said of the first was not yet safe, and nobody waits for that.
#[test]
fn what_is_older_than_something_that_was_sent_goes_before_it() {
    let run = Run::new();
    run.away("s", "t", 1);
    for payload in ["one", "two", "three"] {
        run.publish("t", payload, 1);
    }
    let session = run.world.durable("s").session.number();
    let sent = Change::Sent { session, entry: EntryNumber(2), packet_id: PacketId::new(5).unwrap() };
    Handle(Arc::clone(&run.store)).append(&mut vec![sent], None);
    run.store.commit();
    let run = run.crash(0);
    let mut client = run.durable("s");
    let expected = ["CONNACK 00 present", "t one q1 #6 dup", "t two q1 #5 dup", "t three q1 #7"];
    assert_eq!(client.output(), expected);
    drop(client);
    run.sync();
    let run = run.crash(0);
    assert_eq!(run.durable("s").output()[1..3], ["t one q1 #6 dup", "t two q1 #5 dup"], "its identifier stays");
}

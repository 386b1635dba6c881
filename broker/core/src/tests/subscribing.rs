//! SUBSCRIBE, UNSUBSCRIBE and the options of a subscription.

use midge_protocol::{Packet, QoS, ReasonCode};

use super::client::{World, subscribe_packet};
use crate::Received;

#[test]
fn the_granted_qos_is_the_lower_of_asked_allowed_and_supported() {
    let world = World::with(|limits| limits.maximum_qos = QoS::AtLeastOnce);
    let mut client = world.client("a");
    client.subscribe("t", 0);
    client.subscribe("t", 1);
    client.subscribe("t", 2);
    assert_eq!(client.output()[1..], ["SUBACK 00", "SUBACK 01", "SUBACK 01"]);
}

#[test]
fn rulings_refuse_filters_one_by_one() {
    let world = World::new();
    let rulings = [Ok(QoS::AtMostOnce), Err(ReasonCode::NotAuthorized)];
    for (version, expected) in [(5, "SUBACK 00 87"), (3, "SUBACK 00 80")] {
        let mut client = if version == 5 { world.client("a") } else { world.v3("b", true) };
        let Packet::Subscribe(mut subscribe) = subscribe_packet("mine", 2, None, |_| {}) else { unreachable!() };
        subscribe.filters.push(midge_protocol::SubscribeFilter { filter: "theirs", ..subscribe.filters[0] });
        let packet = Packet::Subscribe(subscribe);
        let Received::Subscribe(subscribe) = client.connection.receive(&packet).unwrap() else { unreachable!() };
        world.batch(|effects| {
            world.broker.subscribe(&mut client.connection, subscribe, &rulings, world.now.get(), effects);
        });
        assert_eq!(client.output()[1..], [expected]);
        world.client("p").publish("theirs", "", 0, 0);
        assert_eq!(client.output(), [""; 0]);
    }
}

#[test]
fn a_share_that_is_none_is_refused_to_version_3_in_suback() {
    let world = World::new();
    let mut client = world.v3("a", true);
    client.subscribe("$share/g", 1);
    assert_eq!(client.output()[1..], ["SUBACK 80"]);
    assert_eq!(world.broker.statistics().subscriptions, 0);
}

#[test]
fn a_session_may_not_have_more_subscriptions_than_allowed() {
    let world = World::with(|limits| limits.subscriptions_max = 2);
    let mut client = world.client("a");
    for filter in ["a", "b", "c", "a"] {
        client.subscribe(filter, 0);
    }
    assert_eq!(client.output()[1..], ["SUBACK 00", "SUBACK 00", "SUBACK 97", "SUBACK 00"]);
    assert_eq!(world.broker.statistics().subscriptions, 2);
}

#[test]
fn a_second_subscription_to_the_same_filter_replaces_the_first() {
    let world = World::new();
    let mut client = world.client("a");
    client.subscribe_with("t", 0, Some(1), |_| {});
    client.subscribe_with("t", 1, Some(2), |_| {});
    world.client("p").publish("t", "x", 1, 1);
    assert_eq!(client.output()[3..], ["t x q1 #1 sub2"]);
}

#[test]
fn overlapping_subscriptions_get_one_copy_with_the_highest_qos_and_all_identifiers() {
    let world = World::new();
    let mut client = world.client("a");
    client.subscribe_with("t/#", 1, Some(7), |_| {});
    client.subscribe_with("t/+", 0, Some(8), |_| {});
    client.subscribe_with("t/x", 0, None, |_| {});
    world.client("p").publish("t/x", "m", 2, 1);
    assert_eq!(client.output()[4..], ["t/x m q1 #1 sub7 sub8"]);
}

#[test]
fn unsubscribe_ends_a_subscription_and_says_if_there_was_none() {
    let world = World::new();
    let mut client = world.client("a");
    client.subscribe("t", 0);
    client.subscribe("$share/g/t", 0);
    client.unsubscribe("t");
    client.unsubscribe("t");
    client.unsubscribe("$share/g/t");
    world.client("p").publish("t", "x", 0, 0);
    assert_eq!(client.output()[3..], ["UNSUBACK 00", "UNSUBACK 11", "UNSUBACK 00"]);
    assert_eq!(world.broker.statistics().subscriptions, 0);
}

#[test]
fn no_local_keeps_a_clients_own_messages_from_it_and_only_those() {
    let world = World::new();
    let mut client = world.client("a");
    client.subscribe_with("t", 0, None, |options| options.no_local = true);
    client.publish("t", "own", 0, 0);
    world.client("b").publish("t", "other", 0, 0);
    assert_eq!(client.output()[2..], ["t other"]);
    client.subscribe("+", 0);
    client.publish("t", "by the other subscription", 0, 0);
    assert_eq!(client.output()[1..], ["t by the other subscription"]);
}

#[test]
fn a_bridge_gets_nothing_back_and_retain_as_it_was_published() {
    let world = World::new();
    let mut bridge = world.connect("bridge", |connect| {
        connect.version = midge_protocol::ProtocolVersion::V311;
        connect.bridge = true;
    });
    bridge.subscribe("#", 0);
    bridge.publish("t", "own", 0, 0);
    world.client("b").publish_with("t", "other", 0, 0, |publish| publish.retain = true);
    assert_eq!(bridge.output()[2..], ["t other retain"]);
}

#[test]
fn a_bridge_of_version_5_says_what_it_wants_in_its_options() {
    let world = World::new();
    let mut bridge = world.connect("bridge", |connect| connect.bridge = true);
    bridge.subscribe("#", 0);
    bridge.publish_with("t", "own", 0, 0, |publish| publish.retain = true);
    assert_eq!(bridge.output()[2..], ["t own"]);
}

#[test]
fn the_subscriptions_of_a_session_that_ends_are_gone() {
    let world = World::new();
    let mut client = world.client("a");
    client.subscribe("t", 0);
    client.subscribe("$share/g/+/t", 0);
    assert_eq!((world.broker.statistics().subscriptions, world.broker.statistics().shared_subscriptions), (2, 1));
    client.lose();
    assert_eq!((world.broker.statistics().subscriptions, world.broker.statistics().shared_subscriptions), (0, 0));
}

#[test]
fn an_answer_larger_than_the_client_takes_is_discarded() {
    let world = World::new();
    let mut client = world.connect("a", |connect| {
        connect.properties.maximum_packet_size = std::num::NonZeroU32::new(30);
    });
    client.output();
    let Packet::Subscribe(mut subscribe) = subscribe_packet("t", 0, None, |_| {}) else { unreachable!() };
    subscribe.filters = vec![subscribe.filters[0]; 26];
    client.send(Packet::Subscribe(subscribe)).unwrap();
    assert_eq!(client.output(), [""; 0]);
    client.subscribe("u", 0);
    world.client("p").publish("t", "x", 0, 0);
    assert_eq!(client.output(), ["SUBACK 00", "t x"], "the subscriptions were made all the same");
}

#[test]
fn what_is_allowed_no_longer_ends_and_what_is_allowed_less_goes_on_with_less() {
    let world = World::new();
    let mut client = world.client("a");
    for filter in ["gone", "less", "kept", "$share/s/gone"] {
        client.subscribe(filter, 2);
    }
    client.output();
    let standing = world.broker.subscriptions(&client.connection);
    let rulings: Vec<_> = standing
        .iter()
        .map(|one| match &*one.filter {
            "less" => Ok(QoS::AtMostOnce),
            "kept" => Ok(QoS::ExactlyOnce),
            _ => Err(ReasonCode::NotAuthorized),
        })
        .collect();
    world.batch(|effects| {
        world.broker.regrant(&mut client.connection, None, &standing, &rulings, world.now.get(), effects);
    });
    assert_eq!(client.output(), [""; 0], "the client is told nothing");
    let mut publisher = world.client("p");
    for (id, topic) in (1..).zip(["gone", "less", "kept"]) {
        publisher.publish(topic, "x", 1, id);
    }
    let output = client.output();
    assert!(output.len() == 2 && output[0].contains("less") && output[1].contains("kept"), "{output:?}");
    let left = world.broker.subscriptions(&client.connection);
    let left: Vec<_> = left.iter().map(|one| (&*one.filter, one.options.qos)).collect();
    assert_eq!(left, [("kept", QoS::ExactlyOnce), ("less", QoS::AtMostOnce)]);
}

//! Shared subscriptions.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use midge_protocol::{Ack, Connect, Packet, ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server};

/// A session that lasts, of a client that takes so many messages at once.
fn worker(connect: &mut Connect<'_>, receive_maximum: u16) {
    connect.clean_start = false;
    connect.properties.session_expiry = Some(600);
    connect.properties.receive_maximum = NonZeroU16::new(receive_maximum);
}

/// A worker that has subscribed, to `$share/jobs/todo` and nothing else.
fn hire(server: &Server, name: &str, receive_maximum: u16) -> Client {
    let (mut client, _) =
        Client::connect_with(server, ProtocolVersion::V5, name, |connect| worker(connect, receive_maximum));
    client.subscribe("$share/jobs/todo", QoS::ExactlyOnce);
    client
}

fn texts(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.take().text().to_owned()).collect()
}

#[test]
fn every_message_goes_to_one_member_and_everyone_gets_some() {
    let server = Server::start();
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let names = ["one", "two", "three"];
        let mut members: Vec<Client> = names.iter().map(|name| Client::connect(&server, version, name)).collect();
        for member in &mut members {
            assert_eq!(
                member.subscribe("$share/group/work/#", QoS::AtLeastOnce),
                ReasonCode::granted(QoS::AtLeastOnce)
            );
        }
        let mut outsider = Client::connect(&server, version, "outsider");
        outsider.subscribe("$share/other/work/+", QoS::AtLeastOnce);
        let mut publisher = Client::connect(&server, version, "publisher");
        for number in 0..30 {
            publisher.publish("work/a", &number.to_string(), QoS::AtLeastOnce);
        }
        let counts: Vec<usize> = members.iter_mut().map(Client::messages_until_pong).collect();
        assert_eq!(counts.iter().sum::<usize>(), 30, "{version}: {counts:?}");
        assert!(counts.iter().all(|count| *count > 0), "{version}: {counts:?}");
        assert_eq!(outsider.messages_until_pong(), 30, "another group gets every message too");
    }
}

#[test]
fn a_member_that_leaves_gets_nothing_more() {
    let server = Server::start();
    let mut stays = Client::connect(&server, ProtocolVersion::V5, "stays");
    let mut leaves = Client::connect(&server, ProtocolVersion::V5, "leaves");
    for member in [&mut stays, &mut leaves] {
        member.subscribe("$share/g/t", QoS::AtLeastOnce);
    }
    assert_eq!(leaves.unsubscribe("$share/g/t"), ReasonCode::Success);
    assert_eq!(leaves.unsubscribe("$share/g/t"), ReasonCode::NoSubscriptionExisted);
    for _ in 0..10 {
        leaves.publish("t", "x", QoS::AtLeastOnce);
    }
    assert_eq!(stays.messages_until_pong(), 10);
    leaves.expect_nothing();
}

#[test]
fn retained_messages_do_not_greet_a_share() {
    let server = Server::start();
    let mut client = Client::connect(&server, ProtocolVersion::V5, "client");
    client.retain("t", "x", QoS::AtLeastOnce);
    client.subscribe("$share/g/t", QoS::AtMostOnce);
    client.expect_nothing();
}

#[test]
fn the_strategy_is_the_operators_choice() {
    let server = Server::with(
        "[shared_subscriptions]\nstrategy = \"hash-topic\"\nstrategies = { one = \"sticky\", by-client = \"hash-client-id\" }",
    );
    let mut members: Vec<Client> =
        (0..4).map(|number| Client::connect(&server, ProtocolVersion::V5, &format!("member{number}"))).collect();
    for member in &mut members {
        for filter in ["$share/one/sticky", "$share/all/topics/+", "$share/by-client/clients"] {
            member.subscribe(filter, QoS::AtMostOnce);
        }
    }
    let mut publishers: Vec<Client> =
        (0..8).map(|number| Client::connect(&server, ProtocolVersion::V5, &format!("publisher{number}"))).collect();
    for round in 0..5 {
        for (number, publisher) in publishers.iter_mut().enumerate() {
            publisher.publish("sticky", &round.to_string(), QoS::AtLeastOnce);
            publisher.publish(&format!("topics/{number}"), &number.to_string(), QoS::AtLeastOnce);
            publisher.publish("clients", &number.to_string(), QoS::AtLeastOnce);
        }
    }
    let mut sticky = Vec::new();
    let (mut of_topics, mut of_clients) = (BTreeSet::new(), BTreeSet::new());
    for (member, client) in members.iter_mut().enumerate() {
        for message in client.messages() {
            match message.topic.as_str() {
                "sticky" => sticky.push(member),
                "clients" => drop(of_clients.insert((message.text().to_owned(), member))),
                _ => drop(of_topics.insert((message.text().to_owned(), member))),
            }
        }
    }
    assert_eq!(sticky.len(), 40);
    assert!(sticky.iter().all(|member| *member == sticky[0]), "{sticky:?}");
    assert_eq!(of_topics.len(), 8, "one member for each topic: {of_topics:?}");
    assert_eq!(of_clients.len(), 8, "one member for each publisher: {of_clients:?}");
    assert!(of_topics.iter().map(|(_, member)| member).collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn an_unknown_strategy_is_refused_in_words() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("midge.toml");
    std::fs::write(&file, "[shared_subscriptions]\nstrategies = { jobs = \"stiky\" }\n").unwrap();
    let output = Server::output(&["run", "--check", "--config", file.to_str().unwrap()]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(text.contains(":2:") && text.contains("\"sticky\"") && text.contains("share names"), "{text}");
}

#[test]
fn what_waits_for_a_worker_that_is_gone_is_done_by_another() {
    let server = Server::start();
    let mut dead = hire(&server, "dead", 1);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for job in ["1", "2", "3"] {
        publisher.publish("todo", job, QoS::AtLeastOnce);
    }
    assert_eq!(dead.receive().text(), "1", "it is never acknowledged");
    let mut alive = hire(&server, "alive", 100);
    drop(dead);
    assert_eq!(texts(&mut alive, 2), ["2", "3"]);
    // Nothing new goes to who is not here.
    for job in ["4", "5"] {
        publisher.publish("todo", job, QoS::AtLeastOnce);
    }
    assert_eq!(texts(&mut alive, 2), ["4", "5"]);
    // Once nobody can come back to finish it, the first goes to another too: at the end of the session.
    let (back, present) = Client::connect_with(&server, ProtocolVersion::V5, "dead", |connect| worker(connect, 1));
    assert!(present);
    drop(back);
    let (_fresh, present) = Client::connect_with(&server, ProtocolVersion::V5, "dead", |_| {});
    assert!(!present);
    assert_eq!(texts(&mut alive, 1), ["1"]);
}

#[test]
fn who_comes_back_first_does_what_waited_for_all() {
    let server = Server::start();
    let (one, two) = (hire(&server, "one", 10), hire(&server, "two", 10));
    one.disconnect();
    two.disconnect();
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for job in ["1", "2", "3", "4"] {
        publisher.publish("todo", job, QoS::AtLeastOnce);
    }
    let (mut one, _) = Client::connect_with(&server, ProtocolVersion::V5, "one", |connect| worker(connect, 10));
    let mut done = texts(&mut one, 4);
    done.sort();
    assert_eq!(done, ["1", "2", "3", "4"]);
    let (mut two, _) = Client::connect_with(&server, ProtocolVersion::V5, "two", |connect| worker(connect, 10));
    two.expect_nothing();
}

#[test]
fn mqtt_4_8_2_5_a_qos_2_message_that_was_sent_goes_to_nobody_else() {
    let server = Server::start();
    let mut first = hire(&server, "first", 10);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    publisher.publish("todo", "once", QoS::ExactlyOnce);
    assert_eq!(first.receive().qos, QoS::ExactlyOnce);
    let mut second = hire(&server, "second", 10);
    drop(first);
    let (_fresh, _) = Client::connect_with(&server, ProtocolVersion::V5, "first", |_| {});
    second.expect_nothing();
}

#[test]
fn mqtt_4_8_2_6_a_message_that_was_refused_goes_to_nobody_else() {
    let server = Server::start();
    let mut first = hire(&server, "first", 10);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    publisher.publish("todo", "one", QoS::AtLeastOnce);
    publisher.publish("todo", "two", QoS::ExactlyOnce);
    let mut second = hire(&server, "second", 10);
    let ids = [first.receive(), first.receive()].map(|message| message.packet_id.unwrap());
    let no = |id| Ack::with_reason(id, ReasonCode::ImplementationSpecificError);
    first.send(&Packet::Puback(no(ids[0])));
    first.send(&Packet::Pubrec(no(ids[1])));
    first.ping();
    drop(first);
    let (_fresh, _) = Client::connect_with(&server, ProtocolVersion::V5, "first", |_| {});
    second.expect_nothing();
}

#[test]
fn who_unsubscribes_leaves_what_was_not_sent_to_the_others() {
    let server = Server::start();
    let mut tired = hire(&server, "tired", 1);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for job in ["1", "2", "3"] {
        publisher.publish("todo", job, QoS::ExactlyOnce);
    }
    let mut fresh = hire(&server, "fresh", 100);
    assert_eq!(tired.unsubscribe("$share/jobs/todo"), ReasonCode::Success);
    assert_eq!(texts(&mut fresh, 2), ["2", "3"]);
    assert_eq!(texts(&mut tired, 1), ["1"], "what was sent is completed [MQTT-3.10.4-3]");
    tired.expect_nothing();
}

#[test]
fn a_full_queue_passes_the_message_on() {
    let server = Server::with("[limits]\nqueued_messages_max = 2");
    let mut busy = hire(&server, "busy", 1);
    let mut other = hire(&server, "other", 1);
    let mut publisher = Client::connect(&server, ProtocolVersion::V5, "publisher");
    for job in 0..6 {
        publisher.publish("todo", &job.to_string(), QoS::AtLeastOnce);
    }
    assert_eq!(server.metric("midge_messages_dropped_total", &[("reason", "queue_full")]), 0.0);
    let mut done = texts(&mut busy, 3);
    done.extend(texts(&mut other, 3));
    done.sort();
    assert_eq!(done, ["0", "1", "2", "3", "4", "5"]);
}

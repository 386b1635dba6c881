//! Shared subscriptions.

use midge_protocol::{ProtocolVersion, QoS, ReasonCode};

use crate::support::{Client, Server};

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

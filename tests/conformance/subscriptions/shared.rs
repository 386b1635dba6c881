//! Shared subscriptions (4.8.2). Which member is picked, and what happens to messages of those that leave, is ours to choose.

use midge_protocol::{Ack, Connect, Packet, ProtocolVersion, QoS, ReasonCode, SubscribeOptions};

use super::subscribe_all;
use crate::support::{Client, Server, VERSIONS};

use ProtocolVersion::V5;
use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

fn stay(connect: &mut Connect<'_>) {
    connect.clean_start = false;
    connect.properties.session_expiry = Some(60);
}

/// [MQTT-4.8.2-1]
#[test]
fn mqtt_4_8_2_2_a_share_has_a_name_and_a_filter() {
    let server = Server::start();
    for version in VERSIONS {
        for filter in ["$share/", "$share//", "$share//t", "$share/g", "$share/g/", "$share/+/t"] {
            let mut client = Client::connect(&server, version, "client");
            let packet_id = client.send_subscribe(filter, SubscribeOptions::new(AtMostOnce));
            // 3.1 and 3.1.1 know nothing of shares, so that no such filter is malformed there.
            match version.is_v5() {
                true => client.expect_disconnect(ReasonCode::MalformedPacket),
                false => assert_eq!(client.suback(packet_id), [ReasonCode::UnspecifiedError], "{version} {filter}"),
            }
        }
        for filter in ["$share/a#/t", "$share/g/t#", "$share/g/#/t"] {
            let mut client = Client::connect(&server, version, "client");
            client.send_subscribe(filter, SubscribeOptions::new(AtMostOnce));
            client.expect_disconnect(ReasonCode::MalformedPacket);
        }
        // What only resembles a share is an ordinary filter; a name may be anything else, a filter too.
        for (filter, topic) in
            [("$share/g//t", "/t"), ("$share/ü $/t", "t"), ("$share/g/#", "t"), ("$share/G/t/+", "t/")]
        {
            let mut client = Client::connect(&server, version, "client");
            assert_eq!(client.subscribe(filter, AtMostOnce), ReasonCode::Success, "{version} {filter}");
            client.publish(topic, "x", AtMostOnce);
            assert_eq!(client.receive().topic, topic, "{version} {filter}");
        }
        for filter in ["$share", "$shared/g/t", "share/g/t"] {
            let mut client = Client::connect(&server, version, "client");
            assert_eq!(client.subscribe(filter, AtMostOnce), ReasonCode::Success, "{version} {filter}");
            client.publish("t", "x", AtMostOnce);
            client.expect_nothing();
        }
    }
}

/// Each member has the QoS it was granted, and its own identifier; what it subscribed to by itself comes beside.
#[test]
fn mqtt_4_8_2_3_each_member_gets_messages_with_its_own_qos() {
    let server = Server::start();
    let mut publisher = Client::connect(&server, V5, "publisher");
    let every = [AtMostOnce, AtLeastOnce, ExactlyOnce];
    let mut members: Vec<Client> = Vec::new();
    for (number, qos) in every.into_iter().enumerate() {
        let mut member = Client::connect(&server, V5, &format!("member-{number}"));
        let id = Some(number as u32 + 1);
        let granted = subscribe_all(&mut member, id, &[("$share/g/t", SubscribeOptions::new(qos))]);
        assert_eq!(granted, [ReasonCode::granted(qos)]);
        members.push(member);
    }
    for published in every {
        for _ in 0..9 {
            publisher.publish("t", "x", published);
        }
        let mut came = 0;
        for (number, member) in members.iter_mut().enumerate() {
            // The marker tells the end of what was shared.
            member.subscribe(&format!("end/{number}"), AtMostOnce);
            publisher.publish(&format!("end/{number}"), "", AtMostOnce);
            let mut end = false;
            while !end {
                let message = member.take();
                end = message.topic != "t";
                if !end {
                    assert_eq!(message.qos, published.min(every[number]));
                    assert_eq!(message.subscription_ids, [number as u32 + 1]);
                    came += 1;
                }
            }
        }
        assert_eq!(came, 9);
    }
    let mut alone = Client::connect(&server, V5, "alone");
    subscribe_all(&mut alone, Some(7), &[("$share/other/t", SubscribeOptions::new(AtMostOnce))]);
    subscribe_all(&mut alone, Some(8), &[("t", SubscribeOptions::new(AtLeastOnce))]);
    publisher.publish("t", "x", ExactlyOnce);
    let mut copies = [alone.take(), alone.take()].map(|copy| (copy.subscription_ids, copy.qos));
    copies.sort_by_key(|(ids, _)| ids.clone());
    assert_eq!(copies, [(vec![7], AtMostOnce), (vec![8], AtLeastOnce)]);
    alone.expect_nothing();
}

/// At whichever step the connection broke.
#[test]
fn mqtt_4_8_2_4_a_qos_2_delivery_is_completed_to_the_member_that_comes_back() {
    let server = Server::start();
    for received in [false, true] {
        let (mut chosen, _) = Client::connect_with(&server, V5, "chosen", stay);
        chosen.subscribe("$share/g/t", ExactlyOnce);
        Client::connect(&server, V5, "publisher").publish("t", "x", ExactlyOnce);
        let id = chosen.receive().packet_id.unwrap();
        let mut other = Client::connect(&server, V5, "other");
        other.subscribe("$share/g/t", ExactlyOnce);
        if received {
            chosen.send(&Packet::Pubrec(Ack::new(id)));
            chosen.next(|packet| assert_eq!(*packet, Packet::Pubrel(Ack::new(id))));
        }
        drop(chosen);
        let (mut chosen, present) = Client::connect_with(&server, V5, "chosen", stay);
        assert!(present);
        if received {
            chosen.next(|packet| assert_eq!(*packet, Packet::Pubrel(Ack::new(id))));
            chosen.send(&Packet::Pubcomp(Ack::new(id)));
        } else {
            let again = chosen.take();
            assert_eq!((again.text(), again.packet_id, again.dup), ("x", Some(id), true));
        }
        chosen.expect_nothing();
        other.expect_nothing();
        chosen.unsubscribe("$share/g/t");
    }
}

/// Whether it ends by its client's wish or runs out.
#[test]
fn mqtt_4_8_2_5_a_qos_2_message_ends_with_the_session_of_its_member() {
    let server = Server::start();
    for session_expiry in [60, 1] {
        let mut other = Client::connect(&server, V5, "other");
        let (mut chosen, _) = Client::connect_with(&server, V5, "chosen", |connect| {
            connect.properties.session_expiry = Some(session_expiry);
        });
        chosen.subscribe("$share/g/t", ExactlyOnce);
        other.publish("t", "x", ExactlyOnce);
        chosen.receive();
        other.subscribe("$share/g/t", ExactlyOnce);
        drop(chosen);
        if session_expiry == 60 {
            Client::connect(&server, V5, "chosen").disconnect();
        } else {
            let metric = || server.metric("midge_sessions", &[]);
            let deadline = std::time::Instant::now() + crate::support::PATIENCE;
            while metric() > 1.0 {
                assert!(std::time::Instant::now() < deadline, "the session is still there");
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        other.expect_nothing();
        // It is a member, and gets what comes now.
        other.publish("t", "next", AtLeastOnce);
        assert_eq!(other.take().text(), "next");
        other.disconnect();
    }
}

#[test]
fn mqtt_4_8_2_6_a_message_that_a_member_refuses_goes_to_nobody_else() {
    let server = Server::start();
    for qos in [AtLeastOnce, ExactlyOnce] {
        let (mut chosen, _) = Client::connect_with(&server, V5, "chosen", stay);
        chosen.subscribe("$share/g/t", ExactlyOnce);
        let mut other = Client::connect(&server, V5, "other");
        other.publish("t", "x", qos);
        let id = chosen.receive().packet_id.unwrap();
        other.subscribe("$share/g/t", ExactlyOnce);
        let no = Ack { reason: ReasonCode::QuotaExceeded, ..Ack::new(id) };
        chosen.send(&if qos == AtLeastOnce { Packet::Puback(no) } else { Packet::Pubrec(no) });
        chosen.expect_nothing();
        other.expect_nothing();
        // Not later either: neither when it comes back, nor when it is gone.
        drop(chosen);
        let (mut chosen, present) = Client::connect_with(&server, V5, "chosen", stay);
        assert!(present);
        chosen.expect_nothing();
        drop(chosen);
        Client::connect(&server, V5, "chosen").disconnect();
        other.expect_nothing();
    }
}

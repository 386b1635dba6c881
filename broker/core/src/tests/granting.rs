//! What a client's grant leaves it of the limits.

use midge_protocol::{Decoded, Decoder, MessageProperties, Packet, ProtocolVersion, QoS, Will};

use super::client::{World, connect_packet, publish_packet};
use crate::{Opening, ProtocolError, SessionOverrides};

#[test]
fn a_grant_narrows_what_the_connack_says_and_never_widens_it() {
    let world = World::with(|limits| {
        limits.keep_alive_max = 30;
        limits.receive_maximum = 10;
        limits.topic_alias_maximum = 3;
        limits.maximum_qos = QoS::AtLeastOnce;
    });
    let narrow = SessionOverrides {
        keep_alive: Some(20),
        receive_maximum: Some(1),
        topic_alias_maximum: Some(1),
        maximum_qos: Some(QoS::AtMostOnce),
        retain_available: Some(false),
        ..SessionOverrides::default()
    };
    let wide = SessionOverrides {
        keep_alive: Some(0),
        receive_maximum: Some(u16::MAX),
        topic_alias_maximum: Some(u16::MAX),
        maximum_qos: Some(QoS::ExactlyOnce),
        retain_available: Some(true),
        packet_size: Some(u32::MAX),
        ..SessionOverrides::default()
    };
    let cases = [(narrow, (20, 1, 1, QoS::AtMostOnce, Some(false))), (wide, (30, 10, 3, QoS::AtLeastOnce, None))];
    for (overrides, expected) in cases {
        let connect = connect_packet("a", |connect| connect.keep_alive = 60);
        let mut request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
        request.overrides = overrides;
        let chunk = world.accept(request).bytes();
        let Decoded::Packet { packet: Packet::Connack(connack), .. } =
            Decoder::client(ProtocolVersion::V5, u32::MAX).decode(&chunk).unwrap()
        else {
            panic!("no CONNACK");
        };
        let said = &connack.properties;
        let keep_alive = said.server_keep_alive.unwrap();
        let (receive, aliases) = (said.receive_maximum.unwrap().get(), said.topic_alias_maximum.unwrap());
        assert_eq!((keep_alive, receive, aliases, said.maximum_qos.unwrap(), said.retain_available), expected);
    }
}

#[test]
fn a_client_is_held_to_what_its_grant_left_it() {
    let world = World::new();
    let granted = |qos| {
        let properties = MessageProperties::default();
        let will = Will { qos, retain: false, topic: "w", payload: b"", delay: None, properties };
        let connect = connect_packet("a", |connect| connect.will = Some(will));
        let mut request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
        request.overrides = SessionOverrides {
            maximum_qos: Some(QoS::AtLeastOnce),
            retain_available: Some(false),
            ..SessionOverrides::default()
        };
        request
    };
    let too_high = granted(QoS::ExactlyOnce).check_will(world.broker.limits());
    assert_eq!(too_high, Err(ProtocolError::WillQosNotSupported));
    assert_eq!(granted(QoS::AtLeastOnce).check_will(world.broker.limits()), Ok(()));
    let mut client = world.accept(granted(QoS::AtMostOnce));
    client.subscribe("t", 2);
    assert_eq!(client.output()[1..], ["SUBACK 01"]);
    assert_eq!(client.send(publish_packet("t", "", 2, 1, |_| {})), Err(ProtocolError::QosNotSupported));
    let retained = publish_packet("t", "", 0, 0, |publish| publish.retain = true);
    assert_eq!(client.send(retained), Err(ProtocolError::RetainNotSupported));
}

//! CONNECT, CONNACK and the order of packets.

use std::num::NonZeroU32;

use midge_protocol::{
    Auth, Connack, Decoded, Decoder, Disconnect, Packet, PacketKind, ProtocolVersion, QoS, ReasonCode,
};

use super::client::{World, connect_packet, publish_packet, subscribe_packet};
use crate::{Authenticating, AuthenticationStep, CloseReason, Opening, ProtocolError, Refusal};

/// The CONNACK a client with this CONNECT gets.
fn connack<'a>(
    world: &World,
    id: &'a str,
    change: impl FnOnce(&mut midge_protocol::Connect<'a>),
    check: impl FnOnce(&Connack<'_>),
) {
    let mut client = world.connect(id, change);
    let bytes = client.bytes();
    let Decoded::Packet { packet: Packet::Connack(connack), .. } =
        Decoder::client(ProtocolVersion::V5, u32::MAX).decode(&bytes).unwrap()
    else {
        panic!("no CONNACK");
    };
    check(&connack);
}

#[test]
fn the_first_packet_must_be_connect() {
    let world = World::new();
    assert_eq!(
        Opening::receive(Packet::Pingreq, &world.broker).unwrap_err(),
        ProtocolError::FirstPacketNotConnect(PacketKind::Pingreq)
    );
}

#[test]
fn a_second_connect_is_a_protocol_error() {
    let world = World::new();
    let mut client = world.client("a");
    let again = Packet::Connect(Box::new(connect_packet("a", |_| {})));
    assert_eq!(client.send(again), Err(ProtocolError::SecondConnect));
}

#[test]
fn packets_only_a_server_sends_are_a_protocol_error() {
    let world = World::new();
    let mut client = world.client("a");
    assert_eq!(client.send(Packet::Pingresp), Err(ProtocolError::NotFromClient(PacketKind::Pingresp)));
}

#[test]
fn an_empty_client_id_is_assigned_and_told() {
    let world = World::new();
    connack(
        &world,
        "",
        |_| {},
        |connack| {
            assert!(connack.properties.assigned_client_id.unwrap().starts_with("midge-"));
        },
    );
    connack(&world, "named", |_| {}, |connack| assert_eq!(connack.properties.assigned_client_id, None));
    assert_ne!(world.broker.assign_client_id(), world.broker.assign_client_id());
}

#[test]
fn an_empty_client_id_needs_a_clean_session_below_version_5() {
    let world = World::new();
    let attempt = |version, clean| {
        let result = world.try_connect("", |connect| {
            connect.version = version;
            connect.clean_start = clean;
        });
        result.err()
    };
    assert_eq!(attempt(ProtocolVersion::V311, false), Some(ProtocolError::ClientIdMissing));
    assert_eq!(attempt(ProtocolVersion::V31, true), Some(ProtocolError::ClientIdMissing));
    assert_eq!(attempt(ProtocolVersion::V311, true), None);
}

#[test]
fn a_client_id_beyond_the_limit_is_refused() {
    let world = World::with(|limits| limits.client_id_bytes_max = 4);
    assert_eq!(world.try_connect("12345", |_| {}).err(), Some(ProtocolError::ClientIdTooLong(4)));
}

#[test]
fn the_connack_says_what_differs_from_the_request_and_what_the_limits_are() {
    let world = World::with(|limits| {
        limits.session_expiry_max = 50;
        limits.keep_alive_max = 30;
        limits.receive_maximum = 10;
        limits.topic_alias_maximum = 3;
        limits.packet_bytes_max = 5000;
        limits.maximum_qos = QoS::AtLeastOnce;
        limits.retain_available = false;
    });
    connack(
        &world,
        "a",
        |connect| connect.properties.session_expiry = Some(60),
        |connack| {
            let properties = &connack.properties;
            assert_eq!(properties.session_expiry, Some(50));
            assert_eq!(properties.server_keep_alive, Some(30));
            assert_eq!(properties.receive_maximum.unwrap().get(), 10);
            assert_eq!(properties.topic_alias_maximum, Some(3));
            assert_eq!(properties.maximum_packet_size.unwrap().get(), 5000);
            assert_eq!(properties.maximum_qos, Some(QoS::AtLeastOnce));
            assert_eq!(properties.retain_available, Some(false));
        },
    );
    connack(
        &world,
        "b",
        |connect| (connect.keep_alive, connect.properties.session_expiry) = (20, Some(40)),
        |connack| {
            assert_eq!(connack.properties.session_expiry, None);
            assert_eq!(connack.properties.server_keep_alive, None);
        },
    );
}

#[test]
fn the_server_keep_alive_holds_only_for_clients_that_can_be_told() {
    let world = World::with(|limits| limits.keep_alive_max = 30);
    assert_eq!(world.connect("a", |connect| connect.keep_alive = 0).connection.keep_alive(), 30);
    assert_eq!(world.v3("b", true).connection.keep_alive(), 60);
}

#[test]
fn connack_user_properties_are_left_out_where_the_packet_would_be_too_large() {
    let world = World::new();
    for (maximum, expected) in [(10_000, 1), (100, 0)] {
        let connect = connect_packet("a", |connect| connect.properties.maximum_packet_size = NonZeroU32::new(maximum));
        let mut request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
        request.connack_user_properties = vec![("name".to_owned(), "x".repeat(200))];
        let chunk = world.accept(request).bytes();
        let Decoded::Packet { packet: Packet::Connack(connack), .. } =
            Decoder::client(ProtocolVersion::V5, u32::MAX).decode(&chunk).unwrap()
        else {
            panic!("no CONNACK");
        };
        assert_eq!(connack.properties.reason.user_properties.iter().count(), expected);
    }
}

#[test]
fn a_client_that_takes_no_packet_as_large_as_its_connack_is_refused() {
    let world = World::new();
    let refused = |maximum| {
        let limited = |connect: &mut midge_protocol::Connect<'_>| {
            connect.properties.maximum_packet_size = NonZeroU32::new(maximum);
        };
        world.try_connect("a", limited).unwrap().err()
    };
    let least = world.client("a").bytes().len() as u32;
    assert_eq!(refused(least), None);
    let connections = world.broker.statistics().connections;
    assert_eq!(refused(least - 1), Some(Refusal::ConnackTooLarge));
    assert_eq!(Refusal::ConnackTooLarge.reason_code(), ReasonCode::PacketTooLarge);
    assert_eq!(world.broker.statistics().connections, connections);
}

#[test]
fn limits_on_connections_and_sessions_refuse_with_quota_exceeded() {
    let world = World::with(|limits| limits.connections_max = 1);
    let _first = world.client("a");
    let refusal = world.try_connect("b", |_| {}).unwrap().err().unwrap();
    assert_eq!((refusal, refusal.reason_code()), (Refusal::TooManyConnections, ReasonCode::QuotaExceeded));

    let world = World::with(|limits| limits.sessions_max = 1);
    let first = world.durable("a");
    assert_eq!(world.try_connect("b", |_| {}).unwrap().err(), Some(Refusal::TooManySessions));
    first.lose();
    assert!(world.try_connect("a", |connect| connect.clean_start = false).unwrap().is_ok());
}

fn auth(reason: ReasonCode, method: &str) -> Packet<'_> {
    let properties = Default::default();
    Packet::Auth(Auth { reason, authentication_method: Some(method), authentication_data: None, properties })
}

#[test]
fn auth_needs_the_method_of_the_connect() {
    let world = World::new();
    let again = |method| auth(ReasonCode::ReAuthenticate, method);
    assert_eq!(world.client("a").send(again("SCRAM")), Err(ProtocolError::AuthenticationNotStarted));
    let mut client = world.connect("b", |connect| connect.properties.authentication_method = Some("SCRAM"));
    assert_eq!(client.send(again("PLAIN")), Err(ProtocolError::AuthenticationMethodChanged));
    assert_eq!(client.send(again("SCRAM")), Ok(()));
}

#[test]
fn before_connack_only_auth_0x18_or_disconnect_may_come() {
    let world = World::new();
    let connect = connect_packet("c", |connect| connect.properties.authentication_method = Some("SCRAM"));
    let request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
    let receive = |packet| Authenticating::receive(&request, packet);
    let reply = auth(ReasonCode::ContinueAuthentication, "SCRAM");
    assert!(matches!(receive(reply), Ok(AuthenticationStep::Continue(_))));
    let goodbye = Packet::Disconnect(Disconnect::new(ReasonCode::Success));
    assert!(matches!(receive(goodbye), Ok(AuthenticationStep::Disconnect(_))));
    for (packet, error) in [
        (Packet::Pingreq, ProtocolError::AuthenticationInterrupted(PacketKind::Pingreq)),
        (auth(ReasonCode::ContinueAuthentication, "PLAIN"), ProtocolError::AuthenticationMethodChanged),
        (auth(ReasonCode::ReAuthenticate, "SCRAM"), ProtocolError::AuthenticationOutOfTurn(ReasonCode::ReAuthenticate)),
        (auth(ReasonCode::Success, "SCRAM"), ProtocolError::AuthenticationOutOfTurn(ReasonCode::Success)),
    ] {
        assert_eq!(receive(packet).unwrap_err(), error);
    }
}

#[test]
fn a_second_exchange_cannot_begin_before_the_first_has_ended() {
    let world = World::new();
    let mut client = world.connect("a", |connect| connect.properties.authentication_method = Some("SCRAM"));
    let (again, reply) = (ReasonCode::ReAuthenticate, ReasonCode::ContinueAuthentication);
    let out_of_turn = |reason| Err(ProtocolError::AuthenticationOutOfTurn(reason));
    assert_eq!(client.send(auth(reply, "SCRAM")), out_of_turn(reply), "nothing was asked");
    assert_eq!(client.send(auth(again, "SCRAM")), Ok(()));
    for reason in [again, reply, ReasonCode::Success] {
        assert_eq!(client.send(auth(reason, "SCRAM")), out_of_turn(reason), "it is the broker's turn");
    }
}

#[test]
fn disconnect_may_not_raise_a_session_expiry_of_zero() {
    let world = World::new();
    let mut goodbye = Disconnect::new(ReasonCode::Success);
    goodbye.session_expiry = Some(10);
    assert_eq!(world.client("a").send(Packet::Disconnect(goodbye)), Err(ProtocolError::SessionExpiryRaised));
    assert_eq!(world.durable("b").send(Packet::Disconnect(goodbye)), Ok(()));
}

#[test]
fn no_local_on_a_shared_subscription_is_a_protocol_error() {
    let world = World::new();
    let packet = subscribe_packet("$share/g/t", 0, None, |options| options.no_local = true);
    assert_eq!(world.client("a").send(packet), Err(ProtocolError::SharedNoLocal));
}

#[test]
fn publish_above_the_announced_abilities_is_refused() {
    let world = World::with(|limits| {
        limits.maximum_qos = QoS::AtLeastOnce;
        limits.retain_available = false;
    });
    let mut client = world.client("a");
    assert_eq!(client.send(publish_packet("t", "", 2, 1, |_| {})), Err(ProtocolError::QosNotSupported));
    assert_eq!(
        client.send(publish_packet("t", "", 0, 0, |publish| publish.retain = true)),
        Err(ProtocolError::RetainNotSupported)
    );
    assert_eq!(ProtocolError::QosNotSupported.reason_code(), ReasonCode::QosNotSupported);
}

#[test]
fn a_connection_can_be_closed_from_inside() {
    let world = World::new();
    let mut client = world.client("a");
    assert!(world.broker.disconnect("a", ReasonCode::AdministrativeAction));
    assert!(!world.broker.disconnect("nobody", ReasonCode::AdministrativeAction));
    assert_eq!(client.close_reason(), Some(CloseReason::Administrative(ReasonCode::AdministrativeAction)));
    world.broker.disconnect_all(ReasonCode::ServerShuttingDown);
    assert_eq!(world.try_connect("b", |_| {}).unwrap().err(), Some(Refusal::ShuttingDown));
}

#[test]
fn pingreq_is_answered() {
    let world = World::new();
    let mut client = world.client("a");
    client.send(Packet::Pingreq).unwrap();
    assert_eq!(client.output(), ["CONNACK 00", "PINGRESP"]);
}

#[test]
fn passwords_do_not_show_in_debug_output() {
    let world = World::new();
    let connect = connect_packet("a", |connect| connect.password = Some(b"hunter2"));
    let request = Opening::receive(Packet::Connect(Box::new(connect)), &world.broker).unwrap();
    assert!(!format!("{request:?}").contains("hunter2") && !format!("{request:?}").contains("104"));
}

//! Packets a client may send, and some it may not, as the tape chooses them.

use std::num::{NonZeroU16, NonZeroU32};

use midge_protocol::{
    Ack, Auth, Connect, ConnectProperties, Disconnect, MessageProperties, Packet, PacketId, ProtocolVersion, Publish,
    QoS, ReasonCode, ReasonProperties, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions, SubscriptionId,
    Unsubscribe, Will,
};

use super::NAMES;
use super::tape::Tape;

const VERSIONS: [ProtocolVersion; 4] =
    [ProtocolVersion::V5, ProtocolVersion::V311, ProtocolVersion::V31, ProtocolVersion::V5];
const QOS: [QoS; 3] = [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce];
const TOPICS: [&str; 8] = ["a", "a/b", "a/b/c", "b", "$own/a", "/", "a//b", ""];
const FILTERS: [&str; 14] = [
    "#",
    "a",
    "a/b",
    "+/b",
    "a/#",
    "+",
    "$share/g/a/#",
    "$share/h/#",
    "$share/g/a",
    "$own/#",
    "b",
    "$share/g/",
    "a#",
    "",
];
const EXPIRIES: [Option<u32>; 6] = [None, Some(0), Some(1), Some(7), Some(1000), Some(u32::MAX)];
const REASONS: [ReasonCode; 5] = [
    ReasonCode::Success,
    ReasonCode::NoMatchingSubscribers,
    ReasonCode::UnspecifiedError,
    ReasonCode::QuotaExceeded,
    ReasonCode::PacketIdentifierNotFound,
];
/// Message numbers so small that they meet those the broker uses.
const IDS: u16 = 12;

/// A CONNECT, encoded.
pub(crate) fn connect(tape: &mut Tape<'_>) -> Vec<u8> {
    let version = tape.pick(&VERSIONS);
    let v5 = version == ProtocolVersion::V5;
    let will = tape.yes().then(|| {
        let qos = tape.pick(&QOS);
        let retain = tape.yes();
        let topic = tape.pick(&TOPICS);
        let delay = tape.pick(&EXPIRIES).filter(|_| v5);
        Will { qos, retain, topic, payload: b"will", delay, properties: message_properties(tape, v5) }
    });
    let properties = ConnectProperties {
        session_expiry: tape.pick(&EXPIRIES),
        receive_maximum: NonZeroU16::new(tape.pick(&[0, 1, 2, 20])),
        maximum_packet_size: NonZeroU32::new(tape.pick(&[0, 0, 40, 20, 300])),
        topic_alias_maximum: tape.pick(&[None, Some(0), Some(1), Some(3)]),
        request_problem_information: tape.pick(&[None, Some(false), Some(true)]),
        ..ConnectProperties::default()
    };
    encode(
        version,
        &Packet::Connect(Box::new(Connect {
            version,
            bridge: tape.byte() == 0xFF,
            clean_start: tape.yes(),
            keep_alive: tape.pick(&[0, 1, 60]),
            properties: if v5 { properties } else { ConnectProperties::default() },
            client_id: tape.pick(&NAMES),
            will,
            username: None,
            password: None,
        })),
    )
}

/// Any packet but CONNECT, encoded. `open` are identifiers that wait for an acknowledgement of the client.
pub(crate) fn packet(tape: &mut Tape<'_>, version: ProtocolVersion, open: &[u16]) -> Vec<u8> {
    let v5 = version == ProtocolVersion::V5;
    let choice = tape.byte();
    match choice % 16 {
        0..=5 => publish(tape, version),
        6 | 7 => subscribe(tape, version),
        8 => {
            let filters = vec![tape.pick(&FILTERS)];
            let packet_id = some_id(tape);
            encode(
                version,
                &Packet::Unsubscribe(Unsubscribe { packet_id, user_properties: Default::default(), filters }),
            )
        }
        9..=12 => {
            let kinds = [Packet::Puback, Packet::Pubrec, Packet::Pubcomp, Packet::Pubrel];
            let packet_id = if open.is_empty() || choice > 200 { some_id(tape) } else { id(tape.pick(open)) };
            let reason = if v5 { tape.pick(&REASONS) } else { ReasonCode::Success };
            let ack = Ack { packet_id, reason, properties: ReasonProperties::default() };
            encode(version, &kinds[usize::from(choice % 16 - 9)](ack))
        }
        13 => encode(version, &Packet::Pingreq),
        14 => {
            let reason = if v5 && tape.yes() { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
            let session_expiry = tape.pick(&EXPIRIES).filter(|_| v5);
            encode(version, &Packet::Disconnect(Disconnect { session_expiry, ..Disconnect::new(reason) }))
        }
        _ => encode(
            ProtocolVersion::V5,
            &Packet::Auth(Auth {
                reason: ReasonCode::ContinueAuthentication,
                authentication_method: Some("method"),
                authentication_data: None,
                properties: ReasonProperties::default(),
            }),
        ),
    }
}

fn publish(tape: &mut Tape<'_>, version: ProtocolVersion) -> Vec<u8> {
    let v5 = version == ProtocolVersion::V5;
    let flags = tape.byte();
    let qos = QOS[usize::from(flags % 3)];
    let topic_alias = if v5 { tape.pick(&[None, None, Some(1), Some(2), Some(9)]) } else { None };
    let packet = Publish {
        dup: qos > QoS::AtMostOnce && flags & 0x10 != 0,
        qos,
        retain: flags & 0x20 != 0,
        topic: tape.pick(&TOPICS),
        packet_id: (qos > QoS::AtMostOnce).then(|| some_id(tape)),
        topic_alias,
        subscription_ids: Vec::new(),
        properties: if flags & 0x40 == 0 { MessageProperties::default() } else { message_properties(tape, v5) },
        payload: if flags & 0x80 == 0 { b"payload" } else { tape.bytes(usize::from(flags) % 64) },
    };
    encode(version, &Packet::Publish(packet))
}

fn subscribe(tape: &mut Tape<'_>, version: ProtocolVersion) -> Vec<u8> {
    let v5 = version == ProtocolVersion::V5;
    let count = 1 + tape.byte() % 3;
    let mut filter = || {
        let mut options = SubscribeOptions::new(tape.pick(&QOS));
        let flags = if v5 { tape.byte() } else { 0 };
        options.no_local = flags & 1 != 0;
        options.retain_as_published = flags & 2 != 0;
        options.retain_handling =
            [RetainHandling::OnSubscribe, RetainHandling::IfNew, RetainHandling::Never][usize::from(flags / 4 % 3)];
        SubscribeFilter { filter: tape.pick(&FILTERS), options }
    };
    let filters = (0..count).map(|_| filter()).collect();
    let subscription_id = SubscriptionId::new(u32::from(tape.byte() % 5)).filter(|_| v5);
    let user_properties = Default::default();
    encode(
        version,
        &Packet::Subscribe(Subscribe { packet_id: some_id(tape), subscription_id, user_properties, filters }),
    )
}

fn message_properties<'a>(tape: &mut Tape<'a>, v5: bool) -> MessageProperties<'a> {
    if !v5 {
        return MessageProperties::default();
    }
    MessageProperties {
        payload_is_utf8: tape.pick(&[None, Some(true), Some(false)]),
        message_expiry: tape.pick(&EXPIRIES),
        content_type: tape.yes().then_some("text"),
        response_topic: tape.yes().then_some("a/b"),
        correlation_data: tape.yes().then_some(b"same"),
        ..MessageProperties::default()
    }
}

fn some_id(tape: &mut Tape<'_>) -> PacketId {
    id(u16::from(tape.byte()) % IDS + 1)
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("identifiers here are never 0")
}

fn encode(version: ProtocolVersion, packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes).expect("nothing here is too large");
    bytes
}

//! Packets as tests write them, and as tests read them.

use midge_protocol::{
    Ack, Connect, ConnectProperties, Disconnect, MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, ReasonProperties, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions,
};

pub(in crate::tests) fn connect_packet<'a>(id: &'a str, change: impl FnOnce(&mut Connect<'a>)) -> Connect<'a> {
    let mut connect = Connect {
        version: ProtocolVersion::V5,
        bridge: false,
        clean_start: true,
        keep_alive: 60,
        properties: ConnectProperties::default(),
        client_id: id,
        will: None,
        username: None,
        password: None,
    };
    change(&mut connect);
    connect
}

pub(in crate::tests) fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

pub(in crate::tests) fn ack(id: u16) -> Ack<'static> {
    Ack { packet_id: packet_id(id), reason: ReasonCode::Success, properties: ReasonProperties::default() }
}

pub(in crate::tests) fn publish_packet<'a>(
    topic: &'a str,
    payload: &'a str,
    qos: u8,
    id: u16,
    change: impl FnOnce(&mut Publish<'a>),
) -> Packet<'a> {
    let mut publish = Publish {
        dup: false,
        qos: QoS::from_bits(qos).unwrap(),
        retain: false,
        topic,
        packet_id: PacketId::new(id),
        topic_alias: None,
        subscription_ids: Vec::new(),
        properties: MessageProperties::default(),
        payload: payload.as_bytes(),
    };
    change(&mut publish);
    Packet::Publish(publish)
}

pub(in crate::tests) fn subscribe_packet(
    filter: &str,
    qos: u8,
    id: Option<u32>,
    change: impl FnOnce(&mut SubscribeOptions),
) -> Packet<'_> {
    let mut options = SubscribeOptions {
        qos: QoS::from_bits(qos).unwrap(),
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::OnSubscribe,
    };
    change(&mut options);
    Packet::Subscribe(Subscribe {
        packet_id: packet_id(9),
        subscription_id: id.map(|id| midge_protocol::SubscriptionId::new(id).unwrap()),
        user_properties: Default::default(),
        filters: vec![SubscribeFilter { filter, options }],
    })
}

pub(super) fn render(packet: &Packet<'_>) -> String {
    let acknowledgement = |name: &str, ack: &Ack<'_>| {
        let text = ack.properties.reason_string.map(|text| format!(" `{text}`")).unwrap_or_default();
        format!("{name} {} {:02x}{text}", ack.packet_id.get(), ack.reason.value())
    };
    let codes =
        |reasons: &[ReasonCode]| reasons.iter().map(|reason| format!(" {:02x}", reason.value())).collect::<String>();
    match packet {
        Packet::Connack(connack) => {
            format!("CONNACK {:02x}{}", connack.reason.value(), if connack.session_present { " present" } else { "" })
        }
        Packet::Publish(publish) => render_publish(publish),
        Packet::Puback(ack) => acknowledgement("PUBACK", ack),
        Packet::Pubrec(ack) => acknowledgement("PUBREC", ack),
        Packet::Pubrel(ack) => acknowledgement("PUBREL", ack),
        Packet::Pubcomp(ack) => acknowledgement("PUBCOMP", ack),
        Packet::Suback(suback) => format!("SUBACK{}", codes(&suback.reasons)),
        Packet::Unsuback(unsuback) => format!("UNSUBACK{}", codes(&unsuback.reasons)),
        Packet::Disconnect(Disconnect { reason, .. }) => format!("DISCONNECT {:02x}", reason.value()),
        other => format!("{:?}", other.kind()).to_uppercase(),
    }
}

/// `topic payload`, then what is not as usual.
fn render_publish(publish: &Publish<'_>) -> String {
    let mut line = format!("{} {}", publish.topic, String::from_utf8_lossy(publish.payload));
    if let Some(id) = publish.packet_id {
        line += &format!(" q{} #{}", publish.qos as u8, id.get());
    }
    if publish.dup {
        line += " dup";
    }
    if publish.retain {
        line += " retain";
    }
    for id in &publish.subscription_ids {
        line += &format!(" sub{}", id.get());
    }
    if let Some(alias) = publish.topic_alias {
        line += &format!(" alias{alias}");
    }
    if let Some(expiry) = publish.properties.message_expiry {
        line += &format!(" expires{expiry}");
    }
    for (name, value) in publish.properties.user_properties.iter() {
        line += &format!(" {name}={value}");
    }
    line
}

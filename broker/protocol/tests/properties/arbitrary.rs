//! Packets as a whole, made of owned parts: decoded packets borrow, so a strategy makes the parts and lends them.

use midge_protocol::{
    Ack, Auth, Connack, ConnackProperties, Connect, ConnectProperties, Disconnect, MessageProperties, Packet, PacketId,
    ProtocolVersion, Publish, QoS, ReasonCode, ReasonProperties, RetainHandling, Suback, Subscribe, SubscribeFilter,
    SubscribeOptions, SubscriptionId, Unsuback, Unsubscribe, UserPropertiesBuf, Will,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// All that a packet can be made of. Each packet takes what it needs, as if it were drawn for it alone.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) version: ProtocolVersion,
    kind: u8,
    packet_id: u16,
    bits: u32,
    texts: Vec<Option<String>>,
    binaries: Vec<Option<Vec<u8>>>,
    numbers: Vec<Option<u32>>,
    topic: String,
    filters: Vec<(String, u8)>,
    codes: Vec<u8>,
    user_properties: UserPropertiesBuf,
    will_user_properties: UserPropertiesBuf,
    payload: Vec<u8>,
}

pub(crate) fn parts() -> impl Strategy<Value = Parts> {
    let version = prop_oneof![Just(ProtocolVersion::V31), Just(ProtocolVersion::V311), Just(ProtocolVersion::V5)];
    let head = (version, 1..=15_u8, 1..=u16::MAX, any::<u32>());
    let values =
        (vec(of(text()), 8), vec(of(vec(any::<u8>(), 0..20)), 4), vec(of(number()), 8), vec(any::<u8>(), 1..6));
    let topics = (topic(), vec((filter(), any::<u8>()), 1..5));
    let payload = prop_oneof![9 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 100..300)];
    (head, values, topics, user_properties(), user_properties(), payload).prop_map(
        |(head, values, topics, user_properties, will_user_properties, payload)| {
            let (version, kind, packet_id, bits) = head;
            let (texts, binaries, numbers, codes) = values;
            let (topic, filters) = topics;
            Parts {
                version,
                kind,
                packet_id,
                bits,
                texts,
                binaries,
                numbers,
                topic,
                filters,
                codes,
                user_properties,
                will_user_properties,
                payload,
            }
        },
    )
}

/// Boundaries more often than chance has it.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(127), Just(128), Just(65_535), Just(268_435_455), Just(u32::MAX), any::<u32>()]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[^\0]{0,12}", 1 => "[a-z]{126,130}"]
}

fn topic() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[^\0+#]{1,12}", 1 => "[a-z/]{120,140}", 1 => Just("$SYS/broker".to_owned())]
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![Just("+".to_owned()), "[a-zä$ ]{0,4}"];
    let end = prop_oneof![Just("/#"), Just("/+"), Just("/x"), Just("/")];
    let share = prop_oneof![3 => Just(""), 1 => Just("$share/g/")];
    (share, vec(level, 1..4), end).prop_map(|(share, levels, end)| format!("{share}{}{end}", levels.join("/")))
}

fn user_properties() -> impl Strategy<Value = UserPropertiesBuf> {
    vec((text(), text()), 0..3).prop_map(|pairs| pairs.into_iter().collect())
}

impl Parts {
    /// A packet that is the same after encoding and decoding in this version.
    pub(crate) fn packet(&self) -> Packet<'_> {
        match self.kind {
            1 => Packet::Connect(Box::new(self.connect())),
            2 => Packet::Connack(Box::new(self.connack())),
            3 => Packet::Publish(self.publish()),
            4 => Packet::Puback(self.ack(&[0x00, 0x10, 0x80, 0x97])),
            5 => Packet::Pubrec(self.ack(&[0x00, 0x10, 0x87, 0x99])),
            6 => Packet::Pubrel(self.ack(&[0x00, 0x92])),
            7 => Packet::Pubcomp(self.ack(&[0x00, 0x92])),
            8 => Packet::Subscribe(self.subscribe()),
            9 => Packet::Suback(self.suback()),
            10 => Packet::Unsubscribe(self.unsubscribe()),
            11 => Packet::Unsuback(self.unsuback()),
            12 => Packet::Pingreq,
            13 => Packet::Pingresp,
            15 if self.is_v5() => Packet::Auth(self.auth()),
            _ => Packet::Disconnect(self.disconnect()),
        }
    }

    /// Whether a client sends this packet; otherwise the Server does.
    pub(crate) fn is_from_client(&self) -> bool {
        match self.packet() {
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::Pingreq => true,
            Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => false,
            Packet::Publish(publish) => publish.subscription_ids.is_empty(),
            Packet::Disconnect(disconnect) => disconnect.server_reference.is_none(),
            Packet::Auth(auth) => auth.reason != ReasonCode::Success,
            _ => true,
        }
    }

    fn is_v5(&self) -> bool {
        self.version.is_v5()
    }

    fn bit(&self, position: u32) -> bool {
        self.bits & (1 << position) != 0
    }

    fn optional_bit(&self, position: u32) -> Option<bool> {
        self.bit(position).then(|| self.bit(position + 1))
    }

    fn qos(&self) -> QoS {
        QoS::from_bits(u8::try_from(self.bits % 3).unwrap()).unwrap()
    }

    fn id(&self) -> PacketId {
        PacketId::new(self.packet_id).unwrap()
    }

    fn text(&self, place: usize) -> Option<&str> {
        self.texts[place].as_deref()
    }

    fn binary(&self, place: usize) -> Option<&[u8]> {
        self.binaries[place].as_deref()
    }

    fn number(&self, place: usize) -> Option<u32> {
        self.numbers[place]
    }

    fn short(&self, place: usize) -> Option<u16> {
        self.numbers[place].map(|number| u16::try_from(number % 65_536).unwrap())
    }

    fn subscription_id(&self, place: usize) -> Option<SubscriptionId> {
        self.number(place).and_then(SubscriptionId::new)
    }

    fn reason(&self, codes: &[u8]) -> ReasonCode {
        ReasonCode::from_u8(codes[usize::from(self.codes[0]) % codes.len()]).unwrap()
    }

    fn reasons(&self, codes: &[u8]) -> Vec<ReasonCode> {
        let code = |code: &u8| ReasonCode::from_u8(codes[usize::from(*code) % codes.len()]).unwrap();
        self.codes.iter().map(code).collect()
    }

    fn reason_properties(&self) -> ReasonProperties<'_> {
        if !self.is_v5() {
            return ReasonProperties::default();
        }
        ReasonProperties { reason_string: self.text(0), user_properties: self.user_properties.as_ref() }
    }

    fn message_properties<'a>(&'a self, user_properties: &'a UserPropertiesBuf) -> MessageProperties<'a> {
        if !self.is_v5() {
            return MessageProperties::default();
        }
        MessageProperties {
            payload_is_utf8: self.optional_bit(20),
            message_expiry: self.number(0),
            content_type: self.text(1),
            response_topic: self.bit(22).then_some(&self.topic),
            correlation_data: self.binary(0),
            user_properties: user_properties.as_ref(),
        }
    }

    fn connect(&self) -> Connect<'_> {
        let username = self.text(2);
        let will = Will {
            qos: self.qos(),
            retain: self.bit(3),
            topic: &self.topic,
            payload: &self.payload,
            delay: self.number(1).filter(|_| self.is_v5()),
            properties: self.message_properties(&self.will_user_properties),
        };
        let method = self.text(4);
        let properties = ConnectProperties {
            session_expiry: self.number(2),
            receive_maximum: self.short(3).and_then(|value| value.try_into().ok()),
            maximum_packet_size: self.number(4).and_then(|value| value.try_into().ok()),
            topic_alias_maximum: self.short(5),
            request_response_information: self.optional_bit(10),
            request_problem_information: self.optional_bit(12),
            user_properties: self.user_properties.as_ref(),
            authentication_method: method,
            authentication_data: method.and_then(|_| self.binary(1)),
        };
        Connect {
            version: self.version,
            bridge: self.bit(4),
            clean_start: self.bit(5),
            keep_alive: self.packet_id,
            properties: if self.is_v5() { properties } else { ConnectProperties::default() },
            client_id: self.text(3).unwrap_or_default(),
            will: self.bit(6).then_some(will),
            username,
            password: self.binary(2).filter(|_| self.is_v5() || username.is_some()),
        }
    }

    fn connack(&self) -> Connack<'_> {
        let reason = match self.is_v5() {
            true => self.reason(&[0x00, 0x82, 0x87, 0x9F]),
            // Those that return codes stand for.
            false => self.reason(&[0x00, 0x84, 0x85, 0x88, 0x86, 0x87]),
        };
        let session_present = reason == ReasonCode::Success && self.version > ProtocolVersion::V31 && self.bit(1);
        let properties = ConnackProperties {
            session_expiry: self.number(0),
            receive_maximum: self.short(1).and_then(|value| value.try_into().ok()),
            maximum_qos: self.bit(2).then_some(if self.bit(3) { QoS::AtMostOnce } else { QoS::AtLeastOnce }),
            retain_available: self.optional_bit(4),
            maximum_packet_size: self.number(2).and_then(|value| value.try_into().ok()),
            assigned_client_id: self.text(1),
            topic_alias_maximum: self.short(3),
            reason: self.reason_properties(),
            wildcard_subscription_available: self.optional_bit(6),
            subscription_ids_available: self.optional_bit(8),
            shared_subscription_available: self.optional_bit(10),
            server_keep_alive: self.short(4),
            response_information: self.text(2),
            server_reference: self.text(3),
            authentication_method: self.text(4),
            authentication_data: self.binary(0),
        };
        let properties = if self.is_v5() { properties } else { ConnackProperties::default() };
        Connack { session_present, reason, properties }
    }

    fn publish(&self) -> Publish<'_> {
        let qos = self.qos();
        let topic_alias = self.short(3).filter(|alias| self.is_v5() && *alias > 0);
        Publish {
            dup: qos > QoS::AtMostOnce && self.bit(7),
            qos,
            retain: self.bit(8),
            topic: if topic_alias.is_some() && self.bit(9) { "" } else { &self.topic },
            packet_id: (qos > QoS::AtMostOnce).then(|| self.id()),
            topic_alias,
            subscription_ids: (4..8).filter(|_| self.is_v5()).filter_map(|place| self.subscription_id(place)).collect(),
            properties: self.message_properties(&self.user_properties),
            payload: &self.payload,
        }
    }

    fn ack(&self, codes: &[u8]) -> Ack<'_> {
        if !self.is_v5() {
            return Ack::new(self.id());
        }
        Ack { packet_id: self.id(), reason: self.reason(codes), properties: self.reason_properties() }
    }

    fn subscribe(&self) -> Subscribe<'_> {
        let options = |filter: &str, bits: u8| {
            let options = SubscribeOptions::new(QoS::from_bits(bits % 3).unwrap());
            if !self.is_v5() {
                return options;
            }
            SubscribeOptions {
                no_local: bits & 0b100 != 0 && !filter.starts_with("$share/"),
                retain_as_published: bits & 0b1000 != 0,
                retain_handling: [RetainHandling::OnSubscribe, RetainHandling::IfNew, RetainHandling::Never]
                    [usize::from(bits / 16 % 3)],
                ..options
            }
        };
        let filters = self.filters.iter();
        Subscribe {
            packet_id: self.id(),
            subscription_id: self.subscription_id(0).filter(|_| self.is_v5()),
            user_properties: self.reason_properties().user_properties,
            filters: filters
                .map(|(filter, bits)| SubscribeFilter { filter, options: options(filter, *bits) })
                .collect(),
        }
    }

    fn suback(&self) -> Suback<'_> {
        let reasons = match self.is_v5() {
            true => self.reasons(&[0x00, 0x01, 0x02, 0x80, 0x87, 0xA2]),
            false => self.reasons(&[0x00, 0x01, 0x02, 0x80]),
        };
        Suback { packet_id: self.id(), properties: self.reason_properties(), reasons }
    }

    fn unsubscribe(&self) -> Unsubscribe<'_> {
        Unsubscribe {
            packet_id: self.id(),
            user_properties: self.reason_properties().user_properties,
            filters: self.filters.iter().map(|(filter, _)| filter.as_str()).collect(),
        }
    }

    fn unsuback(&self) -> Unsuback<'_> {
        let reasons = if self.is_v5() { self.reasons(&[0x00, 0x11, 0x87]) } else { Vec::new() };
        Unsuback { packet_id: self.id(), properties: self.reason_properties(), reasons }
    }

    fn disconnect(&self) -> Disconnect<'_> {
        if !self.is_v5() {
            return Disconnect::new(ReasonCode::Success);
        }
        let server_reference = self.text(1);
        Disconnect {
            reason: self.reason(if server_reference.is_none() { &[0x00, 0x04, 0x81, 0x93] } else { &[0x9C, 0x9D] }),
            session_expiry: self.number(0).filter(|_| server_reference.is_none()),
            server_reference,
            properties: self.reason_properties(),
        }
    }

    fn auth(&self) -> Auth<'_> {
        let method = self.text(1);
        let bare = Auth {
            reason: ReasonCode::Success,
            authentication_method: None,
            authentication_data: None,
            properties: ReasonProperties::default(),
        };
        if method.is_none() {
            return bare;
        }
        Auth {
            reason: self.reason(&[0x00, 0x18, 0x19]),
            authentication_method: method,
            authentication_data: self.binary(0),
            properties: self.reason_properties(),
        }
    }
}

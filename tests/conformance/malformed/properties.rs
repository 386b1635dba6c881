//! Properties (2.2.2): all of them in all packets, twice, cut off, and with values they may not have.

use midge_protocol::ProtocolVersion;
use midge_protocol::ReasonCode::{self, BadAuthenticationMethod, MalformedPacket, ProtocolError, TopicAliasInvalid};

use super::{Case, End, State, check, packet, with_length};

use End::{Accepted, Close, Connack, Disconnect, Lives};
use Place::{
    Auth, Connack as InConnack, Connect, Disconnect as InDisconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback,
    Subscribe, Unsuback, Unsubscribe, Will,
};

/// Where properties stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Connect,
    Will,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Disconnect,
    Auth,
}

const PLACES: [Place; 14] = [
    Connect,
    Will,
    InConnack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    InDisconnect,
    Auth,
];

/// A property with an ordinary value, and the packets that may have it.
type Property = (&'static str, &'static [u8], &'static [Place]);

/// Table 2-4.
const PROPERTIES: [Property; 27] = [
    ("Payload Format Indicator", b"\x01\0", &[Publish, Will]),
    ("Message Expiry Interval", b"\x02\0\0\0\x01", &[Publish, Will]),
    ("Content Type", b"\x03\0\x01t", &[Publish, Will]),
    ("Response Topic", b"\x08\0\x01t", &[Publish, Will]),
    ("Correlation Data", b"\x09\0\x01d", &[Publish, Will]),
    ("Subscription Identifier", b"\x0B\x01", &[Publish, Subscribe]),
    ("Session Expiry Interval", b"\x11\0\0\0\0", &[Connect, InConnack, InDisconnect]),
    ("Assigned Client Identifier", b"\x12\0\x01c", &[InConnack]),
    ("Server Keep Alive", b"\x13\0\x01", &[InConnack]),
    ("Authentication Method", METHOD, &[Connect, InConnack, Auth]),
    ("Authentication Data", b"\x16\0\x01d", &[Connect, InConnack, Auth]),
    ("Request Problem Information", b"\x17\x01", &[Connect]),
    ("Will Delay Interval", b"\x18\0\0\0\x01", &[Will]),
    ("Request Response Information", b"\x19\x01", &[Connect]),
    ("Response Information", b"\x1A\0\x01i", &[InConnack]),
    ("Server Reference", b"\x1C\0\x01r", &[InConnack, InDisconnect]),
    (
        "Reason String",
        b"\x1F\0\x01r",
        &[InConnack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, InDisconnect, Auth],
    ),
    ("Receive Maximum", b"\x21\0\x01", &[Connect, InConnack]),
    ("Topic Alias Maximum", b"\x22\0\x01", &[Connect, InConnack]),
    ("Topic Alias", b"\x23\0\x01", &[Publish]),
    ("Maximum QoS", b"\x24\x01", &[InConnack]),
    ("Retain Available", b"\x25\x01", &[InConnack]),
    ("User Property", USER, &PLACES),
    ("Maximum Packet Size", b"\x27\0\0\x04\0", &[Connect, InConnack]),
    ("Wildcard Subscription Available", b"\x28\x01", &[InConnack]),
    ("Subscription Identifier Available", b"\x29\x01", &[InConnack]),
    ("Shared Subscription Available", b"\x2A\x01", &[InConnack]),
];

const METHOD: &[u8] = b"\x15\0\x01m";
const USER: &[u8] = b"\x26\0\x01k\0\x01v";

/// Every property in every packet. One that the packet may not have, and one that does not exist, is malformed.
#[test]
fn mqtt_4_13_1_1_a_property_of_another_packet_ends_the_connection() {
    let mut cases = Vec::new();
    for (name, property, carriers) in PROPERTIES {
        for place in PLACES {
            let end = if carriers.contains(&place) { place.end_with(property) } else { place.refuses(MalformedPacket) };
            cases.push(place.case(&format!("{name} in"), property, end));
        }
    }
    for id in (0..0x80).filter(|id| PROPERTIES.iter().all(|(_, property, _)| property[0] != *id)) {
        for place in PLACES {
            cases.push(place.case("no property", &[id, 0, 0, 0, 0], place.refuses(MalformedPacket)));
        }
    }
    for id in [&b"\x80\x01"[..], b"\xFF\x01", b"\x80\x80\x01", b"\xFF\xFF\xFF\x7F"] {
        for place in PLACES {
            cases.push(place.case("a longer identifier", &[id, b"\0"].concat(), place.refuses(MalformedPacket)));
        }
    }
    check(&cases);
}

/// Only User Properties may come more than once; Subscription Identifiers too, but not from clients.
#[test]
fn mqtt_4_13_1_1_a_property_that_comes_twice_ends_the_connection() {
    let mut cases = Vec::new();
    for (name, property, carriers) in PROPERTIES {
        for &place in carriers {
            let end = if property == USER { place.end_with(property) } else { place.refuses(ProtocolError) };
            cases.push(place.case(&format!("{name} twice in"), &[property, property].concat(), end));
            // Not side by side either.
            let apart = [property, USER, property].concat();
            cases.push(place.case(&format!("{name} twice in"), &apart, end));
        }
    }
    check(&cases);
}

/// The section ends before the last byte of the property, and the packet goes on.
#[test]
fn mqtt_4_13_1_1_a_property_that_is_cut_off_by_its_section_ends_the_connection() {
    let mut cases = Vec::new();
    for (name, property, carriers) in PROPERTIES {
        for &place in carriers {
            for length in 1..property.len() {
                let what = format!("{length} bytes of {name} in");
                cases.push(place.case(&what, &property[..length], place.refuses(MalformedPacket)));
            }
        }
    }
    check(&cases);
}

/// [MQTT-3.3.2-8] [MQTT-3.3.2-14]
#[test]
fn mqtt_4_13_1_1_a_property_with_a_value_it_may_not_have_ends_the_connection() {
    let cases: Vec<Case> = VALUES.iter().map(|&(what, place, property, end)| place.case(what, property, end)).collect();
    check(&cases);
}

const VALUES: &[(&str, Place, &[u8], End)] = &[
    ("Payload Format Indicator 1", Publish, b"\x01\x01", Lives),
    ("Payload Format Indicator 2", Publish, b"\x01\x02", Disconnect(ProtocolError)),
    ("Payload Format Indicator 255", Publish, b"\x01\xFF", Disconnect(ProtocolError)),
    ("Payload Format Indicator 2", Will, b"\x01\x02", Connack(ProtocolError)),
    ("Request Problem Information 0", Connect, b"\x17\0", Accepted),
    ("Request Problem Information 2", Connect, b"\x17\x02", Connack(ProtocolError)),
    ("Request Problem Information 255", Connect, b"\x17\xFF", Connack(ProtocolError)),
    ("Request Response Information 0", Connect, b"\x19\0", Accepted),
    ("Request Response Information 2", Connect, b"\x19\x02", Connack(ProtocolError)),
    ("Receive Maximum 0", Connect, b"\x21\0\0", Connack(ProtocolError)),
    ("Receive Maximum 65,535", Connect, b"\x21\xFF\xFF", Accepted),
    ("Maximum Packet Size 0", Connect, b"\x27\0\0\0\0", Connack(ProtocolError)),
    ("Maximum Packet Size 4,294,967,295", Connect, b"\x27\xFF\xFF\xFF\xFF", Accepted),
    ("Topic Alias Maximum 0", Connect, b"\x22\0\0", Accepted),
    ("Session Expiry Interval 4,294,967,295", Connect, b"\x11\xFF\xFF\xFF\xFF", Accepted),
    ("Will Delay Interval 4,294,967,295", Will, b"\x18\xFF\xFF\xFF\xFF", Accepted),
    ("Message Expiry Interval 0", Publish, b"\x02\0\0\0\0", Lives),
    ("Topic Alias 0", Publish, b"\x23\0\0", Disconnect(TopicAliasInvalid)),
    ("Topic Alias 65 of 64", Publish, b"\x23\0\x41", Disconnect(TopicAliasInvalid)),
    ("Topic Alias 65,535 of 64", Publish, b"\x23\xFF\xFF", Disconnect(TopicAliasInvalid)),
    ("Subscription Identifier 0", Subscribe, b"\x0B\0", Disconnect(ProtocolError)),
    ("Subscription Identifier 0", Publish, b"\x0B\0", Disconnect(ProtocolError)),
    ("Subscription Identifier 268,435,455", Subscribe, b"\x0B\xFF\xFF\xFF\x7F", Lives),
    ("Subscription Identifier of five bytes", Subscribe, b"\x0B\x80\x80\x80\x80\x01", Disconnect(MalformedPacket)),
    ("Subscription Identifier in two bytes", Subscribe, b"\x0B\x81\0", Disconnect(MalformedPacket)),
    ("Response Topic #", Publish, b"\x08\0\x01#", Disconnect(MalformedPacket)),
    ("Response Topic a/+", Publish, b"\x08\0\x03a/+", Disconnect(MalformedPacket)),
    ("Response Topic #", Will, b"\x08\0\x01#", Connack(MalformedPacket)),
    ("empty Response Topic", Publish, b"\x08\0\0", Disconnect(ProtocolError)),
    ("empty Response Topic", Will, b"\x08\0\0", Connack(ProtocolError)),
    ("empty Content Type", Publish, b"\x03\0\0", Lives),
    ("empty Correlation Data", Publish, b"\x09\0\0", Lives),
    ("empty User Property", Publish, b"\x26\0\0\0\0", Lives),
    ("empty Reason String", Puback, b"\x1F\0\0", Lives),
    ("Authentication Data without a method", Connect, b"\x16\0\0", Connack(ProtocolError)),
    ("an unknown Authentication Method", Connect, b"\x15\0\x01x", Connack(BadAuthenticationMethod)),
    ("Session Expiry Interval 1 after 0", InDisconnect, b"\x11\0\0\0\x01", Disconnect(ProtocolError)),
];

/// The length of the section itself, and the form of an identifier.
#[test]
fn mqtt_2_2_2_1_the_property_length_is_there_and_right() {
    let mut cases = Vec::new();
    for place in PLACES.into_iter().filter(|place| !place.is_of_servers()) {
        let sections: [(&str, &[u8]); 7] = [
            ("a property length of two bytes in", b"\x80\0"),
            ("a property length of four bytes in", b"\x80\x80\x80\0"),
            ("a property length of five bytes in", b"\x80\x80\x80\x80\0"),
            ("an endless property length in", b"\xFF\xFF\xFF\xFF\xFF"),
            ("a property length beyond the packet in", b"\xFF\xFF\xFF\x7F"),
            ("a property length that ends in a property in", b"\x02\x26\0\x01k\0\x01v"),
            ("an identifier of two bytes where one does in", b"\x08\xA6\0\0\x01k\0\x01v"),
        ];
        for (what, section) in sections {
            cases.push(place.case_with_section(what, section, place.refuses(MalformedPacket)));
        }
        let legal = if place == Auth { place.end_with(METHOD) } else { place.end_with(USER) };
        cases.push(place.case("no property in", b"", legal));
    }
    check(&cases);
}

impl Place {
    /// What only a Server sends is refused for that, whatever it says.
    fn is_of_servers(self) -> bool {
        matches!(self, Self::Connack | Self::Suback | Self::Unsuback)
    }

    fn refuses(self, reason: ReasonCode) -> End {
        match self {
            Self::Connect | Self::Will => Connack(reason),
            _ if self.is_of_servers() => Disconnect(ProtocolError),
            _ => Disconnect(reason),
        }
    }

    /// How a packet ends that has this property and may have it.
    fn end_with(self, property: &[u8]) -> End {
        match (self, property[0]) {
            // Not from a client [MQTT-3.3.4-6].
            (Self::Publish, 0x0B) | (Self::Disconnect, 0x1C) => self.refuses(ProtocolError),
            (Self::Connect, 0x15) => Connack(BadAuthenticationMethod),
            // Not without a method.
            (Self::Connect, 0x16) => Connack(ProtocolError),
            (Self::Connect | Self::Will, _) => Accepted,
            (Self::Disconnect, _) => Close,
            // Without a method in CONNECT it is never legal.
            (Self::Auth | Self::Connack | Self::Suback | Self::Unsuback, _) => Disconnect(ProtocolError),
            _ => Lives,
        }
    }

    fn case(self, what: &str, property: &[u8], end: End) -> Case {
        let with_method = [METHOD, property].concat();
        let has_method = self != Self::Auth || property.starts_with(METHOD);
        self.case_with_section(what, &with_length(if has_method { property } else { &with_method }), end)
    }

    fn case_with_section(self, what: &str, section: &[u8], end: End) -> Case {
        let (first, before, behind): (u8, &[u8], &[u8]) = match self {
            Self::Connect => (0x10, b"\0\x04MQTT\x05\x02\0\0", b"\0\x04prop"),
            Self::Will => (0x10, b"\0\x04MQTT\x05\x06\0\0\0\0\x04will", b"\0\x01t\0\x01p"),
            Self::Connack => (0x20, b"\0\0", b""),
            Self::Publish => (0x30, b"\0\x01a", b""),
            Self::Puback => (0x40, b"\0\x09\0", b""),
            Self::Pubrec => (0x50, b"\0\x09\0", b""),
            Self::Pubrel => (0x62, b"\0\x09\0", b""),
            Self::Pubcomp => (0x70, b"\0\x09\0", b""),
            Self::Subscribe => (0x82, b"\0\x01", b"\0\x01a\0"),
            Self::Suback => (0x90, b"\0\x01", b"\0"),
            Self::Unsubscribe => (0xA2, b"\0\x01", b"\0\x01a"),
            Self::Unsuback => (0xB0, b"\0\x01", b"\0"),
            Self::Disconnect => (0xE0, b"\0", b""),
            Self::Auth => (0xF0, b"\x18", b""),
        };
        Case {
            what: format!("{what} {self:?}"),
            version: ProtocolVersion::V5,
            state: if first == 0x10 { State::BeforeConnect } else { State::Connected },
            bytes: packet(first, &[before, section, behind].concat()),
            end,
            shows: "2.2.2.2, MQTT-4.13.1-1",
        }
    }
}

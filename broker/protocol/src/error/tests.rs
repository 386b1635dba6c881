use super::*;
use crate::testing::Sender::{self, Client, NewClient, Server};
use crate::testing::{V5, V311, refused};

/// One packet for each cause. A cause without a line here does not compile: `is_listed` would not be exhaustive.
macro_rules! one_packet_for_each {
    ($($pattern:pat => $cause:expr, $sender:expr, $bytes:expr;)*) => {
        const PACKETS: &[(Cause, Sender, &[u8])] = &[$(($cause, $sender, $bytes)),*];

        const fn is_listed(cause: Cause) -> bool {
            match cause {
                $($pattern => true,)*
            }
        }
    };
}

use Cause as C;
use PacketKind as K;

one_packet_for_each! {
    C::FirstPacketNotConnect => C::FirstPacketNotConnect, NewClient, &[0xC0, 0];
    C::SecondConnect => C::SecondConnect, Client(V5), b"\x10\x0d\x00\x04MQTT\x09\x02\x00\x00\x00\x00\x00";
    C::UnknownPacketType(_) => C::UnknownPacketType(0), Client(V5), &[0x00, 0];
    C::FixedHeaderFlags(_) => C::FixedHeaderFlags(K::Subscribe), Client(V5), &[0x80, 0];
    C::IntegerTooLong => C::IntegerTooLong, Client(V5), &[0x30, 0x80, 0x80, 0x80, 0x80, 1];
    C::IntegerNotMinimal => C::IntegerNotMinimal, Client(V5), &[0xC0, 0x80, 0];
    // Any decoder here takes up to 4 GiB; `packets_are_no_longer_than_allowed` is its own test.
    C::PacketTooLarge => C::PacketTooLarge, Client(V5), &[];
    C::Truncated => C::Truncated, Client(V5), &[0x30, 3, 0, 2, b'a'];
    C::TrailingBytes => C::TrailingBytes, Client(V5), &[0xC0, 1, 0];
    C::StringNotUtf8 => C::StringNotUtf8, Client(V5), &[0x30, 4, 0, 1, 0xFF, 0];
    C::StringHasNull => C::StringHasNull, Client(V5), &[0x30, 4, 0, 1, 0, 0];
    C::ProtocolName => C::ProtocolName, NewClient, b"\x10\x0C\x00\x04MQTX\x05\x02\x00\x00\x00\x00";
    C::ProtocolVersion(_) => C::ProtocolVersion(6), NewClient, b"\x10\x0C\x00\x04MQTT\x06\x02\x00\x00\x00\x00";
    C::ConnectFlagReserved => C::ConnectFlagReserved, NewClient, b"\x10\x0C\x00\x04MQTT\x04\x03\x00\x00\x00\x00";
    C::WillQosIsThree => C::WillQosIsThree, NewClient, b"\x10\x0C\x00\x04MQTT\x04\x1C\x00\x00\x00\x00";
    C::WillFlagsWithoutWill => C::WillFlagsWithoutWill, NewClient, b"\x10\x0C\x00\x04MQTT\x04\x20\x00\x00\x00\x00";
    C::PasswordWithoutUserName => C::PasswordWithoutUserName, NewClient,
        b"\x10\x0E\x00\x04MQTT\x04\x40\x00\x00\x00\x00\x00\x00";
    C::PacketIdIsZero => C::PacketIdIsZero, Client(V5), &[0x40, 2, 0, 0];
    C::QosIsThree => C::QosIsThree, Client(V5), &[0x36, 6, 0, 1, b'a', 0, 1, 0];
    C::DupWithoutQos => C::DupWithoutQos, Client(V5), &[0x38, 4, 0, 1, b'a', 0];
    C::TopicNameEmpty => C::TopicNameEmpty, Client(V5), &[0x30, 3, 0, 0, 0];
    C::TopicNameWildcard => C::TopicNameWildcard, Client(V5), &[0x30, 4, 0, 1, b'#', 0];
    C::TopicAliasIsZero => C::TopicAliasIsZero, Client(V5), &[0x30, 6, 0, 0, 3, 0x23, 0, 0];
    C::TopicFilterEmpty => C::TopicFilterEmpty, Client(V311), &[0x82, 5, 0, 1, 0, 0, 0];
    C::TopicFilterWildcard => C::TopicFilterWildcard, Client(V311), &[0x82, 7, 0, 1, 0, 2, b'#', b'a', 0];
    C::ShareInvalid => C::ShareInvalid, Client(V5), b"\xA2\x0D\x00\x01\x00\x00\x08$share/g";
    C::SharedNoLocal => C::SharedNoLocal, Client(V5), b"\x82\x10\x00\x01\x00\x00\x0A$share/g/a\x04";
    C::ListEmpty(_) => C::ListEmpty(K::Subscribe), Client(V311), &[0x82, 2, 0, 1];
    C::SubscribeOptionsReserved => C::SubscribeOptionsReserved, Client(V311), &[0x82, 6, 0, 1, 0, 1, b'a', 4];
    C::SubscribeQosIsThree => C::SubscribeQosIsThree, Client(V311), &[0x82, 6, 0, 1, 0, 1, b'a', 3];
    C::RetainHandlingIsThree => C::RetainHandlingIsThree, Client(V5), &[0x82, 7, 0, 1, 0, 0, 1, b'a', 0x30];
    C::PropertyNotAllowed(_) => C::PropertyNotAllowed(0x1F), Client(V5), &[0x30, 7, 0, 1, b'a', 3, 0x1F, 0, 0];
    C::PropertyTwice(_) => C::PropertyTwice(1), Client(V5), &[0x30, 8, 0, 1, b'a', 4, 1, 0, 1, 0];
    C::PropertyValue(_) => C::PropertyValue(1), Client(V5), &[0x30, 6, 0, 1, b'a', 2, 1, 2];
    C::SubscriptionIdIsZero => C::SubscriptionIdIsZero, Server(V5), &[0x30, 6, 0, 1, b'a', 2, 0x0B, 0];
    C::WrongSender(_) => C::WrongSender(K::Pingresp), Client(V5), &[0xD0, 0];
    C::ReasonOfOtherSide(..) => C::ReasonOfOtherSide(K::Disconnect, 0x8B), Client(V5), &[0xE0, 1, 0x8B];
    C::ServerReferenceFromClient => C::ServerReferenceFromClient, Client(V5), &[0xE0, 6, 0, 4, 0x1C, 0, 1, b'a'];
    C::SubscriptionIdFromClient => C::SubscriptionIdFromClient, Client(V5), &[0x30, 6, 0, 1, b'a', 2, 0x0B, 1];
    C::SessionExpiryFromServer => C::SessionExpiryFromServer, Server(V5), &[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 1];
    C::AuthenticationDataWithoutMethod => C::AuthenticationDataWithoutMethod, NewClient,
        b"\x10\x10\x00\x04MQTT\x05\x02\x00\x00\x03\x16\x00\x00\x00\x00";
    C::AuthenticationMethodMissing => C::AuthenticationMethodMissing, Client(V5), &[0xF0, 2, 0x18, 0];
    C::ReasonCode(..) => C::ReasonCode(K::Puback, 0x92), Client(V5), &[0x40, 3, 0, 1, 0x92];
    C::ConnackFlags => C::ConnackFlags, Server(V311), &[0x20, 2, 2, 0];
}

#[test]
fn every_cause_is_produced_by_a_packet() {
    for (cause, sender, bytes) in PACKETS {
        assert!(is_listed(*cause));
        let produced = match cause {
            Cause::PacketTooLarge => crate::Decoder::server(5).decode(&[0x10, 4]).unwrap_err().cause(),
            _ => refused(*sender, &[bytes]),
        };
        assert_eq!(produced, *cause);
    }
}

#[test]
fn every_cause_has_words_a_statement_and_an_error_code() {
    for (cause, _, _) in PACKETS {
        let malformed = Malformed::from(*cause);
        assert!(malformed.reason_code().is_error(), "{cause:?}");
        assert!(malformed.reason_code().is_allowed_in(K::Connack) || !matches!(cause, C::ProtocolVersion(_)));
        let (section, number) = malformed.statement().rsplit_once('-').unwrap();
        assert!(section.trim_start_matches("v3.1.1 ").starts_with("MQTT-"), "{section}");
        assert!(number.parse::<u8>().is_ok());
        let text = malformed.to_string();
        assert!(text.starts_with(&cause.to_string()) && text.ends_with(']'), "{text}");
    }
}

#[test]
fn words_name_what_was_wrong() {
    let text = Malformed::from(Cause::ReasonCode(K::Puback, 0x92)).to_string();
    assert_eq!(text, "reason code 0x92 is not allowed in PUBACK [MQTT-3.4.2-1]");
    let text = Malformed::from(Cause::FixedHeaderFlags(K::Pubrel)).to_string();
    assert_eq!(text, "wrong fixed header flags for PUBREL [MQTT-3.6.1-1]");
    assert!(TooLarge.to_string().contains("longer than MQTT can express"));
}

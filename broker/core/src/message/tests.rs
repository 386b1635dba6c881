#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn message(payload: &[u8]) -> Message {
    Message::copied(TopicName::new("site/ä").unwrap(), payload)
}

/// [MQTT-3.3.2-6]
#[test]
fn a_message_never_has_longer_to_live_than_it_came_with() {
    let message = message(b"x").with_expiry_interval(Some(2), Time(10_001));
    let left = |now| message.wire_properties(Time(now)).message_expiry;
    assert_eq!(left(10_000), Some(2), "by a clock that was read a moment earlier");
    assert_eq!(left(11_001), Some(1));
}

#[test]
fn topic_and_payload_are_what_they_were_however_large() {
    for length in [0, 1, LARGE_BYTES_MIN - 1, LARGE_BYTES_MIN, LARGE_BYTES_MIN + 1] {
        let payload = vec![7; length];
        let copied = message(&payload);
        assert_eq!((copied.topic(), copied.payload()), ("site/ä", &payload[..]));
        assert_eq!(copied.large_payload().is_some(), length >= LARGE_BYTES_MIN, "{length}");
        assert_eq!(copied, Message::new(TopicName::new("site/ä").unwrap(), payload.clone()));
        assert_eq!(copied.payload_bytes(), payload);
    }
}

#[test]
fn a_message_that_others_have_is_changed_for_nobody_else() {
    let first = message(b"x").with_publisher(Some("me".into())).named(BodyId(7));
    let second = first.clone().with_qos(QoS::ExactlyOnce);
    assert_eq!((first.qos(), first.named_body()), (QoS::AtMostOnce, Some(BodyId(7))));
    assert_eq!((second.qos(), second.named_body()), (QoS::ExactlyOnce, None));
    assert_eq!((second.topic(), second.payload(), second.publisher()), ("site/ä", &b"x"[..], first.publisher()));
    assert!(!first.is(&second));
}

#[test]
fn clones_are_one_message_to_the_store() {
    let first = message(b"x");
    let second = first.clone();
    assert_eq!((second.body(|| 7), first.body(|| 8)), (BodyId(7), BodyId(7)));
    assert!(first.is(&second));
    assert_eq!(second.unnamed().named_body(), None);
    assert_eq!(first.named_body(), Some(BodyId(7)));
}

#[test]
fn a_small_message_has_little_besides_its_bytes() {
    assert_eq!(message(b"x").weight(), 80 + "site/ä".len() + 1);
}

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use super::*;

fn full_message() -> Message {
    let properties = Properties {
        payload_is_utf8: Some(true),
        content_type: Some("text/plain".into()),
        response_topic: Some("answers".into()),
        correlation_data: Some([1, 2, 3].into()),
        user_properties: [("b", "2"), ("a", "1"), ("b", "2")].into_iter().collect(),
    };
    Message::new(TopicName::new("a/b").unwrap(), vec![0, 255, 7])
        .with_qos(QoS::ExactlyOnce)
        .with_retain(true)
        .with_expiry(Some(Time(1_700_000_000_123)))
        .with_publisher(Some("publisher".into()))
        .with_properties(properties)
}

#[test]
fn a_message_is_read_as_it_was_written() {
    for message in [full_message(), Message::new(TopicName::new("t").unwrap(), Vec::new())] {
        assert_eq!(read_message(&super::message(&message)), Ok(message));
    }
}

#[test]
fn a_session_is_read_as_it_was_written() {
    let will = Will { message: full_message(), message_expiry: Some(5), delay: 30 };
    let with_will = SessionRecord {
        client_id: "client".into(),
        principal: Some("alice".into()),
        session_expiry: 3600,
        expires_at: Some(Time(17)),
        will: Some(Box::new(will)),
        will_due: Some(Time(30_017)),
    };
    let plain = SessionRecord { principal: None, expires_at: None, will: None, will_due: None, ..with_will.clone() };
    for record in [with_will, plain] {
        assert_eq!(read_session(&session(&record)), Ok(record));
    }
}

#[test]
fn a_session_of_a_release_that_kept_no_principals_is_read_without_one() {
    let record = SessionRecord {
        client_id: "client".into(),
        principal: None,
        session_expiry: 3600,
        expires_at: Some(Time(17)),
        will: None,
        will_due: None,
    };
    // In version 1, Session Expiry Interval and times followed the Client Identifier.
    let old =
        [&[1, 0, 0, 0, 6][..], b"client", &3600u32.to_be_bytes(), &17u64.to_be_bytes(), &NEVER.to_be_bytes(), &[0]];
    assert_eq!(read_session(&old.concat()), Ok(record));
}

#[test]
fn a_subscription_is_read_as_it_was_written() {
    let record = SubscriptionRecord {
        filter: "$share/g/a/#".into(),
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: true,
        subscription_id: SubscriptionId::new(268_435_455),
    };
    assert_eq!(read_subscription(&subscription(&record)), Ok(record.clone()));
}

#[test]
fn a_delivery_is_read_as_it_was_written() {
    let message = full_message();
    let ids: Vec<SubscriptionId> = [1, 70_000].into_iter().filter_map(SubscriptionId::new).collect();
    for shared in [None, Some("$share/g/a/#".into())] {
        let record = DeliveryRecord { qos: QoS::AtLeastOnce, retain: true, subscription_ids: ids.clone(), shared };
        let found = read_delivery(&delivery(BodyId(9), &message, &record)).unwrap();
        let weight = u32::try_from(message.weight()).unwrap();
        assert_eq!(found, KeptMessage { body: BodyId(9), expires_at: message.expires_at(), weight, delivery: record });
    }
}

#[test]
fn a_record_cut_anywhere_is_damaged_and_one_of_a_later_release_is_named() {
    let whole = super::message(&full_message());
    for length in 0..whole.len() {
        assert_eq!(read_message(&whole[..length]), Err(BadRecord::Damaged), "{length} bytes");
    }
    assert_eq!(read_message(&[9, 1, 2]), Err(BadRecord::Version(9)));
}

use super::*;
use crate::testing::Sender::Client;
use crate::testing::{V5, V31, V311, golden, refused};
use crate::{Packet, UserPropertiesBuf};

fn unsubscribe(filters: Vec<&str>) -> Unsubscribe<'_> {
    Unsubscribe { packet_id: PacketId::new(10).unwrap(), user_properties: UserProperties::default(), filters }
}

#[test]
fn version_3_has_filters() {
    for version in [V31, V311] {
        let bytes: &[&[u8]] = &[&[0xA2, 12, 0, 10], b"\x00\x03a/b", b"\x00\x03c/d"];
        golden(Client(version), bytes, &Packet::Unsubscribe(unsubscribe(vec!["a/b", "c/d"])));
    }
}

#[test]
fn version_5_has_user_properties_before_them() {
    let bytes: &[&[u8]] = &[
        &[0xA2, 22],               // UNSUBSCRIBE, Remaining Length
        &[0, 10],                  // Packet Identifier
        &[7],                      // Property Length
        b"\x26\x00\x01a\x00\x01b", // User Property
        b"\x00\x0A$share/g/#",     // Topic Filter
    ];
    let user_properties: UserPropertiesBuf = [("a", "b")].into_iter().collect();
    let unsubscribe = Unsubscribe { user_properties: user_properties.as_ref(), ..unsubscribe(vec!["$share/g/#"]) };
    golden(Client(V5), bytes, &Packet::Unsubscribe(unsubscribe));
}

#[test]
fn there_is_at_least_one_filter_and_all_are_topic_filters() {
    let empty = Cause::ListEmpty(PacketKind::Unsubscribe);
    assert_eq!(refused(Client(V311), &[&[0xA2, 2, 0, 10]]), empty);
    assert_eq!(refused(Client(V5), &[&[0xA2, 3, 0, 10, 0]]), empty);
    assert_eq!(refused(Client(V311), &[&[0xA2, 4, 0, 10, 0, 0]]), Cause::TopicFilterEmpty);
    assert_eq!(refused(Client(V311), &[&[0xA2, 6, 0, 10], b"\x00\x02#/"]), Cause::TopicFilterWildcard);
    assert_eq!(refused(Client(V311), &[&[0xA2, 2, 0, 0]]), Cause::PacketIdIsZero);
    assert_eq!(refused(Client(V5), &[&[0xA2, 5, 0, 10, 2, 0x0B, 1]]), Cause::PropertyNotAllowed(0x0B));
}

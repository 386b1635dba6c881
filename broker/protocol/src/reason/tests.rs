use super::*;

fn all() -> impl Iterator<Item = ReasonCode> {
    (0..=u8::MAX).filter_map(ReasonCode::from_u8)
}

/// The codes that this packet may carry.
fn allowed(kind: PacketKind) -> Vec<u8> {
    all().filter(|reason| reason.is_allowed_in(kind)).map(ReasonCode::value).collect()
}

#[test]
fn there_are_the_43_codes_of_table_2_6() {
    assert_eq!(all().count(), 43);
    for reason in all() {
        assert_eq!(ReasonCode::from_u8(reason.value()), Some(reason));
        assert_eq!(reason.is_error(), reason.value() >= 0x80);
        assert!(!reason.name().is_empty());
    }
    assert_eq!(ReasonCode::TopicAliasInvalid.to_string(), "0x94 topic alias invalid");
}

#[test]
fn each_packet_carries_the_codes_of_its_table() {
    use PacketKind as K;
    let published = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let tables: [(PacketKind, &[u8]); 9] = [
        // Table 3-1
        (
            K::Connack,
            &[
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
                0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ],
        ),
        // Tables 3-4 to 3-7
        (K::Puback, &published),
        (K::Pubrec, &published),
        (K::Pubrel, &[0x00, 0x92]),
        (K::Pubcomp, &[0x00, 0x92]),
        // Table 3-8
        (K::Suback, &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
        // Table 3-9
        (K::Unsuback, &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
        // Table 3-10
        (
            K::Disconnect,
            &[
                0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
                0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
            ],
        ),
        // Table 3-11
        (K::Auth, &[0x00, 0x18, 0x19]),
    ];
    for (kind, codes) in tables {
        assert_eq!(allowed(kind), codes, "{kind}");
    }
    for kind in [K::Connect, K::Publish, K::Subscribe, K::Unsubscribe, K::Pingreq, K::Pingresp] {
        assert_eq!(allowed(kind), [], "{kind}");
    }
}

#[test]
fn version_3_return_codes_stand_for_reasons_and_back() {
    for code in 0..=5 {
        assert_eq!(ReasonCode::from_connack_v3(code).unwrap().connack_v3(), Some(code));
    }
    assert_eq!(ReasonCode::from_connack_v3(6), None);
    assert_eq!(ReasonCode::MalformedPacket.connack_v3(), None);
    for reason in all().filter(|reason| reason.is_allowed_in(PacketKind::Suback)) {
        let code = reason.suback_v3();
        assert!(matches!(code, 0..=2 | 0x80) && (code == 0x80) == reason.is_error());
    }
}

#[test]
fn granted_says_the_qos() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(ReasonCode::granted(qos).value(), qos as u8);
    }
}

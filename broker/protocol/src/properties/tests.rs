use super::*;

fn read_all(section: &[u8]) -> Result<UserProperties<'_>, Malformed> {
    read(&mut Reader::new(section), |_| Ok(()))
}

#[test]
fn user_properties_keep_their_order_and_repeat() {
    let pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("ä", "ö")];
    let properties: UserPropertiesBuf = pairs.into_iter().collect();
    assert_eq!(properties.as_ref().iter().collect::<Vec<_>>(), pairs);
    assert!(!properties.as_ref().is_empty());
    assert!(UserPropertiesBuf::new().as_ref().is_empty());
    assert_eq!(format!("{:?}", UserPropertiesBuf::from_iter([("k", "v")])), r#"[("k", "v")]"#);
}

#[test]
fn user_properties_are_found_among_others() {
    // Property Length; User Property a=1; Reason String; User Property b=2
    let section = b"\x13\x26\x00\x01a\x00\x011\x1F\x00\x02no\x26\x00\x01b\x00\x012";
    let read = read_all(section).unwrap();
    assert_eq!(read.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    let same = UserPropertiesBuf::from_iter([("a", "1"), ("b", "2")]);
    assert_eq!(read, same.as_ref());
    let mut out = Vec::new();
    Writer { out: &mut out }.user_properties(read).unwrap();
    assert_eq!(out.len(), read.encoded_length());
    assert_eq!(out, b"\x26\x00\x01a\x00\x011\x26\x00\x01b\x00\x012");
}

#[test]
fn user_properties_without_a_pair_are_empty() {
    assert!(read_all(b"\x00").unwrap().is_empty());
    assert!(read_all(b"\x03\x1F\x00\x00").unwrap().is_empty());
    assert_eq!(UserProperties::default(), UserProperties::NONE);
}

#[test]
fn pairs_are_cut_where_no_packet_could_hold_them() {
    let long = "ä".repeat(40_000);
    let mut properties = UserPropertiesBuf::new();
    properties.push("k", &long);
    let (name, value) = properties.as_ref().iter().next().unwrap();
    assert_eq!((name, value.len()), ("k", 65_534));
}

#[test]
fn unknown_identifiers_are_refused() {
    for id in [0x00, 0x04, 0x0A, 0x14, 0x1B, 0x20, 0x2B, 0x3F, 0x40, 0x7F] {
        assert_eq!(read_all(&[2, id, 0]).unwrap_err().cause(), Cause::PropertyNotAllowed(id));
    }
    // An identifier is a variable byte integer: this one is 256.
    assert_eq!(read_all(&[3, 0x80, 0x02, 0]).unwrap_err().cause(), Cause::PropertyNotAllowed(0xFF));
    assert_eq!(read_all(&[3, 0xA6, 0x00, 0]).unwrap_err().cause(), Cause::IntegerNotMinimal);
}

#[test]
fn every_property_ends_within_the_section() {
    for section in [&[1, 0x01][..], &[2, 0x21, 0], &[4, 0x02, 0, 0, 0], &[4, 0x1F, 0, 2, b'a'], &[2, 0x0B, 0x80]] {
        let longer = [section, &[0; 8]].concat();
        assert_eq!(read_all(&longer).unwrap_err().cause(), Cause::Truncated, "{section:?}");
    }
    assert_eq!(read_all(&[5, 0x01, 0]).unwrap_err().cause(), Cause::Truncated);
    assert_eq!(read_all(&[]).unwrap_err().cause(), Cause::Truncated);
    assert_eq!(read_all(&[0x80, 0x00]).unwrap_err().cause(), Cause::IntegerNotMinimal);
}

#[test]
fn every_property_but_two_comes_once() {
    let sections: [(u8, &[u8]); 5] = [
        (0x01, &[4, 0x01, 0, 0x01, 0]),
        (0x21, &[6, 0x21, 0, 1, 0x21, 0, 1]),
        (0x11, &[10, 0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1]),
        (0x1F, &[6, 0x1F, 0, 0, 0x1F, 0, 0]),
        (0x16, &[6, 0x16, 0, 0, 0x16, 0, 0]),
    ];
    for (id, section) in sections {
        assert_eq!(read_all(section).unwrap_err().cause(), Cause::PropertyTwice(id));
    }
    assert!(read_all(b"\x0A\x26\x00\x00\x00\x00\x26\x00\x00\x00\x00").is_ok());
    assert!(read_all(&[4, 0x0B, 1, 0x0B, 1]).is_ok(), "a Server names every subscription");
}

use super::*;
use crate::Cause;

/// Table 1-1: the first and the last value of each length.
const TABLE: [(usize, &[u8]); 8] = [
    (0, &[0x00]),
    (127, &[0x7F]),
    (128, &[0x80, 0x01]),
    (16_383, &[0xFF, 0x7F]),
    (16_384, &[0x80, 0x80, 0x01]),
    (2_097_151, &[0xFF, 0xFF, 0x7F]),
    (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
    (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
];

#[test]
fn variable_integers_are_those_of_table_1_1() {
    for (value, bytes) in TABLE {
        let mut out = Vec::new();
        put_variable_integer(&mut out, value).unwrap();
        assert_eq!(out, bytes);
        assert_eq!(variable_integer_length(value), bytes.len());
        let mut reader = Reader::new(bytes);
        assert_eq!(usize::try_from(reader.variable_integer().unwrap()).unwrap(), value);
        reader.finish().unwrap();
    }
}

#[test]
fn variable_integer_ends_at_its_last_byte_and_not_before() {
    for (_, bytes) in TABLE {
        for length in 0..bytes.len() {
            assert_eq!(variable_integer(&bytes[..length]).unwrap(), None);
        }
        let followed = [bytes, &[0xFF, 0xFF]].concat();
        assert_eq!(variable_integer(&followed).unwrap().unwrap().1, bytes.len());
    }
}

#[test]
fn variable_integer_above_the_highest_is_not_written() {
    let mut out = vec![1];
    assert_eq!(put_variable_integer(&mut out, VARIABLE_INTEGER_MAX + 1), Err(TooLarge));
    assert_eq!(put_variable_integer(&mut out, usize::MAX), Err(TooLarge));
    assert_eq!(out, [1]);
}

#[test]
fn variable_integer_has_no_fifth_byte() {
    let five = [0x80, 0x80, 0x80, 0x80, 0x01];
    assert_eq!(variable_integer(&five).unwrap_err().cause(), Cause::IntegerTooLong);
    assert_eq!(variable_integer(&five[..4]).unwrap_err().cause(), Cause::IntegerTooLong);
    assert_eq!(variable_integer(&five[..3]).unwrap(), None);
}

#[test]
fn variable_integer_takes_the_fewest_bytes() {
    for padded in [&[0x80, 0x00][..], &[0xFF, 0x00], &[0x81, 0x80, 0x00], &[0x80, 0x80, 0x80, 0x00]] {
        assert!(is_padded(padded));
        let refusal = Reader::new(padded).variable_integer().unwrap_err();
        assert_eq!(refusal.cause(), Cause::IntegerNotMinimal);
    }
    for (_, bytes) in TABLE {
        assert!(!is_padded(bytes));
    }
}

#[test]
fn integers_are_big_endian() {
    let mut reader = Reader::new(&[0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE]);
    assert_eq!(reader.u8().unwrap(), 0x12);
    assert_eq!(reader.u16().unwrap(), 0x3456);
    assert_eq!(reader.u32().unwrap(), 0x789A_BCDE);
    assert_eq!(reader.u8().unwrap_err().cause(), Cause::Truncated);
    assert_eq!(reader.u16().unwrap_err().cause(), Cause::Truncated);
    assert_eq!(reader.u32().unwrap_err().cause(), Cause::Truncated);
}

#[test]
fn strings_are_well_formed_utf_8() {
    // The example of 1.5.4: "A" and U+2A6D4.
    let mut reader = Reader::new(&[0x00, 0x05, 0x41, 0xF0, 0xAA, 0x9B, 0x94]);
    assert_eq!(reader.string().unwrap(), "A\u{2A6D4}");
    let ill_formed: [&[u8]; 6] = [
        &[0x00, 0x01, 0xFF],
        // Overlong "/".
        &[0x00, 0x02, 0xC0, 0xAF],
        // The surrogates U+D800 and U+DFFF [MQTT-1.5.4-1].
        &[0x00, 0x03, 0xED, 0xA0, 0x80],
        &[0x00, 0x03, 0xED, 0xBF, 0xBF],
        // Above U+10FFFF.
        &[0x00, 0x04, 0xF4, 0x90, 0x80, 0x80],
        // A character cut off by the length.
        &[0x00, 0x01, 0xC3, 0xA9],
    ];
    for bytes in ill_formed {
        assert_eq!(Reader::new(bytes).string().unwrap_err().cause(), Cause::StringNotUtf8);
        assert_eq!(Reader::new(bytes).topic_name().unwrap_err().cause(), Cause::StringNotUtf8);
    }
}

#[test]
fn byte_order_mark_is_kept() {
    // 0xEF 0xBB 0xBF is always U+FEFF, never stripped [MQTT-1.5.4-3].
    let mut reader = Reader::new(&[0x00, 0x04, 0xEF, 0xBB, 0xBF, 0x61]);
    assert_eq!(reader.string().unwrap(), "\u{FEFF}a");
}

#[test]
fn strings_contain_no_null() {
    let bytes = [0x00, 0x03, b'a', 0x00, b'b'];
    assert_eq!(Reader::new(&bytes).string().unwrap_err().cause(), Cause::StringHasNull);
    assert_eq!(Reader::new(&bytes).topic_name().unwrap_err().cause(), Cause::StringHasNull);
    // Binary data may.
    assert_eq!(Reader::new(&bytes).binary().unwrap(), [b'a', 0, b'b']);
}

#[test]
fn topic_name_has_no_wildcard_anywhere() {
    for text in ["+", "#", "a+", "#a", "sport/tennis/player1/ranking/a/long/topic/+/x"] {
        let mut bytes = Vec::new();
        put_binary(&mut bytes, text.as_bytes()).unwrap();
        assert_eq!(Reader::new(&bytes).topic_name().unwrap_err().cause(), Cause::TopicNameWildcard);
        assert_eq!(Reader::new(&bytes).string().unwrap(), text);
    }
}

#[test]
fn binary_data_is_at_most_65535_bytes() {
    let mut out = Vec::new();
    put_binary(&mut out, &[7; 65_535]).unwrap();
    assert_eq!(out[..3], [0xFF, 0xFF, 7]);
    assert_eq!(Reader::new(&out).binary().unwrap().len(), 65_535);
    assert_eq!(put_binary(&mut out, &[7; 65_536]), Err(TooLarge));
    assert_eq!(Reader::new(&[0x00, 0x02, 0x01]).binary().unwrap_err().cause(), Cause::Truncated);
}

#[test]
fn length_prefix_grows_with_its_contents() {
    for (length, prefix) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_152, 4)] {
        let mut out = vec![0xAA];
        put_prefixed(&mut out, |out| {
            out.resize(out.len() + length, 7);
            Ok(())
        })
        .unwrap();
        assert_eq!(out.len(), 1 + prefix + length);
        assert_eq!(variable_integer(&out[1..]).unwrap().unwrap(), (u32::try_from(length).unwrap(), prefix));
        assert!(out[1 + prefix..].iter().all(|byte| *byte == 7));
    }
}

#[test]
fn packet_that_does_not_fit_leaves_nothing_behind() {
    let mut out = vec![1, 2];
    let written = put_packet(&mut out, 0x30, |out| {
        out.push(3);
        put_binary(out, &[0; 65_536])
    });
    assert_eq!(written, Err(TooLarge));
    assert_eq!(out, [1, 2]);
}

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Algorithm name, key and signature over "midge", one line each.
const VECTORS: &str = include_str!("vectors.txt");

fn vector(name: &str) -> (Vec<u8>, Vec<u8>) {
    let line = VECTORS.lines().find(|line| line.starts_with(name)).unwrap();
    let mut words = line.split(' ').skip(1).map(|word| STANDARD.decode(word).unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

const PUBLIC_KEY_ALGORITHMS: [(&str, Algorithm); 9] = [
    ("rs256", Algorithm::Rs256),
    ("rs384", Algorithm::Rs384),
    ("rs512", Algorithm::Rs512),
    ("ps256", Algorithm::Ps256),
    ("ps384", Algorithm::Ps384),
    ("ps512", Algorithm::Ps512),
    ("es256", Algorithm::Es256),
    ("es384", Algorithm::Es384),
    ("eddsa", Algorithm::Eddsa),
];

#[test]
fn signatures_made_elsewhere_verify_and_forged_ones_do_not() {
    for (name, algorithm) in PUBLIC_KEY_ALGORITHMS {
        let (key, mut signature) = vector(name);
        assert!(verify(algorithm, &key, b"midge", &signature).unwrap(), "{name}");
        assert!(!verify(algorithm, &key, b"Midge", &signature).unwrap(), "{name}");
        signature[20] ^= 1;
        assert!(!verify(algorithm, &key, b"midge", &signature).unwrap(), "{name}");
        assert!(!verify(algorithm, &key, b"midge", &[]).unwrap(), "{name}");
    }
}

#[test]
fn a_key_fits_only_its_own_kind_of_algorithm() {
    for (name, _) in PUBLIC_KEY_ALGORITHMS {
        let (key, signature) = vector(name);
        for (other, algorithm) in PUBLIC_KEY_ALGORITHMS {
            let same_kind =
                name == other || (name != "eddsa" && other.as_bytes()[0] != b'e' && name.as_bytes()[0] != b'e');
            assert_eq!(verify(algorithm, &key, b"midge", &signature).is_ok(), same_kind, "{name} with {other}");
        }
    }
}

#[test]
fn unusable_keys_are_errors_in_words() {
    let (short, signature) = vector("short");
    let (good, _) = vector("rs256");
    let cases: [(Algorithm, &[u8], &str); 5] = [
        (Algorithm::Rs256, &short, "at least 2048 bits"),
        (Algorithm::Rs256, b"-----BEGIN PUBLIC KEY-----", "in DER"),
        (Algorithm::Rs256, &good[..good.len() - 1], "in DER"),
        (Algorithm::Es256, &[], "in DER"),
        (Algorithm::Hs256, &[], "must not be empty"),
    ];
    for (algorithm, key, words) in cases {
        let Err(Error::BadKey(text)) = verify(algorithm, key, b"midge", &signature) else { panic!("{words}") };
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn key_parsing_is_total() {
    let (key, signature) = vector("rs256");
    for cut in 0..key.len() {
        assert!(verify(Algorithm::Rs256, &key[..cut], b"midge", &signature).is_err());
    }
    for at in 0..32 {
        for value in [0, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff] {
            let mut key = key.clone();
            key[at] = value;
            let _ = verify(Algorithm::Rs256, &key, b"midge", &signature);
        }
    }
}

#[test]
fn hmacs_are_those_of_rfc_4231() {
    // Test case 2.
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let cases = [
        (Algorithm::Hs256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            Algorithm::Hs384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            Algorithm::Hs512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];
    for (algorithm, tag) in cases {
        assert!(verify(algorithm, b"Jefe", b"what do ya want for nothing?", &hex(tag)).unwrap());
        assert!(!verify(algorithm, b"Jefe", b"what do ya want for nothing?", &hex(tag)[1..]).unwrap());
    }
}

//! Hostile bytes from a fixed seed: what the fuzzers under `fuzz/` try for hours, tried for a second in every test run.

use midge_protocol::{Decoded, Decoder, ProtocolVersion};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::arbitrary::parts;
use crate::round_trip::{decoder, encoded, server};

const VERSIONS: [ProtocolVersion; 3] = [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

/// The same numbers in every run (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Decoders in every state: a Server before and behind CONNECT, and a client, of every version.
fn decoders() -> Vec<Decoder> {
    let mut decoders = vec![Decoder::server(u32::MAX)];
    decoders.extend(VERSIONS.map(server));
    decoders.extend(VERSIONS.map(|version| Decoder::client(version, u32::MAX)));
    decoders
}

/// Reads as a connection does, until the bytes end or are refused; returns how many packets there were. Whatever is
/// accepted survives being encoded.
fn read_all(mut decoder: Decoder, mut bytes: &[u8]) -> usize {
    let mut packets = 0;
    loop {
        match decoder.decode(bytes) {
            Ok(Decoded::Packet { packet, length }) => {
                assert!(length >= 2 && length <= bytes.len(), "{length} of {}", bytes.len());
                let version = decoder.version().expect("a packet was decoded");
                let again = encoded(&packet, version);
                let mut decoder = decoder.clone();
                let length_again = again.len();
                let expected = Decoded::Packet { packet, length: length_again };
                assert_eq!(decoder.decode(&again), Ok(expected), "from {:?}", &bytes[..length]);
                bytes = &bytes[length..];
                packets += 1;
            }
            Ok(Decoded::Incomplete { needed }) => {
                assert!(needed > bytes.len());
                return packets;
            }
            Err(malformed) => {
                assert!(!malformed.to_string().is_empty());
                return packets;
            }
        }
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut chance = Chance(1);
    let mut packets = 0;
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..chance.below(48)).map(|_| chance.byte()).collect();
        // Most random lengths are too long to be reached: make some of them fit.
        if let [_, length, rest @ ..] = &mut bytes[..] {
            *length = u8::try_from(rest.len()).unwrap();
        }
        packets += decoders().into_iter().map(|decoder| read_all(decoder, &bytes)).sum::<usize>();
    }
    assert!(packets > 300, "only {packets} packets were found by chance");
}

#[test]
fn changed_packets_do_no_harm() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut chance = Chance(2);
    let mut packets = 0;
    for _ in 0..1500 {
        let parts = parts().new_tree(&mut runner).unwrap().current();
        let bytes = encoded(&parts.packet(), parts.version);
        assert_eq!(read_all(decoder(&parts), &bytes), 1);
        for _ in 0..8 {
            let mut changed = bytes.clone();
            for _ in 0..=chance.below(3) {
                let place = chance.below(changed.len());
                match chance.below(4) {
                    0 => changed[place] = chance.byte(),
                    1 => changed[place] ^= 1 << chance.below(8),
                    2 => changed.insert(place, chance.byte()),
                    _ if changed.len() > 1 => drop(changed.remove(place)),
                    _ => {}
                }
            }
            packets += read_all(decoder(&parts), &changed);
            packets += decoders().into_iter().map(|decoder| read_all(decoder, &changed)).sum::<usize>();
        }
    }
    assert!(packets > 5000, "only {packets} changed packets were accepted");
}

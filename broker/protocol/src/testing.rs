//! What the tests beside the packets share.

use crate::{Cause, Decoded, Decoder, Packet, ProtocolVersion};

pub(crate) use ProtocolVersion::{V5, V31, V311};

pub(crate) const VERSIONS: [ProtocolVersion; 3] = [V31, V311, V5];

/// Who sends the bytes under test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sender {
    /// A client that has said nothing yet.
    NewClient,
    /// A client whose CONNECT named this version.
    Client(ProtocolVersion),
    /// A Server that answers a client of this version.
    Server(ProtocolVersion),
}

impl Sender {
    /// The decoder of the other side.
    pub(crate) fn decoder(self) -> Decoder {
        match self {
            Self::NewClient => Decoder::server(u32::MAX),
            Self::Client(version) => {
                let mut decoder = Decoder::server(u32::MAX);
                let _ = decoder.decode(connect(version));
                assert_eq!(decoder.version(), Some(version));
                decoder
            }
            Self::Server(version) => Decoder::client(version, u32::MAX),
        }
    }

    pub(crate) fn version(self) -> Option<ProtocolVersion> {
        self.decoder().version()
    }
}

/// The shortest CONNECT of a version.
pub(crate) fn connect(version: ProtocolVersion) -> &'static [u8] {
    match version {
        V31 => b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01a",
        V311 => b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00",
        V5 => b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00",
    }
}

/// The bytes stand for the packet, both ways, and every beginning of them is incomplete.
#[track_caller]
pub(crate) fn golden(sender: Sender, parts: &[&[u8]], packet: &Packet<'_>) {
    let bytes = parts.concat();
    for length in 0..bytes.len() {
        let decoded = sender.decoder().decode(&bytes[..length]).unwrap();
        let Decoded::Incomplete { needed } = decoded else {
            panic!("{length} bytes of {} are a packet", bytes.len());
        };
        assert!(length < needed && needed <= bytes.len(), "{needed} needed of {}", bytes.len());
    }
    let followed = [&bytes[..], &[0xFF]].concat();
    assert_eq!(decoded(sender, &followed), (packet.clone(), bytes.len()));
    let version = match (packet, sender.version()) {
        (Packet::Connect(connect), _) => connect.version,
        (_, version) => version.expect("only CONNECT is sent before the version is known"),
    };
    assert_eq!(encoded(packet, version), bytes);
}

/// The packet at the start of the bytes and its length.
#[track_caller]
pub(crate) fn decoded(sender: Sender, bytes: &[u8]) -> (Packet<'_>, usize) {
    match sender.decoder().decode(bytes) {
        Ok(Decoded::Packet { packet, length }) => (packet, length),
        other => panic!("no packet but {other:?}"),
    }
}

/// Why the bytes are refused.
#[track_caller]
pub(crate) fn refused(sender: Sender, parts: &[&[u8]]) -> Cause {
    match sender.decoder().decode(&parts.concat()) {
        Err(malformed) => malformed.cause(),
        Ok(decoded) => panic!("not refused: {decoded:?}"),
    }
}

/// The packet's bytes.
#[track_caller]
pub(crate) fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = b"before".to_vec();
    packet.encode(version, &mut bytes).unwrap();
    assert_eq!(&bytes[..6], b"before");
    bytes.split_off(6)
}

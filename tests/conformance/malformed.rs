//! Bad input: what every malformed packet and every protocol error costs the client that sent it, in each version.
//!
//! One file for each packet type or kind of mistake, written from the standard. A row says what is wrong, the versions it
//! holds for, the bytes, and how it ends.
//!
//! # Choices
//!
//! What the standards leave open is decided once, here, and is the same everywhere:
//!
//! - A client of version 5 is told: by CONNACK where CONNECT was wrong, else by DISCONNECT, without a word of explanation.
//!   Where the standard names no Reason Code, 0x81 stands for what cannot be read or has a form it may not have (flags,
//!   lengths, UTF-8, misplaced wildcards, Reason Codes that do not exist), and 0x82 for what can be read and may not be said
//!   (a Packet Identifier of 0, a topic without characters, a value out of range, the words of a Server).
//! - Versions 3.1 and 3.1.1 have words for neither: the connection is closed. Only CONNACK can say 0x01 (a level that does not
//!   exist) and 0x02 (an empty Client Identifier that may not be empty).
//! - What does not begin with a CONNECT is closed without a word, and so is another protocol name. An unknown level is told so
//!   in the format of 3.1.1 if it is below 5, else in that of 5. The highest bit of the level is the mark of a bridge.
//! - The first mistake counts: the flags of the fixed header, then who may send the packet, then its contents from front to back.
//! - Control characters (U+0001 to U+001F, U+007F to U+009F) and non-characters are accepted in every string.
//! - A property that does not exist is a property the packet may not have: 0x81. One with a value out of its range: 0x82, but
//!   0x94 for a Topic Alias.
//! - In a DISCONNECT or AUTH, Reason Codes that only a Server sends are refused with 0x82, and so is a Server Reference. "No
//!   matching subscribers" in an acknowledgement is accepted: brokers answer with it when they connect as bridges.
//! - An acknowledgement of a Packet Identifier that is not in use is answered as section 4.3 asks, and else ignored; one of the
//!   wrong kind for what it acknowledges is a Protocol Error.
//! - A QoS or a RETAIN that the configuration rules out ends the connection in every version, although only version 5 was told.
//! - A payload that claims to be UTF-8 is not looked at, unless the configuration says so.
//! - MQTT 3.1 called bits "unused" that 3.1.1 reserves: there they are ignored, in the fixed header, the Connect Flags and the
//!   Requested QoS. A CONNECT may end before the User Name and the Password that its flags promise.
//! - A Remaining Length longer than it needs to be is refused only by version 5.
//! - To versions 3.1 and 3.1.1 a `$share/` that names no shared subscription is a Topic Filter like any other: SUBACK refuses
//!   it with 0x80, and the connection stays.

mod acknowledgements;
mod auth;
mod connect;
mod disconnect;
mod fixed_header;
mod properties;
mod publish;
mod reason_codes;
mod strings;
mod subscribe;
mod truncation;
mod unsubscribe;

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use midge_protocol::{Packet, ProtocolVersion, ReasonCode};

use crate::support::client::connect;
use crate::support::stream::{Stream, tcp};
use crate::support::{PATIENCE, Server};

/// One line of a table of whole packets: the versions, what is wrong, the first byte, what follows the Remaining Length, how
/// it ends, and what says so: a statement, or a section where the rule has no number.
type Row = (Versions, &'static str, u8, &'static [u8], End, &'static str);

type Versions = &'static [ProtocolVersion];

const V31: Versions = &[ProtocolVersion::V31];
const V311: Versions = &[ProtocolVersion::V311];
const V3: Versions = &[ProtocolVersion::V31, ProtocolVersion::V311];
const V5: Versions = &[ProtocolVersion::V5];
const ALL: Versions = &crate::support::VERSIONS;

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// DISCONNECT with this reason and nothing else, then the broker closes.
    Disconnect(ReasonCode),
    /// CONNACK with this reason in the format of version 5 and nothing else, then the broker closes.
    Connack(ReasonCode),
    /// These bytes, then the broker closes.
    Said(&'static [u8]),
    /// The broker closes without a word.
    Close,
    /// CONNACK accepts, and the connection lives.
    Accepted,
    /// The connection lives, whatever is answered.
    Lives,
    /// These bytes are the answer, and the connection lives.
    Answered(&'static [u8]),
    /// Nothing is answered, and the connection lives.
    Ignored,
}

/// When the bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// First of all.
    BeforeConnect,
    /// Behind a CONNECT that is accepted.
    Connected,
}

/// A row for one version, ready to be sent.
struct Case {
    what: String,
    version: ProtocolVersion,
    state: State,
    bytes: Vec<u8>,
    end: End,
    shows: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, version, bytes, end, shows, .. } = self;
        write!(f, "{what} ({version}): {} must end with {end:?} ({shows})", hex(bytes))
    }
}

/// What came: the packets before PINGRESP or before the end, and which of the two it was.
struct Came {
    packets: Vec<Vec<u8>>,
    last: Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Pingresp,
    Closed,
    Silence,
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packets.iter().try_for_each(|packet| write!(f, "{}, ", hex(packet)))?;
        write!(f, "{:?}", self.last)
    }
}

impl End {
    fn is(self, came: &Came) -> bool {
        let lives = came.last == Last::Pingresp;
        let closed = came.last == Last::Closed;
        match self {
            Self::Disconnect(reason) => {
                closed && came.is_only(0xE0, |contents| contents.starts_with(&[reason.value()]))
            }
            Self::Connack(reason) => {
                closed && came.is_only(0x20, |contents| contents.starts_with(&[0, reason.value()]))
            }
            Self::Said(bytes) => closed && came.packets.concat() == bytes,
            Self::Close => closed && came.packets.is_empty(),
            Self::Accepted => lives && came.is_only(0x20, |contents| contents.get(1) == Some(&0)),
            Self::Lives => lives,
            Self::Answered(bytes) => lives && came.packets.concat() == bytes,
            Self::Ignored => lives && came.packets.is_empty(),
        }
    }
}

impl Came {
    /// Whether there is one packet, with this first byte and these contents.
    fn is_only(&self, first: u8, is_it: impl FnOnce(&[u8]) -> bool) -> bool {
        match self.packets.as_slice() {
            [packet] => packet[0] == first && is_it(&packet[2..]),
            _ => false,
        }
    }
}

/// The end of a connection whose client broke a rule after CONNACK: version 5 has words for it.
fn refused(version: ProtocolVersion, reason: ReasonCode) -> End {
    if version.is_v5() { End::Disconnect(reason) } else { End::Close }
}

/// As [`refused`], for a CONNECT.
fn turned_away(version: ProtocolVersion, reason: ReasonCode) -> End {
    if version.is_v5() { End::Connack(reason) } else { End::Close }
}

/// Every row, for each of its versions, behind a CONNECT.
fn after_connack(rows: &[Row]) -> Vec<Case> {
    cases(State::Connected, rows)
}

/// Every row, for each of its versions, sent first of all.
fn instead_of_connect(rows: &[Row]) -> Vec<Case> {
    cases(State::BeforeConnect, rows)
}

fn cases(state: State, rows: &[Row]) -> Vec<Case> {
    let of_row = |&(versions, what, first, contents, end, shows): &Row| {
        let bytes = packet(first, contents);
        versions.iter().map(move |&version| Case {
            what: what.into(),
            version,
            state,
            bytes: bytes.clone(),
            end,
            shows,
        })
    };
    rows.iter().flat_map(of_row).collect()
}

/// A packet with its Remaining Length.
fn packet(first: u8, contents: &[u8]) -> Vec<u8> {
    [&[first][..], &with_length(contents)].concat()
}

/// Properties with their length in front; a packet's contents with the Remaining Length.
fn with_length(contents: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = contents.len();
    while rest > 0x7F {
        bytes.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes.extend_from_slice(contents);
    bytes
}

/// A string or binary data: two bytes of length in front.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// Sends every case on a connection of its own, and fails with all that ended otherwise.
fn check(cases: &[Case]) {
    check_with("", cases);
}

/// As [`check`], with tables of the broker's configuration.
fn check_with(config: &str, cases: &[Case]) {
    cases.iter().for_each(|case| assert_exists(case.shows));
    let server = Server::with(&format!("[log]\nfilter = \"error\"\n{config}"));
    let (address, wrong, next) = (server.address(), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let (first, rest): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.state == State::BeforeConnect);
    let try_one = |case: &Case, number: usize| {
        let came = send(address, case, number);
        if !case.end.is(&came) {
            wrong.lock().unwrap().push(format!("{case}, and this came: {came}"));
        }
    };
    std::thread::scope(|scope| {
        // Their Client Identifiers are part of the rows, so they come one after the other.
        scope.spawn(|| first.iter().for_each(|case| try_one(case, 0)));
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(case) = rest.get(number)
                {
                    try_one(case, number);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} ended otherwise:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Sends the bytes, and a PINGREQ at once behind them, which is answered exactly if the connection lives.
fn send(address: SocketAddr, case: &Case, number: usize) -> Came {
    let mut bytes = Vec::new();
    if case.state == State::Connected {
        let client_id = format!("bad-input-{number}");
        let hello = Packet::Connect(Box::new(connect(case.version, &client_id)));
        hello.encode(case.version, &mut bytes).unwrap();
    }
    bytes.extend_from_slice(&case.bytes);
    bytes.extend_from_slice(&[0xC0, 0]);
    let mut stream = tcp(address);
    stream.set_patience(PATIENCE);
    // A broker that has closed already is no error.
    let _ = stream.write_all(&bytes);
    let mut packets = Vec::new();
    let last = loop {
        match next_packet(&mut stream) {
            Ok(packet) if packet == [0xD0, 0] => break Last::Pingresp,
            Ok(packet) => packets.push(packet),
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => break Last::Silence,
            Err(_) => break Last::Closed,
        }
    };
    if case.state == State::Connected && !packets.is_empty() {
        assert_eq!(packets.remove(0)[0], 0x20, "{case}: CONNACK comes first");
    }
    Came { packets, last }
}

fn next_packet(stream: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).map_err(|error| error.kind())?;
    assert!(packet[1] < 0x80, "no answer to bad input is that long");
    packet.resize(2 + usize::from(packet[1]), 0);
    stream.read_exact(&mut packet[2..]).map_err(|error| error.kind())?;
    Ok(packet)
}

/// What a row refers to is a section, or a statement of the list.
fn assert_exists(shows: &str) {
    for one in shows.split(", ") {
        let (table, id) = match one.strip_prefix("v3.1.1 MQTT-") {
            Some(id) => ("[v311]", id),
            None => ("[v5]", one.strip_prefix("MQTT-").unwrap_or_default()),
        };
        let (_, list) = STATEMENTS.split_once(&format!("\n{table}\n")).unwrap();
        let list = list.split_once("\n[v").map_or(list, |(list, _)| list);
        assert!(id.is_empty() || list.contains(&format!("\n\"{id}\" = ")), "there is no statement {one}");
    }
}

fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(60).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}

const STATEMENTS: &str = include_str!("statements.toml");

/// Connections at the same time.
const WORKERS: usize = 6;

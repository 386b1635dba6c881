//! Random clients, a bad network, a jumping clock and a slow store against the broker, in virtual time, checked by an
//! oracle that was written from the specification, chapter by chapter (`oracle/`).
//!
//! Clients of all three versions publish, subscribe, share, acknowledge, refuse, repeat themselves, say goodbye, vanish,
//! come back and take each other's sessions over, through sockets that take a few bytes at a time. The oracle hears of
//! every packet in the moment the broker takes it and of every drop the broker owns up to, and judges every packet a
//! client gets: QoS 1 arrives at least once, QoS 2 exactly once, in order for each publisher and topic, with the flags and
//! properties it has to have, nothing arrives that is not owed, nothing is missing but what was dropped, for a reason that
//! holds and is counted, Session Present tells the truth, and what is retained is exactly what was published last.
//!
//! Every history follows from its seed. `MIDGE_SIMULATION_HISTORIES=1000000` runs so many instead of the usual number;
//! `MIDGE_SIMULATION_SEED=7` runs that one. A failure names its seed and tells the fewest steps that still fail.
//!
//! A check is worth what it notices. Whoever changes the oracle breaks the broker in these ways again, one at a time, and
//! sees that each is noticed within the usual number of histories:
//!
//! - 3.1: a clean start keeps the session; Session Present after expiry; the Session Expiry Interval of DISCONNECT, its
//!   override, or the expiry itself ignored; a Will forgotten, or published though the client is back in time; a displaced
//!   connection not woken; an in-flight or queue override ignored.
//! - 3.3: RETAIN as published only if all filters ask for it; No Local or identifiers forgotten where filters overlap; the
//!   lowest QoS of them; an alias that is not defined, one too many, or one that makes a message too large; Maximum Packet
//!   Size not looked at; the remaining expiry not reduced; expired messages sent; PUBACK of a refused message frees no place.
//! - 3.3.1.3: stale, expired, unflagged or one's own retained messages replayed, or at too high a QoS; an empty one kept;
//!   Retain Handling 1 taken for 0.
//! - 3.8: QoS granted above the ruling; UNSUBSCRIBE leaves the subscription; `#` matches topics that begin with `$`.
//! - 4.3, 4.4: an identifier forgotten at once; a PUBREC with an error ignored; no DUP; what has to be sent again begins in
//!   the wrong place; acknowledgements overtake each other; PUBCOMP of a PUBREL sent again frees a place.
//! - 4.8.2: a member whose session ends takes its messages along, or gives away what it has at QoS 2; a message twice.
//! - Queues: one larger than told, the wrong policy, a drop not reported, another order, an outbox that drops in silence.

mod client;
mod histories;
mod oracle;
mod pipe;
mod random;
mod server;
#[allow(dead_code, reason = "not every user of the model crashes")]
mod store;
mod world;

use world::World;

/// How many histories the ordinary run tells.
const HISTORIES: u64 = 20_000;

#[test]
fn every_history_agrees_with_the_specification() {
    histories::live_through::<World>("simulation", HISTORIES, |seed| 40 + seed % 300);
}

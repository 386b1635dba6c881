//! What the innocent notice of each crime, as a figure: the other tests only ask that they are served promptly.

use std::iter;
use std::time::{Duration, Instant};

use midge_protocol::ProtocolVersion;

use super::access::CRIMES;
use super::{Conversation, ask, plugin};
use crate::support::Server;

/// How often a guest is asked to do it.
const EVERY: Duration = Duration::from_millis(2);
/// How long each is watched.
const WATCHED: Duration = Duration::from_secs(3);

#[test]
#[ignore = "a measurement: half a minute; run it by itself, and read what it prints"]
fn every_hostile_guest_in_turn_beside_a_healthy_workload() {
    // Who has no credentials comes in unasked.
    let open = "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nanonymous = true\n";
    let server = Server::with(&format!("{open}{}", plugin("hostile", "hooks = [\"authn\"]")));
    let mut others = Conversation::start_anonymous(&server);
    let ((), idle) = others.latencies_during(|| std::thread::sleep(WATCHED));
    eprintln!("| asked {} times a second | p99 | times quiet | worst |\n|---|---|---|---|", 1000 / EVERY.as_millis());
    eprintln!("| nothing | {:?} | | {:?} |", idle.p99(), idle.worst());
    // The clients that come cost something even where nobody does anything wrong: that is what is quiet.
    let mut quiet = None;
    for crime in iter::once("innocent").chain(CRIMES.iter().map(|(crime, _)| *crime)) {
        let (calls, busy) = others.latencies_during(|| {
            let began = Instant::now();
            let mut calls = 0;
            while began.elapsed() < WATCHED {
                // Another client each time: who breaks a plugin twice is kept away from it.
                drop(ask(&server, ProtocolVersion::V5, &format!("{crime}-{calls}"), crime));
                calls += 1;
                std::thread::sleep((began + EVERY * calls).saturating_duration_since(Instant::now()));
            }
            calls
        });
        let quiet = *quiet.get_or_insert(busy.p99());
        let times = busy.p99().as_secs_f64() / quiet.as_secs_f64();
        eprintln!("| {crime} ({calls} calls) | {:?} | {times:.1} | {:?} |", busy.p99(), busy.worst());
    }
}

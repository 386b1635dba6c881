//! What the innocent notice of each crime, as a figure: the other tests only ask that they are served promptly.

use std::time::{Duration, Instant};

use midge_protocol::ProtocolVersion;

use super::access::CRIMES;
use super::{Conversation, ask, plugin};
use crate::support::Server;

/// How long each is watched.
const WATCHED: Duration = Duration::from_secs(3);

#[test]
#[ignore = "a measurement: half a minute; run it by itself, and read what it prints"]
fn every_hostile_guest_in_turn_beside_a_healthy_workload() {
    // Who has no credentials comes in unasked.
    let open = "[[listener]]\nname = \"tcp\"\naddress = \"127.0.0.1:0\"\nanonymous = true\n";
    let server = Server::with(&format!("{open}{}", plugin("hostile", "hooks = [\"authn\"]")));
    let mut others = Conversation::start_anonymous(&server);
    let ((), quiet) = others.latencies_during(|| std::thread::sleep(WATCHED));
    eprintln!("| guest | p99 | times quiet | worst |\n|---|---|---|---|");
    eprintln!("| none | {:?} | 1 | {:?} |", quiet.p99(), quiet.worst());
    for (crime, _) in CRIMES {
        let (calls, busy) = others.latencies_during(|| {
            let until = Instant::now() + WATCHED;
            let mut calls = 0;
            while Instant::now() < until {
                // Another client each time: who breaks a plugin twice is kept away from it.
                drop(ask(&server, ProtocolVersion::V5, &format!("{crime}-{calls}"), crime));
                calls += 1;
            }
            calls
        });
        let times = busy.p99().as_secs_f64() / quiet.p99().as_secs_f64();
        eprintln!("| {crime} ({calls} calls) | {:?} | {times:.1} | {:?} |", busy.p99(), busy.worst());
    }
}

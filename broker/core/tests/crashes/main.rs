//! The broker ends at any moment, between any two batches and commits, and another starts from what its store had made safe.
//!
//! Batches of several connections are open at the same time and end in any order, the store commits as many as it likes, and
//! sessions are taken over. The clients remember what MQTT has them remember, and the ledger what they were promised: an
//! acknowledged message reaches every session that was subscribed, QoS 2 exactly once, in order for each publisher, topic and
//! QoS, and a session that was confirmed is there.
//!
//! Every history follows from its seed. `MIDGE_CRASHES_HISTORIES=1000000` runs so many; `MIDGE_CRASHES_SEED=7` runs that one.

mod client;
#[path = "../simulation/histories.rs"]
mod histories;
mod ledger;
#[path = "../simulation/random.rs"]
#[allow(dead_code, reason = "shared with the simulation, which needs all of it")]
mod random;
mod server;
#[path = "../simulation/store.rs"]
#[allow(dead_code, reason = "shared with the simulation, where everything is committed at once")]
mod store;
mod world;

use world::World;

/// How many histories the ordinary run tells.
const HISTORIES: u64 = 10_000;

#[test]
fn no_crash_loses_what_was_acknowledged_or_repeats_a_qos_2_message() {
    histories::live_through::<World>("crashes", HISTORIES, |seed| 30 + seed % 250);
}

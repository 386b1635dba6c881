//! The rules, tested through the public door: packets in, bytes out, time as told.
#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod authorizing;
mod client;
mod congestion;
mod connecting;
mod delivering;
mod granting;
#[path = "../tests/simulation/store.rs"]
mod late;
mod output;
mod publishing;
mod refusing;
mod restoring;
mod retaining;
mod sessions;
mod sharing;
mod storing;
mod stress;
mod subscribing;
mod wills;

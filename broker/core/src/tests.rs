//! The rules, tested through the public door: packets in, bytes out, time as told.
#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod client;
mod connecting;
mod delivering;
mod output;
mod publishing;
mod retaining;
mod sessions;
mod sharing;
mod storing;
mod stress;
mod subscribing;
mod wills;

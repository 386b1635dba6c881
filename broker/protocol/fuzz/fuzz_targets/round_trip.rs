//! See `src/round_trip.rs`.
#![no_main]

#[path = "../src/round_trip.rs"]
mod round_trip;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| round_trip::run(bytes));

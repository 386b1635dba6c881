//! What the fuzzers under `fuzz/` try for hours, tried for a moment in every test run and with any toolchain: their seeds,
//! and variations of them that follow from a number.
//!
//! `MIDGE_FUZZ_ITERATIONS=1000000` tries so many variations, `MIDGE_FUZZ_SEED=7` others than usual. A failure prints its
//! input, which belongs into `fuzz/seeds/` once it is understood.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a panic in a test is an answer")]

#[path = "../fuzz/src/decode.rs"]
mod decode;
#[path = "../fuzz/src/round_trip.rs"]
mod round_trip;
#[path = "../fuzz/src/variations.rs"]
mod variations;

#[test]
fn decoding_is_total() {
    variations::try_all(include_str!("../fuzz/seeds/decode.hex"), 100_000, decode::run);
}

#[test]
fn what_was_decoded_survives_encoding() {
    variations::try_all(include_str!("../fuzz/seeds/round_trip.hex"), 100_000, round_trip::run);
}

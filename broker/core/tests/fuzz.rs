//! What the fuzzer under `fuzz/` tries for hours, tried for a moment in every test run and with any toolchain: its seeds,
//! and variations of them that follow from a number.
//!
//! `MIDGE_FUZZ_ITERATIONS=1000000` tries so many variations, `MIDGE_FUZZ_SEED=7` others than usual. A failure prints its
//! input, which belongs into `fuzz/seeds/` once it is understood.

#[path = "../fuzz/src/connections.rs"]
mod connections;
#[path = "../../protocol/fuzz/src/variations.rs"]
mod variations;

#[test]
fn no_connection_breaks_the_broker() {
    variations::try_all(include_str!("../fuzz/seeds/connections.hex"), 40_000, connections::run);
}

//! Whole connections with a broker behind them: see `src/connections.rs`.
#![no_main]

#[path = "../src/connections.rs"]
mod connections;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| connections::run(bytes));

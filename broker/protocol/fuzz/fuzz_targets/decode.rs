//! See `src/decode.rs`.
#![no_main]

#[path = "../src/decode.rs"]
mod decode;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| decode::run(bytes));

//! Midge: an MQTT broker whose authentication, authorization and integrations are sandboxed WebAssembly plugins.

mod cli;
mod passwd;
mod plugin;
mod store;

use std::process::ExitCode;

use clap::Parser;

/// Takes the least of processor time and memory, and gives back what a burst needed; what was measured is in
/// `tests/bench/README.md`.
#[cfg(all(feature = "allocator", target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc does not start where pages are larger than those of the machine that built it (16 KiB on a Raspberry Pi 5).
#[cfg(all(feature = "allocator", not(all(target_os = "linux", target_arch = "x86_64"))))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

fn main() -> ExitCode {
    match cli::Cli::parse().perform(BUNDLED) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("midge: {failure}");
            failure.exit_code()
        }
    }
}

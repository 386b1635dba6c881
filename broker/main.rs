//! Midge: an MQTT broker whose authentication, authorization and integrations are sandboxed WebAssembly plugins.

mod cli;
mod passwd;
mod plugin;
mod store;

use std::process::ExitCode;

use clap::Parser;

/// Of what runs on every machine the one that can give bursts back; what was measured is in `tests/bench/README.md`.
#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Less of both, and what a burst needed goes back to the system by itself; but it must be built for the page size of the
/// machine that it runs on.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

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

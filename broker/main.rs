//! Midge: an MQTT broker whose authentication, authorization and integrations are sandboxed WebAssembly plugins.

mod cli;
mod passwd;
mod plugin;
mod store;

use std::process::ExitCode;

use clap::Parser;

/// Measured: a tenth less processor time for QoS 1 than with the system's allocator.
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

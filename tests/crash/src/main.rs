//! Kills a broker at random moments, under load, and checks that nothing it acknowledged is lost.
//!
//! Publishers and subscribers with persistent sessions talk to the real binary until it is killed (SIGKILL), and again once it
//! is back, as real clients do: what was not acknowledged is sent again. After every kill everything is settled and checked
//! against what the clients know was promised to them:
//!
//! - no message that was acknowledged is missing at any session that had subscribed to it;
//! - no QoS 2 message came twice;
//! - the messages of one publisher on one topic came in their order, for each QoS;
//! - Session Present told the truth;
//! - the retained message of a topic is the last acknowledged one, or one that was under way when the broker was killed.

#![allow(clippy::print_stdout, reason = "a command speaks to the person who typed it")]

mod broker;
mod channel;
mod ledger;
mod publisher;
mod random;
mod retained;
mod round;
mod subscriber;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// What to do.
#[derive(Parser)]
#[command(about = "Kills Midge again and again, and checks that nothing it acknowledged is lost")]
struct Options {
    /// The broker
    #[arg(long)]
    broker: PathBuf,
    /// How often it is killed
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// What the moments of the kills follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The longest time under load before a kill, in milliseconds
    #[arg(long, default_value_t = 1500)]
    load_ms_max: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match round::run(&options) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("crash: {failure}");
            ExitCode::FAILURE
        }
    }
}

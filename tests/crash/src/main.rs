//! Kills a broker at random moments, under load, and checks that nothing it acknowledged is lost.
//!
//! Clients with persistent sessions talk to the real binary until it is killed (SIGKILL), and again once it is back, as real
//! clients do: what was not acknowledged is sent again. Some rounds kill it more than once, also while it starts. Then
//! everything is settled and checked against what the clients know was promised to them:
//!
//! - no message that was acknowledged is missing at any session that had subscribed to it, connected at the kill or not, nor
//!   at a shared subscription;
//! - no QoS 2 message came twice, nor to two members of a shared subscription;
//! - the messages of one publisher on one topic came in their order, for each QoS, and each with its own payload;
//! - Session Present told the truth both ways, also of sessions that ended by Clean Start or by their expiry;
//! - the retained message of a topic is the last one, or there is none where that was empty;
//! - subscriptions are what SUBACK and UNSUBACK said last;
//! - Wills come once, when they are due, and not from those who came back in time;
//! - messages that expired while the broker was down do not come.
//!
//! With `--power-loss` only what was synced is sure to be there after a kill, see [`power`].

#![allow(clippy::print_stdout, reason = "a command speaks to the person who typed it")]

mod broker;
mod channel;
mod clients;
mod ledger;
mod power;
mod random;
mod round;
mod story;
mod world;

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
    /// How often everything is settled and checked
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// What the moments of the kills follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The longest time under load before a kill, in milliseconds
    #[arg(long, default_value_t = 1500)]
    load_ms_max: u64,
    /// Let each kill be a loss of power, by this library (`libmidge_powerloss.so`)
    #[arg(long, value_name = "LIBRARY")]
    power_loss: Option<PathBuf>,
    /// The broker's `store.durability`; one that promises less than what is checked shows that the harness finds it
    #[arg(long)]
    durability: Option<String>,
    /// Let the broker live, and only the clients go: whether what is asked of it is right
    #[arg(long, conflicts_with = "power_loss")]
    spare: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    println!("seed {}", options.seed);
    let directory = match tempfile::Builder::new().prefix("midge-crash-").tempdir() {
        Ok(directory) => directory,
        Err(error) => {
            eprintln!("crash: no temporary directory: {error}");
            return ExitCode::FAILURE;
        }
    };
    match round::run(&options, directory.path()) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("crash: {failure}\n  its files are in {}", directory.keep().display());
            ExitCode::FAILURE
        }
    }
}

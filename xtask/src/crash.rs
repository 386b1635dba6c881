//! `cargo xtask crash`: the broker is killed, its power is lost, and what it promised is checked.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, build};

/// What `cargo xtask crash` was told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often everything is settled and checked; many rounds kill more than once
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// What the moments of the kills follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Let each kill be a loss of power: what was not synced may be gone
    #[arg(long)]
    power_loss: bool,
    /// The longest time under load before a kill, in milliseconds
    #[arg(long, default_value_t = 1000)]
    load_ms_max: u64,
    /// Kill this broker instead of building one
    #[arg(long, value_name = "FILE")]
    broker: Option<PathBuf>,
}

/// Builds what is needed and runs the rounds.
///
/// # Errors
/// When something does not build, or a promise was broken; the harness has told how.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let broker = match &options.broker {
        Some(broker) => broker.clone(),
        None => build::broker(root, false)?,
    };
    let harness = Harness::build(root)?;
    build::succeed(&mut harness.command(&broker, options), "crash")
}

/// A few rounds of each kind, with the broker that `cargo test` has built.
///
/// # Errors
/// When something does not build.
pub(crate) fn short_runs(root: &Path) -> Result<[(&'static str, Command); 2], Failure> {
    let broker = build::target_directory(root).join("debug").join("midge");
    let harness = Harness::build(root)?;
    let command = |power_loss| {
        let options = Options { rounds: SHORT_ROUNDS, seed: 1, power_loss, load_ms_max: 200, broker: None };
        harness.command(&broker, &options)
    };
    Ok([("kills under load", command(false)), ("losses of power under load", command(true))])
}

struct Harness {
    program: PathBuf,
    /// What is preloaded into the broker.
    library: PathBuf,
}

impl Harness {
    fn build(root: &Path) -> Result<Self, Failure> {
        let packages = ["build", "--package", "midge-crash", "--package", "midge-powerloss"];
        build::succeed(build::cargo(root).args(packages), "cargo build")?;
        let directory = build::target_directory(root).join("debug");
        Ok(Self { program: directory.join("midge-crash"), library: directory.join("libmidge_powerloss.so") })
    }

    fn command(&self, broker: &Path, options: &Options) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--broker").arg(broker);
        for (name, number) in
            [("--rounds", options.rounds), ("--seed", options.seed), ("--load-ms-max", options.load_ms_max)]
        {
            command.args([name, &number.to_string()]);
        }
        if options.power_loss {
            command.arg("--power-loss").arg(&self.library);
        }
        command
    }
}

const SHORT_ROUNDS: u64 = 4;

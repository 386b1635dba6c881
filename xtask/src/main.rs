//! Midge's own commands: `cargo xtask run`, `cargo xtask test` and their parts.

#![allow(clippy::print_stdout, reason = "a command speaks to the person who typed it")]

mod bench;
mod build;
mod check;
mod crash;
mod demo;
mod packages;
mod paths;
mod plugins;
mod run;
mod track;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use midge_toolchain::ToolchainError;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up, runs, tests and measures Midge", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the broker and its bundled plugins, and start them with a demo config
    Run(run::Options),
    /// Run formatting, lints, documentation and all tests; ends with `N passed, N failed`
    Test {
        /// Run only these tests: arguments for `cargo test` (`cargo xtask test -- --test main retained`)
        #[arg(last = true)]
        only: Vec<String>,
    },
    /// Kill the broker at random moments, under load, and check that nothing it acknowledged is lost
    Crash(crash::Options),
    /// Measure Midge beside mosquitto on this machine, and print ratios
    Bench(bench::Options),
    /// Count the instructions of the core's paths, and compare them with what is on record
    Paths(paths::Options),
    /// Build the broker with its bundled plugins embedded, and print its path
    Build {
        /// Optimise for speed: takes minutes longer to build
        #[arg(long)]
        release: bool,
    },
    /// Put the contract on record as its track, with components that were built for it, until the track is released
    Track,
    /// Build the bundled plugins and the test guests as WebAssembly components
    Plugins {
        /// Build only this one
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code)
        }
    }
}

fn perform(task: Task) -> Result<(), Failure> {
    let root = &root();
    match task {
        Task::Run(options) => run::run(root, &options),
        Task::Test { only } => check::run(root, &only),
        Task::Crash(options) => crash::run(root, &options),
        Task::Bench(options) => bench::run(root, &options),
        Task::Paths(options) => paths::run(root, &options),
        Task::Build { release } => build::broker(root, release).map(|path| println!("{}", path.display())),
        Task::Track => track::record(root),
        Task::Plugins { only } => plugins::build(root, &plugins::Selection::from(only)),
    }
}

/// The root of the workspace, wherever in it the command was typed.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace").to_path_buf()
}

impl From<ToolchainError> for Failure {
    fn from(error: ToolchainError) -> Self {
        match error {
            // What failed has said why.
            ToolchainError::Failed { .. } => Self::silent(),
            other => Self::new(other.to_string()),
        }
    }
}

/// Why a task did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// None when what failed has said why.
    message: Option<String>,
    code: u8,
}

impl Failure {
    /// Something that the person at the keyboard can mend.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 2 }
    }

    /// Prints it, unless that was done.
    pub(crate) fn tell(&self) {
        if let Some(message) = &self.message {
            eprintln!("xtask: {message}");
        }
    }

    /// A failure that has been printed already.
    pub(crate) fn silent() -> Self {
        Self { message: None, code: 1 }
    }
}

//! The load generator as a program of its own; `midge bench` is the same.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Load generator for MQTT brokers", version)]
struct Cli {
    #[command(flatten)]
    bench: midge_bench::Bench,
}

fn main() -> ExitCode {
    match Cli::parse().bench.perform(&mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "midge-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}

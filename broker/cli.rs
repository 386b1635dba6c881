//! The command line.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use midge_server::config::{Bundled, Config, ConfigError, Explained, Override};
use midge_server::{RunError, Start, logging};

use crate::passwd::{Passwd, PasswdError};
use crate::plugin::{PluginCommand, PluginError};
use crate::store::{StoreCommand, StoreError};

/// An MQTT broker whose authentication, authorization and integrations are sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "midge", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker; without a config it listens on port 1883 of both loopback addresses
    Run(Run),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make, change or delete a user of a password file
    Passwd(Passwd),
    /// Look at what survives a restart, check, repair, export, import or compact it; the broker must be stopped
    #[command(subcommand)]
    Store(StoreCommand),
    /// Look at plugins and try them, and look after those of a running broker
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Put load on any MQTT broker and measure it
    Bench(midge_bench::Bench),
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    sources: Sources,
    /// Load configuration, plugins and certificates, print what would run, and end: 0 if all is well, else 2
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every key with its effective value, where it came from, and what it means
    Explain(Sources),
}

/// Where a configuration comes from, the last word first: command line, environment, file, defaults.
#[derive(Debug, Clone, Args)]
struct Sources {
    /// The configuration file; broker/midge.example.toml documents every key
    #[arg(long, short, value_name = "FILE", env = "MIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// log.filter: a level, or a filter such as "info,midge_host=debug" [env: MIDGE_LOG=]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// log.format: "text" or "json" [env: MIDGE_LOG_FORMAT=]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Cli {
    /// Does what the command line says.
    pub(crate) fn perform(self, bundled: Bundled) -> Result<(), Failure> {
        match self.command {
            Command::Run(Run { sources, check: false }) => {
                let config = sources.load()?;
                let read_again = Box::new(move || sources.load());
                Ok(midge_server::run(Start { config, read_again, bundled })?)
            }
            Command::Run(Run { sources, check: true }) => Ok(midge_server::check(sources.load()?, bundled)?),
            Command::Config(ConfigCommand::Explain(sources)) => {
                let lines = sources.load()?.explain();
                // Whoever closed the pipe has read enough.
                let _ = print(&lines, &mut io::stdout().lock());
                Ok(())
            }
            Command::Passwd(passwd) => Ok(passwd.perform()?),
            Command::Store(command) => Ok(command.perform()?),
            Command::Plugin(command) => Ok(command.perform(bundled)?),
            Command::Bench(bench) => bench.perform(&mut io::stdout().lock()).map_err(Failure::Bench),
        }
    }
}

impl Sources {
    fn load(&self) -> Result<Config, ConfigError> {
        let config = Config::load(self.config.as_deref(), &self.overrides())?;
        // The filter has been judged with the rest of the configuration; only the first call starts the log.
        let _ = logging::start(&config.log);
        Ok(config)
    }

    fn overrides(&self) -> Vec<Override> {
        let options = [
            ("log.filter", "--log", "MIDGE_LOG", &self.log),
            ("log.format", "--log-format", "MIDGE_LOG_FORMAT", &self.log_format),
        ];
        let given = |(key, option, variable, value): (&'static str, &str, &str, &Option<String>)| match value {
            Some(value) => Some(Override { key, value: value.clone(), origin: option.into() }),
            None => {
                let value = std::env::var(variable).ok().filter(|value| !value.is_empty())?;
                Some(Override { key, value, origin: variable.into() })
            }
        };
        options.into_iter().filter_map(given).collect()
    }
}

/// Prints a configuration that is itself one, with every key in its place.
fn print(lines: &[Explained], out: &mut impl Write) -> io::Result<()> {
    for (index, line) in lines.iter().enumerate() {
        if line.begins {
            writeln!(out, "{}{}", if index > 0 { "\n" } else { "" }, line.table)?;
        }
        let setting = match line.value.as_str() {
            "-" => format!("# {} =", line.key),
            value => format!("{} = {value}", line.key),
        };
        let origin = line.origin.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string);
        writeln!(out, "{setting:<42} # {origin}: {}", line.meaning)?;
    }
    Ok(())
}

/// What is wrong with a configuration, for any command that needs one.
pub(crate) fn fmt_config(error: &ConfigError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the configuration cannot be used\n{error}")
}

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration cannot be used.
    Config(ConfigError),
    /// The broker did not start, or ended.
    Run(RunError),
    /// The password file was not changed.
    Passwd(PasswdError),
    /// The store was not looked at, or is not as it should be.
    Store(StoreError),
    /// A plugin was not made, looked at, tried or looked after, or is not as it should be.
    Plugin(PluginError),
    /// The broker under test did not do what the load needs.
    Bench(io::Error),
}

impl Failure {
    /// 2 where the operator can mend the configuration, 1 otherwise.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) => 2,
            Self::Run(error) => error.exit_code(),
            Self::Passwd(_) | Self::Plugin(_) | Self::Bench(_) => 1,
            Self::Store(error) => error.exit_code(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => fmt_config(error, f),
            Self::Run(error) => error.fmt(f),
            Self::Passwd(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Plugin(error) => error.fmt(f),
            Self::Bench(error) => error.fmt(f),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Self::Plugin(error)
    }
}

impl From<PasswdError> for Failure {
    fn from(error: PasswdError) -> Self {
        Self::Passwd(error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_explain_prints_is_a_configuration_with_the_same_meaning() {
        let text = "[[store.topics]]\nfilter = \"a/#\"\ndurability = \"memory\"\n\
                    [[store.topics]]\nfilter = \"b\"\ndurability = \"os\"\n";
        let config = Config::read("written", text, std::path::Path::new(""), &[]).unwrap();
        let mut printed = Vec::new();
        print(&config.explain(), &mut printed).unwrap();
        let text = String::from_utf8(printed).unwrap();
        // A path of the WebSocket upgrade is only allowed where there is one.
        let text = text.replace("path = \"/mqtt\"", "");
        let again = Config::read("explained", &text, std::path::Path::new(""), &[]).unwrap();
        let values =
            |config: &Config| config.explain().into_iter().map(|line| (line.key, line.value)).collect::<Vec<_>>();
        assert_eq!(values(&again), values(&config));
    }
}

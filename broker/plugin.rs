//! `midge plugin`: making, looking at and trying plugins, without a broker.

mod wit;

use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::Subcommand;

/// A subcommand each, in a file of its name.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Print the plugin contract, or write its files: all that a plugin in any language is built against
    #[command(after_help = "Examples:\n  midge plugin wit > midge.wit\n  midge plugin wit --out wit/deps/midge-plugin")]
    Wit(wit::Wit),
}

/// Why a subcommand did not do what it should.
#[derive(Debug)]
pub(crate) enum PluginError {
    /// A file cannot be read or written.
    File { file: PathBuf, error: io::Error },
    /// Standard output cannot be written.
    Print(io::Error),
}

impl PluginCommand {
    /// Does what the command line says.
    pub(crate) fn perform(&self) -> Result<(), PluginError> {
        match self {
            Self::Wit(wit) => wit.perform(),
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, error } => write!(f, "{}: {error}", file.display()),
            Self::Print(error) => write!(f, "standard output cannot be written: {error}"),
        }
    }
}

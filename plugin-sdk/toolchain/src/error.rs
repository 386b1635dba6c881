//! Why there is no component.

use std::io;
use std::path::{Path, PathBuf};

/// Why a plugin was not made, found or built.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// Something that the language needs is not on this machine.
    #[error("{what} is missing; to mend it: {mend}")]
    Missing {
        /// What is missing, and for what.
        what: String,
        /// The command, or the words, that mend it.
        mend: String,
    },
    /// A program did not do what it was started for, and has said why itself.
    #[error("{program} failed ({status})")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's words.
        error: io::Error,
    },
    /// A file does not say what it should.
    #[error("{}: {why}", path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// Nothing in a folder says what language its plugin is written in.
    #[error("{}: no plugin here: there is neither a plugin.toml nor a Cargo.toml; begin one with: midge plugin new NAME", path.display())]
    NoPlugin {
        /// The folder.
        path: PathBuf,
    },
    /// A language nobody has a recipe for.
    #[error("there is no language \"{name}\" here; there are {known}")]
    UnknownLanguage {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A hook or import that the contract does not have, or that there is no template for.
    #[error("there is no {kind} \"{name}\"; there are {known}")]
    Unknown {
        /// "hook", "import", or what else it is not.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A name that a plugin cannot have.
    #[error(
        "\"{name}\" is no name for a plugin: lower case letters, digits and single dashes, a letter first, at most 64"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// A new plugin would lie over something that is there.
    #[error("{}: there is something already; choose another name, or remove it", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// What was built is no plugin that the broker could load.
    #[error("what was built is no plugin: {0}")]
    NoComponent(String),
    /// The contract cannot be read, or bindings cannot be made of it.
    #[error("the contract: {0}")]
    Contract(String),
}

impl ToolchainError {
    /// For `map_err`: what happened to this file.
    pub fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |error| Self::Io { path, error }
    }
}

//! What a language is to Midge.

use std::fmt;
use std::process::Command;

use crate::{Folder, Plan, Text, ToolchainError, c, javascript, python, rust};

/// Every language that there is a recipe for, in the order in which they are shown.
pub const LANGUAGES: &[&dyn Language] =
    &[&rust::Rust, &c::C, &javascript::JavaScript, &javascript::TypeScript, &python::Python];

/// A language that plugins are written in: one file of this crate.
pub trait Language: fmt::Debug + Sync {
    /// What `--lang` and `plugin.toml` call it: "rust", "c", "js", "ts", "python".
    fn name(&self) -> &'static str;

    /// What people call it.
    fn title(&self) -> &'static str;

    /// Looks for what the language needs on this machine, without changing anything.
    fn examine(&self) -> Examination;

    /// The files of a new plugin, paths relative to its folder.
    ///
    /// # Errors
    /// When there is no template for one of the hooks.
    fn template(&self, plan: &Plan) -> Result<Vec<Text>, ToolchainError>;

    /// Makes a component of a plugin's folder. What compilers print goes to the terminal; intermediate files go to
    /// [`Folder::build_directory`] or where the language's own tools have them.
    ///
    /// # Errors
    /// When something is missing, with the command that mends it, or a tool fails, which has said why itself.
    fn build(&self, folder: &Folder, context: &Context<'_>) -> Result<Built, ToolchainError>;

    /// What to type in a new plugin's folder, besides `midge plugin build` and `midge plugin test`: each command with what
    /// it does.
    fn next_steps(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// How a build goes about it.
pub struct Context<'a> {
    /// Whether system packages are installed where that needs no question: as root on Debian. Otherwise the command that
    /// does it is named.
    pub may_install: bool,
    /// Told what is going on, a line at a time.
    pub tell: &'a dyn Fn(&str),
}

impl Context<'_> {
    /// Runs a tool. What it prints goes to the terminal.
    ///
    /// # Errors
    /// When it cannot be started, or ends with another status than 0.
    pub fn run(&self, command: &mut Command) -> Result<(), ToolchainError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |status: String| ToolchainError::Failed { program: program.clone(), status };
        let status = command.status().map_err(|error| failed(error.to_string()))?;
        if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
    }
}

/// A component and its name.
#[derive(Debug)]
pub struct Built {
    /// The plugin's name, as in `NAME.wasm`.
    pub name: String,
    /// The component.
    pub bytes: Vec<u8>,
}

/// What a language has on this machine.
#[derive(Debug)]
pub struct Examination {
    /// What was looked for, each with what was found.
    pub findings: Vec<Finding>,
    /// The one command that mends what is missing; `None` when nothing is.
    pub mend: Option<String>,
}

impl Examination {
    /// Whether plugins in this language can be built here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.findings.iter().all(|finding| matches!(finding.state, State::Found(_)))
    }
}

/// One thing a language needs.
#[derive(Debug)]
pub struct Finding {
    /// What it is, and what for.
    pub what: String,
    /// Whether it is here.
    pub state: State,
}

/// Whether something is here.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// It is: where, or which version.
    Found(String),
    /// It is not.
    Missing,
}

impl Finding {
    /// Something that was looked for, with what was found.
    pub fn new(what: impl Into<String>, found: Option<String>) -> Self {
        Self { what: what.into(), state: found.map_or(State::Missing, State::Found) }
    }
}

/// The language of this name.
///
/// # Errors
/// Names those there are.
pub fn language(name: &str) -> Result<&'static dyn Language, ToolchainError> {
    let found = LANGUAGES.iter().find(|one| one.name() == name);
    found.copied().ok_or_else(|| ToolchainError::UnknownLanguage { name: name.to_owned(), known: known() })
}

fn known() -> String {
    LANGUAGES.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn a_language_is_found_by_its_name_and_an_unknown_one_is_told_which_there_are() {
        assert_eq!(language("rust").unwrap().title(), "Rust");
        let refused = language("cobol").unwrap_err().to_string();
        assert!(refused.contains("cobol") && refused.contains("rust"), "{refused}");
    }

    #[test]
    fn what_is_missing_has_a_command_that_mends_it() {
        for language in LANGUAGES {
            let examination = language.examine();
            assert_eq!(examination.is_complete(), examination.mend.is_none(), "{language:?}: {examination:?}");
        }
    }
}

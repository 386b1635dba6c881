//! What is wrong with a configuration: where it stands, what stands there, and what would be accepted.

use std::fmt;

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one problem, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands; `None` where nothing was written.
    pub origin: Option<Origin>,
    /// The key with its tables, such as `listener[0].address`; empty where the file itself is the problem.
    pub key: String,
    /// The value as written, where there is one.
    pub found: Option<String>,
    /// What is wrong with it, or what would be accepted.
    pub what: String,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file; line and column count from 1.
    File {
        /// The file as it was named.
        file: String,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// On the command line or in the environment: the option or the variable.
    Argument(String),
}

impl ConfigError {
    /// The error of one problem.
    #[must_use]
    pub fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl Problem {
    /// A problem of the file as a whole.
    pub(super) fn file(origin: Origin, what: impl Into<String>) -> Self {
        Self { origin: Some(origin), key: String::new(), found: None, what: what.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            match origin {
                Origin::File { file, line, column } => write!(f, "{file}:{line}:{column}: ")?,
                Origin::Argument(name) => write!(f, "{name}: ")?,
            }
        }
        match (self.key.as_str(), &self.found) {
            ("", _) => {}
            (key, Some(found)) => write!(f, "{key} = {found}: ")?,
            (key, None) => write!(f, "{key}: ")?,
        }
        f.write_str(&self.what)
    }
}

impl fmt::Display for Origin {
    /// As `explain` shows it: without the column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, .. } => write!(f, "{file}:{line}"),
            Self::Argument(name) => f.write_str(name),
        }
    }
}

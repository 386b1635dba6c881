//! [`Fixture`]: tests of a plugin, written in TOML. README.md has the format.

mod compare;
mod file;
mod run;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use self::compare::differences;
use self::file::File;
use crate::plugin::{Error, Plugin};

/// A file of tests. They run in its order, in one instance of the plugin.
#[derive(Debug)]
pub struct Fixture {
    path: PathBuf,
    file: File,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A fixture that is none.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Something in it is not what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// What became of one test.
#[derive(Clone, Debug)]
pub struct TestOutcome {
    /// Its name.
    pub name: String,
    /// Where it stands, from 1.
    pub line: usize,
    /// What was not as expected; nothing: it passed.
    pub mismatches: Vec<Mismatch>,
    /// What the plugin logged, for whoever looks for the reason.
    pub logs: Vec<String>,
}

/// Something that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What it is about: `verdict`, `answer.verdict.deny.code`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What there was.
    pub got: String,
}

impl Fixture {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no fixture.
    pub fn read(path: &Path) -> Result<Self, FixtureError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| FixtureError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(path, &text)
    }

    /// Reads what stands in a file.
    ///
    /// # Errors
    /// It is no fixture: the line, and what is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FixtureError> {
        let lines: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let line_of = |at: usize| lines.partition_point(|begin| *begin <= at).max(1);
        let wrong =
            |at: usize, reason: String| FixtureError::Wrong { path: path.to_owned(), line: line_of(at), reason };
        let file: File = toml::from_str(text).map_err(|error| {
            wrong(error.span().map_or(0, |span| span.start), error.message().trim_end().replace('\n', " "))
        })?;
        file.check().map_err(|(at, reason)| wrong(at, reason))?;
        Ok(Self { path: path.to_owned(), file, lines })
    }

    /// How many tests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.file.tests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.file.tests.is_empty()
    }

    /// Runs the tests in turn, with a plugin that `fresh` makes: one for all, and one more for each test that has a `config` or an
    /// `allow` of its own. `told` hears of each as soon as it is over.
    ///
    /// # Errors
    /// The plugin cannot be loaded, or a test asks for a function or gives an input that it does not have.
    pub fn run(
        &self,
        fresh: impl Fn() -> Plugin,
        mut told: impl FnMut(&TestOutcome),
    ) -> Result<Vec<TestOutcome>, FixtureError> {
        let made = |own| {
            let mut plugin = self.file.apply(fresh(), self.directory(), own);
            // What it does at its start is no test's. Where it does not start, the call says so.
            let _ = plugin.start();
            plugin.leftovers();
            plugin
        };
        let mut shared = made(None);
        let mut state = Value::Null;
        let mut outcomes = Vec::with_capacity(self.len());
        for spanned in &self.file.tests {
            let (line, test) = (self.line(spanned.span().start), spanned.get_ref());
            let wrong = |(at, reason)| FixtureError::Wrong { path: self.path.clone(), line: self.line(at), reason };
            let mut own = test.is_own().then(|| made(Some(test)));
            let plugin = own.as_mut().unwrap_or(&mut shared);
            // What HTTP services have ready is for one test.
            plugin.serve_nothing();
            if test.http.is_empty() {
                self.file.served().for_each(|served| plugin.serve_now(served));
            }
            let outcome = run::test(test, plugin, &mut state, line);
            let outcome = outcome.map_err(wrong)?;
            told(&outcome);
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at).max(1)
    }
}

impl TestOutcome {
    /// Whether all was as expected.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, got } = self;
        writeln!(f, "{what}\n  expected  {expected}\n  got       {got}")
    }
}

/// Whether an error is about the test as it is written, and not about the plugin.
fn is_the_tests(error: &Error) -> bool {
    use midge_host::CallError;
    matches!(error, Error::Call(CallError::UnknownFunction { .. } | CallError::Input { .. }) | Error::NoFile(_))
}

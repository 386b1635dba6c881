//! `midge plugin test`: fixtures, which say what a component must answer.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use midge_plugin_test::{Fixture, FixtureError, Plugin, TestOutcome};
use midge_server::config::Bundled;
use tempfile::TempDir;

use super::style::Style;
use super::{PluginError, component};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The component: a .wasm file, or bundled:NAME
    component: String,
    /// The fixtures
    #[arg(required = true, value_name = "FIXTURE")]
    fixtures: Vec<PathBuf>,
}

/// How many tests there were.
#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
}

impl Test {
    pub(super) fn perform(&self, bundled: Bundled) -> Result<(), PluginError> {
        // It is loaded for each fixture, and compiled once.
        let compiled = TempDir::new().map_err(|error| PluginError::File { file: std::env::temp_dir(), error })?;
        let make = || component::bare(&self.component, bundled, Some(compiled.path()));
        // One that cannot be loaded fails no test: there is none.
        make()?.inspect()?;
        let fresh = || make().unwrap_or_else(|_| Plugin::load(&self.component));
        let (mut out, mut totals) = (io::stdout().lock(), Totals::default());
        let style = Style::of(&out);
        for path in &self.fixtures {
            writeln!(out, "{}", path.display()).map_err(PluginError::Print)?;
            let mut printed = Ok(());
            let run = Fixture::read(path).and_then(|fixture| {
                fixture.run(fresh, |outcome| {
                    totals.add(outcome);
                    if printed.is_ok() {
                        printed = print(&mut out, style, &path.display().to_string(), outcome);
                    }
                })
            });
            printed.map_err(PluginError::Print)?;
            if let Err(error) = run.and_then(|outcomes| if outcomes.is_empty() { Err(empty(path)) } else { Ok(()) }) {
                totals.failed += 1;
                writeln!(out, "  {} {error}", style.bad("FAILED")).map_err(PluginError::Print)?;
            }
        }
        let Totals { passed, failed } = totals;
        let line = format!("{passed} passed, {failed} failed");
        let line = if failed == 0 { style.good(line) } else { style.bad(line) };
        writeln!(out, "{line}").map_err(PluginError::Print)?;
        if failed == 0 { Ok(()) } else { Err(PluginError::Tests { failed }) }
    }
}

impl Totals {
    fn add(&mut self, outcome: &TestOutcome) {
        if outcome.has_passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

fn empty(path: &std::path::Path) -> FixtureError {
    let reason = "there is no test in it; each begins with [[test]]".to_owned();
    FixtureError::Wrong { path: path.to_owned(), line: 1, reason }
}

fn print(out: &mut impl Write, style: Style, path: &str, outcome: &TestOutcome) -> io::Result<()> {
    if outcome.has_passed() {
        return writeln!(out, "  {}     {}", style.good("ok"), outcome.name);
    }
    writeln!(out, "  {} {} ({path}:{})", style.bad("FAILED"), outcome.name, outcome.line)?;
    for mismatch in &outcome.mismatches {
        writeln!(out, "           {}", mismatch.what)?;
        writeln!(out, "             expected  {}", mismatch.expected)?;
        writeln!(out, "             got       {}", mismatch.got)?;
    }
    for line in &outcome.logs {
        writeln!(out, "           {}", style.dim(format_args!("log  {line}")))?;
    }
    Ok(())
}

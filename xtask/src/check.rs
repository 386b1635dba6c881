//! `cargo xtask test`: formatting, lints, documentation and every test, and one line that totals them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Failure, build, crash, packages, paths, plugins};

/// What has passed and failed so far. A check that is no test (formatting, clippy, docs) counts as one.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

/// Runs everything; goes on after a failure, so that one run shows all there is to mend.
///
/// # Errors
/// When a tool is missing, or anything failed.
pub(crate) fn run(root: &Path, only_tests: &[String]) -> Result<(), Failure> {
    packages::ensure(packages::FOR_BUILD)?;
    packages::ensure(packages::FOR_TESTS)?;
    plugins::build(root, &plugins::Selection::All)?;

    let mut totals = Totals::default();
    if only_tests.is_empty() {
        totals.check("formatting", build::cargo(root).args(["fmt", "--all", "--check"]));
        totals.check(
            "clippy",
            build::cargo(root).args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
        );
        totals.check(
            "documentation",
            build::cargo(root).args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "-D warnings"),
        );
        for manifest in plugins::WORKSPACES {
            let manifest = root.join(manifest);
            totals.check(
                &format!("formatting of {}", manifest.display()),
                build::cargo(root).args(["fmt", "--all", "--check", "--manifest-path"]).arg(&manifest),
            );
            // As their tests are: on this machine, where what is shared with those is not compiled again.
            totals.check(
                &format!("clippy of {}", manifest.display()),
                build::guests_natively(root)
                    .args(["clippy", "--workspace", "--all-targets", "--quiet", "--manifest-path"])
                    .arg(&manifest)
                    .args(["--", "-D", "warnings"]),
            );
            totals.tests(
                &format!("guests on this machine, {}", manifest.display()),
                build::guests_natively(root)
                    .args(["test", "--quiet", "--no-fail-fast", "--manifest-path"])
                    .arg(&manifest),
            );
        }
    }
    if only_tests.is_empty() {
        scripts(root, &mut totals);
    }
    let mut tests = build::cargo(root);
    tests.args(["test", "--workspace", "--no-fail-fast"]).args(only_tests);
    totals.tests("tests", &mut tests);
    if only_tests.is_empty() {
        totals.steps("the core's paths, in instructions", || paths::run(root, &paths::Options::default()));
        match crash::short_runs(root) {
            Ok(runs) => runs.into_iter().for_each(|(name, mut run)| totals.check(name, &mut run)),
            Err(_) => totals.fail(1, "building the crash harness"),
        }
    }
    totals.report()
}

/// What is written in JavaScript and Python is tested by their own test runners, without WebAssembly.
fn scripts(root: &Path, totals: &mut Totals) {
    let node = |arguments: &[&str]| {
        let mut command = Command::new("node");
        command.current_dir(root.join("plugin-sdk/js")).args(arguments);
        command
    };
    totals.check("the contract's types for TypeScript", &mut node(&["types.mjs", "--check"]));
    let reporter = "--test-reporter=dot";
    totals.check(
        "the SDK for JavaScript",
        &mut node(&["--import", "./testing.mjs", "--test", reporter, "tests/sdk.test.mjs"]),
    );
    let example = root.join("plugins/office-hours");
    let sdk = root.join("plugin-sdk/python");
    // What the build of the component left for it.
    let paths = [&example, &sdk, &example.join("build/bindings")].map(|path| path.display().to_string());
    let mut python = Command::new("python3");
    python.current_dir(&example).env("PYTHONPATH", paths.join(":")).env("PYTHONDONTWRITEBYTECODE", "1");
    totals.check("a plugin in Python", python.args(["-m", "unittest", "discover", "-s", "tests"]));
}

impl Totals {
    fn check(&mut self, name: &str, command: &mut Command) {
        self.steps(name, || match command.status() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(Failure::silent()),
        });
    }

    /// A check that is more than one command.
    fn steps(&mut self, name: &str, check: impl FnOnce() -> Result<(), Failure>) {
        let started = Instant::now();
        println!("── {name}");
        let passed = check().inspect_err(Failure::tell).is_ok();
        println!("── {name}: {} in {:.0?}", if passed { "ok" } else { "FAILED" }, started.elapsed());
        if passed {
            self.passed += 1;
        } else {
            self.fail(1, name);
        }
    }

    /// Runs `cargo test` and adds up the "test result" line of every test binary.
    fn tests(&mut self, name: &str, command: &mut Command) {
        let started = Instant::now();
        println!("── {name}");
        let (mut passed, mut failed) = (0, 0);
        let success = command.stdout(Stdio::piped()).spawn().and_then(|mut child| {
            if let Some(output) = child.stdout.take() {
                for line in BufReader::new(output).lines() {
                    let line = line?;
                    println!("{line}");
                    if let Some((ok, bad)) = test_result(&line) {
                        passed += ok;
                        failed += bad;
                    }
                }
            }
            child.wait()
        });
        self.passed += passed;
        println!("── {name}: {passed} passed, {failed} failed in {:.0?}", started.elapsed());
        match success {
            Ok(status) if status.success() => {}
            // What did not even compile has no "test result" line, and is a failure all the same.
            _ => self.fail(failed.max(1), name),
        }
    }

    fn fail(&mut self, count: u64, name: &str) {
        self.failed += count;
        self.failures.push(name.to_owned());
    }

    fn report(self) -> Result<(), Failure> {
        println!();
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { Ok(()) } else { Err(Failure::silent()) }
    }
}

/// `test result: ok. 12 passed; 0 failed; …` → (12, 0).
fn test_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.strip_prefix("test result: ")?;
    let before = |word: &str| -> Option<u64> {
        let end = counts.find(word)?;
        counts.get(..end)?.split_whitespace().next_back()?.parse().ok()
    };
    Some((before(" passed")?, before(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_line_of_a_test_binary_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(test_result(line), Some((12, 3)));
        assert_eq!(test_result("test a::b ... ok"), None);
    }
}

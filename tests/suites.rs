//! The test suites of other clients and brokers, against Midge. What is left out, and what Midge does otherwise on purpose,
//! is listed with its reason in `suites/expected.toml`; `suites/README.md` counts them.
//!
//! The suites come from the registries in the versions named here and stay below `target/`. Every case gets a broker of its
//! own, so that they can run side by side: most of them only wait.

mod expected;
mod mosquitto;
mod paho_c;
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use std::{fs, thread};

use crate::support::program::{Ended, INSTALL_MAX, end_of, finish, installed};
use expected::Expected;

#[test]
fn mosquittos_broker_tests_pass() {
    judge("mosquitto", mosquitto::cases());
}

#[test]
fn the_tests_of_paho_mqtt_c_pass() {
    judge("paho-mqtt-c", paho_c::cases());
}

#[test]
fn the_tests_of_paho_mqtt_python_pass() {
    judge("paho-mqtt-python", python::paho());
}

#[test]
fn the_tests_of_gmqtt_pass() {
    judge("gmqtt", python::gmqtt());
}

#[test]
fn the_tests_of_aiomqtt_pass() {
    judge("aiomqtt", python::aiomqtt());
}

/// One case of a suite.
struct Case {
    name: String,
    run: Box<dyn Fn() -> Ended + Send + Sync>,
}

/// Runs a suite's cases and compares what comes of them with what is expected.
fn judge(suite: &str, cases: Vec<Case>) {
    let expected = Expected::of(suite);
    let total = cases.len();
    let mut problems = expected.stale(cases.iter().map(|case| case.name.as_str()).collect());
    let cases: Vec<Case> = cases.into_iter().filter(|case| !expected.leaves_out(&case.name)).collect();
    let (mut passed, mut deviating) = (0, 0);
    for (case, first) in run_all(&cases) {
        let deviates = expected.deviates(&case.name);
        // Many cases measure time, so one that fails among others gets its chance alone.
        let last = if first.well || deviates { first } else { (case.run)() };
        match (last.well, deviates) {
            (true, false) => passed += 1,
            (false, true) => deviating += 1,
            (true, true) => problems.push(format!("{} is expected to deviate, and passes", case.name)),
            (false, false) => problems.push(format!("{} {}:\n{}", case.name, last.how, last.said)),
        }
    }
    let left_out = total - cases.len();
    eprintln!("{suite}: {total} cases, {passed} passed, {deviating} deviate, {left_out} left out");
    assert!(problems.is_empty(), "{suite}:\n{}", problems.join("\n\n"));
    assert_eq!(passed, expected.passes(), "the number of cases of {suite} that pass");
}

fn run_all(cases: &[Case]) -> Vec<(&Case, Ended)> {
    let (todo, ended) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().unwrap().next();
                    let Some(case) = next else { break };
                    let how = (case.run)();
                    ended.lock().unwrap().push((case, how));
                }
            });
        }
    });
    ended.into_inner().unwrap()
}

/// Runs a command that is a case.
fn attempt(command: &mut Command) -> Ended {
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    end_of(command, CASE_MAX)
}

/// A file of our own beside the list of what is expected.
fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites").join(name)
}

/// The sources of two crates, which carry the C libraries that they bind, with their tests.
static CRATES: LazyLock<PathBuf> = LazyLock::new(|| {
    installed("crates", CRATES_MANIFEST, |home| {
        fs::write(home.join("Cargo.toml"), CRATES_MANIFEST).unwrap();
        fs::write(home.join("lib.rs"), "").unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(home).args(["vendor", "--quiet", "--versioned-dirs", "sources"]);
        finish(&mut cargo, INSTALL_MAX);
        mosquitto::prepare(home);
        paho_c::prepare(home);
    })
});

const CRATES_MANIFEST: &str = r#"[package]
name = "suites"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[dependencies]
libmosquitto-sys = { version = "=0.2.3", default-features = false }
paho-mqtt-sys = { version = "=0.11.0", default-features = false }

[workspace]
"#;

/// How many cases run at a time.
const SIDE_BY_SIDE: usize = 8;
const CASE_MAX: Duration = Duration::from_secs(120);

//! An author's way from nothing to a plugin in a broker, in every language, with the commands that an author types.

mod api_keys;
mod build;
mod doctor;
mod new;
mod scripts;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use midge_protocol::{Packet, ProtocolVersion, ReasonCode};
use tempfile::TempDir;

use crate::manual;
use crate::support::client::connect;
use crate::support::program::{Ended, end_of};
use crate::support::{Client, Server};

/// Every hook of the contract: there is a template for each.
fn hooks() -> Vec<String> {
    let worlds = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/wit/worlds.wit")).unwrap();
    let everything = worlds.split("world everything {").nth(1).unwrap().split('}').next().unwrap();
    let export = |line: &str| line.trim().strip_prefix("export ")?.strip_suffix(';').map(str::to_owned);
    everything.lines().filter_map(export).collect()
}

/// How long an author may take from nothing to a plugin in a broker, whatever is installed on the way.
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// How long a build may take: the first one in Rust may compile the standard library.
const BUILD_MAX: Duration = Duration::from_secs(600);

/// A clean directory to work in.
struct Desk(TempDir);

impl Desk {
    fn clean() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `midge plugin …`, typed in a folder of this directory.
    fn plugin(&self, folder: &str, arguments: &[&str]) -> Ended {
        end_of(midge(self.path(folder)).arg("plugin").args(arguments), BUILD_MAX)
    }

    /// The same, which must go well; returns what it printed.
    #[track_caller]
    fn well(&self, folder: &str, arguments: &[&str]) -> String {
        let Ended { well, said, how } = self.plugin(folder, arguments);
        assert!(well, "midge plugin {arguments:?} {how}:\n{said}");
        said
    }

    /// The same, which must not go well; returns what it printed.
    #[track_caller]
    fn ill(&self, folder: &str, arguments: &[&str]) -> String {
        let Ended { well, said, how } = self.plugin(folder, arguments);
        assert!(!well, "midge plugin {arguments:?} {how}:\n{said}");
        assert!(said.contains("midge: ") || said.contains("error: "), "{said}");
        said
    }
}

/// The binary, as typed in `folder`. What Rust plugins share is compiled where the bundled ones are, so that it is there
/// already.
fn midge(folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midge"));
    command.current_dir(folder).env("NO_COLOR", "1").env("CARGO_TARGET_DIR", built("guests-build"));
    command
}

/// A folder of `target`.
fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name)
}

/// What a CONNECT with this user name and password gets.
fn ask(server: &Server, username: &str, password: &str) -> ReasonCode {
    let mut client = Client::open(server.address(), ProtocolVersion::V5);
    let mut hello = connect(ProtocolVersion::V5, username);
    hello.username = Some(username);
    hello.password = Some(password.as_bytes());
    client.send(&Packet::Connect(Box::new(hello)));
    client.connack(|connack| connack.reason)
}

/// New, build, test, run in a broker, see a client refused and admitted, change it: the manual's ten minutes, which are what
/// there is time for. How long it took is told (`--nocapture`).
fn from_nothing_to_a_broker(language: &'static str) {
    let began = Instant::now();
    let mut desk = manual::desk::Desk::clean(language, TEN_MINUTES);
    desk.follow(&manual::page::section("README.md", "Your first plugin in ten minutes"));
    let steps: Vec<String> = desk.took().iter().map(|(step, took)| format!("{step} {took:.1?}")).collect();
    eprintln!("a first plugin in {language}: {:.1?}, of which {}", began.elapsed(), steps.join(", "));
}

/// Every hook's template in one plugin: it builds, and does what the fixtures say.
fn every_hook_is_a_template(language: &str) {
    let desk = Desk::clean();
    desk.well("", &["new", "my-all", "--lang", language, "--hooks", &hooks().join(",")]);
    let said = desk.well("my-all", &["build"]);
    for hook in hooks() {
        assert!(said.contains(&hook), "{hook} in:\n{said}");
        let fixture = format!("fixtures/{hook}.toml");
        let said = desk.well("my-all", &["test", "my-all.wasm", &fixture]);
        assert!(said.contains(" passed, 0 failed"), "{fixture}:\n{said}");
    }
}

#[test]
fn a_first_plugin_in_rust() {
    from_nothing_to_a_broker("rust");
}

#[test]
fn a_first_plugin_in_c() {
    from_nothing_to_a_broker("c");
}

#[test]
fn a_first_plugin_in_javascript() {
    from_nothing_to_a_broker("js");
}

#[test]
fn a_first_plugin_in_typescript() {
    from_nothing_to_a_broker("ts");
}

#[test]
fn a_first_plugin_in_python() {
    from_nothing_to_a_broker("python");
}

#[test]
fn every_hook_in_javascript() {
    every_hook_is_a_template("js");
}

#[test]
fn every_hook_in_typescript() {
    every_hook_is_a_template("ts");
}

#[test]
fn every_hook_in_python() {
    every_hook_is_a_template("python");
}

#[test]
fn every_hook_in_rust() {
    every_hook_is_a_template("rust");
}

#[test]
fn every_hook_in_c() {
    every_hook_is_a_template("c");
}

#[test]
fn the_tests_of_a_new_rust_plugin_pass_without_webassembly() {
    let desk = Desk::clean();
    desk.well("", &["new", "my-all", "--lang", "rust", "--hooks", &hooks().join(",")]);
    let mut test = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")));
    test.arg("test").current_dir(desk.path("my-all")).env("CARGO_TARGET_DIR", built("guests-native"));
    let Ended { well, said, how } = end_of(&mut test, BUILD_MAX);
    assert!(well && said.contains(&format!("{} passed", hooks().len())), "cargo test {how}:\n{said}");
}

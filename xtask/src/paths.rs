//! `cargo xtask paths`: the instructions of the core's paths, compared with what is on record.
//!
//! Instructions say nothing of caches and system calls, but they are the same however busy the machine is: what makes a
//! path longer is seen by the next test run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Failure, build, packages};

/// What `cargo xtask paths` was told.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only these paths; unless given, all
    names: Vec<String>,
    /// Put what was counted on record instead of comparing it
    #[arg(long)]
    record: bool,
}

/// Instructions of one operation, by path.
type Instructions = BTreeMap<String, f64>;

/// Counts, and compares or records.
///
/// # Errors
/// When something cannot be built or run, or a path is longer than it was by more than the margin.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    packages::ensure(packages::FOR_PATHS)?;
    let program = program(root)?;
    let directory = build::target_directory(root).join("paths");
    fs::create_dir_all(&directory).map_err(|error| Failure::new(format!("{}: {error}", directory.display())))?;
    let mut names = options.names.clone();
    if names.is_empty() {
        names = output(&mut Command::new(&program))?.lines().map(str::to_owned).collect();
    }
    let mut record = recorded(root)?;
    let mut longer = Vec::new();
    for name in names {
        let counted = count(&program, &directory, &name)?;
        let before = record.insert(name.clone(), counted.round());
        let share = before.map_or(1.0, |before| counted / before);
        println!("{name:<18} {counted:>8.0} instructions, {:+.1} %", (share - 1.0) * 100.0);
        if share > MARGIN {
            longer.push(name);
        }
    }
    if options.record {
        return write(root, &record);
    }
    if longer.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "longer by more than {:.0} %: {}. callgrind_annotate says where, in {}; what is meant to be longer is put on record by \
         `cargo xtask paths --record`",
        (MARGIN - 1.0) * 100.0,
        longer.join(", "),
        directory.display()
    )))
}

/// Builds the program that walks the paths.
fn program(root: &Path) -> Result<PathBuf, Failure> {
    let mut command = build::cargo(root);
    command.args(["bench", "--package", "midge-core", "--bench", "paths", "--no-run", "--message-format=json"]);
    let messages = output(&mut command)?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message.pointer("/target/name")? == "paths").then(|| message["executable"].as_str().map(PathBuf::from))?
    };
    messages.lines().find_map(executable).ok_or_else(|| Failure::new("cargo did not say where it put the paths"))
}

fn count(program: &Path, directory: &Path, name: &str) -> Result<f64, Failure> {
    let profile = directory.join(format!("{name}.out"));
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*measured*", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .args([name, OPERATIONS]);
    let operations: f64 = output(&mut command)?.trim().parse().map_err(|_| unreadable(name))?;
    let profile = fs::read_to_string(&profile).map_err(|_| unreadable(name))?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let total: f64 = total.and_then(|total| total.trim().parse().ok()).ok_or_else(|| unreadable(name))?;
    Ok(total / operations)
}

fn unreadable(name: &str) -> Failure {
    Failure::new(format!("what callgrind counted of {name} cannot be read"))
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| Failure::new(format!("{name} cannot be started: {error}")))?;
    if !output.status.success() {
        return Err(Failure::new(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn recorded(root: &Path) -> Result<Instructions, Failure> {
    let text = fs::read_to_string(root.join(RECORD)).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("{RECORD}: {error}")))
}

fn write(root: &Path, record: &Instructions) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(record).unwrap_or_default() + "\n";
    fs::write(root.join(RECORD), text).map_err(|error| Failure::new(format!("{RECORD}: {error}")))
}

const RECORD: &str = "broker/core/benches/paths.json";
/// Longer than this is a step. Compilers and libraries differ by less.
const MARGIN: f64 = 1.2;
const OPERATIONS: &str = "5000";

//! The rules of the house: who may know whom, how long a file may be, what lies at the top.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate, its folder, and the workspace crates it may depend on.
const CRATES: &[(&str, &str, &[&str])] = &[
    ("midge-protocol", "broker/protocol", &[]),
    ("midge-core", "broker/core", &["midge-protocol"]),
    ("midge-host", "broker/host", &[]),
    ("midge-storage", "broker/storage", &["midge-core", "midge-protocol"]),
    ("midge-server", "broker/server", &["midge-core", "midge-host", "midge-protocol", "midge-storage"]),
    // `midge plugin` runs plugins without a server: the kit, and the host for what it finds out about a component.
    (
        "midge",
        ".",
        &["midge-bench", "midge-host", "midge-plugin-test", "midge-server", "midge-storage", "midge-toolchain"],
    ),
    ("midge-plugin-sdk", "plugin-sdk", &[]),
    // It runs components, which the SDK must not know how to: guests are built from that.
    ("midge-plugin-test", "plugin-sdk/testkit", &["midge-host"]),
    ("midge-toolchain", "plugin-sdk/toolchain", &[]),
    ("midge-bench", "tests/bench", &["midge-protocol"]),
    ("midge-crash", "tests/crash", &["midge-protocol"]),
    ("midge-powerloss", "tests/powerloss", &[]),
    ("xtask", "xtask", &["midge-toolchain"]),
];

/// Only bytes and rules: what these crates do must not depend on time, chance or the operating system.
const DETERMINISTIC: &[&str] = &["broker/protocol/src", "broker/core/src"];

const NON_DETERMINISTIC: &[&str] = &[
    "tokio::",
    "tracing::",
    "std::net",
    "std::fs",
    "std::thread::",
    "Instant::now",
    "SystemTime::now",
    "rand::",
    "getrandom",
];

/// The highest number of lines a source file may have. An exception is a path and its reason.
const LINES_MAX: usize = 600;
const LONGER_FILES: &[(&str, &str)] = &[];

/// What may lie at the top of the repository, dot folders aside.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "broker",
    "plugin-sdk",
    "plugins",
    "target",
    "tests",
    "wit",
    "xtask",
];

#[test]
fn crates_depend_only_on_crates_they_may_know() {
    for (name, folder, allowed) in CRATES {
        let manifest = root().join(folder).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        let found: BTreeSet<&str> = dependencies
            .into_iter()
            .flat_map(|table| table.keys())
            .map(String::as_str)
            .filter(|dependency| dependency.starts_with("midge"))
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(found.is_subset(&allowed), "{name} depends on {found:?}, it may know {allowed:?}");
    }
}

#[test]
fn protocol_and_core_know_no_clock_task_socket_or_file() {
    for path in DETERMINISTIC.iter().flat_map(|folder| sources(&root().join(folder))) {
        let test_code = path.components().any(|part| part.as_os_str() == "tests")
            || path.file_name().is_some_and(|name| name == "tests.rs");
        if test_code {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let word = NON_DETERMINISTIC.iter().find(|word| !comment && line.contains(**word));
            assert!(word.is_none(), "{}:{}: {word:?}", path.display(), number + 1);
        }
    }
}

#[test]
fn no_source_file_is_longer_than_a_reader_can_bear() {
    let too_long: Vec<String> = all_sources()
        .into_iter()
        .filter(|path| !LONGER_FILES.iter().any(|(exception, _)| path.ends_with(exception)))
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > LINES_MAX).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(too_long.is_empty(), "{too_long:#?}");
}

#[test]
fn nothing_is_left_undone_in_the_sources() {
    // Put together here, so that this file does not find itself.
    let words = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME"), concat!("dbg", "!(")];
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(!text.contains(word), "{} contains {word}", path.display());
        }
    }
}

#[test]
fn the_top_level_holds_nothing_but_what_was_agreed() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || TOP_LEVEL.contains(&name.as_str()), "{name} lies at the top level");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn all_sources() -> Vec<PathBuf> {
    ["broker", "plugin-sdk", "plugins", "tests", "xtask"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
        .collect()
}

/// Every `.rs` file below `folder`, build outputs aside.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

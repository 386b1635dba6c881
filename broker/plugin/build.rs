//! `midge plugin build`: from a folder to a component.
//!
//! There is no `NAME.cwasm`: a compiled component is native code for one machine and one build of the broker, and whoever
//! can write it owns the process that maps it. The broker therefore compiles what it loads itself, once, into a directory of
//! its own (`runtime.data_dir`), and takes no such file from elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use clap::Args;
use midge_toolchain::component::{Summary, inspect};
use midge_toolchain::{Built, Context, Folder, ToolchainError};

use super::PluginError;

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The plugin's folder: with a plugin.toml, or with a Cargo.toml for one in Rust
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Build again whenever a file of the folder changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

impl Build {
    pub(super) fn perform(&self) -> Result<(), PluginError> {
        if !self.watch {
            return self.once();
        }
        let mut before = None;
        loop {
            let now = state_of(&self.dir);
            if before.as_ref() != Some(&now) {
                if let Err(error) = self.once() {
                    eprintln!("midge: {error}");
                }
                say("waiting for changes")?;
                // What the build itself has changed is no change; what was edited meanwhile is one.
                before = Some(now);
            }
            thread::sleep(INTERVAL);
        }
    }

    fn once(&self) -> Result<(), PluginError> {
        let folder = Folder::open(&self.dir)?;
        let tell = |line: &str| eprintln!("{line}");
        let Built { name, bytes } = folder.language()?.build(&folder, &Context { may_install: false, tell: &tell })?;
        let summary = inspect(&bytes)?;
        let file = folder.path().join(format!("{name}.wasm"));
        put(&file, &bytes)?;
        say(&format!("{}: {}", self.dir.join(format!("{name}.wasm")).display(), describe(&summary, bytes.len())))
    }
}

/// Writes beside and renames: a broker that watches the file never loads half of it.
fn put(file: &Path, bytes: &[u8]) -> Result<(), PluginError> {
    let beside = file.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&beside, bytes).map_err(ToolchainError::at(&beside))?;
    Ok(fs::rename(&beside, file).map_err(ToolchainError::at(file))?)
}

fn describe(Summary { hooks, imports, wasi }: &Summary, bytes: usize) -> String {
    let used: Vec<&str> = imports.iter().map(String::as_str).filter(|name| *name != "types").collect();
    let mut text = format!("{} KiB, exports {}", bytes.div_ceil(1024), hooks.join(", "));
    if !used.is_empty() {
        text.push_str(&format!("; imports {}", used.join(", ")));
    }
    if !wasi.is_empty() {
        text.push_str(&format!("; and of WASI {}", wasi.join(", ")));
    }
    text
}

fn say(line: &str) -> Result<(), PluginError> {
    writeln!(io::stdout(), "{line}").map_err(PluginError::Print)
}

/// When each file of a folder was changed last, and how long it is: what builds leave there aside.
fn state_of(folder: &Path) -> BTreeMap<PathBuf, (Option<SystemTime>, u64)> {
    let mut state = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // One that cannot be read now may be next time.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(about) = entry.metadata() else { continue };
            if name.starts_with('.') || OUTPUTS.contains(&name.as_str()) || name.contains(".wasm") {
                continue;
            }
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                state.insert(entry.path(), (about.modified().ok(), about.len()));
            }
        }
    }
    state
}

/// What builds, package managers and interpreters make.
const OUTPUTS: [&str; 6] = ["target", "build", "node_modules", "__pycache__", "Cargo.lock", "package-lock.json"];
/// How soon a change is noticed.
const INTERVAL: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn an_edited_file_is_a_change_and_a_built_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::create_dir(file("src")).unwrap();
        fs::create_dir(file("build")).unwrap();
        fs::write(file("src/a.c"), "a").unwrap();
        let before = state_of(folder.path());
        for built in ["build/midge.h", "a.wasm", "a.wasm.17", ".hidden"] {
            fs::write(file(built), "built").unwrap();
        }
        assert_eq!(state_of(folder.path()), before);
        fs::write(file("src/a.c"), "ab").unwrap();
        assert_ne!(state_of(folder.path()), before);
    }

    #[test]
    fn what_was_built_is_described_in_one_line() {
        let summary =
            Summary { hooks: vec!["authn".into()], imports: vec!["types".into(), "log".into()], wasi: vec![] };
        assert_eq!(describe(&summary, 2049), "3 KiB, exports authn; imports log");
    }
}

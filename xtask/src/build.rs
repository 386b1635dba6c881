//! How cargo is called: for the broker with its plugins embedded, and for guests on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, packages, plugins};

/// `cargo` in the workspace, told where the built plugins and test guests lie. Every command passes the same
/// variables, so nothing is built twice because they differ.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root)
        .env("MIDGE_BUNDLED_PLUGINS", plugins::bundled_directory(root))
        .env("MIDGE_TEST_GUESTS", plugins::guests_directory(root));
    command
}

/// `cargo` for the guest workspaces compiled for this machine, as their authors test them.
pub(crate) fn guests_natively(root: &Path) -> Command {
    let mut command = cargo(root);
    command.env("CARGO_TARGET_DIR", target_directory(root).join("guests-native"));
    command
}

/// Builds the plugins, then the broker with them embedded; returns the broker's path.
///
/// # Errors
/// When a toolchain is missing or a build fails; the builds have said why.
pub(crate) fn broker(root: &Path, release: bool) -> Result<PathBuf, Failure> {
    packages::ensure(packages::FOR_BUILD)?;
    plugins::build(root, &plugins::Selection::Bundled)?;
    let mut command = cargo(root);
    // The whole workspace chooses the features of dependencies: otherwise wasmtime would be compiled once for each package
    // that is asked for. Tests add features to its dependencies (`semver/std`), so it is compiled once more for them.
    command.args(["build", "--workspace", "--bin", "midge"]);
    if release {
        command.arg("--release");
    }
    succeed(&mut command, "cargo build")?;
    Ok(target_directory(root).join(if release { "release" } else { "debug" }).join("midge"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory(root: &Path) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

/// Runs a command and turns its failure into ours.
///
/// # Errors
/// When it cannot be started or exits with another status than 0.
pub(crate) fn succeed(command: &mut Command, name: &str) -> Result<(), Failure> {
    let status = command.status().map_err(|error| Failure::new(format!("{name} cannot be started: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{name} failed ({status})"))) }
}

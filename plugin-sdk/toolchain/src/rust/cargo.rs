//! What cargo makes: which components a workspace has, and where they are once they are built.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{TARGET, Toolchain};
use crate::ToolchainError;

/// One component that a workspace makes: a package's library, or an example of a package.
#[derive(Debug)]
pub struct Component {
    /// The plugin's name: the target's, with dashes.
    pub name: String,
    /// The package that makes it.
    package: String,
    /// That package's manifest.
    pub(super) manifest: PathBuf,
    is_example: bool,
}

/// A component that cargo has built, or had built before.
#[derive(Debug)]
pub struct Made {
    /// The plugin's name.
    pub name: String,
    /// Where it is.
    pub file: PathBuf,
}

/// Asks cargo which components a package or workspace makes.
///
/// # Errors
/// When cargo cannot be started or cannot read the manifest.
pub fn components(manifest: &Path) -> Result<Vec<Component>, ToolchainError> {
    let output = Command::new(program())
        .args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let parts = packages.flat_map(|package| {
        package["targets"].as_array().into_iter().flatten().filter_map(move |target| component(target, package))
    });
    Ok(parts.collect())
}

/// The component that a target of cargo's is, if it is one.
fn component(target: &Value, package: &Value) -> Option<Component> {
    let is_component = target["crate_types"].as_array()?.iter().any(|one| one == "cdylib");
    let name = target["name"].as_str().filter(|_| is_component)?.replace('_', "-");
    let is_example = target["kind"].as_array()?.iter().any(|one| one == "example");
    let of_package = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    Some(Component { name, package: of_package("name"), manifest: of_package("manifest_path").into(), is_example })
}

/// Runs cargo on one workspace, for one of its components or all of them. It compiles in `target_directory`, or where the
/// workspace says. Its progress goes to standard error.
///
/// # Errors
/// When the build fails; cargo has said why.
pub fn build_workspace(
    toolchain: &Toolchain,
    manifest: &Path,
    target_directory: Option<&Path>,
    only: Option<&Component>,
) -> Result<Vec<Made>, ToolchainError> {
    let mut command = Command::new(program());
    command.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    command.arg("--manifest-path").arg(manifest);
    match only {
        None => command.arg("--workspace").args(kinds_of(&components(manifest)?)),
        Some(Component { name, is_example: true, .. }) => command.args(["--example", name]),
        Some(Component { package, is_example: false, .. }) => command.args(["--package", package, "--lib"]),
    };
    if let Some(directory) = target_directory {
        command.env("CARGO_TARGET_DIR", directory);
    }
    toolchain.apply(&mut command);
    let cannot = |error: std::io::Error| failed(error.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let mut made = Vec::new();
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let message: Value = serde_json::from_str(&line.map_err(cannot)?).unwrap_or_default();
        if let (Some(Component { name, .. }), Some(file)) =
            (component(&message["target"], &Value::Null), built_file(&message))
        {
            made.push(Made { name, file });
        }
    }
    let status = child.wait().map_err(cannot)?;
    if status.success() { Ok(made) } else { Err(failed(status.to_string())) }
}

/// cargo's flags for these components; asking for a kind that is not there would be an error.
fn kinds_of(components: &[Component]) -> Vec<&'static str> {
    let (examples, libraries): (Vec<_>, Vec<_>) = components.iter().partition(|one| one.is_example);
    let flags = [("--lib", libraries.is_empty()), ("--examples", examples.is_empty())];
    flags.into_iter().filter_map(|(flag, is_absent)| (!is_absent).then_some(flag)).collect()
}

/// The WebAssembly file that one of cargo's messages reports.
fn built_file(message: &Value) -> Option<PathBuf> {
    let files = message["filenames"].as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

fn failed(status: String) -> ToolchainError {
    ToolchainError::Failed { program: "cargo".to_owned(), status }
}

fn program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

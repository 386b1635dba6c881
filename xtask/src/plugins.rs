//! `cargo xtask plugins`: the bundled plugins and the test guests, built as WebAssembly components.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;
use crate::guest_toolchain::{TARGET, Toolchain};

/// The manifests of the guest workspaces: the bundled plugins first.
pub(crate) const WORKSPACES: &[&str] = &["plugins/Cargo.toml", "tests/guests/Cargo.toml"];

/// What to build.
pub(crate) enum Selection {
    /// The bundled plugins and the test guests.
    All,
    /// The bundled plugins.
    Bundled,
    /// The plugin or test guest of this name.
    One(String),
}

impl From<Option<String>> for Selection {
    fn from(only: Option<String>) -> Self {
        only.map_or(Self::All, Self::One)
    }
}

/// Where the bundled plugins lie once they are built: `NAME.wasm` each.
pub(crate) fn bundled_directory(root: &Path) -> PathBuf {
    root.join("target/plugins")
}

/// Where the test guests lie once they are built: `NAME.wasm` each.
pub(crate) fn guests_directory(root: &Path) -> PathBuf {
    root.join("target/guests")
}

/// Builds what was selected; what is up to date is left alone.
///
/// # Errors
/// When the toolchain is missing and cannot be installed here, when a build fails (cargo has said why), or when there is
/// nothing of the name asked for.
pub(crate) fn build(root: &Path, selection: &Selection) -> Result<(), Failure> {
    let workspaces = [
        (WORKSPACES[0], bundled_directory(root), matches!(selection, Selection::All | Selection::Bundled)),
        (WORKSPACES[1], guests_directory(root), matches!(selection, Selection::All)),
    ];
    let mut wanted = Vec::new();
    for (manifest, destination, whole) in &workspaces {
        let manifest = root.join(manifest);
        match selection {
            Selection::One(name) => wanted.extend(
                components(&manifest)?
                    .into_iter()
                    .find(|one| one.name == *name)
                    .map(|one| (manifest, destination, Some(one))),
            ),
            _ if *whole => wanted.push((manifest, destination, None)),
            _ => {}
        }
    }
    if wanted.is_empty() {
        return Err(nothing_of_that_name(root, &workspaces.map(|(manifest, ..)| manifest)));
    }
    let toolchain = Toolchain::find()?;
    println!("guests: {toolchain}");
    for (manifest, destination, only) in wanted {
        build_workspace(root, &toolchain, &manifest, destination, only.as_ref())?;
    }
    Ok(())
}

/// One component that a guest workspace makes: a package's library, or an example of a package.
struct Component {
    name: String,
    is_example: bool,
}

/// Asks cargo what a guest workspace makes.
fn components(manifest: &Path) -> Result<Vec<Component>, Failure> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"])
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("cargo metadata cannot be started: {error}")))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::new(format!("cargo metadata of {} failed: {error}", manifest.display())))?;
    let targets = metadata["packages"].as_array().into_iter().flatten();
    let targets = targets.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    Ok(targets.filter_map(component).collect())
}

/// The component that a target of cargo's is, if it is one.
fn component(target: &Value) -> Option<Component> {
    let is_component = target["crate_types"].as_array()?.iter().any(|one| one == "cdylib");
    let name = target["name"].as_str().filter(|_| is_component)?.replace('_', "-");
    let is_example = target["kind"].as_array()?.iter().any(|one| one == "example");
    Some(Component { name, is_example })
}

fn nothing_of_that_name(root: &Path, manifests: &[&str]) -> Failure {
    let known = manifests.iter().filter_map(|manifest| components(&root.join(manifest)).ok()).flatten();
    let known = known.map(|one| one.name).collect::<Vec<_>>().join(", ");
    Failure::new(format!("there is no plugin or test guest of that name; there are {known}"))
}

/// Runs cargo on one workspace and puts the components it made, or had made before, where they are looked for.
fn build_workspace(
    root: &Path,
    toolchain: &Toolchain,
    manifest: &Path,
    destination: &Path,
    only: Option<&Component>,
) -> Result<(), Failure> {
    let mut command = Command::new(cargo());
    command.args([
        "build",
        "--release",
        "--target",
        TARGET,
        "--message-format=json-render-diagnostics",
        "--manifest-path",
    ]);
    command.arg(manifest);
    match only {
        None => command.arg("--workspace").args(kinds_of(&components(manifest)?)),
        Some(Component { name, is_example: true }) => command.args(["--example", name]),
        Some(Component { name, is_example: false }) => command.args(["--package", name, "--lib"]),
    };
    // A directory of their own: these flags would otherwise rebuild what the broker shares with them.
    command.env("CARGO_TARGET_DIR", root.join("target/guests-build"));
    toolchain.apply(&mut command);
    let failed = |error: std::io::Error| Failure::new(format!("cargo build of the guests: {error}"));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let messages = child.stdout.take().expect("its standard output was asked for");
    for line in BufReader::new(messages).lines() {
        let message: Value = serde_json::from_str(&line.map_err(failed)?).unwrap_or_default();
        if let (Some(one), Some(built)) = (component(&message["target"]), built_file(&message)) {
            publish(&one.name, Path::new(built), destination)?;
        }
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(Failure::silent()) }
}

/// cargo's flags for these components; asking for a kind that is not there would be an error.
fn kinds_of(components: &[Component]) -> Vec<&'static str> {
    let (examples, libraries): (Vec<_>, Vec<_>) = components.iter().partition(|one| one.is_example);
    let flags = [("--lib", libraries.is_empty()), ("--examples", examples.is_empty())];
    flags.into_iter().filter_map(|(flag, is_absent)| (!is_absent).then_some(flag)).collect()
}

/// The WebAssembly file that one of cargo's messages reports.
fn built_file(message: &Value) -> Option<&str> {
    let files = message["filenames"].as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))
}

/// Copies a component to where it is looked for, unless the same bytes lie there: what embeds it is then not rebuilt.
fn publish(name: &str, built: &Path, destination: &Path) -> Result<(), Failure> {
    let to = destination.join(format!("{name}.wasm"));
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", to.display()));
    let bytes = fs::read(built).map_err(failed)?;
    if fs::read(&to).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    fs::create_dir_all(destination).map_err(failed)?;
    fs::write(&to, &bytes).map_err(failed)?;
    println!("guests: {} ({} KiB)", to.display(), bytes.len().div_ceil(1024));
    Ok(())
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

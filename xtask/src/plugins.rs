//! `cargo xtask plugins`: the bundled plugins and the test guests, built as WebAssembly components.

use std::fs;
use std::path::{Path, PathBuf};

use midge_toolchain::Context;
use midge_toolchain::rust::{self, Component, Made, Toolchain, components};

use crate::Failure;

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
    let tell = |line: &str| println!("guests: {line}");
    let toolchain = Toolchain::find(&Context { may_install: true, tell: &tell })?;
    println!("guests: {toolchain}");
    for (manifest, destination, only) in wanted {
        build_workspace(root, &toolchain, &manifest, destination, only.as_ref())?;
    }
    Ok(())
}

fn nothing_of_that_name(root: &Path, manifests: &[&str]) -> Failure {
    let known = manifests.iter().filter_map(|manifest| components(&root.join(manifest)).ok()).flatten();
    let known = known.map(|one| one.name).collect::<Vec<_>>().join(", ");
    Failure::new(format!("there is no plugin or test guest of that name; there are {known}"))
}

/// Builds one workspace and puts its components where they are looked for.
fn build_workspace(
    root: &Path,
    toolchain: &Toolchain,
    manifest: &Path,
    destination: &Path,
    only: Option<&Component>,
) -> Result<(), Failure> {
    // A directory of their own: these flags would otherwise rebuild what the broker shares with them.
    let target_directory = root.join("target/guests-build");
    for Made { name, file } in rust::build_workspace(toolchain, manifest, Some(&target_directory), only)? {
        publish(&name, &file, destination)?;
    }
    Ok(())
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

//! `cargo xtask plugins`: the bundled plugins, the examples in other languages and the test guests, built as WebAssembly
//! components.

mod examples;

use std::fs;
use std::path::{Path, PathBuf};

use midge_toolchain::Context;
use midge_toolchain::rust::{self, Component, Made, Toolchain, components};

use crate::Failure;

/// The manifests of the guest workspaces: the bundled plugins first.
pub(crate) const WORKSPACES: &[&str] = &["plugins/Cargo.toml", "tests/guests/Cargo.toml"];

/// What to build.
pub(crate) enum Selection {
    /// The bundled plugins, the examples in other languages and the test guests.
    All,
    /// The bundled plugins.
    Bundled,
    /// The plugin, example or test guest of this name.
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

/// Where the examples in other languages than Rust lie once they are built: `NAME.wasm` each. They are no part of the broker,
/// which needs nothing but a Rust toolchain to be built.
pub(crate) fn examples_directory(root: &Path) -> PathBuf {
    root.join("target/examples")
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
    let examples = examples::find(root)?;
    let chosen = |name: &str| match selection {
        Selection::All => true,
        Selection::Bundled => false,
        Selection::One(wanted) => wanted == name,
    };
    let examples: Vec<_> = examples.into_iter().filter(|example| chosen(&example.name)).collect();
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
    if wanted.is_empty() && examples.is_empty() {
        return Err(nothing_of_that_name(root, &workspaces.map(|(manifest, ..)| manifest)));
    }
    let tell = |line: &str| println!("guests: {line}");
    let context = Context { may_install: true, tell: &tell };
    if !wanted.is_empty() {
        let toolchain = Toolchain::find(&context)?;
        tell(&toolchain.to_string());
        for (manifest, destination, only) in wanted {
            build_workspace(root, &toolchain, &manifest, destination, only.as_ref())?;
        }
    }
    for example in examples {
        examples::build(root, &example, &context)?;
    }
    Ok(())
}

fn nothing_of_that_name(root: &Path, manifests: &[&str]) -> Failure {
    let known = manifests.iter().filter_map(|manifest| components(&root.join(manifest)).ok()).flatten();
    let examples = examples::find(root).unwrap_or_default().into_iter().map(|example| example.name);
    let known = known.map(|one| one.name).chain(examples).collect::<Vec<_>>().join(", ");
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
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", built.display()));
    put(name, &fs::read(built).map_err(failed)?, destination)
}

fn put(name: &str, bytes: &[u8], destination: &Path) -> Result<(), Failure> {
    let to = destination.join(format!("{name}.wasm"));
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", to.display()));
    if fs::read(&to).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    fs::create_dir_all(destination).map_err(failed)?;
    fs::write(&to, bytes).map_err(failed)?;
    println!("guests: {} ({} KiB)", to.display(), bytes.len().div_ceil(1024));
    Ok(())
}

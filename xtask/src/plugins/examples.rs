//! The examples and test guests in other languages than Rust: every folder of `plugins` and of `tests/guests` with a
//! `plugin.toml`, built by its language's recipe.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use midge_toolchain::{Built, Context, Folder, component};

use super::{examples_directory, guests_directory, put};
use crate::Failure;

/// One of them.
pub(super) struct Example {
    pub(super) name: String,
    folder: Folder,
    destination: PathBuf,
}

/// Every example and test guest.
///
/// # Errors
/// When a `plugin.toml` does not say what it should.
pub(super) fn find(root: &Path) -> Result<Vec<Example>, Failure> {
    let mut found = Vec::new();
    for (parent, destination) in [("plugins", examples_directory(root)), ("tests/guests", guests_directory(root))] {
        for entry in fs::read_dir(root.join(parent)).into_iter().flatten().flatten() {
            if entry.path().join("plugin.toml").is_file() {
                let folder = Folder::open(entry.path())?;
                let name = folder.manifest()?.name.clone();
                found.push(Example { name, folder, destination: destination.clone() });
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Builds one, unless it was built from the very same files: some recipes take many seconds.
///
/// # Errors
/// When its toolchain is missing and cannot be installed here, or its build fails, which has said why.
pub(super) fn build(root: &Path, example: &Example, context: &Context<'_>) -> Result<(), Failure> {
    let Example { name, folder, destination } = example;
    let (stamp, component) = (destination.join(format!("{name}.from")), destination.join(format!("{name}.wasm")));
    let from = made_from(root, folder.path());
    if component.is_file() && fs::read_to_string(&stamp).is_ok_and(|before| before == from) {
        return Ok(());
    }
    let Built { name, bytes } = folder.language()?.build(folder, context)?;
    component::inspect(&bytes)?;
    put(&name, &bytes, destination)?;
    fs::write(&stamp, from).map_err(|error| Failure::new(format!("{}: {error}", stamp.display())))
}

/// A hash of everything that a component is made from: its folder, the contract, the SDKs and the recipes.
fn made_from(root: &Path, folder: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    for part in [folder, &root.join("wit"), &root.join("plugin-sdk")] {
        hash(part, &mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn hash(path: &Path, hasher: &mut DefaultHasher) {
    let made = ["build", "target", "node_modules", "__pycache__"];
    if path.file_name().is_some_and(|name| made.iter().any(|made| name == *made)) {
        return;
    }
    if let Ok(bytes) = fs::read(path) {
        (path, bytes).hash(hasher);
    }
    let mut inside: Vec<_> = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    inside.sort();
    inside.iter().for_each(|path| hash(path, hasher));
}

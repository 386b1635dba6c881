//! The examples in other languages than Rust: every folder of `plugins` with a `plugin.toml`, built by its language's recipe.

use std::fs;
use std::path::Path;

use midge_toolchain::{Built, Context, Folder, component};

use super::put;
use crate::Failure;

/// Every example, with its name.
///
/// # Errors
/// When a `plugin.toml` does not say what it should.
pub(super) fn find(root: &Path) -> Result<Vec<(String, Folder)>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("plugins")).into_iter().flatten().flatten() {
        if entry.path().join("plugin.toml").is_file() {
            let folder = Folder::open(entry.path())?;
            found.push((folder.manifest()?.name.clone(), folder));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// Builds one.
///
/// # Errors
/// When its toolchain is missing and cannot be installed here, or its build fails, which has said why.
pub(super) fn build(folder: &Folder, destination: &Path, context: &Context<'_>) -> Result<(), Failure> {
    let Built { name, bytes } = folder.language()?.build(folder, context)?;
    component::inspect(&bytes)?;
    put(&name, &bytes, destination)
}

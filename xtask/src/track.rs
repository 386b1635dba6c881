//! `cargo xtask track`: the contract as it is, put on record as the track of its version, with components that were built for it.
//!
//! `wit/README.md` says when a track is frozen. `broker/host/tests/tracks.rs` compares what is on record with what is there, and calls
//! the components.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::plugins::{self, Selection};

/// The test guests that are kept as they were built: together they export every hook and import whatever there is.
const KEPT: &[&str] = &["caretaker", "challenger", "courier", "dialer", "hostile", "importer"];

/// Copies the contract and the components, and notes their digests.
///
/// # Errors
/// The track was released, so that nothing of it changes any more; or a guest cannot be built, or a file not be written.
pub(crate) fn record(root: &Path) -> Result<(), Failure> {
    let wit = root.join("wit");
    let track = track(&wit)?;
    let frozen = wit.join(&track);
    if frozen.join(RELEASED).exists() {
        let text = format!(
            "{track} was released: it stays as it is. What the contract gains within it needs nothing on record; what changes it is \
             another track, and begins with another version of the package in wit/types.wit (wit/README.md, \"Versions\")"
        );
        return Err(Failure::new(text));
    }
    let contract = files(&wit, "wit")?;
    replace(&frozen, &contract, &[])?;
    for name in KEPT {
        plugins::build(root, &Selection::One((*name).to_owned()))?;
    }
    let guests = plugins::guests_directory(root);
    let components: Vec<PathBuf> = KEPT.iter().map(|name| guests.join(format!("{name}.wasm"))).collect();
    replace(&root.join(COMPONENTS).join(&track), &components, &places(root))?;
    println!("{track}: {} files of the contract, {} components", contract.len(), components.len());
    Ok(())
}

/// `v0.1` of `package midge:plugin@0.1.0;`.
fn track(wit: &Path) -> Result<String, Failure> {
    let path = wit.join("types.wit");
    let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
    let version = text.lines().find_map(|line| line.strip_prefix("package midge:plugin@")?.strip_suffix(';'));
    let track = version.and_then(|version| version.rsplit_once('.')).map(|(track, _)| format!("v{track}"));
    track.ok_or_else(|| Failure::new(format!("{} names no package midge:plugin@X.Y.Z", path.display())))
}

/// The files of a folder whose names end so, in their order.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.is_file() && path.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

/// Where this machine keeps sources. Components name them where a panic says its place, and on record they would be nobody's.
fn places(root: &Path) -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    registries.into_iter().flatten().flatten().map(|entry| entry.path()).chain([root.to_owned()]).collect()
}

/// Puts something of the same length in the place of a path, wherever it stands.
fn hide(bytes: &mut [u8], path: &Path) {
    let path = path.as_os_str().as_encoded_bytes();
    let hidden: Vec<u8> = b"sources".iter().copied().chain(std::iter::repeat(b'/')).take(path.len()).collect();
    let mut at = 0;
    while at + path.len() <= bytes.len() {
        let found = &mut bytes[at..at + path.len()];
        if found == path {
            found.copy_from_slice(&hidden);
        }
        at += 1;
    }
}

/// Makes a folder of copies, which name none of these places, and their digests, in place of the one there was.
fn replace(folder: &Path, originals: &[PathBuf], places: &[PathBuf]) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let mut names = Vec::new();
    for original in originals {
        let name = original.file_name().unwrap_or_default();
        let mut bytes = fs::read(original).map_err(|error| failed(original, &error))?;
        places.iter().for_each(|place| hide(&mut bytes, place));
        fs::write(folder.join(name), bytes).map_err(|error| failed(original, &error))?;
        names.push(name);
    }
    let digests = Command::new("sha256sum").args(&names).current_dir(folder).output();
    let digests = digests.map_err(|error| Failure::new(format!("sha256sum cannot be started: {error}")))?;
    if !digests.status.success() {
        return Err(Failure::new(format!("sha256sum failed: {}", String::from_utf8_lossy(&digests.stderr))));
    }
    let path = folder.join(DIGESTS);
    fs::write(&path, digests.stdout).map_err(|error| failed(&path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// A file in the folder of a track that was released; it says with which broker.
const RELEASED: &str = "RELEASED";
/// What the files of a folder are, as `sha256sum --check` reads it.
const DIGESTS: &str = "SHA256SUMS";
/// Where components are kept, by track.
const COMPONENTS: &str = "broker/host/tests/tracks";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_hidden_wherever_it_stands_and_nothing_moves() {
        let mut bytes = b"a/home/someone/x/home/someone".to_vec();
        hide(&mut bytes, Path::new("/home/someone"));
        assert_eq!(bytes, b"asources///////xsources//////");
    }
}

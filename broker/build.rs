//! Embeds the bundled plugins: every `NAME.wasm` in the directory that `MIDGE_BUNDLED_PLUGINS` names. Without it (a
//! plain `cargo build`) the broker has none and says so when one is asked for; no guest toolchain is needed.
//! Embeds the plugin contract too: the files of `wit/`.

#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=MIDGE_BUNDLED_PLUGINS");
    println!("cargo::rerun-if-changed=broker/build.rs");
    let plugins = match env::var_os("MIDGE_BUNDLED_PLUGINS").filter(|directory| !directory.is_empty()) {
        Some(directory) => components(Path::new(&directory))?,
        None => Vec::new(),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("bundled.rs"), table(&plugins))?;
    fs::write(out.join("wit.rs"), contract(&fs::canonicalize("wit")?)?)
}

/// Name and text of each file of the contract, by name.
fn contract(directory: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed=wit");
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_part = matches!(path.extension().and_then(|it| it.to_str()), Some("wit" | "md"));
        if let (true, Some(name)) = (is_part && path.is_file(), path.file_name()) {
            files.push((name.to_string_lossy().into_owned(), path));
        }
    }
    files.sort();
    let mut text = "/// The files of the contract: name and text.\nconst WIT: &[(&str, &str)] = &[\n".to_owned();
    for (name, path) in files {
        text.push_str(&format!("    ({name:?}, include_str!({:?})),\n", path.display().to_string()));
    }
    text.push_str("];\n");
    Ok(text)
}

/// Name and absolute path of each component, by name.
fn components(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("MIDGE_BUNDLED_PLUGINS = {}: {error}", directory.display()))
    };
    let directory = fs::canonicalize(directory).map_err(named)?;
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut components = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if let (Some("wasm"), Some(name)) = (path.extension().and_then(|it| it.to_str()), path.file_stem()) {
            components.push((name.to_string_lossy().into_owned(), path));
        }
    }
    components.sort();
    Ok(components)
}

fn table(plugins: &[(String, PathBuf)]) -> String {
    let mut text = "/// The plugins that are part of this binary: name and component.\n\
                    const BUNDLED: &[(&str, &[u8])] = &[\n"
        .to_owned();
    for (name, path) in plugins {
        println!("cargo::rerun-if-changed={}", path.display());
        text.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", path.display().to_string()));
    }
    text.push_str("];\n");
    text
}

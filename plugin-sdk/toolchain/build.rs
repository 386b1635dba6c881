//! Embeds what an author needs, so that `midge plugin new` and `midge plugin build` work without this repository: the
//! contract, the SDKs and the templates, each as a table of path and text.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The table's name, the folder its paths start from, and what of it is embedded.
const TABLES: &[(&str, &str, &[&str])] = &[
    ("CONTRACT", "../../wit", &[""]),
    ("RUST_SDK", "..", &["src", "examples/authenticator.rs", "README.md"]),
    ("C_SDK", "../c", &[""]),
    ("JS_SDK", "../js", JS_SDK),
    ("PYTHON_SDK", "../python", &["midge", "build.py", "requirements.txt"]),
    ("TEMPLATES", "templates", &[""]),
];

/// What a plugin in JavaScript is built and tested with, without the tests of the SDK itself.
const JS_SDK: &[&str] = &[
    "borrows.mjs",
    "build.mjs",
    "contract.d.ts",
    "doubles.mjs",
    "hooks.js",
    "midge.d.ts",
    "midge.js",
    "package-lock.json",
    "package.json",
    "testing-hooks.mjs",
    "testing.mjs",
];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut text = String::new();
    for (name, base, parts) in TABLES {
        let base = fs::canonicalize(here.join(base))?;
        let mut files = Vec::new();
        for part in *parts {
            collect(&base.join(part), *name == "CONTRACT", &mut files)?;
        }
        files.sort();
        text.push_str(&table(name, &base, &files));
    }
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs"), text)
}

/// Every file below `path`. Of the contract only this track's: its frozen predecessors lie in folders beside it.
fn collect(path: &Path, is_contract: bool, files: &mut Vec<PathBuf>) -> io::Result<()> {
    tell(&format!("rerun-if-changed={}", path.display()));
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        // What the languages' own tools leave behind.
        if path.ends_with("__pycache__") || path.ends_with("node_modules") {
            continue;
        }
        let is_wit = path.extension().is_some_and(|extension| extension == "wit");
        if !is_contract || is_wit {
            collect(&path, is_contract, files)?;
        }
    }
    Ok(())
}

fn table(name: &str, base: &Path, files: &[PathBuf]) -> String {
    let mut text = format!("/// Path and text of each file.\npub(crate) const {name}: &[(&str, &str)] = &[\n");
    for file in files {
        let path = file.strip_prefix(base).unwrap_or(file).display().to_string();
        text.push_str(&format!("    ({path:?}, include_str!({:?})),\n", file.display().to_string()));
    }
    text.push_str("];\n");
    text
}

#[allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]
fn tell(what: &str) {
    println!("cargo::{what}");
}

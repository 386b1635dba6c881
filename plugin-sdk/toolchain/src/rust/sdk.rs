//! The Rust SDK beside a new plugin. No registry has it yet: its sources are part of this crate, and go into the plugin's
//! folder as `sdk/`, with the contract they are generated from. The plugin then builds on any machine that has them and
//! the registry's crates, whatever becomes of this repository.

use toml::{Table, Value};

use crate::embedded::{CONTRACT, RUST_SDK};
use crate::{Text, ToolchainError};

/// Where the SDK's crate lies in the plugin's folder. Its bindings read the contract from `../wit`.
const CRATE: &str = "sdk/rust";

/// The end of a plugin's `Cargo.toml`: what it depends on.
pub(super) fn dependencies() -> Result<String, ToolchainError> {
    Ok(format!("\n[dependencies]\nmidge-plugin-sdk = {{ path = {CRATE:?} }}\n"))
}

/// The SDK's crate and the contract.
pub(super) fn files() -> Result<Vec<Text>, ToolchainError> {
    let mut files = vec![Text::new(format!("{CRATE}/Cargo.toml"), manifest()?)];
    files.extend(RUST_SDK.iter().map(|(path, text)| Text::new(format!("{CRATE}/{path}"), *text)));
    files.extend(CONTRACT.iter().map(|(path, text)| Text::new(format!("sdk/wit/{path}"), *text)));
    Ok(files)
}

/// The SDK's manifest without its workspace: what it inherits is written out, and our lints are left at home.
fn manifest() -> Result<String, ToolchainError> {
    let mut crate_: Table = read(SDK_MANIFEST)?;
    let workspace: Table = read(WORKSPACE_MANIFEST)?;
    let inherited = workspace.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    crate_.remove("lints");
    crate_.remove("dev-dependencies");
    if let Some(package) = crate_.get_mut("package").and_then(Value::as_table_mut) {
        inherit(package, inherited.get("package"));
    }
    if let Some(dependencies) = crate_.get_mut("dependencies").and_then(Value::as_table_mut) {
        inherit(dependencies, inherited.get("dependencies"));
    }
    Ok(crate_.to_string())
}

/// Replaces every `KEY.workspace = true` by what the workspace says.
fn inherit(table: &mut Table, from: Option<&Value>) {
    for (key, value) in table.iter_mut() {
        let is_inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
        if let Some(theirs) = from.and_then(|from| from.get(key)).filter(|_| is_inherited) {
            *value = theirs.clone();
        }
    }
}

fn read(text: &str) -> Result<Table, ToolchainError> {
    text.parse().map_err(|error: toml::de::Error| ToolchainError::Contract(format!("the SDK's manifest: {error}")))
}

const SDK_MANIFEST: &str = include_str!("../../../Cargo.toml");
const WORKSPACE_MANIFEST: &str = include_str!("../../../../Cargo.toml");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn the_sdks_manifest_inherits_nothing() {
        let manifest = manifest().unwrap();
        let parsed: Table = manifest.parse().unwrap();
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert_eq!(parsed["package"]["name"].as_str(), Some("midge-plugin-sdk"));
        assert!(parsed["dependencies"]["wit-bindgen"]["version"].is_str(), "{manifest}");
    }

    #[test]
    fn the_contract_lies_where_the_bindings_look_for_it() {
        let files = files().unwrap();
        let bindings = files.iter().find(|file| file.path.ends_with("src/bindings.rs")).unwrap();
        assert!(bindings.text.contains("path: \"../wit\""));
        assert!(files.iter().any(|file| file.path == std::path::Path::new("sdk/wit/types.wit")));
    }
}

//! The contract that is part of this crate, and the world of one plugin in it.

use std::fs;
use std::path::Path;

use wit_parser::{Interface, Resolve, SourceMap, WorldId, WorldItem};

use crate::ToolchainError;
use crate::embedded::CONTRACT;

/// What one plugin exports and imports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The hooks it exports.
    pub hooks: Vec<String>,
    /// What it imports besides the contract's world `local`.
    pub imports: Vec<String>,
}

/// The contract's files: name and text.
#[must_use]
pub fn files() -> &'static [(&'static str, &'static str)] {
    CONTRACT
}

/// Every hook of the contract.
///
/// # Errors
/// When the contract cannot be read, which is a mistake in this crate.
pub fn hooks() -> Result<Vec<String>, ToolchainError> {
    Ok(Contract::read()?.items("everything", |world| &world.exports))
}

/// Every interface of the contract that a plugin may import.
///
/// # Errors
/// When the contract cannot be read, which is a mistake in this crate.
pub fn imports() -> Result<Vec<String>, ToolchainError> {
    Ok(Contract::read()?.items("imports", |world| &world.imports))
}

/// Whether the contract has all of it.
///
/// # Errors
/// Names what it does not have, and what it has.
pub fn check(world: &World) -> Result<(), ToolchainError> {
    if world.hooks.is_empty() {
        return Err(ToolchainError::Contract("a plugin has at least one hook".to_owned()));
    }
    let unknown = |kind, name: &str, known: &[String]| ToolchainError::Unknown {
        kind,
        name: name.to_owned(),
        known: known.join(", "),
    };
    for (kind, names, known) in [("hook", &world.hooks, hooks()?), ("import", &world.imports, imports()?)] {
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            return Err(unknown(kind, name, &known));
        }
    }
    Ok(())
}

/// The contract together with a plugin's world, for tools that make bindings of it.
///
/// # Errors
/// When the contract has not what the world names.
pub fn resolve(world: &World) -> Result<(Resolve, WorldId), ToolchainError> {
    check(world)?;
    let Contract { mut resolve, version } = Contract::read()?;
    let package = resolve.push_source("plugin.wit", &text(world, &version)).map_err(wrong)?;
    let world = resolve.select_world(&[package], None).map_err(wrong)?;
    Ok((resolve, world))
}

/// Writes a plugin's world as a folder of WIT, as other tools read it: `plugin.wit` with the world `plugin` of the package
/// `midge:author`, and the contract in `deps/midge-plugin`.
///
/// # Errors
/// When the contract has not what the world names, or a file cannot be written.
pub fn write(directory: &Path, world: &World) -> Result<(), ToolchainError> {
    check(world)?;
    let contract = directory.join("deps/midge-plugin");
    fs::create_dir_all(&contract).map_err(ToolchainError::at(&contract))?;
    for (name, text) in files() {
        let path = contract.join(name);
        fs::write(&path, text).map_err(ToolchainError::at(&path))?;
    }
    let path = directory.join("plugin.wit");
    fs::write(&path, text(world, &Contract::read()?.version)).map_err(ToolchainError::at(&path))
}

/// A world of the plugin's own, in the contract's words.
fn text(World { hooks, imports }: &World, version: &str) -> String {
    let mut text = format!(
        "package midge:author;\n\nworld plugin {{\n  include midge:plugin/local@{version};\n  \
         import midge:plugin/connection@{version};\n"
    );
    for import in imports {
        text.push_str(&format!("  import midge:plugin/{import}@{version};\n"));
    }
    for hook in hooks {
        text.push_str(&format!("  export midge:plugin/{hook}@{version};\n"));
    }
    text.push_str("}\n");
    text
}

struct Contract {
    resolve: Resolve,
    version: String,
}

impl Contract {
    fn read() -> Result<Self, ToolchainError> {
        let mut sources = SourceMap::default();
        for (name, text) in CONTRACT {
            sources.push_str(name, *text);
        }
        let group = sources.parse().map_err(|(_, error)| wrong(error))?;
        let mut resolve = Resolve::default();
        let package = resolve.push_group(group).map_err(wrong)?;
        let version = resolve.packages[package].name.version.as_ref().map(ToString::to_string);
        Ok(Self { version: version.ok_or_else(|| wrong("its package has no version"))?, resolve })
    }

    /// The interfaces that one of the contract's worlds has.
    fn items(
        &self,
        world: &str,
        of: impl Fn(&wit_parser::World) -> &wit_parser::IndexMap<wit_parser::WorldKey, WorldItem>,
    ) -> Vec<String> {
        let world = self.resolve.worlds.iter().find(|(_, one)| one.name == world);
        let name = |item: &WorldItem| match item {
            WorldItem::Interface { id, .. } => {
                let Interface { name, functions, .. } = &self.resolve.interfaces[*id];
                // What has only types is there because others use it.
                name.clone().filter(|_| !functions.is_empty())
            }
            _ => None,
        };
        world.into_iter().flat_map(|(_, world)| of(world).values().filter_map(name).collect::<Vec<_>>()).collect()
    }
}

fn wrong(error: impl ToString) -> ToolchainError {
    ToolchainError::Contract(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn hooks_and_imports_are_those_of_the_contract() {
        let hooks = hooks().unwrap();
        for hook in ["authn", "authz", "messages", "sink", "events", "lifecycle", "enhanced-authn"] {
            assert!(hooks.iter().any(|one| one == hook), "{hook} in {hooks:?}");
        }
        let imports = imports().unwrap();
        assert!(imports.iter().any(|one| one == "http") && !imports.iter().any(|one| one == "types"), "{imports:?}");
    }

    #[test]
    fn a_world_with_every_hook_and_import_can_be_resolved_and_written() {
        let world = World { hooks: hooks().unwrap(), imports: imports().unwrap() };
        let (resolve, id) = resolve(&world).unwrap();
        assert_eq!(resolve.worlds[id].exports.len(), world.hooks.len());
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &world).unwrap();
        let mut read = Resolve::default();
        read.push_dir(directory.path()).unwrap();
    }
}

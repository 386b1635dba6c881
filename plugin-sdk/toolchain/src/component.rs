//! What was built: validated, and compared with the contract, without running it.

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::{ToolchainError, contract};

/// What a component is, by its own word.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// The hooks it exports.
    pub hooks: Vec<String>,
    /// The interfaces of the contract it imports.
    pub imports: Vec<String>,
    /// What it imports besides: interfaces of WASI, which a broker denies unless it says otherwise.
    pub wasi: Vec<String>,
}

/// Validates a component and says what it exports and imports.
///
/// # Errors
/// When it is no component, is damaged, exports no hook, or imports what no broker has.
pub fn inspect(bytes: &[u8]) -> Result<Summary, ToolchainError> {
    if bytes.get(4..8) == Some(&[1, 0, 0, 0]) {
        return Err(wrong("it is a core module; a plugin is a component"));
    }
    let decoded = decode(bytes).map_err(|error| wrong(format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(wrong("it is a package of interfaces; a plugin is a component that exports some of them"));
    };
    let world = &resolve.worlds[world];
    let exported = world.exports.iter().map(|(key, item)| interface(&resolve, key, item));
    let imported = world.imports.iter().map(|(key, item)| interface(&resolve, key, item)).collect::<Vec<_>>();
    let ours = |name: String| Some(name.strip_prefix("midge:plugin/")?.split('@').next()?.to_owned());
    let hooks: Vec<String> = exported.filter_map(ours).collect();
    if hooks.is_empty() {
        let known = contract::hooks()?.join(", ");
        return Err(wrong(format!("it exports no hook of midge:plugin; there are {known}")));
    }
    let (known, wasi): (Vec<String>, Vec<String>) = imported.into_iter().partition(|name| !name.starts_with("wasi:"));
    if let Some(unknown) = known.iter().find(|name| !name.starts_with("midge:plugin/")) {
        return Err(wrong(format!("it imports {unknown}, which no broker has")));
    }
    Ok(Summary { hooks, imports: known.into_iter().filter_map(ours).collect(), wasi })
}

fn interface(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> String {
    match item {
        WorldItem::Interface { id, .. } => resolve.id_of(*id).unwrap_or_else(|| resolve.name_world_key(key)),
        _ => resolve.name_world_key(key),
    }
}

fn wrong(why: impl Into<String>) -> ToolchainError {
    ToolchainError::NoComponent(why.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn what_is_no_plugin_is_told_apart() {
        for (bytes, wanted) in [
            (&b""[..], "what was built is no plugin"),
            (b"\0asm\x01\0\0\0", "core module"),
            (b"\0asm\x0d\0\x01\0", "exports no hook"),
            (b"\0asm\x0d\0\x01\0\xff", "what was built is no plugin"),
        ] {
            let refused = inspect(bytes).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{bytes:?}: {refused}");
        }
    }
}

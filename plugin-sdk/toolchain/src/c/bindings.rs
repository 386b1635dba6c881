//! The contract as C: a header, the functions behind it, and an object file with the plugin's world.

use wit_bindgen_c::{Enabled, Opts};
use wit_bindgen_core::Files;
use wit_parser::{Resolve, WorldId};

use crate::contract::{self, World};
use crate::{Manifest, ToolchainError};

/// What the generated files are called: `midge.h`, `midge.c`, `midge_component_type.o`.
pub(super) const NAME: &str = "midge";

/// Generates the files for the hooks of a plugin: name and content. Everything of the contract may be called; what is not
/// called is not imported.
pub(super) fn generate(manifest: &Manifest) -> Result<Vec<(String, Vec<u8>)>, ToolchainError> {
    let world = World { hooks: manifest.hooks.clone(), imports: contract::imports()? };
    let (mut resolve, id) = contract::resolve(&world)?;
    let options = Opts {
        rename: short_names(&resolve, id),
        rename_world: Some(NAME.to_owned()),
        autodrop_borrows: Enabled::Yes,
        ..Opts::default()
    };
    let mut files = Files::default();
    let generated = options.build().generate(&mut resolve, id, &mut files);
    generated.map_err(|error| ToolchainError::Contract(format!("{error:#}")))?;
    let is_text = |name: &str| name.ends_with(".h") || name.ends_with(".c");
    let file = |(name, bytes): (&str, &[u8])| match is_text(name) {
        true => (name.to_owned(), readable(&String::from_utf8_lossy(bytes), name, &world.hooks).into_bytes()),
        false => (name.to_owned(), bytes.to_vec()),
    };
    Ok(files.iter().map(file).collect())
}

/// `midge_authn` for `midge:plugin/authn@0.1.0`, and so on.
fn short_names(resolve: &Resolve, world: WorldId) -> Vec<(String, String)> {
    let world = &resolve.worlds[world];
    let keys = world.imports.keys().chain(world.exports.keys()).map(|key| resolve.name_world_key(key));
    let short = |long: String| {
        let name = long.strip_prefix("midge:plugin/")?.split('@').next()?.replace('-', "_");
        Some((long, format!("{NAME}_{name}")))
    };
    keys.filter_map(short).collect()
}

/// No interface is both imported and exported, so that names need not tell the two apart. The header says which hooks it is
/// for: `MIDGE_HAS_AUTHN`.
fn readable(text: &str, name: &str, hooks: &[String]) -> String {
    let text = text.replace("exports_midge_", "midge_").replace("EXPORTS_MIDGE_", "MIDGE_");
    if !name.ends_with(".h") {
        return text;
    }
    let has = |hook: &String| format!("#define MIDGE_HAS_{}\n", hook.replace('-', "_").to_uppercase());
    text + &hooks.iter().map(has).collect::<String>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn the_header_has_the_hooks_of_the_plugin_and_every_import_in_plain_names() {
        let manifest =
            Manifest { name: "keys".into(), lang: "c".into(), hooks: vec!["authn".into()], imports: Vec::new() };
        let files = generate(&manifest).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["midge.c", "midge.h", "midge_component_type.o"]);
        let header = String::from_utf8(files[1].1.clone()).unwrap();
        for wanted in ["bool midge_authn_authenticate(", "midge_http_send(", "#define MIDGE_HAS_AUTHN\n"] {
            assert!(header.contains(wanted), "{wanted} in:\n{header}");
        }
        assert!(!header.contains("exports_") && !header.contains("midge_authz_"));
    }
}

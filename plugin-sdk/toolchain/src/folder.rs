//! A folder with a plugin's source in it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::contract::World;
use crate::{Language, ToolchainError, contract, language, template};

/// What `plugin.toml` says. A Rust plugin needs none: its `Cargo.toml` and its `plugin!` say as much.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name: it is built as `NAME.wasm`.
    pub name: String,
    /// The language's name, as for `--lang`.
    pub lang: String,
    /// The hooks it exports.
    pub hooks: Vec<String>,
    /// What it imports besides what the world `local` of the contract has: "http", for example. Only languages whose
    /// components import all they might use need it; C imports what it calls.
    #[serde(default)]
    pub imports: Vec<String>,
}

/// A folder with a plugin in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    manifest: Option<Manifest>,
}

impl Folder {
    /// Looks into a folder.
    ///
    /// # Errors
    /// When there is no plugin in it, or its `plugin.toml` does not say what it should.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ToolchainError> {
        let path = path.as_ref();
        let path = fs::canonicalize(path).map_err(ToolchainError::at(path))?;
        let file = path.join(MANIFEST);
        let manifest = match fs::read_to_string(&file) {
            Ok(text) => Some(Manifest::read(&file, &text)?),
            Err(_) if path.join("Cargo.toml").is_file() => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ToolchainError::NoPlugin { path });
            }
            Err(error) => return Err(ToolchainError::Io { path: file, error }),
        };
        Ok(Self { path, manifest })
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `plugin.toml` says.
    ///
    /// # Errors
    /// When there is none.
    pub fn manifest(&self) -> Result<&Manifest, ToolchainError> {
        let missing = || ToolchainError::Manifest { path: self.path.join(MANIFEST), why: "it is missing".to_owned() };
        self.manifest.as_ref().ok_or_else(missing)
    }

    /// The language its plugin is written in.
    ///
    /// # Errors
    /// When `plugin.toml` names one that there is no recipe for.
    pub fn language(&self) -> Result<&'static dyn Language, ToolchainError> {
        language(self.manifest.as_ref().map_or("rust", |manifest| &manifest.lang))
    }

    /// Where intermediate files of a build go; made if need be. `NAME.wasm` lies beside it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn build_directory(&self) -> Result<PathBuf, ToolchainError> {
        let directory = self.path.join(BUILD_DIRECTORY);
        fs::create_dir_all(&directory).map_err(ToolchainError::at(&directory))?;
        Ok(directory)
    }
}

impl Manifest {
    /// Reads the text of a `plugin.toml`; `path` is for errors.
    ///
    /// # Errors
    /// Says what is wrong, and what would be right.
    pub fn read(path: &Path, text: &str) -> Result<Self, ToolchainError> {
        let wrong = |why: String| ToolchainError::Manifest { path: path.to_owned(), why };
        let manifest: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        template::check_name(&manifest.name).map_err(|error| wrong(error.to_string()))?;
        language(&manifest.lang).map_err(|error| wrong(error.to_string()))?;
        contract::check(&manifest.world()).map_err(|error| wrong(error.to_string()))?;
        Ok(manifest)
    }

    /// What the plugin exports and imports.
    #[must_use]
    pub fn world(&self) -> World {
        World { hooks: self.hooks.clone(), imports: self.imports.clone() }
    }
}

/// What says what a folder's plugin is.
pub(crate) const MANIFEST: &str = "plugin.toml";
/// Where intermediate files go.
pub(crate) const BUILD_DIRECTORY: &str = "build";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        Manifest::read(Path::new("plugin.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_manifest_names_the_plugin_its_language_and_its_hooks() {
        let manifest = read("name = \"keys\"\nlang = \"rust\"\nhooks = [\"authn\", \"lifecycle\"]\n").unwrap();
        assert_eq!((manifest.name.as_str(), manifest.imports.len()), ("keys", 0));
        assert_eq!(manifest.world().hooks, ["authn", "lifecycle"]);
    }

    #[test]
    fn what_a_manifest_gets_wrong_is_named_with_what_would_be_right() {
        let rest = "lang = \"rust\"\nhooks = [\"authn\"]\n";
        for (text, wanted) in [
            ("name = \"Keys\"\n".to_owned() + rest, "lower case letters"),
            ("name = \"keys\"\nspeed = 3\n".to_owned() + rest, "speed"),
            ("name = \"keys\"\nlang = \"basic\"\nhooks = [\"authn\"]\n".to_owned(), "basic"),
            ("name = \"keys\"\nlang = \"rust\"\nhooks = [\"auth\"]\n".to_owned(), "authn"),
            ("name = \"keys\"\nlang = \"rust\"\nhooks = []\n".to_owned(), "at least one hook"),
            ("name = \"keys\"\nimports = [\"ftp\"]\n".to_owned() + rest, "http"),
        ] {
            let refused = read(&text).unwrap_err();
            assert!(refused.starts_with("plugin.toml: ") && refused.contains(wanted), "{text}: {refused}");
        }
    }

    #[test]
    fn a_folder_without_a_plugin_says_how_to_begin_one() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Folder::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("midge plugin new"), "{refused}");
        assert!(Folder::open(folder.path().join("nowhere")).is_err());
    }
}

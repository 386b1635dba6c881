//! Tools from npm and PyPI: installed once into a folder that all plugins share, at the versions that the SDK was tested with.

use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::{Context, Finding, ToolchainError};

/// A folder of tools, and what says which.
pub(crate) struct Tools {
    directory: PathBuf,
    /// Path and text of the files that name the packages.
    named_by: Vec<(&'static str, &'static str)>,
}

impl Tools {
    /// The tools that these files of an SDK name. Other versions have another folder, so that two of Midge get on.
    pub(crate) fn named_by(language: &str, sdk: &'static [(&'static str, &'static str)], files: &[&str]) -> Self {
        let named_by: Vec<_> = sdk.iter().filter(|(name, _)| files.contains(name)).copied().collect();
        let mut hasher = DefaultHasher::new();
        named_by.hash(&mut hasher);
        let directory = shared().join(format!("{language}-{:08x}", hasher.finish() >> 32));
        Self { directory, named_by }
    }

    /// Where they are, absolute.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether they are installed.
    pub(crate) fn are_there(&self) -> bool {
        self.directory.join(DONE).is_file()
    }

    /// For an examination: missing tools come with the first build, so they are nothing to mend.
    pub(crate) fn finding(&self, what: &str) -> Finding {
        let place = self.directory.display();
        let state = match self.are_there() {
            true => place.to_string(),
            false => format!("not yet: the first build installs them into {place}"),
        };
        Finding::new(what, Some(state))
    }

    /// Installs them with `install`, which is given their folder, unless they are there. Only one process does; others wait.
    ///
    /// # Errors
    /// When the folder cannot be made, or the installation fails.
    pub(crate) fn ensure(
        &self,
        context: &Context<'_>,
        install: impl FnOnce(&Path) -> Result<(), ToolchainError>,
    ) -> Result<(), ToolchainError> {
        if self.are_there() {
            return Ok(());
        }
        let at = ToolchainError::at(&self.directory);
        fs::create_dir_all(&self.directory).map_err(at)?;
        let lock = self.directory.join("lock");
        let held = File::create(&lock).map_err(ToolchainError::at(&lock))?;
        held.lock().map_err(ToolchainError::at(&lock))?;
        if self.are_there() {
            return Ok(());
        }
        (context.tell)(&format!("installing tools into {}, once", self.directory.display()));
        for (name, text) in &self.named_by {
            let path = self.directory.join(name);
            fs::write(&path, text).map_err(ToolchainError::at(&path))?;
        }
        install(&self.directory)?;
        let done = self.directory.join(DONE);
        fs::write(&done, "").map_err(ToolchainError::at(&done))
    }
}

/// Writes files that tools read, and leaves alone those that say the same already.
pub(crate) fn write_all(directory: &Path, files: &[(&str, &str)]) -> Result<(), ToolchainError> {
    for (name, text) in files {
        let path = directory.join(name);
        if fs::read(&path).is_ok_and(|before| before == text.as_bytes()) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(ToolchainError::at(parent))?;
        }
        fs::write(&path, text).map_err(ToolchainError::at(&path))?;
    }
    Ok(())
}

/// `$MIDGE_TOOLS`; else `midge/tools` in `$XDG_CACHE_HOME`, in `.cache` at home, or where temporary files are.
fn shared() -> PathBuf {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache =
        || given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache"))).unwrap_or_else(env::temp_dir);
    let shared = given("MIDGE_TOOLS").unwrap_or_else(|| cache().join("midge/tools"));
    std::path::absolute(&shared).unwrap_or(shared)
}

/// There once the installation has ended well.
const DONE: &str = "installed";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    fn quiet(_: &str) {}

    #[test]
    fn tools_are_installed_once_and_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let tools = Tools { directory: folder.path().join("tools"), named_by: vec![("list.txt", "a==1")] };
        let context = Context { may_install: false, tell: &quiet };
        let failed = ToolchainError::Contract("no network".to_owned());
        assert!(tools.ensure(&context, |_| Err(failed)).is_err());
        assert!(!tools.are_there());
        let list = |place: &Path| {
            assert_eq!(fs::read_to_string(place.join("list.txt")).unwrap(), "a==1");
            Ok(())
        };
        tools.ensure(&context, list).unwrap();
        tools.ensure(&context, |_| panic!("they are there")).unwrap();
    }

    #[test]
    fn other_versions_have_another_folder() {
        let named = |sdk| Tools::named_by("js", sdk, &["list"]).directory().to_owned();
        assert_eq!(named(&[("list", "a==1"), ("other", "x")]), named(&[("list", "a==1"), ("other", "y")]));
        assert_ne!(named(&[("list", "a==1")]), named(&[("list", "a==2")]));
    }
}

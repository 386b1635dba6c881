//! Compiled components on disk: loading one takes a tenth of a millisecond instead of seconds.
//!
//! A cache entry is native code, so whoever can write it owns the process. The directory and its files are therefore
//! for the broker's user alone, an entry carries the hash of its content, and anything that looks wrong is a miss:
//! the component is compiled again and the entry replaced. A bad entry never stops a start.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::Digest;

/// A directory of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    owner: Owner,
}

impl Cache {
    /// Opens the directory, and makes it if need be. `None`, with a line in the log, if it cannot be trusted.
    pub(crate) fn open(directory: &Path) -> Option<Self> {
        match make_private(directory).and_then(|()| Owner::of_directory(directory)) {
            Ok(owner) => Some(Self { directory: directory.to_owned(), owner }),
            Err(error) => {
                tracing::warn!(directory = %directory.display(), %error,
                    "compiled plugins are not cached: every start compiles them again");
                None
            }
        }
    }

    /// The compiled component, if there is a good entry for it.
    pub(crate) fn find(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let path = self.path(engine, digest);
        let entry = match self.owner.read(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return miss(&path, &error.to_string()),
        };
        let Some(code) = unwrap(&entry) else {
            return miss(&path, "it is damaged");
        };
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => miss(&path, &format!("{error:#}")),
        }
    }

    /// Keeps a compiled component. A failure costs the next start some time and nothing else.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, component: &Component) {
        let path = self.path(engine, digest);
        let kept = component
            .serialize()
            .map_err(|error| io::Error::other(format!("{error:#}")))
            .and_then(|code| self.write(&path, &code));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "a compiled plugin could not be cached");
        }
    }

    /// The entry's name: which component, compiled by which compiler with which settings for which processor.
    fn path(&self, engine: &Engine, digest: &Digest) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.directory.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }

    /// Writes beside and renames, so that no reader ever sees half an entry.
    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = (|| {
            let mut file = private_options().write(true).create(true).truncate(true).open(&beside)?;
            file.write_all(MAGIC)?;
            file.write_all(&(code.len() as u64).to_le_bytes())?;
            file.write_all(&Digest::of(code).0)?;
            file.write_all(code)?;
            fs::rename(&beside, path)
        })();
        if written.is_err() {
            // The half-written file is of no use; if it cannot be removed either, there is nothing left to try.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

fn miss<T>(path: &Path, reason: &str) -> Option<T> {
    tracing::info!(path = %path.display(), reason, "a cached plugin cannot be used and is compiled again");
    None
}

/// The code in an entry, if length and hash are right.
fn unwrap(entry: &[u8]) -> Option<&[u8]> {
    let rest = entry.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_at_checked(8)?;
    let (hash, code) = rest.split_at_checked(32)?;
    let length = u64::from_le_bytes(length.try_into().ok()?);
    (code.len() as u64 == length && Digest::of(code).0 == hash).then_some(code)
}

/// Loads compiled code: the only `unsafe` of the broker.
///
/// `Component::deserialize` runs what it is given as native code, after checking only that compiler version and
/// settings are the engine's own. Sound here because `code` comes from [`unwrap`], so it is byte for byte what an
/// earlier [`Cache::keep`] wrote with `Component::serialize` (the hash covers all of it), in a file and a directory
/// that were owned by this process's user and closed to all others when they were read ([`Owner`]). Who can forge that
/// is this very user, who may replace the broker itself.
#[allow(unsafe_code, reason = "the one exception the workspace allows; its proof is above")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: see above.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(unix)]
fn private_options() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_options() -> fs::OpenOptions {
    fs::OpenOptions::new()
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// The user this process runs as, and the only one whose files are trusted.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner(u32);

#[cfg(unix)]
impl Owner {
    /// Finds out who we are by making a file, and that the directory is ours alone.
    fn of_directory(directory: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let probe = directory.join(format!("probe.{}", std::process::id()));
        let made = private_options().write(true).create(true).truncate(true).open(&probe)?;
        let owner = Self(made.metadata()?.uid());
        fs::remove_file(&probe)?;
        owner.check(&fs::metadata(directory)?)?;
        Ok(owner)
    }

    fn read(self, path: &Path) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        self.check(&file.metadata()?)?;
        let mut entry = Vec::new();
        io::Read::read_to_end(&mut file, &mut entry)?;
        Ok(entry)
    }

    fn check(self, metadata: &fs::Metadata) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        if metadata.uid() != self.0 {
            return Err(io::Error::other("it belongs to another user"));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other("others may write to it (its mode must be 0700 or 0600)"));
        }
        Ok(())
    }
}

/// Elsewhere the directory's own access rules have to do.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug)]
struct Owner;

#[cfg(not(unix))]
impl Owner {
    fn of_directory(_: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    fn read(self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
}

/// What an entry begins with. The last byte counts layouts.
const MAGIC: &[u8; 8] = b"midge\0w\x01";

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(code: &[u8]) -> Vec<u8> {
        let mut entry = MAGIC.to_vec();
        entry.extend((code.len() as u64).to_le_bytes());
        entry.extend(Digest::of(code).0);
        entry.extend(code);
        entry
    }

    #[test]
    fn an_entry_is_whole_or_worthless() {
        let good = entry(b"native code");
        assert_eq!(unwrap(&good), Some(&b"native code"[..]));
        for length in 0..good.len() {
            assert_eq!(unwrap(&good[..length]), None, "cut to {length}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(unwrap(&bad), None, "flipped at {at}");
        }
    }
}

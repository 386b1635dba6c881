//! The disk's side of a file that is appended to. Everything here may wait.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// How large a file may grow, and what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) bytes_max: u64,
    /// How many full files are kept beside it; 0: a full one takes nothing more.
    pub(super) keep: u32,
}

impl Bounds {
    /// Whether a file of this length takes no more bytes, and no new file will.
    pub(super) fn is_full(self, length: u64, more: u64) -> bool {
        more > self.bytes_max || (self.keep == 0 && length.saturating_add(more) > self.bytes_max)
    }
}

/// A file, open or to be opened.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    file: Option<File>,
}

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum Failure {
    /// The file is as large as it may be, because others have written to it.
    Full {
        /// Its length.
        length: u64,
    },
    /// What the operating system says.
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Disk {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None }
    }

    /// Writes all of `bytes` or nothing, and returns how long the file is then. Without bytes it only looks.
    pub(super) fn write(&mut self, bytes: &[u8], bounds: Bounds) -> Result<u64, Failure> {
        let (mut file, mut length) = self.open()?;
        let more = bytes.len() as u64;
        if more > 0 && length > 0 && length.saturating_add(more) > bounds.bytes_max {
            if bounds.keep == 0 {
                return Err(Failure::Full { length });
            }
            self.file = None;
            make_way(&self.path, bounds.keep)?;
            (file, length) = self.open()?;
        }
        if let Err(error) = file.write_all(bytes) {
            // No half record stays. Where not even this works, the next one begins behind it.
            let _ = file.set_len(length);
            return Err(error.into());
        }
        Ok(length + more)
    }

    /// The file that has the path's name now, which need not be the one that had it before (logrotate).
    fn open(&mut self) -> io::Result<(&File, u64)> {
        let named = match fs::metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(metadata) = &named
            && !metadata.is_file()
        {
            return Err(io::Error::other(NO_FILE));
        }
        let open = match self.file.take() {
            Some(file) if is_same(&file.metadata()?, named.as_ref()) => file,
            _ => options().create(true).open(&self.path)?,
        };
        let length = open.metadata()?.len();
        Ok((self.file.insert(open), length))
    }
}

/// Whether a file can be appended to, and its length; 0 where there is none yet. One that is there is not changed, and
/// one that is not is not left behind: whoever only checks a configuration may be another user than the broker's.
pub(super) fn probe(path: &Path, is_in_use: bool) -> Result<u64, String> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(NO_FILE.to_owned()),
        Ok(metadata) => options().open(path).map(|_| metadata.len()).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !folder.is_dir() {
                return Err(format!("the directory {} does not exist; make it first", folder.display()));
            }
            if !is_in_use {
                options().create_new(true).open(path).map_err(|error| error.to_string())?;
                fs::remove_file(path).map_err(|error| error.to_string())?;
            }
            Ok(0)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Renames the full file to `NAME.1`, after `NAME.1` to `NAME.2` and so on; the oldest goes.
fn make_way(path: &Path, keep: u32) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..keep).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, numbered(1))
}

/// For appending; a new file is the broker's user's alone.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

#[cfg(unix)]
fn is_same(open: &Metadata, named: Option<&Metadata>) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    named.is_some_and(|named| (named.dev(), named.ino()) == (open.dev(), open.ino()))
}

/// Elsewhere files have no numbers to tell them apart by: they are opened again each time.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: Option<&Metadata>) -> bool {
    false
}

const NO_FILE: &str = "it is there and is no regular file";

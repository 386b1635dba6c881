//! What can go wrong with a disk.

use std::io;
use std::path::{Path, PathBuf};

use midge_core::Unreadable;

use crate::record::BadRecord;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by process {pid}: stop it first", directory.display())]
    InUse {
        /// The store's directory.
        directory: PathBuf,
        /// The process, as its lock file says; empty where that cannot be read.
        pid: String,
    },
    /// The directory cannot be used.
    #[error("{}: {error}", path.display())]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// There is no store.
    #[error("there is no store in {}", directory.display())]
    Missing {
        /// The directory.
        directory: PathBuf,
    },
    /// The layout is of a later release.
    #[error("{} was written by a later release of Midge (layout {found}, this one knows {known})", directory.display())]
    Layout {
        /// The store's directory.
        directory: PathBuf,
        /// The layout found.
        found: u8,
        /// The newest layout known here.
        known: u8,
    },
    /// The layout is of an earlier release, and this is no time to change it.
    #[error("{} was written by an earlier release of Midge (layout {found}): start the broker once to upgrade it", directory.display())]
    Outdated {
        /// The store's directory.
        directory: PathBuf,
        /// The layout found.
        found: u8,
    },
    /// A journal is not what was written, with commits after it that were promised.
    #[error(
        "{} is damaged at byte {offset}, and what follows was acknowledged: restore the store from a copy, or give up what \
         follows with `midge store repair`",
        file.display()
    )]
    Damaged {
        /// The journal.
        file: PathBuf,
        /// Where what can be read ends.
        offset: u64,
    },
    /// What is on the disk is not what was written.
    #[error("{}: {detail}; restore it from a copy, or move it away to start empty", directory.display())]
    Corrupt {
        /// The store's directory.
        directory: PathBuf,
        /// Which part, and what is wrong with it.
        detail: String,
    },
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The disk, or the database on it.
    #[error("the store cannot be read: {0}")]
    Database(#[from] fjall::Error),
    /// What is there is not what was written.
    #[error("the store holds {0}")]
    Record(#[from] BadRecord),
    /// The database is not open.
    #[error("the store cannot be read: its disk failed")]
    Closed,
}

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Database(inner) if cause(inner).is_some() => Self::Failed(error.to_string()),
            ReadError::Closed => Self::Failed(error.to_string()),
            ReadError::Database(_) | ReadError::Record(_) => Self::Damaged(error.to_string()),
        }
    }
}

impl OpenError {
    pub(crate) fn database(directory: &Path, error: &fjall::Error) -> Self {
        let directory = directory.to_owned();
        match error {
            fjall::Error::Locked => Self::InUse { directory, pid: String::new() },
            // One that the operating system did not raise is about what was read.
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error))
                if error.raw_os_error().is_some() =>
            {
                Self::Directory { path: directory, error: io::Error::new(error.kind(), error.to_string()) }
            }
            other => Self::Corrupt { directory, detail: other.to_string() },
        }
    }

    pub(crate) fn record(directory: &Path, space: &str, key: &[u8], error: BadRecord) -> Self {
        let detail = format!("{space} {}: {error}", key.escape_ascii());
        Self::Corrupt { directory: directory.to_owned(), detail }
    }
}

pub(crate) fn directory_error(path: &Path, error: io::Error) -> OpenError {
    OpenError::Directory { path: path.to_owned(), error }
}

/// What the operating system said, where it did.
pub(crate) fn cause(error: &fjall::Error) -> Option<io::ErrorKind> {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => Some(error.kind()),
        _ => None,
    }
}

/// Whether it means that there is no room, rather than that the disk fails.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

//! What can go wrong with a disk.

use std::io;
use std::path::PathBuf;

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
}

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Database(_) => Self::Failed(error.to_string()),
            ReadError::Record(_) => Self::Damaged(error.to_string()),
        }
    }
}

impl OpenError {
    pub(crate) fn database(directory: &std::path::Path, error: &fjall::Error) -> Self {
        let directory = directory.to_owned();
        match error {
            fjall::Error::Locked => Self::InUse { directory, pid: String::new() },
            fjall::Error::Io(error) => {
                Self::Directory { path: directory, error: io::Error::new(error.kind(), error.to_string()) }
            }
            other => Self::Corrupt { directory, detail: other.to_string() },
        }
    }

    pub(crate) fn record(directory: &std::path::Path, space: &str, key: &[u8], error: BadRecord) -> Self {
        let key = String::from_utf8_lossy(key);
        Self::Corrupt { directory: directory.to_owned(), detail: format!("{space} {key:?}: {error}") }
    }
}

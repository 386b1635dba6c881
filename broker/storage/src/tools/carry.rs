//! A whole store as text, and text as a whole store.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use midge_core::Unreadable;

use super::{CACHE_BYTES, info};
use crate::database::sync_directory;
use crate::error::directory_error;
use crate::{Carried, Export, OpenError, Progress, Settings, Storage, TransferError};

/// Why a store was not carried over.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The store cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The text, or the store while it was read or written.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// There is something in the store that an import would be mixed with.
    #[error(
        "{} is not empty: it has {sessions} sessions, {retained} retained messages and {plugin_entries} entries of plugins",
        directory.display()
    )]
    NotEmpty {
        /// The store's directory.
        directory: PathBuf,
        /// Sessions in it.
        sessions: u64,
        /// Retained messages in it.
        retained: u64,
        /// Entries of plugins in it.
        plugin_entries: u64,
    },
    /// The operating system has no thread to give.
    #[error("no thread for the store: {0}")]
    Thread(io::Error),
}

/// Writes everything in a store as text.
///
/// # Errors
/// [`CarryError`].
pub fn export(directory: &Path, out: impl Write, progress: &Progress) -> Result<Carried, CarryError> {
    if !holds_store(directory) {
        return Err(OpenError::Missing { directory: directory.to_owned() }.into());
    }
    let storage = Storage::open(settings(directory))?;
    let handle = storage.handle();
    let mut export = Export::new(&handle, out)?;
    let mut failed = None;
    storage.recover(progress, &mut |kept| {
        if failed.is_none() {
            failed = export.found(&kept).err();
        }
    })?;
    handle
        .entries(None, &mut |entry| {
            if failed.is_none() {
                failed = export.plugin_entry(&entry).err();
            }
        })
        .map_err(TransferError::from)?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(export.finish()?),
    }
}

/// Makes a store of an export: all of it, or nothing. What was in the store before is only given up where `replace` says so.
///
/// # Errors
/// [`CarryError`]; the store is as it was then.
pub fn import(directory: &Path, text: impl BufRead, replace: bool) -> Result<Carried, CarryError> {
    let before = if holds_store(directory) { Some(set_aside(directory, replace)?) } else { None };
    let carried = fill(directory, text);
    let io = |error| directory_error(directory, error);
    match (&carried, before) {
        (Ok(_), Some(before)) => fs::remove_dir_all(before).map_err(io)?,
        (Ok(_), None) => {}
        (Err(_), before) => {
            let data = directory.join("data");
            if data.exists() {
                fs::remove_dir_all(&data).map_err(io)?;
            }
            if let Some(before) = before {
                fs::rename(before, data).map_err(io)?;
            }
        }
    }
    carried
}

fn fill(directory: &Path, text: impl BufRead) -> Result<Carried, CarryError> {
    let mut storage = Storage::open(settings(directory))?;
    storage.start(|_| {}).map_err(CarryError::Thread)?;
    let handle = storage.handle();
    let carried = crate::import(&handle, text)?;
    drop(storage);
    match handle.failure() {
        Some(failure) => Err(TransferError::from(Unreadable::Failed(failure)).into()),
        None => Ok(carried),
    }
}

/// Moves what is in the store out of the way; where it is now.
fn set_aside(directory: &Path, replace: bool) -> Result<PathBuf, CarryError> {
    let super::Info { sessions, retained, plugin_entries, .. } = info(directory)?;
    if sessions + retained + plugin_entries > 0 && !replace {
        return Err(CarryError::NotEmpty { directory: directory.to_owned(), sessions, retained, plugin_entries });
    }
    let before = directory.join("data.replaced");
    let moved = fs::rename(directory.join("data"), &before).and_then(|()| sync_directory(directory));
    moved.map_err(|error| directory_error(directory, error))?;
    Ok(before)
}

fn holds_store(directory: &Path) -> bool {
    directory.join("data").is_dir()
}

fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        commit_interval: Duration::ZERO,
        cache_bytes: CACHE_BYTES,
        waiting_bytes_max: WAITING_BYTES_MAX,
    }
}

/// How much of an import may wait to be written.
const WAITING_BYTES_MAX: usize = 16 << 20;

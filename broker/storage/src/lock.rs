//! One store, one process.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::OpenError;
use crate::error::directory_error;

/// The lock file of a store, held until dropped. It names the process, for whoever finds the store in use.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("lock");
        let failed = |error| directory_error(&path, error);
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The name of the process is a courtesy.
                let _ = file.read_to_string(&mut pid);
                return Err(OpenError::InUse { directory: directory.to_owned(), pid: pid.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough where another thread is just starting a process, which has it too for a moment.
        let _ = self.file.unlock();
    }
}

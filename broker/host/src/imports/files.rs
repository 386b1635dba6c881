//! `files`: small granted files, kept in memory, and files to append to ([`append`](super::append)). A call never touches
//! the disk: it answers with what is known and, at most once an interval, asks the blocking pool to look for changes.

mod watched;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use self::watched::{Content, Problem, Watched};
use super::{ImportLimits, PluginState};
use crate::bindings::midge::plugin::files::{AppendError, Error, Host};
use crate::grants::Grants;

/// The granted files of one generation, by the paths the config names them with.
#[derive(Debug)]
pub(super) struct Files {
    runtime: Handle,
    interval: Duration,
    files: HashMap<String, Arc<Watched>>,
}

impl Files {
    /// Reads every granted file. One that cannot be read yet is the plugin's to report: it may appear later.
    pub(super) fn load(grants: &Grants, limits: &ImportLimits, runtime: Handle) -> Self {
        let now = Instant::now();
        let load = |(name, path): (&str, &std::path::Path)| {
            (name.to_owned(), Arc::new(Watched::load(path, limits.file_bytes_max, now)))
        };
        Self { runtime, interval: limits.file_check_interval, files: grants.files().map(load).collect() }
    }

    /// Looks for changes of all files, now.
    pub(super) fn look(&self) {
        self.files.values().for_each(|file| file.check());
    }

    /// What is known of a file; `None` when it is not granted.
    fn content(&self, path: &str, now: Instant) -> Option<Arc<Content>> {
        let file = self.files.get(path)?;
        if file.is_due(now, self.interval) {
            let file = Arc::clone(file);
            self.runtime.spawn_blocking(move || file.check());
        }
        Some(file.content())
    }
}

impl PluginState {
    fn content(&self, path: &str) -> Result<Arc<Content>, Error> {
        self.shared.files().content(path, Instant::now()).ok_or_else(|| {
            self.shared.denied(&self.shared.grants().no_file(path));
            Error::NotGranted
        })
    }
}

impl Host for PluginState {
    fn read(&mut self, path: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(self
            .content(&path)
            .and_then(|content| content.bytes.as_ref().map(|bytes| bytes.to_vec()).map_err(Error::from)))
    }

    fn version(&mut self, path: String) -> wasmtime::Result<Result<u64, Error>> {
        Ok(self.content(&path).and_then(|content| content.bytes.as_ref().map(|_| content.version).map_err(Error::from)))
    }

    fn append(&mut self, path: String, data: Vec<u8>) -> wasmtime::Result<Result<(), AppendError>> {
        let Some(file) = self.shared.append_file(&path) else {
            self.shared.denied(&self.shared.grants().no_append(&path));
            return Ok(Err(AppendError::NotGranted));
        };
        Ok(file.append(data, Instant::now()).map_err(|_| AppendError::OverQuota))
    }
}

impl From<&Problem> for Error {
    fn from(problem: &Problem) -> Self {
        match problem {
            Problem::Unreadable(text) => Self::Unreadable(text.clone()),
            Problem::TooLarge => Self::TooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_without_any_call_waiting_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acl");
        std::fs::write(&path, "one").unwrap();
        let grants = Grants::from_json("acl", &json!({"files": ["acl"]}), folder.path()).unwrap();
        let files = Files::load(&grants, &ImportLimits::default(), Handle::current());

        let start = Instant::now();
        let first = files.content("acl", start).unwrap();
        assert_eq!(first.bytes.as_deref().unwrap(), b"one");
        std::fs::write(&path, "two").unwrap();

        let deadline = Instant::now() + Duration::from_secs(10);
        let mut asked_at = start;
        let second = loop {
            asked_at += Duration::from_secs(1);
            let content = files.content("acl", asked_at).unwrap();
            if content.version != first.version {
                break content;
            }
            assert!(Instant::now() < deadline, "the change was not seen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(second.bytes.as_deref().unwrap(), b"two");
    }

    #[tokio::test]
    async fn only_granted_files_are_there_and_only_under_the_granted_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("acl"), "one").unwrap();
        let grants = Grants::from_json("acl", &json!({"files": ["acl"]}), folder.path()).unwrap();
        let files = Files::load(&grants, &ImportLimits::default(), Handle::current());
        for path in ["", "/etc/passwd", "../acl", "./acl", "acl/../acl"] {
            assert!(files.content(path, Instant::now()).is_none(), "{path}");
        }
    }
}

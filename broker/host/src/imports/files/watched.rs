//! One file: its content, and whether it has changed.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use ring::digest;

/// What a file holds, or why that is not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Result<Box<[u8]>, Problem>,
    /// The first eight bytes of the content's SHA-256.
    pub(super) version: u64,
}

/// Why a file has no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// In the operating system's words.
    Unreadable(String),
    TooLarge,
}

#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    bytes_max: u64,
    loaded_at: Instant,
    /// Milliseconds from `loaded_at` to the last check that was asked for.
    checked_at: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    content: Arc<Content>,
    stamp: Option<Stamp>,
    /// The last problem reported, so that each is logged once.
    reported: Option<Problem>,
}

/// What tells one state of a file from the next without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Watched {
    /// Reads the file for the first time.
    pub(super) fn load(path: &Path, bytes_max: u64, now: Instant) -> Self {
        let (bytes, stamp) = read(path, bytes_max);
        let reported = bytes.as_ref().err().cloned();
        let content = Arc::new(Content::new(bytes));
        let state = Mutex::new(State { content, stamp, reported });
        Self { path: path.to_owned(), bytes_max, loaded_at: now, checked_at: AtomicU64::new(0), state }
    }

    pub(super) fn content(&self) -> Arc<Content> {
        Arc::clone(&self.state.lock().content)
    }

    /// Whether it is time for a check. True for one caller per interval.
    pub(super) fn is_due(&self, now: Instant, interval: Duration) -> bool {
        let now = millis(now.saturating_duration_since(self.loaded_at));
        let last = self.checked_at.load(Ordering::Relaxed);
        now >= last.saturating_add(millis(interval))
            && self.checked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Reads the file again if it has changed. A file that can no longer be read keeps its last content, with a
    /// line in the log: half-done edits must not turn every client away.
    pub(super) fn check(&self) {
        let seen = std::fs::metadata(&self.path).ok().and_then(|metadata| Stamp::of(&metadata));
        if seen.is_some() && seen == self.state.lock().stamp {
            return;
        }
        let (bytes, stamp) = read(&self.path, self.bytes_max);
        let mut state = self.state.lock();
        match bytes {
            Err(problem) => {
                state.stamp = None;
                if state.reported.as_ref() != Some(&problem) {
                    tracing::warn!(file = %self.path.display(), ?problem, "a granted file cannot be read; its last content stays in use");
                    state.reported = Some(problem.clone());
                }
                if state.content.bytes.is_err() {
                    state.content = Arc::new(Content::new(Err(problem)));
                }
            }
            Ok(bytes) => {
                let content = Content::new(Ok(bytes));
                if content != *state.content {
                    tracing::info!(file = %self.path.display(), "a granted file has changed");
                    state.content = Arc::new(content);
                }
                state.stamp = stamp;
                state.reported = None;
            }
        }
    }
}

impl Content {
    fn new(bytes: Result<Box<[u8]>, Problem>) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes.as_deref().unwrap_or_default());
        let first = digest.as_ref().first_chunk().expect("a SHA-256 digest has 32 bytes");
        Self { bytes, version: u64::from_be_bytes(*first) }
    }
}

impl Stamp {
    /// `None` when the file changed so recently that a further change might not show in its stamp.
    fn of(metadata: &Metadata) -> Option<Self> {
        let modified = metadata.modified().ok()?;
        if modified.elapsed().is_ok_and(|age| age < SETTLED) {
            return None;
        }
        #[cfg(unix)]
        let inode = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        Some(Self {
            modified,
            length: metadata.len(),
            #[cfg(unix)]
            inode,
        })
    }
}

fn read(path: &Path, bytes_max: u64) -> (Result<Box<[u8]>, Problem>, Option<Stamp>) {
    let unreadable = |error: std::io::Error| Problem::Unreadable(error.to_string());
    let read = || {
        // Before opening: a named pipe would block.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Problem::Unreadable("not a regular file".to_owned()));
        }
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > bytes_max {
            return Err(Problem::TooLarge);
        }
        Ok((bytes.into_boxed_slice(), Stamp::of(&metadata)))
    };
    match read() {
        Ok((bytes, stamp)) => (Ok(bytes), stamp),
        Err(problem) => (Err(problem), None),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// File systems keep times in steps of up to two seconds.
const SETTLED: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn text(file: &Watched) -> Result<String, Problem> {
        file.content().bytes.clone().map(|bytes| String::from_utf8(bytes.into()).unwrap())
    }

    #[test]
    fn the_version_changes_exactly_when_the_content_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "one").unwrap();
        let file = Watched::load(&path, 100, Instant::now());
        let first = file.content().version;
        std::fs::write(&path, "two").unwrap();
        file.check();
        assert_eq!(text(&file).unwrap(), "two", "same length, same second");
        assert_ne!(file.content().version, first);
        std::fs::write(&path, "one").unwrap();
        file.check();
        assert_eq!(file.content().version, first);
    }

    #[test]
    fn a_settled_file_is_read_again_only_when_its_stamp_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "one").unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let file = Watched::load(&path, 100, Instant::now());
        assert!(file.state.lock().stamp.is_some());

        // A change that its stamp does not show is not seen: the file was not read.
        std::fs::write(&path, "two").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        file.check();
        assert_eq!(text(&file).unwrap(), "one");

        let replacement = folder.path().join("g");
        std::fs::write(&replacement, "new").unwrap();
        std::fs::rename(&replacement, &path).unwrap();
        file.check();
        assert_eq!(text(&file).unwrap(), "new");
    }

    #[test]
    fn a_file_that_vanishes_keeps_its_content_and_one_that_appears_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let file = Watched::load(&path, 100, Instant::now());
        assert!(matches!(text(&file), Err(Problem::Unreadable(_))));
        std::fs::write(&path, "one").unwrap();
        file.check();
        assert_eq!(text(&file).unwrap(), "one");
        std::fs::remove_file(&path).unwrap();
        file.check();
        assert_eq!(text(&file).unwrap(), "one");
        std::fs::write(&path, "two").unwrap();
        file.check();
        assert_eq!(text(&file).unwrap(), "two");
    }

    #[test]
    fn folders_and_oversized_files_have_no_content() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(text(&Watched::load(folder.path(), 100, Instant::now())), Err(Problem::Unreadable(_))));
        let path = folder.path().join("f");
        std::fs::write(&path, [0; 101]).unwrap();
        assert_eq!(text(&Watched::load(&path, 100, Instant::now())), Err(Problem::TooLarge));
        assert!(Watched::load(&path, 101, Instant::now()).content().bytes.is_ok());
    }

    #[test]
    fn a_check_is_due_once_an_interval() {
        let start = Instant::now();
        let file = Watched::load(Path::new("/none"), 1, start);
        let interval = Duration::from_secs(1);
        let due: Vec<_> =
            [0, 999, 1000, 1001, 1999, 2000].map(|ms| file.is_due(start + Duration::from_millis(ms), interval)).into();
        assert_eq!(due, [false, false, true, false, false, true]);
    }
}

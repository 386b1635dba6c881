//! Which files are followed, and the log.

use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::record::{Header, Kind, put_entry};
use crate::system;

/// What this library was told by its environment.
struct Task {
    /// The directory whose files are followed.
    directory: Vec<u8>,
    /// Where files get a second name, so that no inode is used twice: `DIRECTORY/INODE`.
    held: Vec<u8>,
    log: c_int,
    /// The longest a sync takes, in microseconds.
    sync_us_max: u64,
}

/// A descriptor that is followed.
#[derive(Clone, Copy)]
pub(crate) struct Followed {
    file: c_int,
    inode: u64,
    is_directory: bool,
}

/// Whether a descriptor is followed. Only said once it was asked for.
static KNOWN: [AtomicU8; 1 << 16] = [const { AtomicU8::new(UNKNOWN) }; 1 << 16];
const UNKNOWN: u8 = 0;
const STRANGE: u8 = 1;
const FOLLOWED: u8 = 2;

static TASK: OnceLock<Option<Task>> = OnceLock::new();

fn task() -> Option<&'static Task> {
    TASK.get_or_init(|| {
        let bytes = |name| std::env::var_os(name).map(OsStringExt::into_vec);
        let log = CString::new(bytes("MIDGE_POWERLOSS_LOG")?).ok()?;
        let log = system::open(&log, libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC);
        let sync_us_max =
            bytes("MIDGE_POWERLOSS_SYNC_US_MAX").and_then(|text| String::from_utf8(text).ok()?.parse().ok());
        (log >= 0).then_some(())?;
        Some(Task {
            directory: bytes("MIDGE_POWERLOSS_DIRECTORY")?,
            held: bytes("MIDGE_POWERLOSS_HELD")?,
            log,
            sync_us_max: sync_us_max.unwrap_or(0),
        })
    })
    .as_ref()
}

/// The descriptor, if it is followed.
pub(crate) fn find(file: c_int) -> Option<Followed> {
    let place = KNOWN.get(usize::try_from(file).ok()?);
    let known = place.map_or(UNKNOWN, |place| place.load(Ordering::Relaxed));
    if known == STRANGE {
        return None;
    }
    let errno = system::errno();
    let found = look(file, known);
    if let Some(place) = place {
        place.store(if found.is_some() { FOLLOWED } else { STRANGE }, Ordering::Relaxed);
    }
    system::set_errno(errno);
    found
}

fn look(file: c_int, known: u8) -> Option<Followed> {
    let task = task()?;
    if known == UNKNOWN {
        let mut space = [0; 4096];
        let inside = system::path_of(file, &mut space).strip_prefix(&task.directory[..])?;
        (inside.is_empty() || inside.starts_with(b"/")).then_some(())?;
    }
    let status = system::status(file)?;
    let is_directory = status.st_mode & libc::S_IFMT == libc::S_IFDIR;
    if known == UNKNOWN && !is_directory {
        let held = [&task.held[..], b"/", status.st_ino.to_string().as_bytes()].concat();
        system::link_to(file, &CString::new(held).ok()?);
    }
    Some(Followed { file, inode: status.st_ino, is_directory })
}

/// The descriptor is about to be closed, or was made just now: what was known of it is out of date.
pub(crate) fn forget(file: c_int) {
    if let Some(place) = usize::try_from(file).ok().and_then(|file| KNOWN.get(file)) {
        place.store(UNKNOWN, Ordering::Relaxed);
    }
}

impl Followed {
    pub(crate) fn will_write(self, offset: Option<u64>, parts: &[&[u8]]) {
        let offset = match offset {
            Some(offset) => offset,
            None if system::is_appending(self.file) => {
                system::status(self.file).map_or(0, |status| status.st_size.unsigned_abs())
            }
            None => system::position(self.file).unwrap_or(0),
        };
        self.note(Kind::Write, offset, parts);
    }

    pub(crate) fn will_truncate(self, length: u64) {
        self.note(Kind::Truncate, length, &[]);
    }

    pub(crate) fn is_lost(self, why: &str) {
        self.note(Kind::Lost, 0, &[why.as_bytes()]);
    }

    /// What `fsync` does: nothing but to take its time and to write down that it was done.
    pub(crate) fn sync(self) {
        let names = self.is_directory.then(|| self.names());
        if names.is_none() {
            self.note(Kind::SyncBegins, 0, &[]);
        }
        if let Some(task) = task().filter(|task| task.sync_us_max > 0) {
            system::sleep(chance() % task.sync_us_max);
        }
        match names {
            Some(names) => self.note(Kind::DirectorySynced, 0, &[&names]),
            None => self.note(Kind::SyncDone, 0, &[]),
        }
    }

    fn names(self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut space = [0; 4096];
        if let Ok(path) = CString::new(system::path_of(self.file, &mut space)) {
            system::list(&path, |inode, is_directory, name| put_entry(inode, is_directory, name, &mut names));
        }
        names
    }

    /// One write, so that records of several threads do not mix.
    fn note(self, kind: Kind, offset: u64, parts: &[&[u8]]) {
        let Some(task) = task() else { return };
        let errno = system::errno();
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let header = Header { kind, thread: system::thread(), inode: self.inode, offset, length: length as u64 };
        let mut record = Vec::with_capacity(Header::BYTES + length);
        record.extend_from_slice(&header.to_bytes());
        parts.iter().for_each(|part| record.extend_from_slice(part));
        if system::write(task.log, &record) != record.len() as i64 {
            // A log with a hole is worth nothing.
            std::process::abort();
        }
        system::set_errno(errno);
    }
}

/// SplitMix64 of how often it was called.
fn chance() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut mixed = CALLS.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

//! What the broker did to its files.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::record::{Header, Kind, take_entry};

/// The log, by inode.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) files: HashMap<u64, FileLog>,
    /// What was in a directory when it was last synced.
    pub(crate) directories: HashMap<u64, Names>,
    /// Something that cannot be followed.
    pub(crate) lost: Option<String>,
}

/// What is in a directory.
pub(crate) type Names = HashMap<OsString, Node>;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) inode: u64,
    pub(crate) is_directory: bool,
}

/// What was done to one file.
#[derive(Default)]
pub(crate) struct FileLog {
    pub(crate) steps: Vec<Step>,
    /// So many of them are on the disk for sure.
    pub(crate) synced: usize,
    /// Steps of threads that did nothing afterwards: the kill may have come first.
    pub(crate) perhaps: Vec<usize>,
}

pub(crate) enum Step {
    Write { offset: u64, data: Vec<u8> },
    Truncate { length: u64 },
}

pub(crate) fn read(path: &Path) -> io::Result<Log> {
    Ok(parse(&fs::read(path)?))
}

fn parse(mut bytes: &[u8]) -> Log {
    let mut log = Log::default();
    // By thread: what its last step was, and how many steps there were when its sync began.
    let (mut last, mut begun) = (HashMap::new(), HashMap::new());
    // The kill may have torn the last record.
    while let Some((header, rest)) = bytes.split_first_chunk::<{ Header::BYTES }>() {
        let Some(header) = Header::from_bytes(header) else {
            log.lost = Some("the log is damaged".to_owned());
            break;
        };
        let Some((data, rest)) = usize::try_from(header.length).ok().and_then(|length| rest.split_at_checked(length))
        else {
            break;
        };
        bytes = rest;
        last.remove(&header.thread);
        match header.kind {
            Kind::Write | Kind::Truncate => {
                let file = log.files.entry(header.inode).or_default();
                last.insert(header.thread, (header.inode, file.steps.len()));
                file.steps.push(match header.kind {
                    Kind::Write => Step::Write { offset: header.offset, data: data.to_vec() },
                    _ => Step::Truncate { length: header.offset },
                });
            }
            Kind::SyncBegins => {
                let steps = log.files.entry(header.inode).or_default().steps.len();
                begun.insert((header.thread, header.inode), steps);
            }
            Kind::SyncDone => {
                let file = log.files.entry(header.inode).or_default();
                let steps = begun.remove(&(header.thread, header.inode)).unwrap_or(0);
                file.synced = file.synced.max(steps);
            }
            Kind::DirectorySynced => {
                log.directories.insert(header.inode, names(data));
            }
            Kind::Lost => log.lost = Some(String::from_utf8_lossy(data).into_owned()),
        }
    }
    for (inode, step) in last.into_values() {
        log.files.entry(inode).or_default().perhaps.push(step);
    }
    log
}

fn names(mut list: &[u8]) -> Names {
    let mut names = Names::new();
    while let Some((inode, is_directory, name)) = take_entry(&mut list) {
        names.insert(OsString::from_vec(name.to_vec()), Node { inode, is_directory });
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: Kind, thread: u64, offset: u64, data: &[u8]) -> Vec<u8> {
        let header = Header { kind, thread, inode: 7, offset, length: data.len() as u64 };
        [&header.to_bytes()[..], data].concat()
    }

    #[test]
    fn only_what_came_before_a_sync_began_is_safe() {
        let bytes = [
            record(Kind::Write, 1, 0, b"abc"),
            record(Kind::SyncBegins, 2, 0, b""),
            record(Kind::Write, 1, 3, b"def"),
            record(Kind::SyncDone, 2, 0, b""),
            record(Kind::SyncBegins, 3, 0, b""),
            record(Kind::Truncate, 4, 5, b""),
        ];
        let log = parse(&bytes.concat());
        let file = &log.files[&7];
        assert_eq!((file.steps.len(), file.synced), (3, 1), "a sync that is not done counts for nothing");
        let mut perhaps = file.perhaps.clone();
        perhaps.sort_unstable();
        assert_eq!(perhaps, [1, 2], "threads 1 and 4 did nothing afterwards");
    }

    #[test]
    fn a_torn_record_is_the_end() {
        let mut bytes = [record(Kind::Write, 1, 0, b"abc"), record(Kind::Write, 1, 3, b"def")].concat();
        bytes.pop();
        assert_eq!(parse(&bytes).files[&7].steps.len(), 1);
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        assert_eq!(parse(&record(Kind::Lost, 1, 0, b"why")).lost.as_deref(), Some("why"));
    }
}

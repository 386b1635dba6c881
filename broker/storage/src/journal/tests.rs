#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use midge_core::Time;

use super::*;

/// A database with commits 1 to 5, each of which says what the one before it did not lose.
fn journal(synced: impl Fn(u64) -> u64) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::builder(directory.path()).manual_journal_persist(true).open().unwrap();
    let meta = database.keyspace("meta", KeyspaceCreateOptions::default).unwrap();
    meta.insert("layout", [1]).unwrap();
    for number in 1..=5 {
        let mut batch = database.batch().durability(Some(PersistMode::Buffer));
        let marker = Marker { number, synced: synced(number), time: Time(7) };
        batch.insert(&meta, MARKER_KEY, marker.encode());
        batch.insert(&meta, format!("key {number}"), vec![b'v'; 5000]);
        batch.remove(&meta, "gone");
        batch.commit().unwrap();
    }
    drop((meta, database));
    let file = journals(directory.path()).unwrap().pop().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    (directory, file, bytes)
}

fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![0];
    while let Some(batch) = batch::read(&bytes[*ends.last().unwrap()..]) {
        ends.push(ends.last().unwrap() + batch.length);
    }
    ends
}

/// How many commits a database has that is opened here.
fn found(directory: &Path) -> usize {
    let database = Database::builder(directory).open().unwrap();
    let meta = database.keyspace("meta", KeyspaceCreateOptions::default).unwrap();
    (1..=5).take_while(|number| meta.contains_key(format!("key {number}")).unwrap()).count()
}

#[test]
fn a_journal_is_read_as_the_database_wrote_it() {
    let (directory, file, bytes) = journal(|number| number - 1);
    let ends = ends(&bytes);
    assert_eq!(ends.len(), 7, "one write and five commits");
    let markers: Vec<_> = ends.windows(2).map(|at| batch::read(&bytes[at[0]..]).unwrap().marker).collect();
    assert_eq!(markers[0], None);
    assert_eq!(markers[5], Some(Marker { number: 5, synced: 4, time: Time(7) }));
    assert_eq!(mend(directory.path(), true).unwrap(), None);
    assert_eq!(std::fs::metadata(&file).unwrap().len(), *ends.last().unwrap() as u64);
    assert_eq!(found(directory.path()), 5);
}

#[test]
fn an_end_cut_anywhere_is_torn_and_what_is_before_it_stays() {
    let (directory, file, bytes) = journal(|number| number - 1);
    let ends = ends(&bytes);
    let (begin, end) = (ends[5], ends[6]);
    for length in (begin + 1..end).step_by(97).chain([end - 1]) {
        std::fs::write(&file, &bytes[..length]).unwrap();
        let cut = mend(directory.path(), true).unwrap().unwrap();
        assert_eq!((cut.offset, cut.bytes), (begin as u64, (length - begin) as u64));
        assert_eq!(std::fs::read(&file).unwrap(), &bytes[..begin]);
    }
    assert_eq!(found(directory.path()), 4);
}

#[test]
fn an_end_with_a_hole_is_torn() {
    let (directory, file, mut bytes) = journal(|number| number - 1);
    let ends = ends(&bytes);
    // A power cut may leave any part of what was not synced unwritten.
    bytes[ends[5] + 10..ends[5] + 500].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(mend(directory.path(), true).unwrap().unwrap().offset, ends[5] as u64);
    assert_eq!(found(directory.path()), 4);
}

#[test]
fn damage_before_commits_that_were_promised_is_an_error_with_its_place() {
    let (directory, file, bytes) = journal(|number| number - 1);
    let ends = ends(&bytes);
    for at in [ends[3], ends[3] + 1, ends[3] + 30, ends[3] + 60, ends[4] - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        std::fs::write(&file, &damaged).unwrap();
        match mend(directory.path(), true) {
            Err(OpenError::Damaged { file: named, offset }) => {
                assert_eq!((named, offset), (file.clone(), ends[3] as u64))
            }
            other => panic!("{at}: {other:?}"),
        }
        assert_eq!(std::fs::read(&file).unwrap(), damaged, "nothing was changed");
    }
}

/// The database's checksum does not cover it, and a value with a wrong one would hide those that were written later.
#[test]
fn a_sequence_number_that_is_out_of_line_is_damage() {
    let (directory, file, bytes) = journal(|number| number - 1);
    let ends = ends(&bytes);
    for byte in 5..13 {
        let mut damaged = bytes.clone();
        damaged[ends[3] + byte] ^= 0xff;
        std::fs::write(&file, &damaged).unwrap();
        let offset = examine(directory.path()).unwrap().damage.unwrap().offset as usize;
        // One that is a little too large shows by the next one's being smaller.
        assert!(offset == ends[3] || (byte < 9 && offset == ends[4]), "byte {byte}: {offset}, {ends:?}");
    }
}

#[test]
fn damage_before_commits_that_nobody_was_promised_is_torn() {
    // Nothing after the second was ever on stable storage, as far as anybody knew.
    let (directory, file, mut bytes) = journal(|number| number.min(2));
    let ends = ends(&bytes);
    bytes[ends[3] + 30] ^= 0x20;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(mend(directory.path(), true).unwrap().unwrap().offset, ends[3] as u64);
    assert_eq!(found(directory.path()), 2);
}

#[test]
fn a_journal_that_others_follow_must_be_whole() {
    let (directory, file, bytes) = journal(|_| 0);
    let ends = ends(&bytes);
    std::fs::write(&file, &bytes[..ends[6] - 1]).unwrap();
    std::fs::write(directory.path().join("1.jnl"), []).unwrap();
    assert!(matches!(mend(directory.path(), true), Err(OpenError::Damaged { offset, .. }) if offset == ends[5] as u64));
}

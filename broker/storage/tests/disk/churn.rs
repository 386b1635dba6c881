//! Messages that come and go for days leave nothing behind.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use midge_core::{Change, EntryNumber, Health, Message, SessionNumber, Store};
use midge_protocol::TopicName;

use crate::support::{PATIENCE, SURVIVES_KILL, noise, open, queued, session};

/// What the database takes on the disk however little there is in it: journals, and tables that wait to be merged.
const BASE: u64 = 320 << 20;

/// How many times the bytes that wait the directory may take besides.
const MULTIPLE: u64 = 4;

const QUEUED: usize = 10_000;
const SESSIONS: u64 = 10;

struct Churned {
    most: u64,
    last: u64,
    took: Duration,
}

/// Lets so many messages pass through queues that hold 10,000 of them.
fn churn(directory: &Path, messages: u64, payload: usize) -> Churned {
    let (mut storage, ..) = open(directory);
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let mut changes: Vec<Change> = (1..=SESSIONS).map(|number| session(number, &format!("client {number}"))).collect();
    store.append(&mut changes, None);
    let message = Message::new(TopicName::new("a/b").unwrap(), noise(payload));
    let (mut waiting, mut most) = (VecDeque::new(), 0);
    let (began, mut measured) = (Instant::now(), Instant::now());
    for number in 1..=messages {
        let session = number % SESSIONS + 1;
        changes.push(queued(session, number, number, &message));
        waiting.push_back((session, number));
        if waiting.len() > QUEUED {
            let (session, entry) = waiting.pop_front().unwrap();
            changes.push(Change::Finished { session: SessionNumber(session), entry: EntryNumber(entry) });
        }
        if number % 500 == 0 {
            let ticket = store.append(&mut changes, SURVIVES_KILL);
            // Publishers that wait for their acknowledgements.
            while !store.is_durable(ticket) && (number % 2000 == 0 || store.health() != Health::Good) {
                std::thread::yield_now();
            }
        }
        if measured.elapsed() > Duration::from_millis(200) {
            most = most.max(disk_bytes(directory));
            measured = Instant::now();
        }
    }
    let took = began.elapsed();
    drop(storage);
    let last = disk_bytes(directory);
    Churned { most: most.max(last), last, took }
}

fn disk_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() { disk_bytes(&entry.path()) } else { metadata.blocks() * 512 })
    };
    entries.filter_map(size).sum()
}

fn check(messages: u64, payload: usize) {
    let directory = tempfile::tempdir().unwrap();
    let Churned { most, last, took } = churn(directory.path(), messages, payload);
    let queued = (QUEUED * payload) as u64;
    let seconds = took.as_secs_f64();
    eprintln!(
        "{messages} messages of {payload} B in {seconds:.1} s: at most {} MiB on disk, {} MiB in the end, {} MiB queued",
        most >> 20,
        last >> 20,
        queued >> 20
    );
    assert!(most <= BASE + MULTIPLE * queued, "{} MiB on disk for {} MiB that wait", most >> 20, queued >> 20);
    let (storage, sessions, _) = open(directory.path());
    assert_eq!(sessions.iter().map(|session| session.deliveries.len()).sum::<usize>(), QUEUED);
    let body = sessions[0].deliveries[0].message.as_ref().unwrap().body;
    assert!(storage.handle().read(body).unwrap().is_some());
}

#[test]
fn small_messages_that_come_and_go_leave_nothing_behind() {
    check(200_000, 256);
}

#[test]
fn large_messages_that_come_and_go_leave_nothing_behind() {
    check(60_000, 8 << 10);
}

/// `cargo test --release -p midge-storage --test disk -- --ignored --nocapture millions`
#[test]
#[ignore = "minutes"]
fn what_millions_of_messages_leave_behind() {
    check(3_000_000, 256);
    check(300_000, 8 << 10);
}

/// Where the disk is slow, what waits is bounded.
#[test]
fn whoever_waits_for_room_gets_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    let store = storage.handle();
    let message = Message::new(TopicName::new("a/b").unwrap(), vec![b'x'; 1 << 16]);
    let mut number = 0;
    let mut fill = |until: Health| {
        while store.health() != until {
            number += 1;
            store.append(&mut vec![queued(1, number, number, &message)], SURVIVES_KILL);
            assert!(number < 1000);
        }
    };
    fill(Health::Behind);
    fill(Health::Refusing(midge_protocol::ReasonCode::QuotaExceeded));
    assert!(store.statistics().bytes_waiting > 4 << 20);
    storage.start(|_| {}).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while store.health() != Health::Good {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

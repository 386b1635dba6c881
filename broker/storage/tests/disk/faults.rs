//! Disks that fail, are full, or hold something else than what was written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use midge_core::{BodyId, Health, Message, Store, Ticket};
use midge_protocol::{ReasonCode, TopicName};
use midge_storage::{Event, Handle, OpenError, Storage};

use crate::disks::{BrokenDisk, SmallDisk};
use crate::support::{AWAITED, PATIENCE, SURVIVES_KILL, message, noise, open, queued, session, settings};

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn start(storage: &mut Storage) -> (Handle, Receiver<Event>) {
    let (tell, told) = channel();
    storage.start(move |event| drop(tell.send(event))).unwrap();
    (storage.handle(), told)
}

/// Other events than commits.
fn news(told: &Receiver<Event>) -> Vec<Event> {
    told.try_iter().filter(|event| *event != Event::Committed).collect()
}

fn large(number: u64) -> Message {
    let payload = [&number.to_be_bytes()[..], &noise(1 << 16)].concat();
    Message::new(TopicName::new("a/b").unwrap(), payload)
}

/// Appends messages until the store refuses, and hands back the tickets.
fn append_until_refused(store: &Handle, first: u64) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    let mut number = first;
    wait("it refuses", || {
        if store.health() == Health::Good {
            tickets.push(store.append(&mut vec![queued(1, number, number, &large(number))], AWAITED));
            number += 1;
        }
        matches!(store.health(), Health::Refusing(_)) && store.failure().is_some()
    });
    tickets
}

#[test]
fn a_full_disk_refuses_with_0x97_and_goes_on_by_itself_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(160) else { return eprintln!("skipped: this process may not mount") };
    let directory = disk.path().join("store");
    let (mut storage, ..) = open(&directory);
    let (store, told) = start(&mut storage);
    let first = store.append(&mut vec![session(1, "one"), queued(1, 1, 1, &large(1))], AWAITED);
    wait("the first is durable", || store.is_durable(first));
    disk.fill(true);
    let mut tickets = append_until_refused(&store, 2);
    assert_eq!(store.health(), Health::Refusing(ReasonCode::QuotaExceeded));
    let failure = store.failure().unwrap();
    assert!(failure.contains("make room") && failure.contains(&directory.display().to_string()), "{failure}");
    let promised = tickets.iter().filter(|ticket| store.is_durable(**ticket)).count();
    assert!(promised < tickets.len(), "nothing is durable that could not be written");
    // What the disk has and what waits for it can both be read.
    assert_eq!(store.read(BodyId(1)).unwrap().as_ref(), Some(&large(1)));
    let last = tickets.len() as u64 + 1;
    assert_eq!(store.read(BodyId(last)).unwrap().as_ref(), Some(&large(last)));
    assert!(matches!(&news(&told)[..], [Event::Failed { is_full: true, .. }]), "told once");
    assert!(store.statistics().commits_failed > 0);

    disk.fill(false);
    wait("it goes on", || store.health() == Health::Good);
    assert!(matches!(&news(&told)[..], [Event::Recovered { .. }]));
    assert_eq!(store.failure(), None);
    tickets.push(store.append(&mut vec![queued(1, last + 1, last + 1, &large(last + 1))], AWAITED));
    wait("all is durable", || tickets.iter().all(|ticket| store.is_durable(*ticket)));
    drop(storage);
    let (_storage, sessions, _) = open(&directory);
    let entries: Vec<u64> = sessions[0].deliveries.iter().map(|delivery| delivery.entry.0).collect();
    assert_eq!(entries, (1..=last + 1).collect::<Vec<_>>(), "each once");
}

#[test]
fn what_the_operating_system_lost_after_a_failure_is_written_again() {
    let Some(disk) = SmallDisk::mount(160) else { return eprintln!("skipped: this process may not mount") };
    let directory = disk.path().join("store");
    let (mut storage, ..) = open(&directory);
    let (store, _told) = start(&mut storage);
    let ticket = store.append(&mut vec![session(1, "one"), queued(1, 1, 1, &large(1))], AWAITED);
    wait("it is durable", || store.is_durable(ticket));
    let journal = files(&directory, "jnl").pop().unwrap();
    let end = |bytes: Vec<u8>| bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    let stable = end(fs::read(&journal).unwrap());
    for number in 2..5 {
        let ticket = store.append(&mut vec![queued(1, number, number, &large(number))], SURVIVES_KILL);
        wait("the operating system has it", || store.is_durable(ticket));
    }
    assert!(end(fs::read(&journal).unwrap()) > stable);
    disk.fill(true);
    let tickets = append_until_refused(&store, 5);
    // As a failed sync may: what was not stable is gone.
    fs::File::options().write(true).open(&journal).unwrap().set_len(stable).unwrap();
    disk.fill(false);
    wait("all is durable", || tickets.iter().all(|ticket| store.is_durable(*ticket)));
    let last = tickets.len() as u64 + 4;
    assert_eq!(store.read(BodyId(3)).unwrap().as_ref(), Some(&large(3)));
    drop(storage);
    let (_storage, sessions, _) = open(&directory);
    let entries: Vec<u64> = sessions[0].deliveries.iter().map(|delivery| delivery.entry.0).collect();
    assert_eq!(entries, (1..=last).collect::<Vec<_>>(), "each once");
}

#[test]
fn a_disk_whose_syncs_fail_loses_nothing_that_was_promised() {
    let Some(disk) = BrokenDisk::mount() else {
        return eprintln!("skipped: this process may not mount, or has no mkfs.ext4");
    };
    let directory = disk.path().join("store");
    let (mut storage, ..) = open(&directory);
    let (store, told) = start(&mut storage);
    let ticket = store.append(&mut vec![session(1, "one"), queued(1, 1, 1, &large(1))], AWAITED);
    wait("it is durable", || store.is_durable(ticket));
    for number in 2..5 {
        let ticket = store.append(&mut vec![queued(1, number, number, &large(number))], SURVIVES_KILL);
        wait("the operating system has it", || store.is_durable(ticket));
    }
    disk.fail(true);
    let tickets = append_until_refused(&store, 5);
    assert!(!tickets.iter().all(|ticket| store.is_durable(*ticket)));
    assert!(matches!(&news(&told)[..], [Event::Failed { .. }]));
    disk.fail(false);
    wait("all is durable", || tickets.iter().all(|ticket| store.is_durable(*ticket)));
    let last = tickets.len() as u64 + 4;
    drop(storage);
    // What was in memory only is gone.
    disk.attach_again();
    let (_storage, sessions, _) = open(&directory);
    let entries: Vec<u64> = sessions[0].deliveries.iter().map(|delivery| delivery.entry.0).collect();
    assert_eq!(entries, (1..=last).collect::<Vec<_>>(), "each once");
}

#[test]
fn a_disk_that_stays_full_to_the_end_keeps_what_was_promised() {
    let Some(disk) = SmallDisk::mount(160) else { return eprintln!("skipped: this process may not mount") };
    let directory = disk.path().join("store");
    let (mut storage, ..) = open(&directory);
    let (store, _told) = start(&mut storage);
    store.append(&mut vec![session(1, "one")], AWAITED);
    disk.fill(true);
    let tickets = append_until_refused(&store, 1);
    let promised = tickets.iter().filter(|ticket| store.is_durable(**ticket)).count();
    drop(storage);
    disk.fill(false);
    let (_storage, sessions, _) = open(&directory);
    assert!(sessions[0].deliveries.len() >= promised);
}

#[test]
fn a_disk_that_cannot_be_written_is_named_and_left_alone() {
    let Some(disk) = SmallDisk::mount(160) else { return eprintln!("skipped: this process may not mount") };
    let directory = disk.path().join("store");
    filled(&directory, 1);
    disk.remount("ro");
    match Storage::open(settings(&directory)) {
        Err(OpenError::Directory { path, error }) => {
            assert!(path.starts_with(&directory), "{}", path.display());
            assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
    disk.remount("rw");
    let (_storage, sessions, _) = open(&directory);
    assert_eq!(sessions.len(), 1);
}

#[test]
fn a_directory_that_is_a_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store");
    fs::write(&file, "not a store").unwrap();
    match Storage::open(settings(&file)) {
        Err(OpenError::Directory { path, .. }) => assert_eq!(path, file),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
    assert_eq!(fs::read(&file).unwrap(), b"not a store");
}

/// A store with so many messages, each committed by itself and stable.
fn filled(directory: &Path, messages: u64) {
    let (mut storage, ..) = open(directory);
    let (store, _told) = start(&mut storage);
    store.append(&mut vec![session(1, "one")], AWAITED);
    for number in 1..=messages {
        let ticket = store.append(&mut vec![queued(1, number, number, &large(number))], AWAITED);
        wait("it is durable", || store.is_durable(ticket));
    }
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension)
            || (extension.is_empty() && path.extension().is_none())
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_journal_whose_end_is_torn_opens_with_what_was_before() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 5);
    let journal = files(directory.path(), "jnl").pop().unwrap();
    // As a crash in the midst of writing a sixth would leave it.
    let mut bytes = fs::read(&journal).unwrap();
    let whole = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(whole);
    bytes.extend([1, 9, 0, 0, 0, 1, 2, 3]);
    fs::write(&journal, &bytes).unwrap();
    let (storage, sessions, _) = open(directory.path());
    assert_eq!(sessions[0].deliveries.len(), 5);
    let cut = storage.cut().unwrap();
    assert_eq!((&cut.file, cut.offset, cut.bytes), (&journal, whole as u64, 8));
    drop(storage);
    assert_eq!(open(directory.path()).0.cut(), None);
}

#[test]
fn a_journal_damaged_in_its_midst_stops_the_start_with_file_and_offset() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 5);
    let journal = files(directory.path(), "jnl").pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 2;
    bytes[middle] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    match Storage::open(settings(directory.path())) {
        Err(error @ OpenError::Damaged { .. }) => {
            let OpenError::Damaged { file, offset } = &error else { unreachable!() };
            assert_eq!(file, &journal);
            assert!(*offset <= middle as u64 && *offset > 0);
            assert!(
                error.to_string().contains(&format!("{} is damaged at byte {offset}", journal.display())),
                "{error}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
    assert_eq!(fs::read(&journal).unwrap(), bytes, "it is left as it is");
}

#[test]
fn a_damaged_table_stops_the_start_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let retained =
        (0..2000).map(|number| midge_core::Change::Retained(message(&format!("topic/{number}")).with_retain(true)));
    storage.handle().append(&mut retained.collect(), AWAITED);
    drop(storage);
    midge_storage::tools::compact(directory.path()).unwrap();
    let problems = || {
        let mut problems = Vec::new();
        midge_storage::tools::check(directory.path(), &mut |problem| problems.push(problem.clone())).unwrap();
        problems
    };
    assert_eq!(problems(), []);
    let tables = files(&directory.path().join("data/keyspaces"), "");
    let largest = tables.into_iter().filter(|path| path.to_string_lossy().contains("/tables/"));
    let largest = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let [problem] = &problems()[..] else { panic!("{:?}", problems()) };
    assert!(problem.to_string().starts_with(&largest.display().to_string()) && !problem.is_repairable, "{problem}");
    let opened = Storage::open(settings(directory.path()));
    let error = match opened.and_then(|storage| storage.recover(&midge_storage::Progress::default(), &mut |_| {})) {
        Err(error) => error.to_string(),
        Ok(()) => panic!("recovered"),
    };
    assert!(error.contains(&largest.display().to_string()), "{error}");
    assert!(error.contains("restore it from a copy"), "{error}");
}

#[test]
fn a_store_whose_making_was_cut_short_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("data/keyspaces")).unwrap();
    fs::write(directory.path().join("data/0.jnl"), []).unwrap();
    filled(directory.path(), 1);
    // But not one that was in use.
    fs::remove_file(directory.path().join("data/version")).unwrap();
    assert!(matches!(Storage::open(settings(directory.path())), Err(OpenError::Directory { .. })));
    assert!(!files(directory.path(), "jnl").is_empty());
}

#[test]
fn a_filter_or_topic_of_any_length_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let filter = format!("{}/#", "f".repeat(65_533));
    let topic = "t".repeat(65_535);
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let subscribed = midge_core::Change::Subscribed {
        session: midge_core::SessionNumber(1),
        subscription: crate::support::subscription(&filter),
    };
    let retained = midge_core::Change::Retained(Message::new(TopicName::new(&topic).unwrap(), ""));
    storage.handle().append(&mut vec![session(1, "one"), subscribed, retained], AWAITED);
    drop(storage);
    let (_storage, sessions, retained) = open(directory.path());
    assert_eq!(*sessions[0].subscriptions[0].filter, filter);
    assert_eq!(retained[0].topic(), topic);
}

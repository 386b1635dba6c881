//! Tools for a store whose broker does not run.

use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions};
use midge_core::Store;
use midge_storage::tools::{self, Place, Problem};
use midge_storage::{OpenError, Storage};

use crate::support::{AWAITED, check_story, message, open, settings, story};

/// A store with everything a session can have.
fn told(directory: &Path) {
    let (mut storage, ..) = open(directory);
    storage.start(|_| {}).unwrap();
    storage.handle().append(&mut story(&message("t")), AWAITED);
}

fn problems(directory: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    let checked = tools::check(directory, &mut |problem| problems.push(problem.clone())).unwrap();
    assert_eq!((checked.problems, checked.repaired), (problems.len() as u64, 0));
    problems
}

#[test]
fn a_whole_store_has_no_problems_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    told(directory.path());
    assert_eq!(problems(directory.path()), []);
    let info = tools::info(directory.path()).unwrap();
    let counts = (info.sessions, info.subscriptions, info.deliveries, info.in_flight, info.received, info.bodies);
    assert_eq!(counts, (1, 1, 3, 2, 1, 1));
    assert_eq!((info.retained, info.sessions_ending, info.wills, info.commits), (1, 0, 0, 1));
    assert!(info.bytes > 0);
    let (_storage, sessions, retained) = open(directory.path());
    check_story(&sessions, &retained);
}

#[test]
fn every_problem_is_told_of_and_removed_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    told(directory.path());
    let whole = tools::info(directory.path()).unwrap();
    let (one, two) = (1u64.to_be_bytes(), 2u64.to_be_bytes());
    let never = u64::MAX.to_be_bytes();
    let to_body = |body: u64| [&[1, 1, 0][..], &body.to_be_bytes(), &never, &[0; 4], &[0; 2]].concat();
    let delivery = |session: [u8; 8], entry: u64, step: u8| [&session[..], &entry.to_be_bytes(), &[step]].concat();
    let bad: Vec<(&str, Vec<u8>, Vec<u8>, &str)> = vec![
        ("sessions", b"short".to_vec(), vec![1], "damaged"),
        ("sessions", 9u64.to_be_bytes().to_vec(), vec![7], "version 7"),
        ("subscriptions", [&two[..], b"a"].concat(), b"\x02\x01\0\0\0\0\0a".to_vec(), "session is missing"),
        ("subscriptions", [&one[..], b"b"].concat(), b"\x02\x01\0\0\0\0\0c".to_vec(), "damaged"),
        ("received", [&two[..], &[0, 1]].concat(), vec![1], "session is missing"),
        ("bodies", 50u64.to_be_bytes().to_vec(), vec![1, 2, 3], "damaged"),
        ("deliveries", delivery(one, 90, 0), to_body(77), "body 77, is missing"),
        ("deliveries", delivery(one, 91, 1), vec![1, 0, 5], "never queued"),
        ("deliveries", delivery(one, 92, 3), vec![1], "damaged"),
        ("deliveries", delivery(two, 1, 0), to_body(10), "session is missing"),
        ("retained", b"x".to_vec(), vec![], "damaged"),
    ];
    {
        let database = Database::builder(directory.path().join("data")).open().unwrap();
        for (keyspace, key, value, _) in &bad {
            let keyspace = database.keyspace(keyspace, KeyspaceCreateOptions::default).unwrap();
            keyspace.insert(&key[..], &value[..]).unwrap();
        }
    }
    let mut found = problems(directory.path());
    for (keyspace, key, _, detail) in &bad {
        let at = found.iter().position(|problem| matches!(&problem.place, Place::Record { keyspace: k, key: named } if k == keyspace && named == key));
        let problem = found.remove(at.unwrap_or_else(|| panic!("{keyspace} {} was not told of", key.escape_ascii())));
        assert!(problem.detail.contains(detail) && problem.is_repairable, "{problem}");
    }
    // What was found unreadable is not there for others.
    let left: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(left, ["bodies 50: no delivery needs it"]);

    let mut told = 0;
    let checked = tools::repair(directory.path(), &mut |_| told += 1).unwrap();
    assert_eq!((checked.problems, checked.repaired), (told, told));
    assert_eq!(problems(directory.path()), []);
    assert_eq!(tools::info(directory.path()).unwrap().deliveries, whole.deliveries);
    let (_storage, sessions, retained) = open(directory.path());
    check_story(&sessions, &retained);
}

#[test]
fn a_damaged_journal_is_told_of_and_cut_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    for number in 1..5 {
        let ticket = store.append(&mut vec![crate::support::session(number, "one")], AWAITED);
        while !store.is_durable(ticket) {
            std::thread::yield_now();
        }
    }
    drop((storage, store));
    let journal = directory.path().join("data/0.jnl");
    let mut bytes = std::fs::read(&journal).unwrap();
    let third = bytes.windows(6).enumerate().filter(|(_, at)| at == b"commit").map(|(at, _)| at).nth(2).unwrap();
    bytes[third] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let [problem] = &problems(directory.path())[..] else { panic!() };
    let Place::File { path, offset: Some(offset) } = &problem.place else { panic!("{problem}") };
    assert!(path == &journal && *offset < third as u64 && problem.is_repairable);
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
    assert_eq!(tools::repair(directory.path(), &mut |_| {}).unwrap().repaired, 1);
    assert_eq!(open(directory.path()).1.len(), 2);
}

#[test]
fn what_was_removed_gives_its_space_back() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let noise = crate::support::noise(1 << 16);
    let topic = |number: u32| format!("topic/{number}");
    for number in 0..500 {
        let topic =
            midge_protocol::TopicName::new(&topic(number)).map(|name| midge_core::Message::new(name, noise.clone()));
        store.append(&mut vec![midge_core::Change::Retained(topic.unwrap())], AWAITED);
    }
    drop((storage, store));
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    for number in 0..500 {
        let topic = topic(number).into();
        storage.handle().append(&mut vec![midge_core::Change::RetainedCleared { topic }], AWAITED);
    }
    drop(storage);
    let compacted = tools::compact(directory.path()).unwrap();
    assert!(compacted.bytes_after * 4 < compacted.bytes_before, "{compacted:?}");
    assert_eq!(problems(directory.path()), []);
}

#[test]
fn a_store_that_is_not_there_or_in_use_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(tools::info(directory.path()), Err(OpenError::Missing { .. })));
    assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "none is made");
    let _storage = Storage::open(settings(directory.path())).unwrap();
    assert!(matches!(tools::check(directory.path(), &mut |_| {}), Err(OpenError::InUse { .. })));
}

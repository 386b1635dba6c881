//! How safe what was appended becomes, and when.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use midge_core::{BodyId, Change, Durability, EntryNumber, SessionNumber, Store};
use midge_storage::{Event, Handle, Progress, Settings, Storage};

use crate::support::{AWAITED, PATIENCE, SURVIVES_KILL, message, open, queued, session, settings};

fn wait_until_durable(store: &Handle, changes: Vec<Change>, awaited: Option<Durability>) {
    let ticket = store.append(&mut { changes }, awaited);
    let deadline = Instant::now() + PATIENCE;
    while !store.is_durable(ticket) {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

fn counts(store: &Handle) -> (u64, u64) {
    let statistics = store.statistics();
    (statistics.commits, statistics.syncs)
}

#[test]
fn only_an_acknowledgement_that_waits_for_stable_storage_causes_a_sync() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let body = message("t");
    wait_until_durable(&store, vec![session(1, "one")], None);
    assert_eq!(counts(&store), (1, 0));
    wait_until_durable(&store, vec![queued(1, 1, 1, &body)], SURVIVES_KILL);
    assert_eq!(counts(&store), (2, 0));
    wait_until_durable(&store, vec![queued(1, 2, 2, &body)], Some(Durability::Memory));
    assert_eq!(counts(&store), (3, 0));
    wait_until_durable(&store, vec![queued(1, 3, 3, &body)], AWAITED);
    assert_eq!(counts(&store), (4, 1));
    // What came to nothing stands on what did not.
    let finished = |entry| Change::Finished { session: SessionNumber(1), entry: EntryNumber(entry) };
    wait_until_durable(&store, vec![queued(1, 4, 4, &body), finished(4)], AWAITED);
    assert_eq!(counts(&store), (4, 1), "all of that is on stable storage");
    wait_until_durable(&store, vec![finished(3)], SURVIVES_KILL);
    wait_until_durable(&store, vec![queued(1, 5, 5, &body), finished(5)], AWAITED);
    assert_eq!(counts(&store), (5, 2), "what was written before was not");
}

#[test]
fn much_that_nobody_waits_for_is_brought_to_stable_storage_after_all() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let body = midge_core::Message::new(midge_protocol::TopicName::new("t").unwrap(), vec![0; 1 << 20]);
    for number in 1..=9 {
        wait_until_durable(&store, vec![queued(1, number, number, &body)], SURVIVES_KILL);
    }
    assert_eq!(counts(&store), (9, 1));
}

#[test]
fn what_nobody_waits_for_goes_with_what_somebody_does() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    let store = storage.handle();
    let body = message("t");
    let first = store.append(&mut vec![session(1, "one")], None);
    store.append(&mut vec![queued(1, 1, 1, &body)], AWAITED);
    let last = store.append(&mut vec![queued(1, 2, 2, &body)], SURVIVES_KILL);
    assert_eq!(store.statistics().batches_waiting, 3);
    let (tell, told) = channel();
    storage.start(move |event| drop(tell.send(event))).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Event::Committed));
    assert!(store.is_durable(first) && store.is_durable(last));
    assert_eq!(counts(&store), (1, 1));
    let statistics = store.statistics();
    assert_eq!((statistics.changes, statistics.batches_waiting, statistics.bytes_waiting), (3, 0, 0));
    assert_eq!((statistics.sessions, statistics.deliveries, statistics.bodies), (1, 2, 2));
    assert_eq!((statistics.writes, statistics.commit_seconds.count()), (5, 1));
}

#[test]
fn commits_keep_their_distance() {
    let directory = tempfile::tempdir().unwrap();
    let interval = Duration::from_millis(50);
    let mut storage = Storage::open(Settings { commit_interval: interval, ..settings(directory.path()) }).unwrap();
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let began = Instant::now();
    for number in 1..=5 {
        wait_until_durable(&store, vec![session(number, "one")], SURVIVES_KILL);
    }
    assert!(began.elapsed() >= interval * 4);
}

/// Several connections append while others read what was just appended.
#[test]
fn a_body_is_found_from_the_moment_it_was_appended() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let store = storage.handle();
            scope.spawn(move || {
                for entry in 1..=300 {
                    let body = thread << 32 | entry;
                    let message = message(&format!("{body}"));
                    let awaited = [AWAITED, SURVIVES_KILL, None][usize::try_from(entry % 3).unwrap()];
                    store.append(&mut vec![queued(thread, entry, body, &message)], awaited);
                    assert_eq!(store.read(BodyId(body)).unwrap().as_ref(), Some(&message));
                    let earlier = thread << 32 | (entry / 2).max(1);
                    assert!(store.read(BodyId(earlier)).unwrap().is_some());
                }
            });
        }
    });
    let store = storage.handle();
    assert_eq!(store.statistics().deliveries, 1200);
}

#[test]
fn what_is_appended_while_a_store_is_handed_over_waits_for_the_whole_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let body = message("t");
    {
        let (mut storage, ..) = open(directory.path());
        storage.start(|_| {}).unwrap();
        let mut changes = vec![session(1, "one"), session(2, "two"), queued(1, 1, 9, &body), queued(2, 1, 9, &body)];
        storage.handle().append(&mut changes, AWAITED);
    }
    let mut storage = Storage::open(settings(directory.path())).unwrap();
    assert!(storage.latest().0 > 1_700_000_000_000, "it was written after this was");
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let recovered = storage.recover(&Progress::default(), &mut |kept| {
        // The message of the first has expired: that the second needs it is not known yet.
        if matches!(kept, midge_core::Kept::Session(found) if found.session == SessionNumber(1)) {
            let finished = Change::Finished { session: SessionNumber(1), entry: EntryNumber(1) };
            store.append(&mut vec![finished, queued(1, 2, 10, &body)], AWAITED);
            assert!(store.read(BodyId(10)).unwrap().is_some() && store.read(BodyId(9)).unwrap().is_some());
        }
    });
    recovered.unwrap();
    wait_until_durable(&store, Vec::new(), AWAITED);
    assert_eq!(store.read(BodyId(9)).unwrap().as_ref(), Some(&body));
    assert_eq!((store.statistics().deliveries, store.statistics().bodies), (2, 2));
}

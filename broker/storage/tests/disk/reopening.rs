//! What is appended is found when the store is opened again.

use std::sync::mpsc::channel;
use std::time::Instant;

use midge_core::{BodyId, Change, EntryNumber, SessionNumber, Store, Ticket};
use midge_storage::{OpenError, Storage};

use crate::support::{
    AWAITED, PATIENCE, check_story, copy_directory, message, open, queued, session, settings, story, subscription,
};

#[test]
fn everything_a_session_has_is_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    storage.handle().append(&mut story(&message("t")), AWAITED);
    drop(storage);
    // And once more, for what was read is what is kept.
    for _ in 0..2 {
        let (mut storage, sessions, retained) = open(directory.path());
        check_story(&sessions, &retained);
        storage.start(|_| {}).unwrap();
    }
}

#[test]
fn a_ticket_is_durable_once_its_changes_would_survive() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    let (told, committed) = channel();
    let handle = storage.handle();
    let ticket = handle.append(&mut vec![session(1, "one")], AWAITED);
    assert!(!handle.is_durable(ticket), "nothing was written yet");
    assert!(handle.is_durable(Ticket::default()));
    storage.start(move |_| told.send(()).unwrap()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !handle.is_durable(ticket) {
        committed.recv_timeout(deadline - Instant::now()).unwrap();
    }
    // The files as they are now are what a process that starts after a crash would see.
    let copy = tempfile::tempdir().unwrap();
    copy_directory(&directory.path().join("data"), &copy.path().join("data"));
    let (_storage, sessions, _) = open(copy.path());
    assert_eq!(sessions.len(), 1);
}

#[test]
fn a_message_is_found_by_its_body_until_nobody_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let body = message("t");
    for (finished, left) in [(1, 1), (2, 0)] {
        let (mut storage, sessions, _) = open(directory.path());
        storage.start(|_| {}).unwrap();
        if sessions.is_empty() {
            let mut changes =
                vec![session(1, "one"), session(2, "two"), queued(1, 1, 5, &body), queued(2, 1, 5, &body)];
            storage.handle().append(&mut changes, AWAITED);
        }
        let entry = EntryNumber(1);
        storage.handle().append(&mut vec![Change::Finished { session: SessionNumber(finished), entry }], AWAITED);
        drop(storage);
        let (_storage, sessions, _) = open(directory.path());
        assert_eq!(sessions.iter().map(|session| session.deliveries.len()).sum::<usize>(), left);
    }
}

#[test]
fn a_store_in_use_is_refused_with_the_process_that_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_storage, ..) = open(directory.path());
    match Storage::open(settings(directory.path())) {
        Err(OpenError::InUse { pid, .. }) => assert_eq!(pid, std::process::id().to_string()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened twice"),
    }
}

#[test]
fn a_body_can_be_read_before_while_and_after_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    let handle = storage.handle();
    let body = message("t");
    handle.append(&mut vec![session(1, "one"), queued(1, 1, 5, &body)], AWAITED);
    let read = || handle.read(BodyId(5)).unwrap();
    assert_eq!(read().as_ref(), Some(&body));
    storage.start(|_| {}).unwrap();
    let last = handle.append(&mut vec![queued(1, 2, 6, &body)], AWAITED);
    let deadline = Instant::now() + PATIENCE;
    while !handle.is_durable(last) {
        assert_eq!(read().as_ref(), Some(&body));
        assert!(Instant::now() < deadline);
    }
    assert_eq!(read().as_ref(), Some(&body));
    assert_eq!(handle.read(BodyId(7)).unwrap(), None);
}

#[test]
fn what_came_before_its_session_and_was_left_without_it_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let body = message("t");
    let subscribed = Change::Subscribed { session: SessionNumber(5), subscription: subscription("a/#") };
    let commit = |changes: Vec<Change>| {
        let (mut storage, ..) = open(directory.path());
        storage.start(|_| {}).unwrap();
        storage.handle().append(&mut { changes }, AWAITED);
    };
    // The batch with session 5 never came. Session 6 needs one of its messages.
    commit(vec![subscribed, queued(5, 1, 1, &body), queued(5, 2, 2, &body), session(6, "six"), queued(6, 1, 1, &body)]);
    // Its number is used again.
    commit(vec![session(5, "five"), queued(5, 1, 3, &body)]);
    let checked = midge_storage::tools::check(directory.path(), &mut |problem| panic!("{problem}")).unwrap();
    assert_eq!(checked.problems, 0);
    let (storage, sessions, _) = open(directory.path());
    let found: Vec<_> =
        sessions.iter().map(|session| (session.subscriptions.len(), session.deliveries.len())).collect();
    assert_eq!(found, [(0, 1), (0, 1)]);
    let read = |body| storage.handle().read(BodyId(body)).unwrap().is_some();
    assert_eq!([1, 2, 3].map(read), [true, false, true]);
}

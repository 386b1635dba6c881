//! How much memory and time a large store takes.

use std::time::Instant;

use midge_core::{Change, Kept, Message, Store};
use midge_protocol::TopicName;
use midge_storage::{Progress, Storage};

use crate::support::{AWAITED, noise, open, queued, session, settings};

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// `cargo test --release -p midge-storage --test disk -- --ignored --nocapture a_million`
#[test]
#[ignore = "a minute"]
fn a_million_messages_that_wait_and_a_million_that_are_retained_open_soon_and_take_little_memory() {
    const MESSAGES: u64 = 1_000_000;
    const SESSIONS: u64 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let (mut storage, ..) = open(directory.path());
    storage.start(|_| {}).unwrap();
    let store = storage.handle();
    let mut changes = (1..=SESSIONS).map(|number| session(number, &format!("client {number}"))).collect();
    store.append(&mut changes, AWAITED);
    let payload = noise(256);
    let message = |topic: &str| Message::new(TopicName::new(topic).unwrap(), payload.clone());
    let body = message("a/b");
    for number in 1..=MESSAGES {
        changes.push(queued(number % SESSIONS + 1, number, number, &body));
        changes.push(Change::Retained(message(&format!("topic/{number}"))));
        if number % 1000 == 0 {
            let ticket = store.append(&mut changes, AWAITED);
            while !store.is_durable(ticket) {
                std::thread::yield_now();
            }
        }
    }
    drop((storage, store));

    let began = Instant::now();
    let storage = Storage::open(settings(directory.path())).unwrap();
    let opened = began.elapsed();
    let before = resident();
    let progress = Progress::default();
    let (mut sessions, mut deliveries, mut retained) = (0, 0, 0);
    let recovered = storage.recover(&progress, &mut |kept| match kept {
        Kept::Session(session) => {
            sessions += 1;
            deliveries += session.deliveries.len() as u64;
        }
        Kept::Retained(_) => retained += 1,
    });
    recovered.unwrap();
    let took = began.elapsed();
    assert_eq!((sessions, deliveries, retained), (SESSIONS, MESSAGES, MESSAGES));
    assert_eq!(storage.handle().statistics().deliveries, MESSAGES);
    let bytes = resident().saturating_sub(before) / MESSAGES;
    eprintln!(
        "opened in {opened:.1?}, handed over in {took:.1?} (about {} of {} records), {bytes} B of memory a message",
        progress.done(),
        progress.total()
    );
    assert!(bytes <= 64, "{bytes} B a message");
}

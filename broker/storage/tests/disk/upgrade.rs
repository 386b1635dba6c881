//! Stores that other releases wrote.

use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use midge_protocol::PacketId;
use midge_storage::{OpenError, Storage, tools};

use crate::support::{open, settings, subscription};

/// A store of layout 1, byte for byte: a session with a subscription to `a/#`, a QoS 2 message from it, one on its way to it
/// and one that it has received.
fn layout_1(directory: &Path) {
    let database = Database::builder(directory.join("data")).open().unwrap();
    let put = |keyspace: &str, key: &[u8], value: &[u8]| {
        database.keyspace(keyspace, KeyspaceCreateOptions::default).unwrap().insert(key, value).unwrap();
    };
    let session = 5u64.to_be_bytes();
    let never = u64::MAX.to_be_bytes();
    put("meta", b"layout", &[1]);
    put("sessions", &session, &[&[1, 0, 0, 0, 3][..], b"one", &[0, 0, 0, 60], &never, &never, &[0]].concat());
    put("subscriptions", &[&session[..], b"a/#"].concat(), &[1, 1, 1, 0, 0, 0, 0]);
    put("received", &[&session[..], &[0, 77]].concat(), &[]);
    let delivery = |entry: u64, step: u8| [&session[..], &entry.to_be_bytes(), &[step]].concat();
    let body = 9u64.to_be_bytes();
    put("deliveries", &delivery(1, 2), &[0, 1]);
    put("deliveries", &delivery(2, 0), &[&[1, 2, 0][..], &body, &never, &[0, 0, 0, 100], &[0, 0]].concat());
    put("deliveries", &delivery(2, 1), &[0, 2]);
    let publish = [0x30, 6, 0, 1, b't', 0, b'h', b'i'];
    put("bodies", &body, &[&[1, 2][..], &never, &[0, 0, 0, 0], &publish].concat());
    database.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn a_store_of_layout_1_is_upgraded() {
    let directory = tempfile::tempdir().unwrap();
    layout_1(directory.path());
    assert_eq!(tools::info(directory.path()).unwrap().layout, 1);
    assert!(matches!(tools::check(directory.path(), &mut |_| {}), Err(OpenError::Outdated { found: 1, .. })));
    // And once more, for it is upgraded once.
    for _ in 0..2 {
        let (storage, sessions, _) = open(directory.path());
        let [session] = &sessions[..] else { panic!("{sessions:?}") };
        assert_eq!((&*session.record.client_id, session.record.session_expiry), ("one", 60));
        assert_eq!(session.subscriptions, [subscription("a/#")]);
        assert_eq!(session.received, [PacketId::new(77).unwrap()]);
        let steps = session.deliveries.iter().map(|one| (one.packet_id.unwrap().get(), one.message.is_some()));
        assert_eq!(steps.collect::<Vec<_>>(), [(1, false), (2, true)]);
        let body = session.deliveries[1].message.as_ref().unwrap().body;
        let message = midge_core::Store::read(&storage.handle(), body).unwrap().unwrap();
        assert_eq!((message.topic(), message.payload()), ("t", &b"hi"[..]));
    }
    let checked = tools::check(directory.path(), &mut |problem| panic!("{problem}")).unwrap();
    assert_eq!((checked.problems, checked.records), (0, 7));
    let info = tools::info(directory.path()).unwrap();
    assert_eq!(info.layout, info.layout_known);
}

#[test]
fn a_store_of_a_later_release_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let write = |layout: &[u8]| {
        let database = Database::builder(directory.path().join("data")).open().unwrap();
        let meta = database.keyspace("meta", KeyspaceCreateOptions::default).unwrap();
        meta.insert("layout", layout).unwrap();
    };
    write(&[9]);
    match Storage::open(settings(directory.path())) {
        Err(error @ OpenError::Layout { found: 9, known: 2, .. }) => {
            assert!(error.to_string().contains("later release"), "{error}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
    write(&[2]);
    open(directory.path());
}

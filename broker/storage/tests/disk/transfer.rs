//! A store as text, and back.

use midge_core::{Store, Time};
use midge_storage::{Carried, Export, PluginEntry, Progress, Storage, TransferError, import};

use crate::support::{AWAITED, check_story, message, open, settings, story};

/// A store's export, from its directory.
fn export(directory: &std::path::Path) -> (String, Carried) {
    let mut found = Vec::new();
    let storage = Storage::open(settings(directory)).unwrap();
    storage.recover(&Progress::default(), &mut |one| found.push(one)).unwrap();
    let (handle, mut text) = (storage.handle(), Vec::new());
    let mut export = Export::new(&handle, &mut text).unwrap();
    for one in &found {
        export.found(one).unwrap();
    }
    handle.entries(None, &mut |entry| export.plugin_entry(&entry).unwrap()).unwrap();
    let carried = export.finish().unwrap();
    (String::from_utf8(text).unwrap(), carried)
}

#[test]
fn what_is_exported_can_be_imported_and_is_the_same() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut storage, ..) = open(from.path());
    storage.start(|_| {}).unwrap();
    storage.handle().append(&mut story(&message("t")), AWAITED);
    storage.handle().keep_entry(&PluginEntry {
        store: "guard/bans".to_owned(),
        key: "mallory".to_owned(),
        value: vec![0, 255],
        expires_at: Some(Time(u64::MAX - 1)),
    });
    drop(storage);
    let (text, carried) = export(from.path());
    assert_eq!(carried, Carried { retained: 1, sessions: 1, deliveries: 3, plugin_entries: 1 });
    assert_eq!(text.matches("payload of t").count(), 0, "payloads are base64");
    assert_eq!(text.matches("\"message\":{\"topic\":\"t\"").count(), 1, "a shared message stands there once:\n{text}");

    let (mut storage, ..) = open(to.path());
    storage.start(|_| {}).unwrap();
    assert_eq!(import(&storage.handle(), text.as_bytes()).unwrap(), carried);
    drop(storage);
    let (_storage, sessions, retained) = open(to.path());
    check_story(&sessions, &retained);
    drop(_storage);
    assert_eq!(export(to.path()).0, text);
}

#[test]
fn a_line_that_is_not_of_an_export_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (storage, ..) = open(directory.path());
    for (text, line, detail) in [
        ("{\"retained\":{\"topic\":\"t\",\"payload\":\"\",\"qos\":0}}", 1, "begins with its format"),
        ("{\"midge-store\":2}", 1, "format 2"),
        ("{\"midge-store\":1}\nnonsense", 2, "expected"),
        ("{\"midge-store\":1}\n{\"retained\":{\"topic\":\"a/#\",\"payload\":\"\",\"qos\":0}}", 2, "topic"),
        ("{\"midge-store\":1}\n{\"delivery\":{\"entry\":1,\"packet_id\":1}}", 2, "follows the session"),
    ] {
        match import(&storage.handle(), text.as_bytes()) {
            Err(TransferError::Line { number, detail: found }) => {
                assert_eq!(number, line, "{text}");
                assert!(found.contains(detail), "{found}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

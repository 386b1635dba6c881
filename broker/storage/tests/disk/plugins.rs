//! What plugins keep.

use midge_core::Time;
use midge_storage::PluginEntry;
use midge_storage::tools;

use crate::support::open;

fn entry(store: &str, key: &str, value: &[u8]) -> PluginEntry {
    PluginEntry { store: store.to_owned(), key: key.to_owned(), value: value.to_vec(), expires_at: Some(Time(7)) }
}

#[test]
fn entries_are_kept_replaced_and_forgotten_store_by_store() {
    let directory = tempfile::tempdir().unwrap();
    let long = "k".repeat(100_000);
    {
        let (mut storage, ..) = open(directory.path());
        storage.start(|_| {}).unwrap();
        let handle = storage.handle();
        for (store, key, value) in
            [("a/s", "1", "old"), ("a/s", "1", "new"), ("a/s", "2", "gone"), ("b/s", "1", "other")]
        {
            handle.keep_entry(&entry(store, key, value.as_bytes()));
        }
        handle.keep_entry(&entry("a/s", &long, b""));
        handle.forget_entry("a/s", "2");
        handle.forget_entry("a/s", "never there");
    }
    let (storage, ..) = open(directory.path());
    let handle = storage.handle();
    let found = |store| {
        let mut found = Vec::new();
        handle.entries(store, &mut |entry| found.push(entry)).unwrap();
        found.sort_by(|a, b| (&a.store, &a.key).cmp(&(&b.store, &b.key)));
        found
    };
    assert_eq!(found(Some("a/s")), [entry("a/s", "1", b"new"), entry("a/s", &long, b"")]);
    assert_eq!(found(Some("b/s")), [entry("b/s", "1", b"other")]);
    assert_eq!(found(Some("a")), []);
    assert_eq!(found(None).len(), 3);
    drop(storage);
    assert_eq!(tools::info(directory.path()).unwrap().plugin_entries, 3);
    assert_eq!(tools::check(directory.path(), &mut |problem| panic!("{problem}")).unwrap().problems, 0);
}

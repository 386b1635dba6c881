//! One bounded store: least recently used goes first, expired ones before that. One that is marked persistent has its keeper
//! told of every change, in the order of the changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::contract::{Keeper, KeptEntry};

/// A key or value alone is larger than the store may grow, or the disk takes nothing at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::imports) struct TooLarge;

/// Keys and values, bounded in bytes. One short lock; nothing in here waits.
#[derive(Debug, Default)]
pub(in crate::imports) struct Store(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    bytes_max: u64,
    bytes: u64,
    /// Grows with every use of an entry; the order of `by_use`.
    uses: u64,
    entries: HashMap<Arc<str>, Entry>,
    by_use: BTreeMap<u64, Arc<str>>,
    by_expiry: BTreeSet<(Instant, Arc<str>)>,
    evicted: u64,
    kept: Option<Kept>,
}

/// Where the entries of a persistent store are kept.
struct Kept {
    name: Arc<str>,
    keeper: Arc<dyn Keeper>,
}

#[derive(Debug)]
struct Entry {
    value: Box<[u8]>,
    used: u64,
    expires: Option<Instant>,
}

impl Store {
    /// Sets how many bytes it may hold; what is over goes at once.
    pub(super) fn resize(&self, bytes_max: u64) {
        let mut entries = self.0.lock();
        entries.bytes_max = bytes_max;
        entries.evict();
    }

    /// Has its entries kept from now on, or not kept any more. What was kept before goes in, unless there is something newer.
    ///
    /// # Errors
    /// What was kept cannot be read; in words.
    pub(super) fn keep_with(&self, name: &str, keeper: Option<&Arc<dyn Keeper>>, now: Instant) -> Result<(), String> {
        let mut entries = self.0.lock();
        let Some(keeper) = keeper else {
            entries.kept = None;
            return Ok(());
        };
        if entries.kept.is_some() {
            return Ok(());
        }
        let found = keeper.kept(name)?;
        entries.kept = Some(Kept { name: name.into(), keeper: Arc::clone(keeper) });
        for (key, entry) in &entries.entries {
            entries.tell(key, Some(entry));
        }
        for KeptEntry { key, value, expires } in found {
            let is_over = expires.is_some_and(|expires| expires <= now);
            if is_over {
                entries.tell(&key, None);
            } else if !entries.entries.contains_key(key.as_str()) {
                entries.put(&key, value.into(), expires);
            }
        }
        entries.evict();
        Ok(())
    }

    /// Bytes held now, overhead included.
    pub(in crate::imports) fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }

    /// Entries dropped for want of room so far.
    pub(in crate::imports) fn evicted(&self) -> u64 {
        self.0.lock().evicted
    }

    pub(in crate::imports) fn value(&self, key: &str, now: Instant) -> Option<Vec<u8>> {
        let mut entries = self.0.lock();
        entries.expire(now);
        entries.touch(key, now).map(|entry| entry.value.to_vec())
    }

    pub(in crate::imports) fn set(
        &self,
        key: &str,
        value: Box<[u8]>,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), TooLarge> {
        let mut entries = self.0.lock();
        entries.expire(now);
        entries.insert(key, value, ttl.and_then(|ttl| now.checked_add(ttl)))
    }

    pub(super) fn delete(&self, key: &str, now: Instant) -> bool {
        let mut entries = self.0.lock();
        entries.expire(now);
        entries.touch(key, now).is_some() && entries.remove(key)
    }

    /// Adds to a decimal number; a missing or unreadable one counts as 0. The ttl counts from the creation.
    pub(super) fn increment(&self, key: &str, by: i64, ttl: Option<Duration>, now: Instant) -> Result<i64, TooLarge> {
        let mut entries = self.0.lock();
        entries.expire(now);
        let (old, expires) = match entries.touch(key, now) {
            Some(entry) => (number(&entry.value), entry.expires),
            None => (0, ttl.and_then(|ttl| now.checked_add(ttl))),
        };
        let new = old.saturating_add(by);
        entries.insert(key, new.to_string().into_bytes().into(), expires)?;
        Ok(new)
    }
}

impl Entries {
    /// The entry unless its time is over, now the most recently used.
    fn touch(&mut self, key: &str, now: Instant) -> Option<&Entry> {
        if self.entries.get(key)?.expires.is_some_and(|expires| expires <= now) {
            self.remove(key);
            return None;
        }
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        if let Some(key) = self.by_use.remove(&entry.used) {
            self.by_use.insert(self.uses, key);
        }
        entry.used = self.uses;
        Some(entry)
    }

    fn insert(&mut self, key: &str, value: Box<[u8]>, expires: Option<Instant>) -> Result<(), TooLarge> {
        let size = size(key, &value);
        if size > self.bytes_max || self.kept.as_ref().is_some_and(|kept| !kept.keeper.is_open()) {
            return Err(TooLarge);
        }
        self.put(key, value, expires);
        self.tell(key, self.entries.get(key));
        self.evict();
        Ok(())
    }

    /// Puts an entry in place, of whatever size.
    fn put(&mut self, key: &str, value: Box<[u8]>, expires: Option<Instant>) {
        self.take_out(key);
        self.bytes += size(key, &value);
        let key: Arc<str> = key.into();
        self.uses += 1;
        self.by_use.insert(self.uses, Arc::clone(&key));
        if let Some(expires) = expires {
            self.by_expiry.insert((expires, Arc::clone(&key)));
        }
        self.entries.insert(key, Entry { value, used: self.uses, expires });
    }

    fn remove(&mut self, key: &str) -> bool {
        let was_there = self.take_out(key);
        if was_there {
            self.tell(key, None);
        }
        was_there
    }

    fn take_out(&mut self, key: &str) -> bool {
        let Some((key, entry)) = self.entries.remove_entry(key) else { return false };
        self.by_use.remove(&entry.used);
        self.bytes -= size(&key, &entry.value);
        if let Some(expires) = entry.expires {
            self.by_expiry.remove(&(expires, key));
        }
        true
    }

    /// Tells the keeper, if there is one, what an entry is now.
    fn tell(&self, key: &str, entry: Option<&Entry>) {
        let Some(Kept { name, keeper }) = &self.kept else { return };
        match entry {
            Some(entry) => keeper.keep(name, key, &entry.value, entry.expires),
            None => keeper.forget(name, key),
        }
    }

    /// Drops a few expired entries; each call more than one call can add.
    fn expire(&mut self, now: Instant) {
        for _ in 0..EXPIRED_PER_CALL {
            match self.by_expiry.first() {
                Some((expires, key)) if *expires <= now => {
                    let key = Arc::clone(key);
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }

    fn evict(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, key)) = self.by_use.first_key_value() else { return };
            let key = Arc::clone(key);
            self.remove(&key);
            self.evicted += 1;
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ENTRY_OVERHEAD
}

fn number(value: &[u8]) -> i64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What an entry costs besides its key and value: three index nodes and two allocations.
const ENTRY_OVERHEAD: u64 = 160;
const EXPIRED_PER_CALL: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn store(bytes: u64) -> Store {
        let store = Store::default();
        store.resize(bytes);
        store
    }

    fn put(store: &Store, key: &str, now: Instant) {
        store.set(key, vec![0; 100].into(), None, now).unwrap();
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let (store, now) = (store(3 * (ENTRY_OVERHEAD + 101)), Instant::now());
        for key in ["a", "b", "c"] {
            put(&store, key, now);
        }
        assert!(store.value("a", now).is_some());
        put(&store, "d", now);
        let left: Vec<_> = ["a", "b", "c", "d"].into_iter().filter(|key| store.value(key, now).is_some()).collect();
        assert_eq!(left, ["a", "c", "d"]);
        assert_eq!(store.evicted(), 1);
        store.resize(ENTRY_OVERHEAD + 101);
        assert!(store.value("d", now).is_some() && store.value("a", now).is_none());
    }

    #[test]
    fn bytes_stay_bounded_and_return_to_zero() {
        let (store, now) = (store(10_000), Instant::now());
        for n in 0..10_000 {
            put(&store, &format!("key-{}", n % 500), now);
            assert!(store.bytes() <= 10_000);
        }
        for n in 0..500 {
            store.delete(&format!("key-{n}"), now);
        }
        assert_eq!(store.bytes(), 0);
        let entries = store.0.lock();
        assert!(entries.by_use.is_empty() && entries.by_expiry.is_empty());
    }

    #[test]
    fn an_entry_larger_than_the_store_is_refused_and_changes_nothing() {
        let (store, now) = (store(1024), Instant::now());
        put(&store, "a", now);
        assert_eq!(store.set("a", vec![0; 2000].into(), None, now), Err(TooLarge));
        assert!(store.value("a", now).is_some());
    }

    #[test]
    fn an_entry_is_gone_when_its_time_is_over() {
        let (store, now) = (store(1 << 20), Instant::now());
        let ttl = Some(Duration::from_secs(1));
        store.set("a", b"1"[..].into(), ttl, now).unwrap();
        assert!(store.value("a", now + Duration::from_millis(999)).is_some());
        assert!(store.value("a", now + Duration::from_secs(1)).is_none());
        assert!(!store.delete("a", now + Duration::from_secs(1)));
        store.set("b", b"1"[..].into(), Some(Duration::from_millis(u64::MAX)), now).unwrap();
        assert!(store.value("b", now).is_some(), "a ttl beyond the clock's end is for ever");
        store.set("b", b"2"[..].into(), None, now).unwrap();
        assert!(store.value("b", now + Duration::from_secs(10)).is_some(), "a new value without ttl stays");
    }

    #[test]
    fn expired_entries_are_never_seen_however_many_there_are() {
        let (store, now) = (store(1 << 20), Instant::now());
        for n in 0..100 {
            store.set(&n.to_string(), b"1"[..].into(), Some(Duration::from_secs(1)), now).unwrap();
        }
        let later = now + Duration::from_secs(2);
        assert!((0..100).rev().all(|n| store.value(&n.to_string(), later).is_none()));
    }

    #[test]
    fn increment_counts_in_decimal_and_keeps_the_first_ttl() {
        let (store, now) = (store(1 << 20), Instant::now());
        let ttl = Some(Duration::from_secs(1));
        assert_eq!(store.increment("n", 5, ttl, now), Ok(5));
        assert_eq!(store.increment("n", -7, Some(Duration::from_secs(60)), now), Ok(-2));
        assert_eq!(store.value("n", now).unwrap(), b"-2");
        assert_eq!(store.increment("n", 1, ttl, now + Duration::from_secs(1)), Ok(1), "a new counter");
        store.set("n", b"not a number"[..].into(), None, now).unwrap();
        assert_eq!(store.increment("n", i64::MAX, None, now), Ok(i64::MAX));
        assert_eq!(store.increment("n", 1, None, now), Ok(i64::MAX));
    }
}

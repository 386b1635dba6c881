//! `kv`: memory of this node, shared by all instances of a plugin and kept over reloads; over restarts too, where the store is
//! marked persistent.

mod store;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub(super) use self::store::Store;
use super::{ImportError, PluginState};
use crate::bindings::midge::plugin::kv::{Error, Host};
use crate::contract::Keeper;
use crate::grants::{Grants, StoreGrant};

/// All stores of the process, by `plugin/store`.
#[derive(Default)]
pub(super) struct Stores {
    all: Mutex<HashMap<String, Arc<Store>>>,
    keeper: Option<Arc<dyn Keeper>>,
}

impl Stores {
    pub(super) fn new(keeper: Option<Arc<dyn Keeper>>) -> Self {
        Self { all: Mutex::default(), keeper }
    }

    /// The stores a generation may use, under the names its plugin knows them by. An own store that is new is made;
    /// one that is there already is kept with its entries, and gets the size now configured.
    ///
    /// # Errors
    /// What was kept of one that is marked persistent cannot be read.
    pub(super) fn granted(&self, grants: &Grants) -> Result<HashMap<String, Arc<Store>>, ImportError> {
        let mut all = self.all.lock();
        let mut open = |(name, grant): (&str, StoreGrant)| {
            let store = match grant {
                StoreGrant::Own { bytes_max, is_persistent } => {
                    let full_name = format!("{}/{name}", grants.plugin());
                    let store = all.entry(full_name.clone()).or_default();
                    store.resize(bytes_max);
                    let keeper = self.keeper.as_ref().filter(|_| is_persistent);
                    store
                        .keep_with(&full_name, keeper, Instant::now())
                        .map_err(|reason| ImportError::Store { store: full_name, reason })?;
                    store
                }
                // Its owner may be loaded later and says then how large it is; until then nothing fits in.
                StoreGrant::Foreign => all.entry(name.to_owned()).or_default(),
            };
            Ok((name.to_owned(), Arc::clone(store)))
        };
        grants.stores().map(&mut open).collect()
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.lock().keys()).finish()
    }
}

impl PluginState {
    fn store(&self, name: &str) -> Result<&Store, Error> {
        self.shared.store(name).ok_or_else(|| {
            self.shared.denied(&self.shared.grants().no_store(name));
            Error::NotGranted
        })
    }
}

impl Host for PluginState {
    fn get(&mut self, store: String, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.store(&store).map(|store| store.value(&key, self.shared.now())))
    }

    fn set(&mut self, store: String, key: String, value: Vec<u8>, ttl_ms: u64) -> wasmtime::Result<Result<(), Error>> {
        Ok(self
            .store(&store)
            .and_then(|store| over_quota(store.set(&key, value.into(), ttl(ttl_ms), self.shared.now()))))
    }

    fn delete(&mut self, store: String, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.store(&store).map(|store| store.delete(&key, self.shared.now())))
    }

    fn increment(&mut self, store: String, key: String, by: i64, ttl_ms: u64) -> wasmtime::Result<Result<i64, Error>> {
        Ok(self.store(&store).and_then(|store| over_quota(store.increment(&key, by, ttl(ttl_ms), self.shared.now()))))
    }
}

fn ttl(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn over_quota<T>(result: Result<T, store::TooLarge>) -> Result<T, Error> {
    result.map_err(|store::TooLarge| Error::OverQuota)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use serde_json::json;

    use super::*;
    use crate::contract::KeptEntry;

    fn grants(plugin: &str, kv: &serde_json::Value) -> Grants {
        Grants::from_json(plugin, &json!({ "kv": kv }), Path::new("/")).unwrap()
    }

    #[test]
    fn a_store_is_kept_over_reloads_and_reached_by_others_only_where_granted() {
        let (stores, now) = (Stores::default(), Instant::now());
        let first = stores.granted(&grants("a", &json!({"sessions": "1MiB"}))).unwrap();
        first["sessions"].set("k", b"v"[..].into(), None, now).unwrap();

        let reloaded = stores.granted(&grants("a", &json!({"sessions": "2MiB"}))).unwrap();
        assert_eq!(reloaded["sessions"].value("k", now).unwrap(), b"v");

        let other = stores.granted(&grants("b", &json!({"a/sessions": true, "sessions": "1MiB"}))).unwrap();
        assert_eq!(other["a/sessions"].value("k", now).unwrap(), b"v");
        assert!(
            other["sessions"].value("k", now).is_none(),
            "another plugin's store of the same name is another store"
        );
        assert!(!reloaded.contains_key("b/sessions"));
    }

    /// What a disk would hold, by store and key.
    #[derive(Default)]
    struct Shelf {
        entries: Mutex<BTreeMap<(String, String), KeptEntry>>,
        is_full: AtomicBool,
    }

    impl Keeper for Shelf {
        fn kept(&self, store: &str) -> Result<Vec<KeptEntry>, String> {
            let entries = self.entries.lock();
            let of_store = entries.iter().filter(|((name, _), _)| name == store);
            Ok(of_store.map(|(_, entry)| entry.clone()).collect())
        }

        fn is_open(&self) -> bool {
            !self.is_full.load(Ordering::Relaxed)
        }

        fn keep(&self, store: &str, key: &str, value: &[u8], expires: Option<Instant>) {
            let entry = KeptEntry { key: key.to_owned(), value: value.to_vec(), expires };
            self.entries.lock().insert((store.to_owned(), key.to_owned()), entry);
        }

        fn forget(&self, store: &str, key: &str) {
            self.entries.lock().remove(&(store.to_owned(), key.to_owned()));
        }
    }

    impl Shelf {
        fn keys(&self) -> Vec<String> {
            self.entries.lock().keys().map(|(store, key)| format!("{store} {key}")).collect()
        }
    }

    #[test]
    fn a_persistent_store_is_there_again_in_another_process_and_no_other_is() {
        let shelf = Arc::new(Shelf::default());
        let process = || Stores::new(Some(Arc::clone(&shelf) as _));
        let kv = json!({"bans": {"size": "1MiB", "persistent": true}, "cache": {"size": "1MiB", "persistent": false}});
        let (first, now) = (process(), Instant::now());
        let stores = first.granted(&grants("guard", &kv)).unwrap();
        stores["bans"].set("mallory", b"1"[..].into(), None, now).unwrap();
        stores["bans"].set("eve", b"1"[..].into(), Some(Duration::from_secs(60)), now).unwrap();
        stores["bans"].set("bob", b"1"[..].into(), None, now).unwrap();
        stores["bans"].increment("count", 3, None, now).unwrap();
        stores["bans"].delete("bob", now);
        stores["cache"].set("x", b"1"[..].into(), None, now).unwrap();
        assert_eq!(shelf.keys(), ["guard/bans count", "guard/bans eve", "guard/bans mallory"]);
        drop((stores, first));

        let second = process();
        let stores = second.granted(&grants("guard", &kv)).unwrap();
        let value = |key: &str, now| stores["bans"].value(key, now);
        assert_eq!((value("mallory", now), value("count", now)), (Some(b"1".to_vec()), Some(b"3".to_vec())));
        assert!(value("eve", now).is_some() && value("eve", now + Duration::from_secs(60)).is_none());
        assert!(value("bob", now).is_none() && stores["cache"].value("x", now).is_none());
        assert_eq!(shelf.keys(), ["guard/bans count", "guard/bans mallory"], "what is over is not kept");
    }

    #[test]
    fn what_has_no_room_any_more_is_not_kept_and_a_full_disk_takes_nothing() {
        let shelf = Arc::new(Shelf::default());
        let process = || Stores::new(Some(Arc::clone(&shelf) as _));
        let kv = |size: &str| json!({"s": {"size": size, "persistent": true}});
        let now = Instant::now();
        let store = Arc::clone(&process().granted(&grants("p", &kv("1MiB"))).unwrap()["s"]);
        for key in ["1", "2", "3"] {
            store.set(key, vec![0; 600].into(), None, now).unwrap();
        }
        shelf.is_full.store(true, Ordering::Relaxed);
        assert_eq!(store.set("1", b"new"[..].into(), None, now), Err(store::TooLarge));
        assert_eq!(store.value("1", now), Some(vec![0; 600]));
        shelf.is_full.store(false, Ordering::Relaxed);
        let smaller = process().granted(&grants("p", &kv("1KiB"))).unwrap();
        assert_eq!(smaller["s"].evicted(), 2);
        assert_eq!(shelf.keys().len(), 1);
    }

    #[test]
    fn a_store_that_becomes_persistent_keeps_what_it_has() {
        let shelf = Arc::new(Shelf::default());
        shelf.keep("p/s", "old", b"kept", None);
        shelf.keep("p/s", "both", b"kept", None);
        let stores = Stores::new(Some(Arc::clone(&shelf) as _));
        let now = Instant::now();
        let before = stores.granted(&grants("p", &json!({"s": "1MiB"}))).unwrap();
        before["s"].set("both", b"newer"[..].into(), None, now).unwrap();
        let after = stores.granted(&grants("p", &json!({"s": {"size": "1MiB", "persistent": true}}))).unwrap();
        assert_eq!(after["s"].value("old", now).unwrap(), b"kept");
        assert_eq!(after["s"].value("both", now).unwrap(), b"newer");
        assert_eq!(shelf.entries.lock()[&("p/s".to_owned(), "both".to_owned())].value, b"newer");
    }
}

//! `kv`: memory of this node, shared by all instances of a plugin and kept over reloads.

mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub(super) use self::store::Store;
use super::PluginState;
use crate::bindings::midge::plugin::kv::{Error, Host};
use crate::grants::{Grants, StoreGrant};

/// All stores of the process, by `plugin/store`.
#[derive(Debug, Default)]
pub(super) struct Stores(Mutex<HashMap<String, Arc<Store>>>);

impl Stores {
    /// The stores a generation may use, under the names its plugin knows them by. An own store that is new is made;
    /// one that is there already is kept with its entries, and gets the size now configured.
    pub(super) fn granted(&self, grants: &Grants) -> HashMap<String, Arc<Store>> {
        let mut all = self.0.lock();
        let mut open = |(name, grant): (&str, StoreGrant)| {
            let store = match grant {
                StoreGrant::Own(bytes) => {
                    let store = all.entry(format!("{}/{name}", grants.plugin())).or_default();
                    store.resize(bytes);
                    store
                }
                // Its owner may be loaded later and says then how large it is; until then nothing fits in.
                StoreGrant::Foreign => all.entry(name.to_owned()).or_default(),
            };
            (name.to_owned(), Arc::clone(store))
        };
        grants.stores().map(&mut open).collect()
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
        Ok(self.store(&store).map(|store| store.value(&key, Instant::now())))
    }

    fn set(&mut self, store: String, key: String, value: Vec<u8>, ttl_ms: u64) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.store(&store).and_then(|store| over_quota(store.set(&key, value.into(), ttl(ttl_ms), Instant::now()))))
    }

    fn delete(&mut self, store: String, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.store(&store).map(|store| store.delete(&key, Instant::now())))
    }

    fn increment(&mut self, store: String, key: String, by: i64, ttl_ms: u64) -> wasmtime::Result<Result<i64, Error>> {
        Ok(self.store(&store).and_then(|store| over_quota(store.increment(&key, by, ttl(ttl_ms), Instant::now()))))
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

    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn grants(plugin: &str, kv: &serde_json::Value) -> Grants {
        Grants::from_json(plugin, &json!({ "kv": kv }), Path::new("/")).unwrap()
    }

    #[test]
    fn a_store_is_kept_over_reloads_and_reached_by_others_only_where_granted() {
        let (stores, now) = (Stores::default(), Instant::now());
        let first = stores.granted(&grants("a", &json!({"sessions": "1MiB"})));
        first["sessions"].set("k", b"v"[..].into(), None, now).unwrap();

        let reloaded = stores.granted(&grants("a", &json!({"sessions": "2MiB"})));
        assert_eq!(reloaded["sessions"].value("k", now).unwrap(), b"v");

        let other = stores.granted(&grants("b", &json!({"a/sessions": true, "sessions": "1MiB"})));
        assert_eq!(other["a/sessions"].value("k", now).unwrap(), b"v");
        assert!(
            other["sessions"].value("k", now).is_none(),
            "another plugin's store of the same name is another store"
        );
        assert!(!reloaded.contains_key("b/sessions"));
    }
}

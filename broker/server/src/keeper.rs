//! Where plugins' stores are kept that are marked persistent: in the broker's own store.

use std::time::{Duration, Instant};

use midge_core::{Health, Store};
use midge_host::contract::{Keeper, KeptEntry};
use midge_storage::{Handle, PluginEntry};

use crate::clock::Clock;

/// Hands entries on, with the time at which they end.
pub(crate) struct DiskKeeper {
    pub(crate) store: Handle,
    pub(crate) clock: Clock,
}

impl Keeper for DiskKeeper {
    fn kept(&self, store: &str) -> Result<Vec<KeptEntry>, String> {
        let (now, instant) = (self.clock.now(), Instant::now());
        let mut kept = Vec::new();
        let found = &mut |entry: PluginEntry| {
            let left = entry.expires_at.map(|expires| Duration::from_millis(expires.0.saturating_sub(now.0)));
            // One that ends after the clock does stays.
            let expires = left.and_then(|left| instant.checked_add(left));
            kept.push(KeptEntry { key: entry.key, value: entry.value, expires });
        };
        self.store.entries(Some(store), found).map_err(|error| error.to_string())?;
        Ok(kept)
    }

    fn is_open(&self) -> bool {
        !matches!(self.store.health(), Health::Refusing(_))
    }

    fn keep(&self, store: &str, key: &str, value: &[u8], expires: Option<Instant>) {
        let expires_at = expires.map(|expires| self.clock.now() + expires.saturating_duration_since(Instant::now()));
        let (store, key, value) = (store.to_owned(), key.to_owned(), value.to_vec());
        self.store.keep_entry(&PluginEntry { store, key, value, expires_at });
    }

    fn forget(&self, store: &str, key: &str) {
        self.store.forget_entry(store, key);
    }
}

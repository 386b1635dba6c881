//! What plugins keep, which is not the core's business: entries of their key–value stores.

use midge_core::{Time, Unreadable};
use xxhash_rust::xxh3::xxh3_128;

use crate::Handle;
use crate::error::ReadError;
use crate::record;

/// An entry of a plugin's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginEntry {
    /// The store, `plugin/store`.
    pub store: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// When it ends; none if it stays.
    pub expires_at: Option<Time>,
}

impl Handle {
    /// Keeps an entry in place of the one that its key had. Nobody is told when it is safe: it is written within a tenth of a
    /// second, or with the next commit that somebody waits for.
    pub fn keep_entry(&self, entry: &PluginEntry) {
        self.0.append_entry(key(&entry.store, &entry.key), Some(record::plugin_entry(entry)));
    }

    /// Forgets an entry, in its turn.
    pub fn forget_entry(&self, store: &str, name: &str) {
        self.0.append_entry(key(store, name), None);
    }

    /// Hands the entries of a store, or of all, to `found`, as far as they are written.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn entries(&self, store: Option<&str>, found: &mut dyn FnMut(PluginEntry)) -> Result<(), Unreadable> {
        Ok(self.read_entries(store, found)?)
    }

    fn read_entries(&self, store: Option<&str>, found: &mut dyn FnMut(PluginEntry)) -> Result<(), ReadError> {
        let opened = self.0.opened.read_recursive();
        let opened = opened.as_ref().ok_or(ReadError::Closed)?;
        let prefix = store.map_or_else(Vec::new, |store| digest(store).to_vec());
        for pair in opened.keyspaces.plugins.prefix(prefix) {
            let (_, value) = pair.into_inner()?;
            let entry = record::read_plugin_entry(&value)?;
            if store.is_none_or(|store| store == entry.store) {
                found(entry);
            }
        }
        Ok(())
    }
}

/// Both names may be longer than a key of the database can be.
pub(crate) fn key(store: &str, name: &str) -> Vec<u8> {
    [digest(store), digest(name)].concat()
}

fn digest(text: &str) -> [u8; 16] {
    xxh3_128(text.as_bytes()).to_be_bytes()
}

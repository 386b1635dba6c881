//! A small memory of what was said most recently.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;

/// Remembers the newest [`RECENT_MAX`] keys; older ones are forgotten.
///
/// Threads hand over their batches within moments of each other, so what is still wanted is never far back.
pub(super) struct Recent<K, V> {
    values: HashMap<K, V, foldhash::fast::FixedState>,
    /// Keys in the order they came, also those that were removed.
    order: VecDeque<K>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { values: HashMap::default(), order: VecDeque::new() }
    }
}

impl<K: Hash + Eq + Copy, V: Default> Recent<K, V> {
    pub(super) fn contains(&self, key: &K) -> bool {
        self.values.contains_key(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        *self.entry(key) = value;
    }

    /// The value of a key, made if there is none.
    pub(super) fn entry(&mut self, key: K) -> &mut V {
        if !self.values.contains_key(&key) {
            if self.order.len() >= RECENT_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.values.remove(&oldest);
            }
            self.order.push_back(key);
        }
        self.values.entry(key).or_default()
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.values.remove(key)
    }
}

const RECENT_MAX: usize = 1 << 16;

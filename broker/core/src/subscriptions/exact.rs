//! Filters without wildcards: a flat map, in shards so that changes on many threads do not meet.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::RwLock;

use super::group::{Group, Share};
use super::routes::Routes;
use super::subscribers::{Change, Removal, Subscribers};
use super::{Route, Subscriber};

/// All filters without wildcards. The caller hashes, since it needs the hash itself.
pub(super) struct ExactFilters<S> {
    shards: Box<[RwLock<HashTable<ExactFilter<S>>>]>,
}

struct ExactFilter<S> {
    filter: Box<str>,
    subscribers: Subscribers<S>,
}

const SHARDS: usize = 64;

impl<S: Subscriber> ExactFilters<S> {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::new(HashTable::new())).collect() }
    }

    pub(super) fn subscribe(
        &self,
        filter: &str,
        hash: u64,
        hasher: &impl BuildHasher,
        share: Option<Share<'_>>,
        route: Route<S>,
    ) -> Change {
        let mut shard = self.shard(hash).write();
        match shard.entry(hash, |known| *known.filter == *filter, |known| hasher.hash_one(&*known.filter)) {
            Entry::Occupied(mut known) => known.get_mut().subscribers.subscribe(filter, share, route),
            Entry::Vacant(place) => {
                let subscribers = Subscribers::new(filter, share, route);
                place.insert(ExactFilter { filter: filter.into(), subscribers });
                Change::ADDED
            }
        }
    }

    pub(super) fn unsubscribe(
        &self,
        filter: &str,
        hash: u64,
        hasher: &impl BuildHasher,
        share: Option<&str>,
        id: u64,
    ) -> Change {
        let mut shard = self.shard(hash).write();
        let Ok(mut known) = shard.find_entry(hash, |known| *known.filter == *filter) else { return Change::NONE };
        let Removal { change, empty } = known.get_mut().subscribers.unsubscribe(share, id);
        if empty {
            known.remove();
            if shard.len() * 4 < shard.capacity() {
                let room = shard.len() * 2;
                shard.shrink_to(room, |known| hasher.hash_one(&*known.filter));
            }
        }
        change
    }

    /// The members that share this filter under this name.
    pub(super) fn group(&self, filter: &str, hash: u64, share: &str) -> Option<Arc<Group<S>>> {
        let shard = self.shard(hash).read();
        shard.find(hash, |known| *known.filter == *filter)?.subscribers.group(share).cloned()
    }

    /// Appends who subscribed to exactly this topic.
    pub(super) fn collect(&self, topic: &str, hash: u64, into: &mut Routes<S>) {
        if let Some(known) = self.shard(hash).read().find(hash, |known| *known.filter == *topic) {
            known.subscribers.collect(into);
        }
    }

    /// How many filters are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// For how many filters there is room.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().capacity()).sum()
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<ExactFilter<S>>> {
        // The tables use the lowest and the highest bits.
        &self.shards[(hash >> 48) as usize % SHARDS]
    }
}

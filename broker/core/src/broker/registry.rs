//! Which session belongs to which Client Identifier.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};

use crate::session::Session;

/// All sessions by Client Identifier, in shards with a lock each. A shard's lock may be held while one of its sessions' is
/// taken, never the other way round.
pub(super) struct Registry {
    shards: Box<[Mutex<HashTable<Arc<Session>>>]>,
    hasher: foldhash::quality::FixedState,
    sessions: AtomicUsize,
}

/// The place of one Client Identifier, locked.
pub(super) struct Place<'a> {
    registry: &'a Registry,
    shard: MutexGuard<'a, HashTable<Arc<Session>>>,
    hash: u64,
    client_id: &'a str,
}

impl Registry {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(HashTable::new())).collect(),
            hasher: foldhash::quality::FixedState::with_seed(seed),
            sessions: AtomicUsize::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    pub(super) fn lock<'a>(&'a self, client_id: &'a str) -> Place<'a> {
        let hash = self.hasher.hash_one(client_id);
        let shard = self.shards[(hash >> 32) as usize % SHARDS].lock();
        Place { registry: self, shard, hash, client_id }
    }

    pub(super) fn find(&self, client_id: &str) -> Option<Arc<Session>> {
        self.lock(client_id).session().cloned()
    }

    /// Removes a session that ended, unless another one has taken its place.
    pub(super) fn remove(&self, session: &Arc<Session>) {
        let mut place = self.lock(session.client_id());
        let found = place.shard.find_entry(place.hash, |other| Arc::ptr_eq(other, session));
        if let Ok(entry) = found {
            entry.remove();
            self.sessions.fetch_sub(1, Ordering::Relaxed);
            if place.shard.len() * 4 < place.shard.capacity() {
                let room = place.shard.len() * 2;
                place.shard.shrink_to(room, |session| self.hasher.hash_one(session.client_id()));
            }
        }
    }

    /// Visits every session without holding a lock meanwhile.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<Session>)) {
        for shard in &self.shards {
            let sessions: Vec<Arc<Session>> = shard.lock().iter().cloned().collect();
            sessions.iter().for_each(&mut visit);
        }
    }
}

impl Place<'_> {
    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        self.shard.find(self.hash, |session| session.client_id() == self.client_id)
    }

    /// Puts a session here, in place of the one that was.
    pub(super) fn put(&mut self, session: Arc<Session>) {
        let client_id = self.client_id;
        if let Some(place) = self.shard.find_mut(self.hash, |other| other.client_id() == client_id) {
            *place = session;
            return;
        }
        let hasher = &self.registry.hasher;
        self.shard.insert_unique(self.hash, session, |session| hasher.hash_one(session.client_id()));
        self.registry.sessions.fetch_add(1, Ordering::Relaxed);
    }
}

const SHARDS: usize = 64;

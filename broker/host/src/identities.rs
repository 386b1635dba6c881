//! The process-wide table of authenticated identities.
//!
//! An identity is immutable and its number is never used twice, so whatever a plugin or a cache keeps under a number
//! cannot go stale. The table outlives generations of plugins: a plugin that was just loaded pulls the facts of an old
//! identity by its number, and nothing has to be replayed to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use crate::contract::Protocol;

/// What authentication established about a client. Every connected client has one: what others know too is shared with
/// them, and nothing has room to grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFacts {
    /// Client Identifier of the session.
    pub client_id: Arc<str>,
    /// Stable name of the user or device.
    pub principal: Arc<str>,
    /// Tenant.
    pub tenant: Option<Box<str>>,
    /// Facts the authenticator attached.
    pub attributes: Box<[(String, String)]>,
    /// Name of the listener.
    pub listener: Arc<str>,
    /// Address of the peer.
    pub peer: SocketAddr,
    /// The version the client speaks.
    pub protocol: Protocol,
}

/// One authenticated identity. Dereferences to its facts.
#[derive(Debug)]
pub struct Identity {
    id: u64,
    facts: IdentityFacts,
    table: Weak<Table>,
}

impl Identity {
    /// Its number, unique while the process lives; never 0.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }
}

impl std::ops::Deref for Identity {
    type Target = IdentityFacts;

    fn deref(&self) -> &IdentityFacts {
        &self.facts
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.clients.remove(self);
            let mut shard = table.shard(self.id).write();
            shard.remove(&self.id);
            if shard.len() * 4 < shard.capacity() {
                let room = shard.len() * 2;
                shard.shrink_to(room);
            }
        }
    }
}

/// The table: number to identity. It holds identities weakly; whoever holds the last `Arc` decides when one is gone.
#[derive(Debug)]
pub struct Identities {
    table: Arc<Table>,
    last_id: AtomicU64,
}

impl Identities {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        let shards = std::array::from_fn(|_| RwLock::new(HashMap::new()));
        let clients = Clients::default();
        Self { table: Arc::new(Table { shards, clients }), last_id: AtomicU64::new(0) }
    }

    /// Gives new facts a number. The identity is in the table until the last `Arc` of it is dropped.
    #[must_use]
    pub fn register(&self, facts: IdentityFacts) -> Arc<Identity> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let identity = Arc::new(Identity { id, facts, table: Arc::downgrade(&self.table) });
        self.table.shard(id).write().insert(id, Arc::downgrade(&identity));
        self.table.clients.add(&identity);
        identity
    }

    /// The identity with this number, unless it is gone.
    #[must_use]
    pub fn find(&self, id: u64) -> Option<Arc<Identity>> {
        self.table.shard(id).read().get(&id)?.upgrade()
    }

    /// Everybody who is known by this principal.
    #[must_use]
    pub fn of_principal(&self, principal: &str) -> Vec<Arc<Identity>> {
        // Compared outside of the lock, because whoever lets go of an identity last needs the lock to take it out.
        let of_shard = |shard: &Shard| -> Vec<_> { shard.read().values().filter_map(Weak::upgrade).collect() };
        let all = self.table.shards.iter().flat_map(of_shard);
        all.filter(|identity| *identity.principal == *principal).collect()
    }

    /// The identity that has a Client Identifier now: the latest that was registered with it, unless it is gone. None while nobody
    /// [wants](Self::index_clients) to know.
    #[must_use]
    pub fn of_client(&self, client_id: &str) -> Option<Arc<Identity>> {
        let id = self.table.clients.find(client_id)?;
        self.find(id)
    }

    /// Whether identities are found by their Client Identifiers, from now on: it costs an entry for each.
    pub fn index_clients(&self, on: bool) {
        if self.table.clients.is_on.swap(on, Ordering::SeqCst) == on {
            return;
        }
        if !on {
            self.table.clients.latest.write().clear();
            return;
        }
        for shard in &self.table.shards {
            let all: Vec<_> = shard.read().values().filter_map(Weak::upgrade).collect();
            all.iter().for_each(|identity| self.table.clients.add(identity));
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table.shards.iter().map(|shard| shard.read().len()).sum()
    }
}

impl Default for Identities {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Table {
    shards: [Shard; SHARDS],
    clients: Clients,
}

/// Which identity is the latest of a Client Identifier. Empty while it is off.
#[derive(Debug, Default)]
struct Clients {
    is_on: AtomicBool,
    latest: RwLock<HashMap<Arc<str>, u64>>,
}

impl Clients {
    fn add(&self, identity: &Identity) {
        if self.is_on.load(Ordering::SeqCst) {
            let mut latest = self.latest.write();
            let known = latest.entry(Arc::clone(&identity.client_id)).or_default();
            *known = identity.id.max(*known);
        }
    }

    fn remove(&self, identity: &Identity) {
        if self.is_on.load(Ordering::SeqCst) {
            let mut latest = self.latest.write();
            if latest.get(&identity.client_id) == Some(&identity.id) {
                latest.remove(&identity.client_id);
            }
        }
    }

    fn find(&self, client_id: &str) -> Option<u64> {
        self.latest.read().get(client_id).copied()
    }
}

impl Table {
    fn shard(&self, id: u64) -> &Shard {
        &self.shards[id as usize % SHARDS]
    }
}

type Shard = RwLock<HashMap<u64, Weak<Identity>>>;

/// Connects register and look up from every worker; 16 locks keep them from meeting.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn facts(client_id: &str) -> IdentityFacts {
        IdentityFacts {
            client_id: client_id.into(),
            principal: "alice".into(),
            tenant: None,
            attributes: Box::default(),
            listener: "tcp".into(),
            peer: ([127, 0, 0, 1], 1).into(),
            protocol: Protocol::V5,
        }
    }

    #[test]
    fn an_identity_is_found_by_its_number_while_someone_holds_it() {
        let identities = Identities::new();
        let alice = identities.register(facts("a"));
        assert_eq!(&*identities.find(alice.id()).unwrap().client_id, "a");
        let id = alice.id();
        drop(alice);
        assert!(identities.find(id).is_none());
        assert_eq!(identities.count(), 0);
    }

    #[test]
    fn numbers_are_never_zero_and_never_used_twice() {
        let identities = Identities::new();
        let first = identities.register(facts("a")).id();
        let second = identities.register(facts("a")).id();
        assert!(first != 0 && second > first);
    }

    #[test]
    fn all_identities_of_a_principal_are_found() {
        let identities = Identities::new();
        let (first, second) = (identities.register(facts("a")), identities.register(facts("b")));
        let bob = identities.register(IdentityFacts { principal: "bob".into(), ..facts("c") });
        let mut found: Vec<_> = identities.of_principal("alice").iter().map(|identity| identity.id()).collect();
        found.sort_unstable();
        assert_eq!(found, [first.id(), second.id()]);
        assert_eq!(identities.of_principal("bob")[0].id(), bob.id());
        assert!(identities.of_principal("mallory").is_empty());
    }

    #[test]
    fn the_latest_identity_of_a_client_is_found_while_somebody_wants_to_know() {
        let identities = Identities::new();
        let (old, other) = (identities.register(facts("a")), identities.register(facts("b")));
        assert!(identities.of_client("a").is_none(), "nobody wants to know");
        identities.index_clients(true);
        let found = |client_id| identities.of_client(client_id).map(|identity| identity.id());
        assert_eq!((found("a"), found("b")), (Some(old.id()), Some(other.id())));
        let new = identities.register(facts("a"));
        drop(old);
        assert_eq!(found("a"), Some(new.id()));
        drop(new);
        assert_eq!((found("a"), found("c")), (None, None));
        identities.index_clients(false);
        assert_eq!(found("b"), None);
    }

    #[test]
    fn an_identity_may_outlive_the_table() {
        let identities = Identities::new();
        let alice = identities.register(facts("a"));
        drop(identities);
        assert_eq!(&*alice.principal, "alice");
    }

    #[test]
    fn an_identity_is_small() {
        assert!(size_of::<Identity>() <= 136, "{} bytes", size_of::<Identity>());
    }
}

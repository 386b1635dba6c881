//! What was granted and holds no longer: whose clients have to be looked at again, and which of them have not been yet.
//!
//! A revocation counts up an epoch. The task of a connection compares it with the one it has seen, which costs next to nothing,
//! and looks for its identity only when they differ; those that are meant are woken.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

/// What of a grant is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// What the client may do: permissions and subscriptions are asked about again, and it stays connected.
    Authorization,
    /// Who it is, too: it has to authenticate again, and is disconnected for that, since nobody keeps its password.
    Authentication,
}

/// Revocations since the broker started.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    epoch: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers of identities that are still to be looked at.
    due: HashSet<u64>,
    /// The latest, oldest first, for clients that are being let in meanwhile.
    recent: VecDeque<Revocation>,
}

#[derive(Debug)]
struct Revocation {
    epoch: u32,
    principal: Arc<str>,
    scope: Scope,
}

impl Revocations {
    /// Counts revocations; never [`REVIEW_DUE`].
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Notes a revocation. To be done before it is looked which identities a principal has: who is let in meanwhile and is
    /// not found there finds the revocation here.
    pub(crate) fn begin(&self, principal: &str, scope: Scope) {
        let mut state = self.state.lock();
        let epoch = self.next_epoch();
        if state.recent.len() == RECENT_MAX {
            state.recent.pop_front();
        }
        state.recent.push_back(Revocation { epoch, principal: principal.into(), scope });
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Has identities looked at again. Their tasks are to be woken.
    pub(crate) fn add(&self, identities: impl Iterator<Item = u64>) {
        let mut state = self.state.lock();
        state.due.extend(identities);
        self.epoch.store(self.next_epoch(), Ordering::Release);
    }

    /// To be stored under the lock.
    fn next_epoch(&self) -> u32 {
        (self.epoch.load(Ordering::Relaxed) + 1) % REVIEW_DUE
    }

    /// Whether this identity is to be looked at; it is no longer, once this was asked.
    pub(crate) fn take(&self, identity: u64) -> bool {
        self.state.lock().due.remove(&identity)
    }

    /// What of a principal was revoked since `epoch`; more than is known is everything.
    pub(crate) fn since(&self, epoch: u32, principal: &str) -> Option<Scope> {
        if self.epoch() == epoch {
            return None;
        }
        let state = self.state.lock();
        let later = |one: &&Revocation| one.epoch.wrapping_sub(epoch) as i32 > 0;
        if state.recent.len() == RECENT_MAX && state.recent.front().as_ref().is_some_and(later) {
            return Some(Scope::Authentication);
        }
        let named = state.recent.iter().filter(later).filter(|one| *one.principal == *principal);
        named.map(|one| one.scope).max()
    }
}

/// In the place of an epoch that was seen: to be looked at, whatever was revoked.
pub(crate) const REVIEW_DUE: u32 = u32::MAX;

/// Revocations that may come while a client is being let in.
const RECENT_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_looked_at_once() {
        let revocations = Revocations::default();
        let before = revocations.epoch();
        revocations.add([7, 8].into_iter());
        assert_ne!(revocations.epoch(), before);
        assert!(revocations.take(7) && !revocations.take(7) && !revocations.take(9));
    }

    #[test]
    fn who_is_let_in_meanwhile_finds_what_was_revoked() {
        let revocations = Revocations::default();
        let began = revocations.epoch();
        assert_eq!(revocations.since(began, "alice"), None);
        revocations.begin("alice", Scope::Authorization);
        revocations.begin("bob", Scope::Authentication);
        assert_eq!(revocations.since(began, "alice"), Some(Scope::Authorization));
        assert_eq!(revocations.since(began, "bob"), Some(Scope::Authentication));
        assert_eq!(revocations.since(began, "carol"), None);
        assert_eq!(revocations.since(revocations.epoch(), "alice"), None);
        for _ in 0..=RECENT_MAX {
            revocations.begin("dave", Scope::Authorization);
        }
        assert_eq!(revocations.since(began, "carol"), Some(Scope::Authentication), "nobody knows any more");
    }
}

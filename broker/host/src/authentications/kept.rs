//! A bounded table that forgets the oldest.

use std::time::Instant;

use hashbrown::HashMap;

use super::{Decision, Digest};

/// A decision, and how long it is good.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) decision: Decision,
    pub(super) until: Instant,
}

/// Two halves: when the younger one is full it becomes the older one, and what that held is forgotten. No search for
/// what to give up, and no order to keep.
#[derive(Debug, Default)]
pub(super) struct Recent {
    younger: HashMap<Digest, Kept>,
    older: HashMap<Digest, Kept>,
}

impl Recent {
    pub(super) fn find(&self, digest: &Digest, now: Instant) -> Option<Decision> {
        let kept = self.younger.get(digest).or_else(|| self.older.get(digest))?;
        (now < kept.until).then(|| kept.decision.clone())
    }

    /// Keeps a decision, at most `size_max` of them.
    pub(super) fn keep(&mut self, digest: Digest, kept: Kept, size_max: u64) {
        if self.younger.len() as u64 >= size_max.div_ceil(2) {
            self.older = std::mem::take(&mut self.younger);
        }
        self.older.remove(&digest);
        self.younger.insert(digest, kept);
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&Decision) -> bool) {
        self.younger.retain(|_, kept| stays(&kept.decision));
        self.older.retain(|_, kept| stays(&kept.decision));
    }

    pub(super) fn size(&self) -> u64 {
        (self.younger.len() + self.older.len()) as u64
    }
}

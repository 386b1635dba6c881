//! Answers of authorizers that may be reused: one set per identity.
//!
//! An identity never changes, so an entry is wrong only if the plugin changed its mind: it says how long that takes
//! (`reuse`), the operator caps it, and `broker.revoke` ends it at once. Another generation of plugins has another cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::contract::{CacheStatus, QoS};
use crate::identities::Identity;
use crate::plugin::Reuse;
use crate::rules::Rules;
use crate::topics;

/// What the whole authorization chain decided about one action; failures are never here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow { max_qos: QoS },
    Deny { code: u8, reason: Option<String>, plugin: Option<Arc<str>> },
}

/// What an answer is about, beside the topic or filter. Another QoS or RETAIN is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Publish { qos: QoS, retain: bool },
    Subscribe { qos: QoS, no_local: bool },
}

impl Action {
    /// Whether an answer for all topics of `covers` is one for `asked`.
    fn is_covered(self, covers: &str, asked: &str) -> bool {
        match self {
            Self::Publish { .. } => topics::matches(covers, asked),
            Self::Subscribe { .. } => topics::contains(covers, asked),
        }
    }
}

/// Where in the chain permissions as data stand. Plugins before are asked; those behind are never reached.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) position: usize,
    pub(crate) rules: Arc<Rules>,
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Verdicts {
    shards: [Mutex<HashMap<u64, Entry>>; SHARDS],
    ttl_max: Duration,
    size_max: u64,
    size: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Everything kept about one identity.
#[derive(Debug)]
struct Entry {
    principal: String,
    /// `Some` once every authorizer was asked for permissions: with those that were given, if any.
    placed: Option<Option<Placed>>,
    exact: HashMap<(Action, Box<str>), Kept>,
    covering: Vec<(Action, Box<str>, Kept)>,
}

#[derive(Clone, Debug)]
struct Kept {
    verdict: Verdict,
    until: Instant,
}

impl Verdicts {
    pub(crate) fn new(ttl_max: Duration, size_max: u64) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            ttl_max,
            size_max,
            size: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The verdict on an action, if it is known and still good.
    pub(crate) fn find(&self, who: &Identity, action: Action, asked: &str, now: Instant) -> Option<Verdict> {
        let found = self.shard(who.id()).lock().get(&who.id()).and_then(|entry| entry.find(action, asked, now));
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a verdict for as long, and for as many topics, as `reuse` and the operator allow.
    pub(crate) fn keep(
        &self,
        who: &Identity,
        action: Action,
        asked: &str,
        reuse: &Reuse,
        verdict: Verdict,
        now: Instant,
    ) {
        let ttl = reuse.ttl.min(self.ttl_max);
        if ttl.is_zero() {
            return;
        }
        let kept = Kept { verdict, until: now + ttl };
        // A filter that does not cover what was asked is the plugin's mistake: the answer holds for the question only.
        let covers =
            reuse.covers.as_deref().filter(|covers| topics::is_filter(covers) && action.is_covered(covers, asked));
        let mut shard = self.shard(who.id()).lock();
        self.make_room(&mut shard, who.id());
        let entry = shard.entry(who.id()).or_insert_with(|| Entry::new(&who.principal));
        let before = entry.size();
        entry.keep(action, asked, covers, kept, now);
        self.resized(before, entry.size());
    }

    /// The permissions an identity has as data. `None`: nobody was asked yet.
    pub(crate) fn placed(&self, who: &Identity) -> Option<Option<Placed>> {
        self.shard(who.id()).lock().get(&who.id())?.placed.clone()
    }

    /// Notes the permissions of an identity.
    pub(crate) fn place(&self, who: &Identity, placed: Option<Placed>) {
        let mut shard = self.shard(who.id()).lock();
        shard.entry(who.id()).or_insert_with(|| Entry::new(&who.principal)).placed = Some(placed);
    }

    /// Forgets an identity.
    pub(crate) fn forget(&self, id: u64) {
        if let Some(entry) = self.shard(id).lock().remove(&id) {
            self.resized(entry.size(), 0);
        }
    }

    /// Forgets everything about a principal.
    pub(crate) fn revoke(&self, principal: &str) {
        for shard in &self.shards {
            shard.lock().retain(|_, entry| {
                let stays = entry.principal != principal;
                if !stays {
                    self.resized(entry.size(), 0);
                }
                stays
            });
        }
    }

    pub(crate) fn status(&self) -> CacheStatus {
        CacheStatus {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            size: self.size.load(Ordering::Relaxed),
            identities: self.shards.iter().map(|shard| shard.lock().len() as u64).sum(),
        }
    }

    /// Full: another identity of the same shard loses its verdicts. Which one does not matter much, and finding the
    /// best one would cost more than asking again.
    fn make_room(&self, shard: &mut HashMap<u64, Entry>, id: u64) {
        if self.size.load(Ordering::Relaxed) < self.size_max {
            return;
        }
        if let Some((_, entry)) = shard.iter_mut().find(|(other, entry)| **other != id && entry.size() > 0) {
            let before = entry.size();
            entry.exact.clear();
            entry.covering.clear();
            self.resized(before, 0);
        }
    }

    fn resized(&self, before: u64, after: u64) {
        self.size.fetch_add(after, Ordering::Relaxed);
        self.size.fetch_sub(before, Ordering::Relaxed);
    }

    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Entry>> {
        &self.shards[id as usize % SHARDS]
    }
}

impl Entry {
    fn new(principal: &str) -> Self {
        Self { principal: principal.to_owned(), placed: None, exact: HashMap::new(), covering: Vec::new() }
    }

    fn size(&self) -> u64 {
        (self.exact.len() + self.covering.len()) as u64
    }

    fn find(&self, action: Action, asked: &str, now: Instant) -> Option<Verdict> {
        let good = |kept: &&Kept| now < kept.until;
        let covered = |(of, covers, _): &&(Action, Box<str>, Kept)| *of == action && action.is_covered(covers, asked);
        let mut covering = self.covering.iter().filter(covered).map(|(_, _, kept)| kept);
        let found = covering.find(good).or_else(|| {
            // No key is made where nothing is kept: this is every publish of a plugin that allows no reuse.
            let exact = (!self.exact.is_empty()).then(|| self.exact.get(&(action, asked.into())));
            exact.flatten().filter(good)
        });
        found.map(|kept| kept.verdict.clone())
    }

    fn keep(&mut self, action: Action, asked: &str, covers: Option<&str>, kept: Kept, now: Instant) {
        if self.size() >= PER_IDENTITY_MAX {
            self.exact.retain(|_, kept| now < kept.until);
            self.covering.retain(|(_, _, kept)| now < kept.until);
        }
        if self.size() >= PER_IDENTITY_MAX {
            self.exact.clear();
            self.covering.clear();
        }
        match covers {
            Some(covers) => {
                self.covering.retain(|(of, other, _)| *of != action || **other != *covers);
                self.covering.push((action, covers.into(), kept));
            }
            None => {
                self.exact.insert((action, asked.into()), kept);
            }
        }
    }
}

const SHARDS: usize = 16;
/// A client that asks about ever new topics pushes out its own verdicts only.
const PER_IDENTITY_MAX: u64 = 128;

#[cfg(test)]
mod tests;

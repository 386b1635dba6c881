//! Answers of authorizers that may be reused: one set per identity.
//!
//! An identity never changes, so an entry is wrong only if the plugin changed its mind: it says how long that takes
//! (`reuse`), the operator caps it, and `broker.revoke` ends it at once. Another generation of plugins has another cache.
//!
//! A question that is answered from here allocates nothing. Nor is the same one ever under way twice: an identity is of
//! one connection, and that asks the next question when the last is answered.

mod entry;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;

use self::entry::{Entry, Kept};
use crate::contract::{CacheStatus, QoS};
use crate::identities::Identity;
use crate::plugin::Reuse;
use crate::rules::Rules;
use crate::topics;

/// What the whole authorization chain decided about one action; failures are never here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow { max_qos: QoS },
    Deny { code: u8, reason: Option<Arc<str>>, plugin: Option<Arc<str>> },
}

/// What an answer is about, beside the topic or filter. Another QoS or RETAIN is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Publish {
        qos: QoS,
        retain: bool,
    },
    Subscribe {
        qos: QoS,
        no_local: bool,
    },
    /// Whoever published it, and however it is sent.
    Deliver,
}

impl Action {
    /// Whether an answer for all topics of `covers` is one for `asked`.
    fn is_covered(self, covers: &str, asked: &str) -> bool {
        match self {
            Self::Publish { .. } | Self::Deliver => topics::matches(covers, asked),
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

/// What is known about a question.
#[derive(Debug)]
pub(crate) enum Known {
    /// The answer.
    Verdict(Verdict),
    /// The permissions of who asks, `None` if nobody was asked for them yet.
    Permissions(Option<Option<Placed>>),
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Verdicts {
    shards: [Shard; SHARDS],
    ttl_max: Duration,
    /// How long a verdict is kept for when plugins cannot answer; zero where nobody wants that.
    stale_max: Duration,
    size_max: u64,
    size: AtomicU64,
    stale: AtomicU64,
}

/// Identities with the same remainder. On cache lines of its own: threads do not slow each other down by what they ask.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Part>);

#[derive(Debug, Default)]
struct Part {
    entries: HashMap<u64, Entry>,
    hits: u64,
    misses: u64,
}

impl Verdicts {
    pub(crate) fn new(ttl_max: Duration, size_max: u64) -> Self {
        let (size, stale) = (AtomicU64::new(0), AtomicU64::new(0));
        let shards = std::array::from_fn(|_| Shard::default());
        Self { shards, ttl_max, stale_max: Duration::ZERO, size_max, size, stale }
    }

    /// The same, which also keeps verdicts for when plugins cannot answer, for so long.
    pub(crate) fn with_stale(self, stale_max: Duration) -> Self {
        Self { stale_max, ..self }
    }

    /// What is known about an action, and still good. `now_ms` is of any clock that does not go back, always the same one.
    pub(crate) fn find(&self, who: &Identity, action: Action, asked: &str, now_ms: u64) -> Known {
        let mut part = self.part(who.id()).lock();
        let entry = part.entries.get(&who.id());
        if let Some(verdict) = entry.and_then(|entry| entry.find(action, asked, now_ms)) {
            part.hits += 1;
            return Known::Verdict(verdict);
        }
        let placed = entry.and_then(|entry| entry.placed.clone());
        part.misses += 1;
        Known::Permissions(placed)
    }

    /// What was last decided about an action, within `max` of now, whether or not its time is over.
    pub(crate) fn find_stale(
        &self,
        who: &Identity,
        action: Action,
        asked: &str,
        max: Duration,
        now_ms: u64,
    ) -> Option<Verdict> {
        let part = self.part(who.id()).lock();
        let kept = part.entries.get(&who.id())?.last(action, asked)?;
        let is_recent = now_ms.saturating_sub(kept.at_ms) <= milliseconds(max);
        let verdict = is_recent.then(|| kept.verdict.clone())?;
        self.stale.fetch_add(1, Ordering::Relaxed);
        Some(verdict)
    }

    /// Keeps a verdict for as long, and for as many topics, as `reuse` and the operator allow; the time counts from
    /// `now_ms`, when it was asked for.
    pub(crate) fn keep(
        &self,
        who: &Identity,
        action: Action,
        asked: &str,
        reuse: &Reuse,
        verdict: &Verdict,
        now_ms: u64,
    ) {
        let (ttl_ms, stale_ms) = (milliseconds(reuse.ttl.min(self.ttl_max)), milliseconds(self.stale_max));
        if ttl_ms.max(stale_ms) == 0 || self.size_max == 0 {
            return;
        }
        let kept = Kept {
            verdict: verdict.clone(),
            at_ms: now_ms,
            until_ms: now_ms.saturating_add(ttl_ms),
            kept_until_ms: now_ms.saturating_add(ttl_ms.max(stale_ms)),
        };
        // A filter that does not cover what was asked is the plugin's mistake: the answer holds for the question only.
        let covers =
            reuse.covers.as_deref().filter(|covers| topics::is_filter(covers) && action.is_covered(covers, asked));
        let mut part = self.part(who.id()).lock();
        self.make_room(&mut part.entries, who.id());
        let entry = part.entries.entry(who.id()).or_insert_with(|| Entry::new(&who.principal));
        let before = entry.size();
        entry.keep(action, asked, covers, kept, now_ms);
        self.resized(before, entry.size());
    }

    /// The permissions an identity has as data. `None`: nobody was asked yet.
    pub(crate) fn placed(&self, who: &Identity) -> Option<Option<Placed>> {
        self.part(who.id()).lock().entries.get(&who.id())?.placed.clone()
    }

    /// Notes the permissions of an identity.
    pub(crate) fn place(&self, who: &Identity, placed: Option<Placed>) {
        let mut part = self.part(who.id()).lock();
        part.entries.entry(who.id()).or_insert_with(|| Entry::new(&who.principal)).placed = Some(placed);
    }

    /// Forgets an identity.
    pub(crate) fn forget(&self, id: u64) {
        let gone = self.part(id).lock().entries.remove(&id);
        if let Some(entry) = gone {
            self.resized(entry.size(), 0);
        }
    }

    /// Forgets everything about a principal.
    pub(crate) fn revoke(&self, principal: &str) {
        for shard in &self.shards {
            shard.0.lock().entries.retain(|_, entry| {
                let stays = *entry.principal != *principal;
                if !stays {
                    self.resized(entry.size(), 0);
                }
                stays
            });
        }
    }

    pub(crate) fn status(&self) -> CacheStatus {
        let (size, stale) = (self.size.load(Ordering::Relaxed), self.stale.load(Ordering::Relaxed));
        let mut status = CacheStatus { size, stale, ..CacheStatus::default() };
        for shard in &self.shards {
            let part = shard.0.lock();
            status.hits += part.hits;
            status.misses += part.misses;
            status.identities += part.entries.len() as u64;
        }
        status
    }

    /// Full: another identity of the same shard loses its verdicts. Which one does not matter much, and finding the
    /// best one would cost more than asking again.
    fn make_room(&self, entries: &mut HashMap<u64, Entry>, id: u64) {
        if self.size.load(Ordering::Relaxed) < self.size_max {
            return;
        }
        if let Some((_, entry)) = entries.iter_mut().find(|(other, entry)| **other != id && entry.size() > 0) {
            let before = entry.size();
            entry.clear();
            self.resized(before, 0);
        }
    }

    fn resized(&self, before: u64, after: u64) {
        self.size.fetch_add(after, Ordering::Relaxed);
        self.size.fetch_sub(before, Ordering::Relaxed);
    }

    fn part(&self, id: u64) -> &Mutex<Part> {
        &self.shards[id as usize % SHARDS].0
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const SHARDS: usize = 64;

#[cfg(test)]
mod tests;

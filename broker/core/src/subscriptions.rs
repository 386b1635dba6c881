//! Who receives a message published to a topic (chapters 4.7 and 4.8 of the specification).
//!
//! Filters without wildcards live in a sharded flat map, filters with wildcards in a tree of levels. In front of
//! both, every thread keeps a bounded cache from topic to routes. A cached entry is valid while a few counters are
//! unchanged which every Subscription moves that is made or ended for a filter that may match the topic. So it takes
//! effect for every later match, on every thread, and what is remembered of other topics stays.
//!
//! Locks are held for the length of one lookup or one change and never while the caller's code runs.

mod cache;
mod choice;
mod epochs;
mod exact;
mod group;
mod members;
mod routes;
mod subscribers;
#[cfg(test)]
mod tests;
mod wildcard;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use midge_protocol::{QoS, SubscriptionId, TopicFilter};
use parking_lot::RwLock;

pub(crate) use choice::{Occasion, Readiness, stable_hash};
use epochs::Epochs;
use exact::ExactFilters;
use group::Share;
pub(crate) use group::{Group, GroupName};
pub(crate) use routes::Match;
use routes::Routes;
use subscribers::Change;
use wildcard::{Walk, WildcardTree};

use crate::Sharing;

/// A handle to what receives messages, cheap to clone: a Session in the broker.
pub(crate) trait Subscriber: Clone + 'static {
    /// Names the subscriber: equal for clones of one handle, never shared by two subscribers of one index.
    fn id(&self) -> u64;

    /// What the choice by a hash knows it by: the same whenever and wherever the same client subscribes.
    fn name_hash(&self) -> u64;

    /// How ready it is for a message. A hint, given without taking a lock.
    fn readiness(&self) -> Readiness;

    /// How many messages are in flight to it or wait for it. A hint, given without taking a lock.
    fn load(&self) -> u32;

    /// Whether it has little room left. A hint, given without taking a lock.
    fn is_crowded(&self) -> bool {
        false
    }
}

/// The part of a Subscription's options that routing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The highest QoS at which this Subscription receives messages.
    pub(crate) qos: QoS,
    /// Messages this very Client published are not sent to it [MQTT-3.8.3-3].
    pub(crate) no_local: bool,
    /// Messages keep the RETAIN flag they were published with.
    pub(crate) retain_as_published: bool,
    /// Sent along with every message delivered because of this Subscription [MQTT-3.3.4-3].
    pub(crate) subscription_id: Option<SubscriptionId>,
}

/// One Subscription that matched, and who made it.
#[derive(Clone, Debug)]
pub(crate) struct Route<S> {
    /// Who made the Subscription.
    pub(crate) subscriber: S,
    /// How it wants its messages.
    pub(crate) options: Options,
}

/// All Subscriptions of the broker, by Topic Filter.
pub(crate) struct SubscriptionIndex<S> {
    exact: ExactFilters<S>,
    wildcard: RwLock<WildcardTree<S>>,
    epochs: Epochs,
    subscriptions: AtomicUsize,
    shared: AtomicUsize,
    hasher: foldhash::quality::FixedState,
    sharing: Sharing,
    seed: u64,
    /// Tells the cached routes of this index from those of another one in the same process.
    identity: Arc<()>,
}

impl<S: Subscriber> SubscriptionIndex<S> {
    /// An empty index. `seed` keys its hash tables: a server passes a random one, so that clients cannot aim for
    /// collisions.
    #[must_use]
    pub(crate) fn new(seed: u64, sharing: Sharing) -> Self {
        Self {
            exact: ExactFilters::new(),
            wildcard: RwLock::new(WildcardTree::new(seed)),
            epochs: Epochs::new(),
            subscriptions: AtomicUsize::new(0),
            shared: AtomicUsize::new(0),
            hasher: foldhash::quality::FixedState::with_seed(seed),
            sharing,
            seed,
            identity: Arc::new(()),
        }
    }

    /// Adds a Subscription and says whether the subscriber had one for the same filter and share name, which is then
    /// replaced in place: it keeps its turn and no message is lost [MQTT-3.8.4-3].
    ///
    /// `filter` is what follows `$share/NAME/` if `share` names a group.
    pub(crate) fn subscribe(
        &self,
        filter: TopicFilter<'_>,
        share: Option<&str>,
        subscriber: &S,
        options: Options,
    ) -> bool {
        let route = Route { subscriber: subscriber.clone(), options };
        let text = filter.as_str();
        let is_shared = share.is_some();
        let share = share.map(|name| Share { name, strategy: self.sharing.strategy(name), seed: self.seed });
        let existed = self.change(text, |place| match place {
            Place::Exact(hash) => self.exact.subscribe(text, hash, &self.hasher, share, route),
            Place::Wildcard => self.wildcard.write().subscribe(text, share, route),
        });
        if !existed {
            self.subscriptions.fetch_add(1, Ordering::Relaxed);
            self.shared.fetch_add(usize::from(is_shared), Ordering::Relaxed);
        }
        existed
    }

    /// Ends a Subscription and says whether there was one.
    pub(crate) fn unsubscribe(&self, filter: TopicFilter<'_>, share: Option<&str>, subscriber_id: u64) -> bool {
        let text = filter.as_str();
        let existed = self.change(text, |place| match place {
            Place::Exact(hash) => self.exact.unsubscribe(text, hash, &self.hasher, share, subscriber_id),
            Place::Wildcard => self.wildcard.write().unsubscribe(text, share, subscriber_id),
        });
        if existed {
            self.subscriptions.fetch_sub(1, Ordering::Relaxed);
            self.shared.fetch_sub(usize::from(share.is_some()), Ordering::Relaxed);
        }
        existed
    }

    /// Calls `visit` once for every subscriber with matching Subscriptions, with all of them, and once for every
    /// matching shared Subscription. Topics that begin with `$` are not matched by filters that begin with a wildcard
    /// [MQTT-4.7.2-1].
    ///
    /// Nothing is allocated when the thread's cache knows the topic. `visit` may call back into the index.
    pub(crate) fn matches(&self, topic: &str, visit: impl FnMut(Match<'_, S>)) {
        let hash = self.hasher.hash_one(topic);
        let routes = cache::with(&self.identity, |cache| {
            let places = || self.epochs.places(topic, hash, &self.hasher);
            cache.routes(hash, topic, &self.epochs, places, |walk| self.collect(topic, hash, walk))
        });
        routes.visit(visit);
    }

    /// The group that shares a filter under a name, if it has members. `filter` is what follows `$share/NAME/`.
    pub(crate) fn group(&self, filter: TopicFilter<'_>, share: &str) -> Option<Arc<Group<S>>> {
        let text = filter.as_str();
        if text.contains(['+', '#']) {
            return self.wildcard.read().group(text, share);
        }
        self.exact.group(text, self.hasher.hash_one(text), share)
    }

    /// How many Subscriptions there are, shared ones included.
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.load(Ordering::Relaxed)
    }

    /// Whether there are no Subscriptions.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the Subscriptions are shared ones, counting each member of a group.
    pub(crate) fn shared_len(&self) -> usize {
        self.shared.load(Ordering::Relaxed)
    }

    /// Runs one change, and makes the cached routes it concerns be collected again.
    fn change(&self, filter: &str, apply: impl FnOnce(Place) -> Change) -> bool {
        let is_wildcard = filter.contains(['+', '#']);
        let change = apply(if is_wildcard { Place::Wildcard } else { Place::Exact(self.hasher.hash_one(filter)) });
        if change.routes {
            self.epochs.advance(filter, &self.hasher);
        }
        change.existed
    }

    fn collect(&self, topic: &str, hash: u64, walk: &mut Walk) -> Routes<S> {
        let mut routes = Routes::default();
        self.exact.collect(topic, hash, &mut routes);
        let tree = self.wildcard.read();
        if !tree.is_empty() {
            tree.collect(topic, walk, &mut routes);
        }
        drop(tree);
        routes.arrange();
        routes
    }
}

impl<S> std::fmt::Debug for SubscriptionIndex<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionIndex").field("subscriptions", &self.subscriptions).finish_non_exhaustive()
    }
}

/// Where a filter is kept.
enum Place {
    Exact(u64),
    Wildcard,
}

//! Each thread's memory of the routes of the topics it saw last.
//!
//! Cached routes hold subscribers, so what a thread may keep is bounded: at most 4096 topics of at most 512 bytes and
//! 65,536 routes in all. Entries that a changed Subscription has made useless are dropped when their topic comes up
//! again, and otherwise a few at a time as the thread goes on matching: a thread that matches nothing any more keeps at
//! most those bounds until it ends.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use super::Subscriber;
use super::epochs::{Epochs, Places, Stamp};
use super::routes::Routes;
use super::wildcard::Walk;

/// What one thread remembers of one index.
pub(super) struct Cache<S> {
    /// Of which index. A weak handle keeps the address from being used again.
    index: Weak<()>,
    slots: Box<[Slot<S>]>,
    /// The sum of the weights of all entries.
    weight: usize,
    /// Where the search for useless entries goes on.
    hand: usize,
    /// Counts lookups, to go on with that search every so often.
    lookups: usize,
    walk: Walk,
}

struct Slot<S> {
    hash: u64,
    entry: Option<Box<Entry<S>>>,
}

struct Entry<S> {
    topic: Box<str>,
    /// What the topic's counters came to when the routes were collected.
    stamp: Stamp,
    places: Places,
    routes: Rc<Routes<S>>,
}

/// A topic may stand in any of the `WAYS` slots of the set its hash selects.
const WAYS: usize = 4;
const SETS: usize = 1024;
const WEIGHT_MAX: usize = 65_536;
const TOPIC_BYTES_MAX: usize = 512;
/// After this many lookups one set is searched for useless entries.
const LOOKUPS_PER_SWEEP: usize = 64;

thread_local! {
    /// A thread serves one broker; in tests several may take turns, each of which starts afresh.
    static CACHE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Runs `look` with the calling thread's cache of the index. Neither `look` nor dropping a subscriber may come back here.
pub(super) fn with<S: Subscriber, R>(index: &Arc<()>, look: impl FnOnce(&mut Cache<S>) -> R) -> R {
    CACHE.with_borrow_mut(|any| {
        if let Some(cache) = any.as_mut().and_then(|any| any.downcast_mut::<Cache<S>>())
            && std::ptr::eq(cache.index.as_ptr(), Arc::as_ptr(index))
        {
            return look(cache);
        }
        let mut cache = Box::new(Cache::new(index));
        let result = look(&mut cache);
        *any = Some(cache);
        result
    })
}

impl<S: Subscriber> Cache<S> {
    fn new(index: &Arc<()>) -> Self {
        Self {
            index: Arc::downgrade(index),
            slots: (0..SETS * WAYS).map(|_| Slot { hash: 0, entry: None }).collect(),
            weight: 0,
            hand: 0,
            lookups: 0,
            walk: Walk::default(),
        }
    }

    /// The routes of a topic: those remembered, or what `collect` finds. `places` tells where its counters are.
    pub(super) fn routes(
        &mut self,
        hash: u64,
        topic: &str,
        epochs: &Epochs,
        places: impl FnOnce() -> Places,
        collect: impl FnOnce(&mut Walk) -> Routes<S>,
    ) -> Rc<Routes<S>> {
        self.lookups = self.lookups.wrapping_add(1);
        if self.lookups.is_multiple_of(LOOKUPS_PER_SWEEP) {
            self.sweep(epochs);
        }
        if let Some(routes) = self.find(hash, topic, epochs) {
            return routes;
        }
        // Read before the routes are collected: what changes meanwhile makes the entry useless, never wrong.
        let places = places();
        let stamp = epochs.stamp(&places);
        let routes = Rc::new(collect(&mut self.walk));
        self.keep(hash, Entry { topic: topic.into(), stamp, places, routes: Rc::clone(&routes) }, epochs);
        routes
    }

    fn find(&self, hash: u64, topic: &str, epochs: &Epochs) -> Option<Rc<Routes<S>>> {
        self.slots[set(hash)]
            .iter()
            .filter(|slot| slot.hash == hash)
            .filter_map(|slot| slot.entry.as_deref())
            .find(|entry| *entry.topic == *topic && entry.is_good(epochs))
            .map(|entry| Rc::clone(&entry.routes))
    }

    fn keep(&mut self, hash: u64, entry: Entry<S>, epochs: &Epochs) {
        let weight = entry.routes.weight();
        if entry.topic.len() > TOPIC_BYTES_MAX || weight > WEIGHT_MAX {
            return;
        }
        while self.weight + weight > WEIGHT_MAX {
            self.empty(self.hand);
            self.hand = (self.hand + 1) % self.slots.len();
        }
        let place = self.place(hash, &entry.topic, epochs);
        self.empty(place);
        self.slots[place] = Slot { hash, entry: Some(Box::new(entry)) };
        self.weight += weight;
    }

    /// The slot for a topic: where it stood before, else one of no use, else each of its set in turn.
    fn place(&self, hash: u64, topic: &str, epochs: &Epochs) -> usize {
        let slots = set(hash);
        let is = |slot: &Slot<S>, check: &dyn Fn(&Entry<S>) -> bool| slot.entry.as_deref().is_none_or(check);
        let same = |slot: &Slot<S>| slot.hash == hash && is(slot, &|entry| *entry.topic == *topic);
        let useless = |slot: &Slot<S>| is(slot, &|entry| !entry.is_good(epochs));
        let set = &self.slots[slots.clone()];
        let way = set.iter().position(same).or_else(|| set.iter().position(useless));
        slots.start + way.unwrap_or(self.lookups % WAYS)
    }

    /// Drops what is of no use in the next set.
    fn sweep(&mut self, epochs: &Epochs) {
        for _ in 0..WAYS {
            let slot = &self.slots[self.hand];
            if slot.entry.as_deref().is_some_and(|entry| !entry.is_good(epochs)) {
                self.empty(self.hand);
            }
            self.hand = (self.hand + 1) % self.slots.len();
        }
    }

    fn empty(&mut self, place: usize) {
        if let Some(entry) = self.slots[place].entry.take() {
            self.weight -= entry.routes.weight();
        }
    }
}

impl<S> Entry<S> {
    /// Whether no Subscription has changed that its topic may match.
    fn is_good(&self, epochs: &Epochs) -> bool {
        epochs.stamp(&self.places) == self.stamp
    }
}

/// The slots that may hold a topic of this hash.
fn set(hash: u64) -> std::ops::Range<usize> {
    let first = hash as usize % SETS * WAYS;
    first..first + WAYS
}

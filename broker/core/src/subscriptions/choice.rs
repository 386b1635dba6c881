//! Which member of a group is next, by each strategy.
//!
//! Everything here runs while the group's lock is held for reading, and looks only at what members say of themselves
//! without a lock of their own.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use midge_protocol::QoS;

use super::members::Members;
use super::{Route, Subscriber};
use crate::SharedStrategy;

/// How ready a member is for a message. The earlier, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Readiness {
    /// It is here and has room.
    Ready,
    /// It is not connected, and has room.
    Absent,
    /// Its queue is full.
    Full,
    /// Neither here nor with room.
    AbsentAndFull,
}

impl Readiness {
    pub(crate) fn of(absent: bool, full: bool) -> Self {
        match (absent, full) {
            (false, false) => Self::Ready,
            (true, false) => Self::Absent,
            (false, true) => Self::Full,
            (true, true) => Self::AbsentAndFull,
        }
    }
}

/// The message a member is chosen for, and who may be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occasion<'a> {
    pub(crate) topic: &'a str,
    /// The Client Identifier of the publisher, if a client published it.
    pub(crate) publisher: Option<&'a str>,
    /// Nobody who is less ready than this.
    pub(crate) worst: Readiness,
    /// Nobody who was granted less than this.
    pub(crate) least_qos: QoS,
}

/// What a group remembers in order to choose.
#[derive(Debug)]
pub(super) struct Chooser {
    strategy: SharedStrategy,
    seed: u64,
    /// Whose turn it is, modulo the number of members; for random choices, how many there were.
    cursor: AtomicUsize,
    /// The member a sticky group sticks to.
    kept: AtomicU64,
}

/// No subscriber has this identifier.
const NOBODY: u64 = u64::MAX;

impl Chooser {
    pub(super) fn new(strategy: SharedStrategy, seed: u64) -> Self {
        Self { strategy, seed, cursor: AtomicUsize::new(0), kept: AtomicU64::new(NOBODY) }
    }

    /// The place of the member to take the message, leaving out those that were `tried`; none if nobody is left.
    pub(super) fn choose<S: Subscriber>(
        &self,
        members: &Members<S>,
        occasion: &Occasion<'_>,
        tried: &[u64],
    ) -> Option<usize> {
        let routes = members.as_slice();
        if routes.is_empty() {
            return None;
        }
        let readiness = |route: &Route<S>| {
            let readiness = route.subscriber.readiness();
            let may = readiness <= occasion.worst && route.options.qos >= occasion.least_qos;
            (may && !tried.contains(&route.subscriber.id())).then_some(readiness)
        };
        match self.strategy {
            SharedStrategy::RoundRobin => self.next(routes, readiness),
            SharedStrategy::Random => self.any(routes, readiness),
            SharedStrategy::Sticky => self.same(members, readiness),
            SharedStrategy::HashClientId => heaviest(routes, occasion.publisher.unwrap_or(occasion.topic), readiness),
            SharedStrategy::HashTopic => heaviest(routes, occasion.topic, readiness),
            SharedStrategy::LeastInFlight => self.idlest(routes, readiness),
        }
    }

    fn next<S>(&self, routes: &[Route<S>], readiness: impl Fn(&Route<S>) -> Option<Readiness>) -> Option<usize> {
        let first = self.cursor.fetch_add(1, Ordering::Relaxed) % routes.len();
        let place = best_from(routes, first, |route| Some((readiness(route)?, 0)))?;
        // The turn passes to whoever follows the member found, not to those it was found after.
        let skipped = (place + routes.len() - first) % routes.len();
        if skipped > 0 {
            self.cursor.fetch_add(skipped, Ordering::Relaxed);
        }
        Some(place)
    }

    fn any<S>(&self, routes: &[Route<S>], readiness: impl Fn(&Route<S>) -> Option<Readiness>) -> Option<usize> {
        let number = mix(self.seed ^ self.cursor.fetch_add(1, Ordering::Relaxed) as u64) as usize;
        let first = number % routes.len();
        if readiness(&routes[first]) == Some(Readiness::Ready) {
            return Some(first);
        }
        // Counted, so that who stands behind an absent member is not chosen more often than the others.
        let best = routes.iter().filter_map(&readiness).min()?;
        let is_best = |place: &usize| readiness(&routes[*place]) == Some(best);
        let count = (0..routes.len()).filter(is_best).count();
        (0..routes.len()).filter(is_best).nth(number / routes.len() % count.max(1))
    }

    fn same<S: Subscriber>(
        &self,
        members: &Members<S>,
        readiness: impl Fn(&Route<S>) -> Option<Readiness>,
    ) -> Option<usize> {
        let routes = members.as_slice();
        let kept = members.position(self.kept.load(Ordering::Relaxed));
        let kept = kept.and_then(|place| Some((place, readiness(&routes[place])?)));
        if let Some((place, Readiness::Ready)) = kept {
            return Some(place);
        }
        let other = self.any(routes, &readiness)?;
        match kept {
            // Nobody is readier: it stays.
            Some((place, own)) if readiness(&routes[other]).is_none_or(|other| own <= other) => Some(place),
            _ => {
                self.kept.store(routes[other].subscriber.id(), Ordering::Relaxed);
                Some(other)
            }
        }
    }

    fn idlest<S: Subscriber>(
        &self,
        routes: &[Route<S>],
        readiness: impl Fn(&Route<S>) -> Option<Readiness>,
    ) -> Option<usize> {
        // Among members that are equally idle each has its turn.
        let first = self.cursor.fetch_add(1, Ordering::Relaxed) % routes.len();
        best_from(routes, first, |route| Some((readiness(route)?, route.subscriber.load())))
    }
}

/// Rendezvous hashing: of all members the one whose weight for this key is the highest. Who joins takes only what is now
/// its own, and what a member leaves behind spreads over all others. The weights depend on Client Identifiers and the key
/// alone, so that they outlast connections and the broker.
fn heaviest<S: Subscriber>(
    routes: &[Route<S>],
    key: &str,
    readiness: impl Fn(&Route<S>) -> Option<Readiness>,
) -> Option<usize> {
    let key = stable_hash(key);
    let weight = |route: &Route<S>| mix(route.subscriber.name_hash() ^ key);
    let ranked =
        routes.iter().enumerate().filter_map(|(place, route)| Some((readiness(route)?, Reverse(weight(route)), place)));
    ranked.min().map(|(_, _, place)| place)
}

/// The place of the first route with the least rank, beginning with `first`. A rank of `(Ready, 0)` is not improved on.
fn best_from<S>(
    routes: &[Route<S>],
    first: usize,
    rank: impl Fn(&Route<S>) -> Option<(Readiness, u32)>,
) -> Option<usize> {
    let mut best = None;
    for offset in 0..routes.len() {
        let place = (first + offset) % routes.len();
        let Some(rank) = rank(&routes[place]) else { continue };
        if rank == (Readiness::Ready, 0) {
            return Some(place);
        }
        if best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, place));
        }
    }
    best.map(|(_, place)| place)
}

/// A hash that is the same in every process and on every machine (FNV-1a).
pub(crate) fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Spreads whatever differs in a number over all of its bits (the finalizer of splitmix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests;

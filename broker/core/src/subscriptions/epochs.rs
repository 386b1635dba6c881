//! Which remembered routes a change makes useless.
//!
//! A change concerns the topics that its filter matches. Without wildcards that is one; with wildcards all of them begin
//! with the levels before the first wildcard, of which the first few count here. Each such beginning, and each topic, has one
//! of many counters by its hash. A change counts one up; the routes of a topic are good while none of its few counters has
//! moved. So a client that subscribes to `client/7/+` disturbs nobody but those who publish below `client/7`, and, by
//! chance, one topic in a thousand.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Epochs {
    counters: Box<[AtomicU64]>,
}

/// The sum of a topic's counters. They only grow, so equal sums mean that none has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

/// Where the counters of a topic are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    topic: u16,
    /// For its beginnings of one level, two levels and so on; the last one again where it has fewer.
    beginnings: [u16; LEVELS],
}

/// So many levels before the first wildcard count.
const LEVELS: usize = 3;
/// Counters for topics, and as many for beginnings.
const HALF: usize = 4096;
/// The counter of filters that begin with a wildcard.
const ALL: usize = 2 * HALF;

impl Epochs {
    pub(super) fn new() -> Self {
        Self { counters: (0..=ALL).map(|_| AtomicU64::new(0)).collect() }
    }

    /// What was remembered of the topics that a filter matches is useless from here on.
    ///
    /// Called after the change and before anybody is told of it: whoever reads the new count sees the new routes, and
    /// routes collected under the old one are not used any more.
    pub(super) fn advance(&self, filter: &str, hasher: &impl BuildHasher) {
        let place = match filter.find(['+', '#']) {
            None => topic_place(hasher.hash_one(filter)),
            Some(wildcard) => match filter[..wildcard].strip_suffix('/') {
                None => ALL,
                Some(levels) => beginnings(levels).last().map_or(ALL, |beginning| beginning_place(beginning, hasher)),
            },
        };
        self.counters[place].fetch_add(1, Ordering::Release);
    }

    /// The counters of the topic of this hash.
    pub(super) fn places(&self, topic: &str, hash: u64, hasher: &impl BuildHasher) -> Places {
        let mut places = Places { topic: topic_place(hash) as u16, beginnings: [ALL as u16; LEVELS] };
        for (level, beginning) in beginnings(topic).enumerate() {
            places.beginnings[level..].fill(beginning_place(beginning, hasher) as u16);
        }
        places
    }

    pub(super) fn stamp(&self, places: &Places) -> Stamp {
        let count = |place: usize| self.counters[place].load(Ordering::Acquire);
        let beginnings = places.beginnings.iter().map(|&place| count(place.into()));
        Stamp(beginnings.fold(count(ALL).wrapping_add(count(places.topic.into())), u64::wrapping_add))
    }
}

/// The first level, the first two and so on, as far as they count.
fn beginnings(levels: &str) -> impl Iterator<Item = &str> {
    let ends = levels.match_indices('/').map(|(end, _)| end).chain([levels.len()]);
    ends.take(LEVELS).map(|end| &levels[..end])
}

fn topic_place(hash: u64) -> usize {
    // Bits that choose neither the shard nor the place in a table.
    HALF + (hash >> 32) as usize % HALF
}

fn beginning_place(beginning: &str, hasher: &impl BuildHasher) -> usize {
    (hasher.hash_one(beginning) >> 32) as usize % HALF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_moves_the_stamps_of_what_it_concerns_and_of_little_else() {
        let hasher = foldhash::quality::FixedState::with_seed(1);
        let epochs = Epochs::new();
        let stamp = |topic: &str| epochs.stamp(&epochs.places(topic, hasher.hash_one(topic), &hasher));
        let cases: [(&str, &[&str], &[&str]); 10] = [
            ("a/b", &["a/b"], &["a", "a/b/c", "a/c", "b/b"]),
            ("a/+", &["a", "a/b", "a/b/c/d/e"], &["b", "b/a", "", "/a"]),
            ("a/b/#", &["a/b", "a/b/c", "a/b/c/d"], &["a", "a/c", "b/b"]),
            ("a/b/c/d/+", &["a/b/c/d/e", "a/b/c/x"], &["a/b", "a/b/x"]),
            ("a/b/c/#", &["a/b/c", "a/b/c/d"], &["a/b", "a/b/cc"]),
            ("/+", &["/", "/a"], &["a", "a/"]),
            ("//#", &["/", "//a"], &["/a", "a"]),
            ("#", &["", "a", "a/b/c/d/e"], &[]),
            ("+/a", &["a", "b/a", "b/c"], &[]),
            ("+", &["a", "a/b"], &[]),
        ];
        for (filter, concerned, others) in cases {
            let before = [concerned, others].map(|topics| topics.iter().map(|topic| stamp(topic)).collect::<Vec<_>>());
            epochs.advance(filter, &hasher);
            let moved = |topics: &[&str], before: &[Stamp]| {
                topics.iter().zip(before).map(|(topic, before)| stamp(topic) != *before).collect::<Vec<_>>()
            };
            assert_eq!(moved(concerned, &before[0]), vec![true; concerned.len()], "{filter}");
            assert_eq!(moved(others, &before[1]), vec![false; others.len()], "{filter}");
        }
    }
}

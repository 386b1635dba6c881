//! What the store holds, in little memory: a million messages may wait.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};
use midge_core::{BodyId, EntryNumber, SessionNumber};

use super::Hasher;

/// Deliveries that are kept, by session and in their order.
#[derive(Default)]
pub(super) struct Deliveries {
    sessions: HashMap<SessionNumber, VecDeque<Packed>, Hasher>,
    count: usize,
}

/// A delivery the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Its message waits, or is on its way.
    Message { body: BodyId, sent: bool },
    /// PUBREC came.
    Released,
}

/// The number of a delivery, shifted to make room for what it is; and its body.
#[derive(Clone, Copy)]
struct Packed {
    tagged: u64,
    body: u64,
}

impl Packed {
    fn new(entry: EntryNumber, held: Held) -> Self {
        let (tag, body) = match held {
            Held::Message { body, sent: false } => (0, body.0),
            Held::Message { body, sent: true } => (1, body.0),
            Held::Released => (2, 0),
        };
        Self { tagged: entry.0 << TAG_BITS | tag, body }
    }

    fn entry(self) -> EntryNumber {
        EntryNumber(self.tagged >> TAG_BITS)
    }

    fn held(self) -> Held {
        match self.tagged & ((1 << TAG_BITS) - 1) {
            2 => Held::Released,
            tag => Held::Message { body: BodyId(self.body), sent: tag == 1 },
        }
    }
}

impl Deliveries {
    pub(super) fn insert(&mut self, session: SessionNumber, entry: EntryNumber, held: Held) {
        let queue = self.sessions.entry(session).or_default();
        let packed = Packed::new(entry, held);
        // They come in order, or nearly so.
        match queue.back() {
            Some(last) if last.entry() >= entry => match place(queue, entry) {
                Ok(at) => {
                    queue[at] = packed;
                    return;
                }
                Err(at) => queue.insert(at, packed),
            },
            _ => queue.push_back(packed),
        }
        self.count += 1;
    }

    pub(super) fn held(&self, session: SessionNumber, entry: EntryNumber) -> Option<Held> {
        let queue = self.sessions.get(&session)?;
        Some(queue[place(queue, entry).ok()?].held())
    }

    pub(super) fn remove(&mut self, session: SessionNumber, entry: EntryNumber) -> Option<Held> {
        let queue = self.sessions.get_mut(&session)?;
        let removed = queue.remove(place(queue, entry).ok()?)?;
        self.count -= 1;
        if queue.is_empty() {
            self.sessions.remove(&session);
            shrink_map(&mut self.sessions);
        } else if queue.capacity() > SMALL && queue.len() < queue.capacity() / 4 {
            queue.shrink_to(queue.len() * 2);
        }
        Some(removed.held())
    }

    /// All of a session.
    pub(super) fn of(&self, session: SessionNumber) -> Vec<EntryNumber> {
        self.sessions.get(&session).into_iter().flatten().map(|packed| packed.entry()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }
}

fn place(queue: &VecDeque<Packed>, entry: EntryNumber) -> Result<usize, usize> {
    // Acknowledgements come in order, or nearly so.
    match queue.front() {
        Some(first) if first.entry() == entry => Ok(0),
        _ => queue.binary_search_by_key(&entry, |packed| packed.entry()),
    }
}

/// Bodies that are kept, and how many deliveries need each. Most are needed by one.
#[derive(Default)]
pub(super) struct Bodies {
    needed_once: HashSet<BodyId, Hasher>,
    needed_more: HashMap<BodyId, u32, Hasher>,
}

impl Bodies {
    /// One more delivery needs it. Whether it is the first.
    pub(super) fn need(&mut self, body: BodyId) -> bool {
        if let Some(count) = self.needed_more.get_mut(&body) {
            *count += 1;
            return false;
        }
        let is_first = self.needed_once.insert(body);
        if !is_first {
            self.needed_once.remove(&body);
            self.needed_more.insert(body, 2);
        }
        is_first
    }

    /// One delivery needs it no longer. Whether it was the last.
    pub(super) fn release(&mut self, body: BodyId) -> bool {
        let Some(count) = self.needed_more.get_mut(&body) else {
            let was_last = self.needed_once.remove(&body);
            if self.needed_once.capacity() > SMALL && self.needed_once.len() < self.needed_once.capacity() / 8 {
                self.needed_once.shrink_to(self.needed_once.len() * 2);
            }
            return was_last;
        };
        *count -= 1;
        if *count == 1 {
            self.needed_more.remove(&body);
            self.needed_once.insert(body);
            shrink_map(&mut self.needed_more);
        }
        false
    }

    pub(super) fn len(&self) -> usize {
        self.needed_once.len() + self.needed_more.len()
    }
}

fn shrink_map<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V, Hasher>) {
    if map.capacity() > SMALL && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}

/// What [`ENTRY_MAX`](crate::layout::ENTRY_MAX) leaves of a number.
const TAG_BITS: u32 = 2;

/// What is not worth making smaller.
const SMALL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_found_in_whatever_order_they_come_and_go() {
        let session = SessionNumber(1);
        let held = |entry: u64| Held::Message { body: BodyId(entry * 10), sent: entry.is_multiple_of(2) };
        let mut deliveries = Deliveries::default();
        let entries = (0..500).map(|place| place * 7919 % 500 + 1);
        for entry in entries.clone() {
            deliveries.insert(session, EntryNumber(entry), held(entry));
        }
        deliveries.insert(session, EntryNumber(3), Held::Released);
        assert_eq!(deliveries.len(), 500);
        assert_eq!(deliveries.of(session), (1..=500).map(EntryNumber).collect::<Vec<_>>());
        for entry in entries {
            let expected = if entry == 3 { Held::Released } else { held(entry) };
            assert_eq!(deliveries.held(session, EntryNumber(entry)), Some(expected));
            assert_eq!(deliveries.remove(session, EntryNumber(entry)), Some(expected));
            assert_eq!(deliveries.remove(session, EntryNumber(entry)), None);
        }
        assert!(deliveries.len() == 0 && deliveries.sessions.is_empty());
    }

    #[test]
    fn a_body_is_first_needed_and_last_needed_once() {
        let mut bodies = Bodies::default();
        let body = BodyId(7);
        assert_eq!([bodies.need(body), bodies.need(body), bodies.need(body)], [true, false, false]);
        assert_eq!(bodies.len(), 1);
        assert_eq!([bodies.release(body), bodies.release(body), bodies.release(body)], [false, false, true]);
        assert!(!bodies.release(body) && bodies.need(body));
    }
}

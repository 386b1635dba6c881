//! Deadlines: sessions, Wills and messages that end at some moment unless something happens before.
//!
//! A wheel of wheels: the first has a slot for each of the next 64 seconds, the next for each of the next 64 minutes
//! or so (64 × 64 seconds), and so on. A deadline goes to the wheel that is fine enough for now and moves inwards as
//! its time comes near. Making and cancelling one is a constant amount of work, nothing cancelled is kept, and a clock
//! that jumps costs no more than one that creeps: empty slots are skipped by their bits.

use std::num::NonZeroU32;

use crate::Time;

/// Values that are due at some moment, to the second: never early, and late by less than a second plus the distance
/// between calls of [`Wheel::expired`].
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    entries: Vec<Entry<T>>,
    /// The first entry not in use; they are chained by `next`.
    free: u32,
    len: usize,
    /// Counts the deadlines made.
    made: NonZeroU32,
    slots: Box<[List]>,
    /// For each wheel, which of its slots have entries.
    occupied: [u64; WHEELS],
    /// The second everything up to which has been handed out.
    elapsed: u64,
    /// A slot whose entries are on their way inwards.
    moving: Option<Slot>,
}

/// Names a deadline until it expires or is cancelled; afterwards it names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    entry: u32,
    generation: NonZeroU32,
}

#[derive(Debug)]
struct Entry<T> {
    /// None when not in use.
    value: Option<T>,
    second: u64,
    slot: Slot,
    /// Neighbours in the slot's list.
    previous: u32,
    next: u32,
    /// Tells a timer from the one that had its place before.
    generation: NonZeroU32,
}

/// The entries of one slot, in the order they came.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    wheel: u8,
    /// The place in that wheel, from 0 to 63.
    place: u8,
}

const NOTHING: u32 = u32::MAX;
const WHEELS: usize = 6;
/// Each wheel tells this many bits of a second's number apart.
const BITS: usize = 6;
const SLOTS: usize = 1 << BITS;
/// No deadline is later than this: the year 4147.
const LAST_SECOND: u64 = (1 << (WHEELS * BITS)) - 1;

impl<T> Wheel<T> {
    /// A wheel without deadlines.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: NOTHING,
            len: 0,
            made: NonZeroU32::MIN,
            slots: vec![List { first: NOTHING, last: NOTHING }; WHEELS * SLOTS].into(),
            occupied: [0; WHEELS],
            elapsed: 0,
            moving: None,
        }
    }

    /// How many deadlines lie ahead.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether no deadline lies ahead.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes a deadline. One that is over already is handed out by the next [`Wheel::expired`].
    pub(crate) fn insert(&mut self, deadline: Time, value: T) -> Timer {
        let second = deadline.0.div_ceil(1000).min(LAST_SECOND);
        self.made = self.made.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let generation = self.made;
        let slot = Slot { wheel: 0, place: 0 };
        let entry = Entry { value: Some(value), second, slot, previous: NOTHING, next: NOTHING, generation };
        let index = self.free;
        let index = if let Some(unused) = self.entries.get_mut(index as usize) {
            self.free = std::mem::replace(unused, entry).next;
            index
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("memory ends before four thousand million deadlines")
        };
        self.len += 1;
        self.link(index);
        Timer { entry: index, generation }
    }

    /// Takes a deadline back; none if it has expired or been cancelled before.
    pub(crate) fn cancel(&mut self, timer: Timer) -> Option<T> {
        let entry = self.entries.get(timer.entry as usize)?;
        if entry.generation != timer.generation || entry.value.is_none() {
            return None;
        }
        self.unlink(timer.entry);
        self.release(timer.entry)
    }

    /// Appends what is due, earliest second first, and says whether more is due than `budget` steps could reach: a
    /// step hands out one value or moves one inwards.
    pub(crate) fn expired(&mut self, now: Time, budget: usize, due: &mut Vec<T>) -> bool {
        let now = (now.0 / 1000).min(LAST_SECOND);
        let mut steps = budget;
        while let Some(slot) = self.next_slot(now) {
            if slot.wheel > 0 {
                self.moving = Some(slot);
            }
            while let Some(index) = self.first(slot) {
                if steps == 0 {
                    return true;
                }
                steps -= 1;
                self.unlink(index);
                if slot.wheel > 0 {
                    self.link(index);
                } else {
                    due.extend(self.release(index));
                }
            }
            self.moving = None;
        }
        // A clock that stepped back must not open slots that are behind.
        self.elapsed = self.elapsed.max(now);
        false
    }

    /// The next slot whose time has come, with `elapsed` moved to its start.
    fn next_slot(&mut self, now: u64) -> Option<Slot> {
        if self.moving.is_some() {
            return self.moving;
        }
        // What lies in a finer wheel is earlier than anything in a coarser one.
        let wheel = self.occupied.iter().position(|bits| *bits != 0)?;
        let place = u64::from(self.occupied[wheel].trailing_zeros());
        let shift = wheel * BITS;
        let turn = self.elapsed >> (shift + BITS) << (shift + BITS);
        let start = turn | place << shift;
        if start > now {
            return None;
        }
        self.elapsed = self.elapsed.max(start);
        Some(Slot { wheel: wheel as u8, place: place as u8 })
    }

    fn first(&self, slot: Slot) -> Option<u32> {
        let first = self.slots[slot.index()].first;
        (first != NOTHING).then_some(first)
    }

    /// Appends an entry to the slot its second belongs to, seen from now.
    fn link(&mut self, index: u32) {
        let second = self.entries[index as usize].second.max(self.elapsed);
        let differing = 63 - ((second ^ self.elapsed) | 1).leading_zeros() as usize;
        let wheel = differing / BITS;
        let slot = Slot { wheel: wheel as u8, place: (second >> (wheel * BITS)) as u8 % SLOTS as u8 };
        let list = &mut self.slots[slot.index()];
        let previous = std::mem::replace(&mut list.last, index);
        match self.entries.get_mut(previous as usize) {
            Some(previous) => previous.next = index,
            None => list.first = index,
        }
        let entry = &mut self.entries[index as usize];
        (entry.slot, entry.previous, entry.next) = (slot, previous, NOTHING);
        self.occupied[wheel] |= 1 << slot.place;
    }

    fn unlink(&mut self, index: u32) {
        let Entry { slot, previous, next, .. } = self.entries[index as usize];
        match self.entries.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.slots[slot.index()].first = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(next) => next.previous = previous,
            None => self.slots[slot.index()].last = previous,
        }
        if self.slots[slot.index()].first == NOTHING {
            self.occupied[usize::from(slot.wheel)] &= !(1 << slot.place);
        }
    }

    /// Makes the place of an unlinked entry free.
    fn release(&mut self, index: u32) -> Option<T> {
        self.len -= 1;
        let entry = &mut self.entries[index as usize];
        entry.next = std::mem::replace(&mut self.free, index);
        let value = entry.value.take();
        if self.len == 0 {
            self.free = NOTHING;
            self.entries = Vec::new();
        }
        value
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// Its place among the slots of all wheels.
    fn index(self) -> usize {
        usize::from(self.wheel) * SLOTS + usize::from(self.place)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use proptest::prelude::*;

    use super::*;

    fn expired<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
        let mut due = Vec::new();
        assert!(!wheel.expired(Time(now), usize::MAX, &mut due));
        due
    }

    #[test]
    fn a_deadline_is_never_early_and_late_by_less_than_a_second() {
        let mut wheel = Wheel::new();
        wheel.insert(Time(5_001), 'a');
        assert_eq!(expired(&mut wheel, 5_001), []);
        assert_eq!(expired(&mut wheel, 5_999), []);
        assert_eq!(expired(&mut wheel, 6_000), ['a']);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_cancelled_deadline_never_expires_and_its_timer_names_nothing_else() {
        let mut wheel = Wheel::new();
        let timer = wheel.insert(Time(1000), 'a');
        wheel.insert(Time(1000), 'b');
        assert_eq!(wheel.cancel(timer), Some('a'));
        wheel.insert(Time(2000), 'c');
        assert_eq!(wheel.cancel(timer), None);
        assert_eq!(expired(&mut wheel, 10_000), ['b', 'c']);
        assert_eq!(wheel.cancel(timer), None);
    }

    #[test]
    fn a_deadline_that_has_passed_expires_at_the_next_look() {
        let mut wheel = Wheel::new();
        assert!(expired(&mut wheel, 100_000).is_empty());
        wheel.insert(Time(3000), 'a');
        assert_eq!(expired(&mut wheel, 100_000), ['a']);
        wheel.insert(Time(3000), 'b');
        assert_eq!(expired(&mut wheel, 50_000), [], "a clock that steps back opens nothing");
        assert_eq!(expired(&mut wheel, 100_000), ['b']);
    }

    #[test]
    fn never_is_a_deadline_too() {
        let mut wheel = Wheel::new();
        wheel.insert(Time(u64::MAX), 'a');
        assert_eq!(expired(&mut wheel, 4_000_000_000_000), []);
        assert_eq!(wheel.len(), 1);
    }

    #[test]
    fn work_is_bounded_by_the_budget_and_goes_on_where_it_stopped() {
        let mut wheel = Wheel::new();
        for number in 0..1000 {
            wheel.insert(Time(10_000_000), number);
        }
        let (mut due, mut looks) = (Vec::new(), 0);
        while wheel.expired(Time(20_000_000), 7, &mut due) {
            looks += 1;
            assert!(due.len() <= looks * 7);
        }
        due.sort_unstable();
        assert_eq!(due, (0..1000).collect::<Vec<_>>());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Cancel(usize),
        Look(u64, usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let spans = || prop::sample::select(vec![1, 900, 5_000, 64_000, 300_000, 5_000_000, 1_000_000_000_000_u64]);
        prop_oneof![
            (spans(), 0..100_u64).prop_map(|(span, part)| Step::Insert(span * part / 10)),
            (0..100_usize).prop_map(Step::Cancel),
            (spans(), 0..20_u64, 0..40_usize).prop_map(|(span, part, budget)| Step::Look(span * part / 10, budget)),
        ]
    }

    proptest! {
        #[test]
        fn expires_what_a_plain_list_expires(steps in prop::collection::vec(any_step(), 1..200)) {
            let (mut wheel, mut now, mut list) = (Wheel::new(), 1_700_000_000_000, Vec::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(after) => list.push((number, now + after, wheel.insert(Time(now + after), number))),
                    Step::Cancel(at) if at < list.len() => {
                        let (number, _, timer) = list.swap_remove(at);
                        prop_assert_eq!(wheel.cancel(timer), Some(number));
                    }
                    Step::Cancel(_) => {}
                    Step::Look(after, budget) => {
                        now += after;
                        let mut due = Vec::new();
                        let more = wheel.expired(Time(now), budget, &mut due);
                        for number in due {
                            let at = list.iter().position(|entry| entry.0 == number).unwrap();
                            let (_, deadline, timer) = list.swap_remove(at);
                            prop_assert!(deadline <= now);
                            prop_assert_eq!(wheel.cancel(timer), None);
                        }
                        let second = now / 1000 * 1000;
                        prop_assert!(more || list.iter().all(|(_, deadline, _)| *deadline > second));
                    }
                }
                prop_assert_eq!(wheel.len(), list.len());
            }
            let mut due = Vec::new();
            while wheel.expired(Time(u64::MAX), 3, &mut due) {}
            prop_assert_eq!(due.len(), list.len());
        }
    }
}

//! What waits for a session: messages that came while it was away or had no quota.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Delivery, Loaded};
use super::state::LOADED_AT_ONCE;
use crate::Time;
use crate::limits::{Limits, QueuePolicy};
use crate::store::EntryNumber;
use crate::subscriptions::GroupName;

/// A bounded queue of deliveries.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Delivery>,
    bytes: u64,
    bytes_here: u64,
    /// How many of them expire some time: mostly none, and then nobody need look for any that have.
    mortal: usize,
    /// How many of them came by a shared subscription, and might go to another member.
    shared: usize,
    /// How many came after the one that was put away last: the next to be put away stands near it.
    newer: usize,
    /// When a publisher first found it crowded since something last left it to be sent.
    crowded_since: Option<Time>,
}

/// How much one session may queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) messages: u32,
    pub(crate) bytes: u64,
    pub(crate) policy: QueuePolicy,
}

impl Bounds {
    /// Those of the broker, but for the messages of this one session.
    pub(crate) fn new(limits: &Limits, messages: u32) -> Self {
        Self { messages, bytes: limits.queued_bytes_max, policy: limits.queue_policy }
    }
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.waiting.iter()
    }

    pub(crate) fn front(&self) -> Option<&Delivery> {
        self.waiting.front()
    }

    /// Bytes of the messages that are here, not only in the store.
    pub(crate) fn bytes_here(&self) -> u64 {
        self.bytes_here
    }

    /// Lets go of the message of this delivery, if it still waits and is nobody else's to take: the store has it.
    pub(crate) fn put_away(&mut self, entry: EntryNumber) {
        let Some(at) = self.position(entry) else { return };
        self.newer = self.waiting.len() - 1 - at;
        let delivery = &mut self.waiting[at];
        self.bytes_here -= delivery.weight_here();
        delivery.put_away();
        self.bytes_here += delivery.weight_here();
    }

    /// Where this delivery is. Those that the store knows of are in the order of their numbers; but among them stand others,
    /// and those of shared subscriptions, which come back where they were not.
    fn position(&self, entry: EntryNumber) -> Option<usize> {
        let start = self.waiting.len().saturating_sub(self.newer + 1);
        let numbered = |at: &usize| self.waiting[*at].is_stored() && self.waiting[*at].share().is_none();
        let compare = |at: usize| self.waiting[at].entry.cmp(&entry);
        let newer = (start..self.waiting.len()).filter(numbered).find(|at| compare(*at) != Ordering::Less);
        if let Some(at) = newer.filter(|at| compare(*at) == Ordering::Equal) {
            return Some(at);
        }
        let older = (0..start).rev().filter(numbered).find(|at| compare(*at) != Ordering::Greater);
        older.filter(|at| compare(*at) == Ordering::Equal)
    }

    /// Puts messages in that came from the store, and takes out what it does not have.
    pub(crate) fn fill(&mut self, loaded: &Loaded) -> Vec<Delivery> {
        let mut lost = Vec::new();
        let first: Vec<Delivery> = self.waiting.drain(..self.waiting.len().min(LOADED_AT_ONCE)).collect();
        for mut delivery in first.into_iter().rev() {
            self.discount(&delivery);
            if loaded.fill(&mut delivery) {
                self.count(&delivery);
                self.waiting.push_front(delivery);
            } else {
                lost.push(delivery);
            }
        }
        lost
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it is more than three quarters full.
    pub(crate) fn is_congested(&self, bounds: Bounds) -> bool {
        self.waiting.len() as u64 * 4 > u64::from(bounds.messages) * 3
            || self.bytes.saturating_mul(4) > bounds.bytes.saturating_mul(3)
    }

    /// Whether publishers should slow down: it is more than three quarters full, or one more message like the latest may not
    /// fit.
    pub(crate) fn is_crowded(&self, bounds: Bounds) -> bool {
        self.is_congested(bounds) || self.waiting.back().is_some_and(|latest| !self.has_room(latest.weight(), bounds))
    }

    /// Whether publishers should wait for it now that it is crowded: not if nothing has left it for so long.
    pub(crate) fn is_worth_waiting_for(&mut self, now: Time, at_most: Duration) -> bool {
        now.since(*self.crowded_since.get_or_insert(now)) < at_most
    }

    /// Whether there is room for so many bytes more.
    pub(crate) fn has_room(&self, weight: usize, bounds: Bounds) -> bool {
        self.waiting.len() < bounds.messages as usize && self.bytes.saturating_add(weight as u64) <= bounds.bytes
    }

    /// Appends a delivery that the store has kept.
    pub(crate) fn restore(&mut self, delivery: Delivery) {
        self.count(&delivery);
        self.waiting.push_back(delivery);
    }

    /// Appends a delivery and hands every delivery to `dropped` for which there is no room.
    pub(crate) fn push(&mut self, delivery: Delivery, bounds: Bounds, mut dropped: impl FnMut(Delivery)) {
        let weight = delivery.weight();
        let never = bounds.messages == 0 || weight as u64 > bounds.bytes;
        if never || (bounds.policy != QueuePolicy::DropOldest && !self.has_room(weight, bounds)) {
            return dropped(delivery);
        }
        while !self.has_room(weight, bounds) {
            let Some(oldest) = self.pop() else { break };
            dropped(oldest);
        }
        self.count(&delivery);
        self.waiting.push_back(delivery);
    }

    /// Takes the next delivery out, to be sent.
    pub(crate) fn take_next(&mut self) -> Option<Delivery> {
        self.crowded_since = None;
        self.pop()
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_front()?;
        self.discount(&delivery);
        if self.waiting.len() < self.waiting.capacity() / 4 && self.waiting.capacity() > SMALL {
            self.waiting.shrink_to(self.waiting.len() * 2);
        }
        Some(delivery)
    }

    /// The shared subscriptions that deliveries came by, each as `$share/NAME/FILTER`.
    pub(crate) fn shares(&self) -> Vec<GroupName> {
        let mut shares: Vec<GroupName> = Vec::new();
        if self.shared > 0 {
            for share in self.waiting.iter().filter_map(Delivery::share) {
                if !shares.contains(share) {
                    shares.push(Arc::clone(share));
                }
            }
        }
        shares
    }

    /// Removes, in their order, the deliveries that came by a shared subscription with this name.
    pub(crate) fn take_shared(&mut self, name: &str) -> Vec<Delivery> {
        if self.shared == 0 {
            return Vec::new();
        }
        let is_of = |delivery: &Delivery| delivery.share().is_some_and(|share| ***share == *name);
        let (mut taken, mut kept) = (Vec::new(), VecDeque::new());
        for delivery in std::mem::take(&mut self.waiting) {
            if is_of(&delivery) { taken.push(delivery) } else { kept.push_back(delivery) }
        }
        self.waiting = kept;
        taken.iter().for_each(|delivery| self.discount(delivery));
        taken
    }

    /// Puts deliveries back that were taken, before all others, as far as there still is room; hands the oldest to `dropped`
    /// otherwise.
    pub(crate) fn put_back(&mut self, deliveries: Vec<Delivery>, bounds: Bounds, mut dropped: impl FnMut(Delivery)) {
        for delivery in deliveries.into_iter().rev() {
            if self.has_room(delivery.weight(), bounds) {
                self.count(&delivery);
                self.waiting.push_front(delivery);
            } else {
                dropped(delivery);
            }
        }
    }

    /// Removes every delivery whose message has expired.
    pub(crate) fn expire(&mut self, now: Time, mut dropped: impl FnMut(Delivery)) {
        if self.mortal == 0 || !self.waiting.iter().any(|delivery| delivery.is_expired(now)) {
            return;
        }
        for delivery in std::mem::take(&mut self.waiting) {
            if delivery.is_expired(now) {
                self.discount(&delivery);
                dropped(delivery);
            } else {
                self.waiting.push_back(delivery);
            }
        }
    }

    fn count(&mut self, delivery: &Delivery) {
        self.bytes += delivery.weight() as u64;
        self.bytes_here += delivery.weight_here();
        self.mortal += usize::from(delivery.is_mortal());
        self.shared += usize::from(delivery.share().is_some());
    }

    fn discount(&mut self, delivery: &Delivery) {
        self.bytes -= delivery.weight() as u64;
        self.bytes_here -= delivery.weight_here();
        self.mortal -= usize::from(delivery.is_mortal());
        self.shared -= usize::from(delivery.share().is_some());
    }
}

/// Room for so many is not worth giving back.
const SMALL: usize = 64;

#[cfg(test)]
mod tests;

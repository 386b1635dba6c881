//! What waits for a session: messages that came while it was away or had no quota.

use std::collections::VecDeque;
use std::sync::Arc;

use midge_protocol::{QoS, SubscriptionId};

use super::Session;
use crate::Message;
use crate::limits::{Limits, QueuePolicy};
use crate::store::{DeliveryRecord, EntryNumber};
use crate::subscriptions::Group;

/// One message on its way to one session, with what its subscriptions made of it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    /// Numbers the deliveries of a session for the store.
    pub(crate) entry: EntryNumber,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// What most deliveries do without.
    pub(crate) rare: Option<Box<Rare>>,
}

/// The parts of a delivery that are mostly absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    pub(crate) subscription_ids: Vec<SubscriptionId>,
    /// The shared subscription that picked this session; another member gets the message if this one ends first.
    pub(crate) group: Option<Arc<Group<Arc<Session>>>>,
}

impl Delivery {
    pub(crate) fn subscription_ids(&self) -> &[SubscriptionId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.subscription_ids)
    }

    /// What the store keeps of it.
    pub(crate) fn record(&self) -> DeliveryRecord {
        DeliveryRecord {
            qos: self.qos,
            retain: self.retain,
            subscription_ids: self.subscription_ids().to_vec(),
            shared: self.group().map(|group| (**group.name()).into()),
        }
    }

    pub(crate) fn group(&self) -> Option<&Arc<Group<Arc<Session>>>> {
        self.rare.as_ref()?.group.as_ref()
    }
}

/// A bounded queue of deliveries.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Delivery>,
    bytes: u64,
    /// How many of them expire some time: mostly none, and then nobody need look for any that have.
    mortal: usize,
    /// How many of them came by a shared subscription, and might go to another member.
    shared: usize,
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

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it is more than three quarters full: publishers should slow down.
    pub(crate) fn is_congested(&self, bounds: Bounds) -> bool {
        self.waiting.len() as u64 * 4 > u64::from(bounds.messages) * 3
            || self.bytes.saturating_mul(4) > bounds.bytes.saturating_mul(3)
    }

    /// Whether there is room for so many bytes more.
    pub(crate) fn has_room(&self, weight: usize, bounds: Bounds) -> bool {
        self.waiting.len() < bounds.messages as usize && self.bytes.saturating_add(weight as u64) <= bounds.bytes
    }

    /// Appends a delivery and hands every delivery to `dropped` for which there is no room.
    pub(crate) fn push(&mut self, delivery: Delivery, bounds: Bounds, mut dropped: impl FnMut(Delivery)) {
        let weight = delivery.message.weight();
        let never = bounds.messages == 0 || weight as u64 > bounds.bytes;
        if never || (bounds.policy == QueuePolicy::DropNewest && !self.has_room(weight, bounds)) {
            return dropped(delivery);
        }
        while !self.has_room(weight, bounds) {
            let Some(oldest) = self.pop() else { break };
            dropped(oldest);
        }
        self.count(&delivery);
        self.waiting.push_back(delivery);
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.pop_front()?;
        self.discount(&delivery);
        Some(delivery)
    }

    /// The shared subscriptions that deliveries came by.
    pub(crate) fn groups(&self) -> Vec<Arc<Group<Arc<Session>>>> {
        let mut groups: Vec<Arc<Group<Arc<Session>>>> = Vec::new();
        if self.shared > 0 {
            for group in self.waiting.iter().filter_map(Delivery::group) {
                if !groups.iter().any(|known| known.name() == group.name()) {
                    groups.push(Arc::clone(group));
                }
            }
        }
        groups
    }

    /// Removes, in their order, the deliveries that came by a shared subscription with this name.
    pub(crate) fn take_shared(&mut self, name: &str) -> Vec<Delivery> {
        if self.shared == 0 {
            return Vec::new();
        }
        let is_of = |delivery: &Delivery| delivery.group().is_some_and(|group| **group.name() == *name);
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
            if self.has_room(delivery.message.weight(), bounds) {
                self.count(&delivery);
                self.waiting.push_front(delivery);
            } else {
                dropped(delivery);
            }
        }
    }

    /// Removes every delivery whose message has expired.
    pub(crate) fn expire(&mut self, now: crate::Time, mut dropped: impl FnMut(Delivery)) {
        if self.mortal == 0 || !self.waiting.iter().any(|delivery| delivery.message.is_expired(now)) {
            return;
        }
        for delivery in std::mem::take(&mut self.waiting) {
            if delivery.message.is_expired(now) {
                self.discount(&delivery);
                dropped(delivery);
            } else {
                self.waiting.push_back(delivery);
            }
        }
    }

    fn count(&mut self, delivery: &Delivery) {
        self.bytes += delivery.message.weight() as u64;
        self.mortal += usize::from(delivery.message.expires_at().is_some());
        self.shared += usize::from(delivery.group().is_some());
    }

    fn discount(&mut self, delivery: &Delivery) {
        self.bytes -= delivery.message.weight() as u64;
        self.mortal -= usize::from(delivery.message.expires_at().is_some());
        self.shared -= usize::from(delivery.group().is_some());
    }
}

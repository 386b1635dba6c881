//! QoS 1 and 2 messages to the client: sent and not yet acknowledged.

mod resend;
mod restore;

use std::collections::VecDeque;

use midge_protocol::{PacketId, QoS};

use resend::Again;
pub(crate) use resend::Resend;

use super::delivery::{Delivery, Loaded};
use crate::store::EntryNumber;

/// The messages in flight to one client, a ring indexed by Packet Identifier.
///
/// Identifiers are handed out in sequence, so the slot of one is its distance from the oldest: an acknowledgement costs
/// O(1) and no hash map. While the oldest stays unacknowledged the ring can grow to all 65,535 identifiers; from then on
/// those that are free are searched for.
#[derive(Debug)]
pub(crate) struct Window {
    /// The identifier of the first slot, counted from 0.
    base: u16,
    slots: VecDeque<Slot>,
    in_flight: u32,
    /// What the connection may still send before an acknowledgement (4.9).
    quota: u16,
    quota_max: u16,
    /// The identifier given out last, counted from 0.
    last: u16,
    /// The number of the packet sent last. It wraps: only the distance to it says what is older.
    turn: u32,
    /// What was sent on an earlier connection and not yet again on this one.
    again: Option<Box<Again>>,
}

/// What one Packet Identifier stands for.
#[derive(Debug)]
enum Slot {
    /// Acknowledged out of turn.
    Free,
    /// PUBLISH was sent. The delivery is kept only where it may have to be sent again.
    Published { qos: QoS, sent: Sent, delivery: Option<Delivery> },
    /// PUBREC came and PUBREL was sent.
    Released { entry: EntryNumber, sent: Sent },
}

/// When and where the latest packet of a delivery was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    turn: u32,
    /// Whether its PUBLISH was sent on this connection and took a place of the quota there.
    counted: bool,
}

/// What an acknowledgement meant.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The identifier of this delivery is free.
    Done(EntryNumber),
    /// PUBREL is due for this delivery.
    Release(EntryNumber),
    /// The identifier was not in use.
    Unknown,
    /// It does not answer a message of this `QoS`, or not yet.
    Wrong,
}

impl Window {
    /// An empty window for a connection that may have `quota` messages in flight.
    pub(crate) fn new(quota: u16) -> Self {
        Self {
            base: 0,
            slots: VecDeque::new(),
            in_flight: 0,
            quota,
            quota_max: quota,
            last: IDS as u16 - 1,
            turn: 0,
            again: None,
        }
    }

    /// Messages sent and not acknowledged.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether a new message may be sent now.
    pub(crate) fn has_room(&self) -> bool {
        self.quota > 0 && self.again.is_none() && (self.in_flight as usize) < IDS
    }

    /// How many new messages may be sent now.
    pub(crate) fn room(&self) -> usize {
        if self.has_room() { usize::from(self.quota).min(IDS - self.in_flight as usize) } else { 0 }
    }

    /// Takes a Packet Identifier that is not in use, if there is room [MQTT-2.2.1-4], [MQTT-3.3.4-9].
    pub(crate) fn allocate(&mut self, qos: QoS, delivery: Option<Delivery>) -> Option<PacketId> {
        if !self.has_room() {
            return None;
        }
        let index = if self.slots.len() < IDS { self.slots.len() } else { self.free_index()? };
        let slot = Slot::Published { qos, sent: Sent { turn: self.next_turn(), counted: true }, delivery };
        match self.slots.get_mut(index) {
            Some(free) => *free = slot,
            None => self.slots.push_back(slot),
        }
        let id = self.id_at(index);
        self.last = id.get() - 1;
        self.quota -= 1;
        self.in_flight += 1;
        Some(id)
    }

    /// Undoes the last [`Window::allocate`]: the message could not be sent after all.
    pub(crate) fn withdraw(&mut self, id: PacketId) {
        if self.index(id) + 1 < self.slots.len() {
            self.finish(id);
            return;
        }
        // The next message gets the identifier: it was never seen.
        self.slots.pop_back();
        self.in_flight -= 1;
        self.quota += 1;
    }

    /// Gives an identifier up whose message cannot be sent on this connection at all.
    pub(crate) fn abandon(&mut self, id: PacketId) {
        self.finish(id);
    }

    /// Puts messages in that came from the store, and gives up what it does not have; returns that.
    pub(crate) fn fill(&mut self, loaded: &Loaded) -> Vec<Delivery> {
        let mut lost = Vec::new();
        for index in 0..self.slots.len() {
            let id = self.id_at(index);
            if let Slot::Published { delivery: Some(delivery), .. } = &mut self.slots[index]
                && !loaded.fill(delivery)
            {
                lost.push((id, delivery.clone()));
            }
        }
        lost.iter().for_each(|(id, _)| self.abandon(*id));
        lost.into_iter().map(|(_, delivery)| delivery).collect()
    }

    /// PUBACK.
    pub(crate) fn acknowledge(&mut self, id: PacketId) -> Outcome {
        match self.slot(id) {
            Some(Slot::Published { qos: QoS::AtLeastOnce, .. }) => Outcome::Done(self.finish(id)),
            Some(Slot::Published { .. } | Slot::Released { .. }) => Outcome::Wrong,
            Some(Slot::Free) | None => Outcome::Unknown,
        }
    }

    /// PUBREC; a reason of 0x80 or above ends the delivery there and then [MQTT-4.3.3-4].
    pub(crate) fn receive(&mut self, id: PacketId, failed: bool) -> Outcome {
        // PUBREL goes out now, and again in this turn [v3.1.1 MQTT-4.6.0-4].
        let turn = self.next_turn();
        match self.slot(id) {
            Some(Slot::Published { qos: QoS::ExactlyOnce, .. }) if failed => Outcome::Done(self.finish(id)),
            Some(slot @ Slot::Published { qos: QoS::ExactlyOnce, .. }) => {
                let counted = slot.sent().is_some_and(|sent| sent.counted);
                let entry = slot.entry();
                *slot = Slot::Released { entry, sent: Sent { turn, counted } };
                Outcome::Release(entry)
            }
            Some(Slot::Released { entry, sent }) => {
                sent.turn = turn;
                Outcome::Release(*entry)
            }
            Some(Slot::Published { .. }) => Outcome::Wrong,
            Some(Slot::Free) | None => Outcome::Unknown,
        }
    }

    /// PUBCOMP.
    pub(crate) fn complete(&mut self, id: PacketId) -> Outcome {
        match self.slot(id) {
            Some(Slot::Released { .. }) => Outcome::Done(self.finish(id)),
            // For QoS 2: before PUBREL, which a client that follows the protocol never does, not even on a new connection.
            Some(Slot::Published { .. }) => Outcome::Wrong,
            Some(Slot::Free) | None => Outcome::Unknown,
        }
    }

    /// Whether nothing is in flight, so that a new window would do as well.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.is_empty() && self.quota == self.quota_max && !self.is_resending()
    }

    /// Everything not yet received by the client, in the order it was sent, for whoever is to have it now.
    pub(crate) fn into_deliveries(mut self) -> impl Iterator<Item = Delivery> {
        let now = self.turn;
        let published = |slot| match slot {
            Slot::Published { sent, delivery, .. } => delivery.map(|delivery| (sent.turn, delivery)),
            Slot::Free | Slot::Released { .. } => None,
        };
        let mut deliveries: Vec<_> = self.slots.drain(..).filter_map(published).collect();
        deliveries.sort_by_key(|(turn, _)| std::cmp::Reverse(now.wrapping_sub(*turn)));
        deliveries.into_iter().map(|(_, delivery)| delivery)
    }

    /// Frees an identifier, and says which delivery had it.
    fn finish(&mut self, id: PacketId) -> EntryNumber {
        let Some(slot) = self.slot(id) else { return EntryNumber::default() };
        let entry = slot.entry();
        let Some(sent) = std::mem::replace(slot, Slot::Free).sent() else { return entry };
        self.in_flight -= 1;
        // A PUBREL sent again took no place, so its PUBCOMP frees none [MQTT-3.3.4-9].
        self.quota = self.quota.saturating_add(u16::from(sent.counted)).min(self.quota_max);
        while matches!(self.slots.front(), Some(Slot::Free)) {
            self.slots.pop_front();
            self.base = ((usize::from(self.base) + 1) % IDS) as u16;
        }
        // A client that once had many messages in flight does not keep their room.
        if self.slots.capacity() > SMALL && self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.len() * 2);
        }
        entry
    }

    fn next_turn(&mut self) -> u32 {
        self.turn = self.turn.wrapping_add(1);
        self.turn
    }

    /// How many packets were sent since.
    fn age(&self, turn: u32) -> u32 {
        self.turn.wrapping_sub(turn)
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Slot> {
        let index = self.index(id);
        self.slots.get_mut(index)
    }

    /// The next free slot of a ring of all identifiers, after the one given out last.
    fn free_index(&self) -> Option<usize> {
        let after = self.index_of(self.last) + 1;
        (after..IDS).chain(0..after).find(|index| matches!(self.slots[*index], Slot::Free))
    }

    /// Where the slot of this identifier is, if it has one.
    fn index(&self, id: PacketId) -> usize {
        self.index_of(id.get() - 1)
    }

    fn index_of(&self, id_from_0: u16) -> usize {
        (usize::from(id_from_0) + IDS - usize::from(self.base)) % IDS
    }

    fn id_at(&self, index: usize) -> PacketId {
        let id = (usize::from(self.base) + index) % IDS + 1;
        PacketId::new(id as u16).expect("one more than a number below 65,535 is a packet identifier")
    }
}

impl Slot {
    fn sent(&self) -> Option<Sent> {
        match self {
            Self::Free => None,
            Self::Published { sent, .. } | Self::Released { sent, .. } => Some(*sent),
        }
    }

    /// The number of its delivery; 0 where that is not kept.
    fn entry(&self) -> EntryNumber {
        match self {
            Self::Published { delivery: Some(delivery), .. } => delivery.entry,
            Self::Released { entry, .. } => *entry,
            Self::Published { delivery: None, .. } | Self::Free => EntryNumber::default(),
        }
    }
}

/// Room for so many is not worth giving back while the client is busy.
const SMALL: usize = 64;
/// How many Packet Identifiers there are: 1 to 65,535.
const IDS: usize = 65_535;

#[cfg(test)]
mod tests;

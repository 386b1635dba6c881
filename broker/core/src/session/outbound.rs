//! QoS 1 and 2 messages to the client: sent and not yet acknowledged.

use std::collections::VecDeque;

use midge_protocol::{PacketId, QoS};

use super::queue::Delivery;
use crate::store::EntryNumber;

/// The messages in flight to one client, a ring indexed by Packet Identifier.
///
/// Identifiers are handed out in sequence, so the slot of one is its distance from the oldest: an acknowledgement costs
/// O(1) and no hash map. While the oldest stays unacknowledged the ring can grow to all 65,535 identifiers.
#[derive(Debug)]
pub(crate) struct Window {
    /// The identifier of the first slot, counted from 0.
    base: u16,
    slots: VecDeque<Slot>,
    in_flight: u32,
    /// What the connection may still send before an acknowledgement (4.9).
    quota: u16,
    quota_max: u16,
    /// Slots from here on were sent on an earlier connection and not yet again on this one.
    resend_from: usize,
}

/// What one Packet Identifier stands for.
#[derive(Debug)]
enum Slot {
    /// Acknowledged out of turn.
    Free,
    /// PUBLISH was sent. The delivery is kept only where it may have to be sent again.
    Published { qos: QoS, delivery: Option<Delivery> },
    /// PUBREC came and PUBREL was sent.
    Released {
        /// The number of its delivery.
        entry: EntryNumber,
        /// Whether its PUBLISH was sent on this connection and took a place of the quota there.
        counted: bool,
    },
}

/// What is to be sent again on a new connection, in the original order [MQTT-4.4.0-1], [MQTT-4.6.0-1].
#[derive(Debug)]
pub(crate) enum Resend {
    /// PUBLISH with DUP.
    Publish(PacketId, Delivery),
    /// PUBREL.
    Release(PacketId),
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

impl Slot {
    /// The number of its delivery; 0 where that is not kept.
    fn entry(&self) -> EntryNumber {
        match self {
            Self::Published { delivery: Some(delivery), .. } => delivery.entry,
            Self::Released { entry, .. } => *entry,
            Self::Published { delivery: None, .. } | Self::Free => EntryNumber::default(),
        }
    }
}

impl Window {
    /// An empty window for a connection that may have `quota` messages in flight.
    pub(crate) fn new(quota: u16) -> Self {
        Self { base: 0, slots: VecDeque::new(), in_flight: 0, quota, quota_max: quota, resend_from: 0 }
    }

    /// A new connection: everything unacknowledged is to be sent again, within its own quota.
    pub(crate) fn reconnect(&mut self, quota: u16) {
        self.quota = quota;
        self.quota_max = quota;
        self.resend_from = 0;
        for slot in &mut self.slots {
            if let Slot::Released { counted, .. } = slot {
                *counted = false;
            }
        }
    }

    /// Messages sent and not acknowledged.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether a new message may be sent now.
    pub(crate) fn has_room(&self) -> bool {
        self.quota > 0 && self.resend_from >= self.slots.len() && self.slots.len() < IDS
    }

    /// Takes the next Packet Identifier, if there is room [MQTT-3.3.4-9].
    pub(crate) fn allocate(&mut self, qos: QoS, delivery: Option<Delivery>) -> Option<PacketId> {
        if !self.has_room() {
            return None;
        }
        let id = self.id_at(self.slots.len());
        self.slots.push_back(Slot::Published { qos, delivery });
        self.resend_from = self.slots.len();
        self.quota -= 1;
        self.in_flight += 1;
        Some(id)
    }

    /// Undoes the last [`Window::allocate`]: the message could not be sent after all.
    pub(crate) fn withdraw(&mut self) -> Option<Delivery> {
        let slot = self.slots.pop_back()?;
        self.resend_from = self.slots.len();
        self.quota += 1;
        self.in_flight -= 1;
        match slot {
            Slot::Published { delivery, .. } => delivery,
            Slot::Free | Slot::Released { .. } => None,
        }
    }

    /// Gives an identifier up whose message cannot be sent on this connection at all.
    pub(crate) fn abandon(&mut self, id: PacketId) {
        if self.slot(id).is_some() {
            self.finish(id);
        }
    }

    /// Whether something is still to be sent again.
    pub(crate) fn is_resending(&self) -> bool {
        self.resend_from < self.slots.len()
    }

    /// The next packet to send again, if the quota allows. PUBREL needs none.
    pub(crate) fn next_resend(&mut self) -> Option<Resend> {
        while let Some(slot) = self.slots.get(self.resend_from) {
            let id = self.id_at(self.resend_from);
            match slot {
                Slot::Published { delivery: Some(_), .. } if self.quota == 0 => return None,
                Slot::Published { delivery: Some(delivery), .. } => {
                    let delivery = delivery.clone();
                    self.quota -= 1;
                    self.resend_from += 1;
                    return Some(Resend::Publish(id, delivery));
                }
                Slot::Released { .. } => {
                    self.resend_from += 1;
                    return Some(Resend::Release(id));
                }
                Slot::Free | Slot::Published { delivery: None, .. } => self.resend_from += 1,
            }
        }
        None
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
        let counted = self.index(id) < self.resend_from;
        match self.slot(id) {
            Some(Slot::Published { qos: QoS::ExactlyOnce, .. }) if failed => Outcome::Done(self.finish(id)),
            Some(slot @ Slot::Published { qos: QoS::ExactlyOnce, .. }) => {
                let entry = slot.entry();
                *slot = Slot::Released { entry, counted };
                Outcome::Release(entry)
            }
            Some(Slot::Released { entry, .. }) => Outcome::Release(*entry),
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

    /// Everything not yet received by the client, for whoever is to have it now.
    pub(crate) fn into_deliveries(self) -> impl Iterator<Item = Delivery> {
        self.slots.into_iter().filter_map(|slot| match slot {
            Slot::Published { delivery, .. } => delivery,
            Slot::Free | Slot::Released { .. } => None,
        })
    }

    /// Frees an identifier, and says which delivery had it.
    fn finish(&mut self, id: PacketId) -> EntryNumber {
        let sent = self.index(id) < self.resend_from;
        let slot = self.slot(id).map(|slot| std::mem::replace(slot, Slot::Free));
        let entry = slot.as_ref().map_or(EntryNumber::default(), Slot::entry);
        self.in_flight -= 1;
        // A PUBREL sent again took no place, so its PUBCOMP frees none [MQTT-3.3.4-9].
        let counted = match slot {
            Some(Slot::Published { .. }) => sent,
            Some(Slot::Released { counted, .. }) => counted,
            Some(Slot::Free) | None => false,
        };
        self.quota = self.quota.saturating_add(u16::from(counted)).min(self.quota_max);
        while matches!(self.slots.front(), Some(Slot::Free)) {
            self.slots.pop_front();
            self.base = ((usize::from(self.base) + 1) % IDS) as u16;
            self.resend_from = self.resend_from.saturating_sub(1);
        }
        entry
    }

    fn slot(&mut self, id: PacketId) -> Option<&mut Slot> {
        let index = self.index(id);
        self.slots.get_mut(index)
    }

    /// Where the slot of this identifier is, if it has one.
    fn index(&self, id: PacketId) -> usize {
        (usize::from(id.get()) - 1 + IDS - usize::from(self.base)) % IDS
    }

    fn id_at(&self, index: usize) -> PacketId {
        let id = (usize::from(self.base) + index) % IDS + 1;
        PacketId::new(id as u16).expect("one more than a number below 65,535 is a packet identifier")
    }
}

/// How many Packet Identifiers there are: 1 to 65,535.
const IDS: usize = 65_535;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    /// [MQTT-3.3.4-9]
    #[test]
    fn the_pubcomp_of_a_pubrel_sent_again_makes_no_room_for_a_publish() {
        let mut window = Window::new(1);
        let released = window.allocate(QoS::ExactlyOnce, None).unwrap();
        assert!(matches!(window.receive(released, false), Outcome::Release(_)));
        window.reconnect(1);
        assert!(matches!(window.next_resend(), Some(Resend::Release(_))));
        let second = window.allocate(QoS::AtLeastOnce, None).unwrap();
        assert!(matches!(window.complete(released), Outcome::Done(_)));
        assert!(!window.has_room(), "one PUBLISH is out, and no more are allowed");
        assert!(matches!(window.acknowledge(second), Outcome::Done(_)));
        assert!(window.has_room());
    }
}

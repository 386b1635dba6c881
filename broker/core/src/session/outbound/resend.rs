//! What is sent again on a new connection, in the original order [MQTT-4.4.0-1], [v3.1.1 MQTT-4.6.0-1].

use std::collections::VecDeque;

use midge_protocol::PacketId;

use super::{Slot, Window};
use crate::session::delivery::Delivery;

/// The turns and identifiers of what is to be sent again, the oldest first. An entry whose slot has another turn by now was
/// acknowledged meanwhile.
#[derive(Debug, Default)]
pub(super) struct Again {
    publishes: VecDeque<(u32, PacketId)>,
    releases: VecDeque<(u32, PacketId)>,
}

/// The next packet to send again.
#[derive(Debug)]
pub(crate) enum Resend {
    /// PUBLISH with DUP.
    Publish(PacketId, Delivery),
    /// PUBREL.
    Release(PacketId),
}

impl Window {
    /// A new connection: everything unacknowledged is to be sent again, within its own quota.
    pub(crate) fn reconnect(&mut self, quota: u16) {
        self.quota = quota;
        self.quota_max = quota;
        let (mut publishes, mut releases) = (Vec::new(), Vec::new());
        for index in 0..self.slots.len() {
            let id = self.id_at(index);
            match &mut self.slots[index] {
                Slot::Free => {}
                Slot::Published { sent, delivery, .. } => {
                    sent.counted = false;
                    if delivery.is_some() {
                        publishes.push((sent.turn, id));
                    }
                }
                Slot::Released { sent, .. } => {
                    sent.counted = false;
                    releases.push((sent.turn, id));
                }
            }
        }
        for due in [&mut publishes, &mut releases] {
            due.sort_unstable_by_key(|(turn, _)| std::cmp::Reverse(self.age(*turn)));
        }
        let again = Again { publishes: publishes.into(), releases: releases.into() };
        self.again = (!again.is_empty()).then(|| Box::new(again));
    }

    /// Whether something is still to be sent again.
    pub(crate) fn is_resending(&self) -> bool {
        self.again.is_some()
    }

    /// What is to be sent again, in its order.
    pub(crate) fn to_resend(&self) -> impl Iterator<Item = &Delivery> {
        let due = self.again.iter().flat_map(|again| &again.publishes);
        due.filter_map(|(turn, id)| match self.slots.get(self.index(*id)) {
            Some(Slot::Published { sent, delivery, .. }) if sent.turn == *turn => delivery.as_ref(),
            _ => None,
        })
    }

    /// The next packet to send again. A PUBLISH waits for the quota; PUBREL needs none and never waits for it [MQTT-3.3.4-10].
    pub(crate) fn next_resend(&mut self) -> Option<Resend> {
        let mut again = self.again.take()?;
        for due in [&mut again.publishes, &mut again.releases] {
            while due.front().is_some_and(|(turn, id)| self.turn_of(*id) != Some(*turn)) {
                due.pop_front();
            }
        }
        let publish = again.publishes.front().filter(|_| self.quota > 0).copied();
        let release = again.releases.front().copied();
        let next = match (publish, release) {
            (Some((published, id)), Some((released, _))) if self.age(published) > self.age(released) => {
                self.publish_again(id, &mut again)
            }
            (_, Some((_, id))) => {
                again.releases.pop_front();
                Some(Resend::Release(id))
            }
            (Some((_, id)), None) => self.publish_again(id, &mut again),
            (None, None) => None,
        };
        self.again = (!again.is_empty()).then_some(again);
        next
    }

    fn publish_again(&mut self, id: PacketId, again: &mut Again) -> Option<Resend> {
        again.publishes.pop_front();
        let Some(Slot::Published { sent, delivery: Some(delivery), .. }) = self.slot(id) else { return None };
        sent.counted = true;
        let delivery = delivery.clone();
        self.quota -= 1;
        Some(Resend::Publish(id, delivery))
    }

    fn turn_of(&self, id: PacketId) -> Option<u32> {
        Some(self.slots.get(self.index(id))?.sent()?.turn)
    }
}

impl Again {
    fn is_empty(&self) -> bool {
        self.publishes.is_empty() && self.releases.is_empty()
    }
}

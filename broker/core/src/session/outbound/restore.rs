//! What was in flight when the broker ended.

use std::collections::BTreeSet;

use midge_protocol::PacketId;

use super::{IDS, Sent, Slot, Window};
use crate::session::delivery::Delivery;
use crate::store::EntryNumber;

impl Window {
    /// What was in flight when the broker ended, in the order of the deliveries. Where no Packet Identifier is known one is
    /// given, which is returned too. Nothing can be sent before [`Window::reconnect`].
    pub(crate) fn restore(
        published: Vec<(Option<PacketId>, Delivery)>,
        released: Vec<(PacketId, EntryNumber)>,
    ) -> (Self, Vec<(EntryNumber, PacketId)>) {
        let sent = Sent { turn: 0, counted: false };
        let published = published.into_iter().map(|(id, delivery)| {
            let (entry, qos) = (delivery.entry, delivery.qos());
            (entry, id, Slot::Published { qos, sent, delivery: Some(delivery) })
        });
        let released = released.into_iter().map(|(id, entry)| (entry, Some(id), Slot::Released { entry, sent }));
        let mut kept: Vec<_> = published.chain(released).collect();
        kept.sort_unstable_by_key(|(entry, ..)| *entry);
        let used: BTreeSet<u16> = kept.iter().filter_map(|(_, id, _)| *id).map(PacketId::get).collect();
        let latest = kept.iter().rev().find_map(|(_, id, _)| *id).map_or(0, PacketId::get);
        let behind = (0..IDS).map(|step| ((usize::from(latest) + step) % IDS + 1) as u16);
        let mut free = behind.filter(|id| !used.contains(id)).filter_map(PacketId::new);
        let mut named = Vec::new();
        let mut slots = Vec::new();
        for (entry, id, slot) in kept {
            // There always is one: no more were in flight than there are identifiers.
            let Some(id) = id.or_else(|| free.next().inspect(|&id| named.push((entry, id)))) else { break };
            slots.push((id, slot));
        }
        let mut window = Self::new(0);
        window.base = ring_start(slots.iter().map(|(id, _)| id.get() - 1).collect());
        for (id, mut slot) in slots {
            let turn = window.next_turn();
            if let Slot::Published { sent, .. } | Slot::Released { sent, .. } = &mut slot {
                sent.turn = turn;
            }
            let index = window.index(id);
            if index >= window.slots.len() {
                window.slots.resize_with(index + 1, || Slot::Free);
            }
            window.slots[index] = slot;
            window.in_flight += 1;
        }
        window.last = window.id_at(window.slots.len().saturating_sub(1)).get() - 1;
        (window, named)
    }
}

/// Where a ring of these identifiers, counted from 0, is to begin to be the shortest: behind the widest gap.
fn ring_start(mut ids: Vec<u16>) -> u16 {
    ids.sort_unstable();
    let gap = |at: usize| {
        let before = ids[(at + ids.len() - 1) % ids.len()];
        (usize::from(ids[at]) + IDS - usize::from(before) - 1) % IDS
    };
    (0..ids.len()).max_by_key(|&at| gap(at)).map_or(0, |at| ids[at])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::session::outbound::{Outcome, Resend};

    fn released(ids: &[u16]) -> Vec<(PacketId, EntryNumber)> {
        (1..).zip(ids).map(|(entry, id)| (PacketId::new(*id).unwrap(), EntryNumber(entry))).collect()
    }

    #[test]
    fn identifiers_go_on_behind_the_latest_and_all_are_sent_again_in_their_order() {
        for (ids, next) in [(&[7, 9, 8][..], 10), (&[65_534, 65_535, 2], 3), (&[5], 6), (&[1, 65_535], 2)] {
            let (mut window, _) = Window::restore(Vec::new(), released(ids));
            assert_eq!(window.in_flight() as usize, ids.len());
            assert!(!window.has_room(), "nobody is connected");
            window.reconnect(10);
            let resent = std::iter::from_fn(|| window.next_resend());
            let resent: Vec<_> =
                resent.map(|resend| if let Resend::Release(id) = resend { id.get() } else { 0 }).collect();
            assert_eq!(resent, ids, "in the order of their deliveries");
            let new = window.allocate(midge_protocol::QoS::AtLeastOnce, None).unwrap();
            assert_eq!(new.get(), next);
            for id in ids {
                assert!(matches!(window.complete(PacketId::new(*id).unwrap()), Outcome::Done(_)), "{id}");
            }
        }
    }
}

//! What was in flight when the broker ended.

use midge_protocol::PacketId;

use super::{IDS, Sent, Slot, Window};
use crate::session::delivery::Delivery;
use crate::store::EntryNumber;

impl Window {
    /// What was in flight when the broker ended, in the order of the deliveries. Nothing can be sent before [`Window::reconnect`].
    pub(crate) fn restore(published: Vec<(PacketId, Delivery)>, released: Vec<(PacketId, EntryNumber)>) -> Self {
        let mut window = Self::new(0);
        let sent = Sent { turn: 0, counted: false };
        let published = published.into_iter().map(|(id, delivery)| {
            let (entry, qos) = (delivery.entry, delivery.qos);
            (entry, id, Slot::Published { qos, sent, delivery: Some(delivery) })
        });
        let released = released.into_iter().map(|(id, entry)| (entry, id, Slot::Released { entry, sent }));
        let mut kept: Vec<_> = published.chain(released).collect();
        kept.sort_unstable_by_key(|(entry, ..)| *entry);
        window.base = ring_start(kept.iter().map(|(_, id, _)| id.get() - 1).collect());
        for (_, id, mut slot) in kept {
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
        window
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
            let mut window = Window::restore(Vec::new(), released(ids));
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

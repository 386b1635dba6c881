//! Shared subscriptions: one member of a group has each message (4.8.2).

use midge_protocol::{ProtocolVersion, QoS};

use super::{Form, Name, Oracle, Receipt, Seen, SharedCopy, Verdict, is_over};

impl Oracle {
    /// Takes a message that is for a shared subscription of which nobody else has received it; false if there is none.
    ///
    /// Copies of a message that was routed twice look alike, so this asks for no more than that there are enough.
    pub(super) fn take_shared(&mut self, name: Name, seen: &Seen) -> bool {
        let member = (name, self.sessions[name].made);
        let position = |wanted: &dyn Fn(&SharedCopy) -> bool| {
            let fits = |copy: &SharedCopy| self.is_for(copy, member, seen) && self.is_free_for(copy, member, seen);
            self.shared.iter().position(|copy| wanted(copy) && fits(copy))
        };
        let again = |copy: &SharedCopy| copy.receipts.iter().any(|receipt| receipt.is_again_for(member, seen));
        let missing = |copy: &SharedCopy| self.is_missing(copy);
        let Some(place) = position(&again).or_else(|| position(&missing)).or_else(|| position(&|_| true)) else {
            return false;
        };
        self.shared[place].receipts.push(SharedReceipt { member, receipt: Receipt::of(seen) });
        true
    }

    /// Whether the member may have been chosen for this copy, or for another of the same message.
    fn is_for(&self, copy: &SharedCopy, member: (Name, u64), seen: &Seen) -> bool {
        let publication = &self.publications[copy.publication];
        let v5 = seen.version == ProtocolVersion::V5;
        let expired = v5 && seen.expiry == Some(0) && !seen.dup;
        let looks_like = |other: &SharedCopy| {
            let whole = self.publications[other.publication].expiry;
            let expiry = whole.is_some() == seen.expiry.is_some() && seen.expiry <= whole;
            let mut candidates = self.candidates(other);
            (expiry || !v5) && candidates.any(|(name, made, form)| (*name, *made) == member && form.fits(seen))
        };
        let mut alike = self.shared.iter().filter(|other| {
            other.filter == copy.filter && self.publications[other.publication].number == publication.number
        });
        (publication.number, &publication.topic) == (seen.number, &seen.topic) && !expired && alike.any(looks_like)
    }

    /// Who was a member when it was routed gets it, even if it has left since; who joined later, what a member left behind.
    fn candidates<'a>(&self, copy: &'a SharedCopy) -> impl Iterator<Item = &'a (Name, u64, Form)> {
        let inherited = if self.all_stayed(copy) { &[] } else { copy.joined.as_slice() };
        copy.members.iter().chain(inherited)
    }

    /// Whether nobody has this copy, but for the member itself and those that were gone before they acknowledged it.
    fn is_free_for(&self, copy: &SharedCopy, member: (Name, u64), seen: &Seen) -> bool {
        copy.receipts.iter().all(|receipt| {
            let at_least_once = receipt.receipt.qos == QoS::AtLeastOnce;
            let (name, made) = receipt.member;
            let ended = self.sessions.get(name).is_none_or(|session| session.made != made);
            at_least_once && if receipt.member == member { receipt.is_again_for(member, seen) } else { ended }
        })
    }

    /// Whether somebody has to get this, nobody has, and every session that could have been chosen still exists.
    fn is_missing(&self, copy: &SharedCopy) -> bool {
        copy.must && copy.receipts.is_empty() && !is_over(copy.expires_at, self.now) && self.all_stayed(copy)
    }

    /// Whether every session that could have been chosen still exists.
    fn all_stayed(&self, copy: &SharedCopy) -> bool {
        copy.members.iter().all(|(name, made, _)| self.sessions.get(name).is_some_and(|session| session.made == *made))
    }

    pub(super) fn check_shared_received(&self) -> Verdict {
        match self.shared.iter().find(|copy| self.is_missing(copy)) {
            Some(copy) => {
                Err(format!("nobody received m{} of {}", self.publications[copy.publication].number, copy.filter))
            }
            None => Ok(()),
        }
    }
}

/// Which member received a copy, and how.
pub(super) struct SharedReceipt {
    member: (Name, u64),
    receipt: Receipt,
}

impl SharedReceipt {
    fn is_again_for(&self, member: (Name, u64), seen: &Seen) -> bool {
        self.member == member && self.receipt.is_again(seen)
    }
}

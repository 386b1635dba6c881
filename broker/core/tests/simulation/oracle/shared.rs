//! Shared subscriptions: one member of a group has each message (4.8.2).

use std::collections::BTreeSet;

use midge_protocol::{ProtocolVersion, QoS};

use super::{Form, Loss, Name, Oracle, Receipt, Seen, SharedCopy, Verdict, is_over};

/// A client's session.
type Member = (Name, u64);

/// Which member received a copy, and what it saw.
pub(super) struct SharedReceipt {
    member: Member,
    receipt: Receipt,
    seen: Seen,
}

impl Oracle {
    /// Takes a message that this member received before, if it is one.
    pub(super) fn take_shared_again(&mut self, name: Name, seen: &Seen) -> bool {
        let member = (name, self.sessions[name].made);
        let again = |copy: &SharedCopy| copy.receipts.iter().any(|receipt| receipt.is_again_for(member, seen));
        let is_it = |copy: &SharedCopy| again(copy) && self.is_for(copy, member, seen);
        let Some(place) = self.shared.iter().position(|copy| is_it(copy) && self.is_free_for(copy, member, seen))
        else {
            return false;
        };
        self.shared[place].receipts.push(SharedReceipt::new(member, seen));
        true
    }

    /// Takes a message that is for a shared subscription of which nobody else has received it; false if there is none.
    ///
    /// Copies for several groups, or of a message that was routed twice, can look alike: if the one for this is taken,
    /// whoever took it may do with another.
    pub(super) fn take_shared(&mut self, name: Name, seen: &Seen) -> bool {
        let member = (name, self.sessions[name].made);
        if let Some(place) = self.missing_place(member, seen) {
            self.shared[place].receipts.push(SharedReceipt::new(member, seen));
            return true;
        }
        if self.take_from_another(member, seen, Self::missing_place) {
            return true;
        }
        if let Some(place) = self.free_place(member, seen) {
            self.shared[place].receipts.push(SharedReceipt::new(member, seen));
            return true;
        }
        self.take_from_another(member, seen, Self::free_place) || self.take_from_own(member, seen)
    }

    /// Lets whoever took the copy that this is have one that it is owed itself.
    fn take_from_own(&mut self, member: Member, seen: &Seen) -> bool {
        for place in 0..self.shared.len() {
            let Some(taken) = self.shared[place].only_taken() else { continue };
            let name = taken.member.0;
            let Some(session) = self.sessions.get(name).filter(|session| session.made == taken.member.1) else {
                continue;
            };
            let own = self.find_own(session, &taken.seen, |copy| copy.lost != Loss::Yes);
            if let Some(own) = own.first().copied().filter(|_| self.is_for(&self.shared[place], member, seen)) {
                let receipt = self.shared[place].receipts.last().map_or(taken.receipt, |last| last.receipt);
                self.shared[place].receipts = vec![SharedReceipt::new(member, seen)];
                self.sessions.entry(name).and_modify(|session| session.owed[own].receipt = Some(receipt));
                return true;
            }
        }
        false
    }

    /// Lets whoever took the copy that this is do with another, if there is one for it.
    fn take_from_another(
        &mut self,
        member: Member,
        seen: &Seen,
        another: impl Fn(&Self, Member, &Seen) -> Option<usize>,
    ) -> bool {
        for place in 0..self.shared.len() {
            let Some(taken) = self.shared[place].only_taken() else { continue };
            if !self.is_for(&self.shared[place], member, seen) {
                continue;
            }
            if let Some(other) = another(self, taken.member, &taken.seen).filter(|other| *other != place) {
                let new = vec![SharedReceipt::new(member, seen)];
                let taken = std::mem::replace(&mut self.shared[place].receipts, new);
                self.shared[other].receipts.extend(taken);
                return true;
            }
        }
        false
    }

    /// Takes a message that somebody has to receive for a shared subscription, and nobody has.
    pub(super) fn take_shared_missing(&mut self, name: Name, seen: &Seen) -> bool {
        let member = (name, self.sessions[name].made);
        let Some(place) = self.missing_place(member, seen) else { return false };
        let is_it = self.shared[place].lost == Loss::No;
        if is_it {
            self.shared[place].receipts.push(SharedReceipt::new(member, seen));
        }
        is_it
    }

    /// Copies that this can be.
    fn free_places(&self, member: Member, seen: &Seen) -> impl Iterator<Item = usize> {
        let fits = move |copy: &SharedCopy| self.is_for(copy, member, seen) && self.is_free_for(copy, member, seen);
        (0..self.shared.len()).filter(move |place| fits(&self.shared[*place]))
    }

    fn free_place(&self, member: Member, seen: &Seen) -> Option<usize> {
        self.free_places(member, seen).next()
    }

    /// A copy that this can be and that somebody has to receive, best one of which none was dropped.
    fn missing_place(&self, member: Member, seen: &Seen) -> Option<usize> {
        let missing = || self.free_places(member, seen).filter(|place| self.is_missing(&self.shared[*place]));
        missing().find(|place| self.shared[*place].lost == Loss::No).or_else(|| missing().next())
    }

    /// Whether the member may have been chosen for this copy, or for another of the same message.
    fn is_for(&self, copy: &SharedCopy, member: Member, seen: &Seen) -> bool {
        let publication = &self.publications[copy.publication];
        if (publication.number, publication.padding) != (seen.number, seen.padding) || publication.topic != seen.topic {
            return false;
        }
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
        !expired && alike.any(looks_like)
    }

    /// Who was a member when it was routed gets it, even if it has left since; who joined later, what a member left behind
    /// or was not there to take.
    fn candidates<'a>(&self, copy: &'a SharedCopy) -> impl Iterator<Item = &'a (Name, u64, Form)> {
        let inherited = if self.all_stayed(copy) && !copy.away { &[] } else { copy.joined.as_slice() };
        copy.members.iter().chain(inherited)
    }

    /// Whether nobody has this copy, but for the member itself and those that were gone before they acknowledged it.
    fn is_free_for(&self, copy: &SharedCopy, member: Member, seen: &Seen) -> bool {
        copy.receipts.iter().all(|receipt| {
            // What may have reached somebody at QoS 2 is for nobody else [MQTT-4.8.2-5].
            let at_least_once = receipt.receipt.qos == QoS::AtLeastOnce;
            let own = receipt.member == member && receipt.is_again_for(member, seen);
            at_least_once && (own || (receipt.member != member && self.has_left(copy, receipt.member)))
        })
    }

    fn has_left(&self, copy: &SharedCopy, member: Member) -> bool {
        let ended = self.sessions.get(member.0).is_none_or(|session| session.made != member.1);
        ended || copy.left.contains(&member)
    }

    /// Whether somebody has to get this and nobody has.
    fn is_missing(&self, copy: &SharedCopy) -> bool {
        copy.receipts.is_empty() && self.has_to_come(copy)
    }

    /// Whether somebody has to get this. At QoS 1 it may not get lost as long as there is a member; at QoS 2
    /// a member whose session ends may take it along.
    fn has_to_come(&self, copy: &SharedCopy) -> bool {
        let must = copy.must && !is_over(copy.expires_at, self.now);
        let at_least_once = |(_, _, form): &(Name, u64, Form)| form.qos == QoS::AtLeastOnce;
        let kept = !copy.orphaned && copy.members.iter().chain(&copy.joined).all(at_least_once);
        let is_here = |(name, made, _): &(Name, u64, Form)| !self.has_left(copy, (*name, *made));
        must && (kept || self.candidates(copy).all(is_here))
    }

    /// Whether everybody who could have been chosen is still there.
    fn all_stayed(&self, copy: &SharedCopy) -> bool {
        let mut candidates = copy.members.iter().chain(&copy.joined);
        candidates.all(|(name, made, _)| !self.has_left(copy, (*name, *made)))
    }

    pub(super) fn check_shared_received(&self) -> Verdict {
        let missing = |copy: &&SharedCopy| copy.lost == Loss::No && self.is_missing(copy);
        for copy in self.shared.iter().filter(missing) {
            let number = self.publications[copy.publication].number;
            if !self.all_came(number) {
                return Err(format!("nobody received m{number} of {}", copy.filter));
            }
        }
        Ok(())
    }

    /// Whether as many copies of a message arrived, all over, as had to: which of those that look alike was which cannot
    /// always be told where a message was routed twice, or to several groups with the same members.
    pub(super) fn all_came(&self, number: u32) -> bool {
        let is_it = |publication: usize| self.publications[publication].number == number;
        let own = || self.sessions.values().flat_map(|session| &session.owed).filter(|copy| is_it(copy.publication));
        let shared = || self.shared.iter().filter(|copy| is_it(copy.publication));
        let due =
            own().filter(|copy| copy.must && copy.lost == Loss::No && !is_over(copy.expires_at, self.now)).count()
                + shared().filter(|copy| copy.lost == Loss::No && self.has_to_come(copy)).count();
        let deliveries = |copy: &SharedCopy| {
            let delivery = |receipt: &SharedReceipt| (receipt.member, receipt.receipt.packet_id);
            copy.receipts.iter().map(delivery).collect::<BTreeSet<_>>().len()
        };
        own().filter(|copy| copy.receipt.is_some()).count() + shared().map(deliveries).sum::<usize>() >= due
    }
}

impl SharedCopy {
    /// How it was received, by one member alone.
    fn only_taken(&self) -> Option<&SharedReceipt> {
        let first = self.receipts.first()?;
        self.receipts.iter().all(|receipt| receipt.member == first.member).then_some(first)
    }

    /// Whether this member may have been, or become, the one that gets it.
    pub(super) fn concerns(&self, member: Member) -> bool {
        self.members.iter().chain(&self.joined).any(|(name, made, _)| (*name, *made) == member)
    }
}

impl SharedReceipt {
    fn new(member: Member, seen: &Seen) -> Self {
        Self { member, receipt: Receipt::of(seen), seen: seen.clone() }
    }

    fn is_again_for(&self, member: Member, seen: &Seen) -> bool {
        self.member == member && self.receipt.is_again(seen)
    }
}

//! Whether what a client receives is what it is owed (4.3, 4.4, 4.6, 4.8.2).

use std::collections::BTreeMap;

use midge_core::Time;
use midge_protocol::{ProtocolVersion, QoS};

use super::{Copy, Loss, Name, Oracle, Publication, Receipt, Session, Verdict, Wire, is_over};

/// A PUBLISH as a client saw it. A QoS 2 message that the client knows already is not shown to the oracle.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) wire: Wire,
    pub(crate) version: ProtocolVersion,
    /// When the connection was made.
    pub(crate) connected_at: Time,
    pub(crate) number: u32,
    pub(crate) padding: usize,
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) packet_id: Option<u16>,
    /// Sorted.
    pub(crate) ids: Vec<u32>,
    pub(crate) expiry: Option<u32>,
}

impl Oracle {
    /// A client received a message.
    pub(crate) fn receive(&mut self, name: Name, seen: &Seen) -> Verdict {
        let Some(session) = self.sessions.get(name).filter(|session| session.wire == Some(seen.wire)) else {
            return Err(format!("{name} received something on a connection it does not have: {seen:?}"));
        };
        let again = |copy: &Copy| copy.receipt.is_some_and(|receipt| receipt.is_again(seen)) && self.fits(copy, seen);
        if let Some(place) = session.owed.iter().position(again) {
            return self.take_own(name, place, seen);
        }
        if self.take_shared_again(name, seen) {
            return Ok(());
        }
        let session = &self.sessions[name];
        // What may have been lost, or has expired, is less likely to be here than what has to come.
        let has_to = |copy: &Copy| copy.must && copy.lost == Loss::No && !is_over(copy.expires_at, self.now);
        let mut due = self.find_own(session, seen, has_to);
        if due.is_empty() && self.take_shared_missing(name, seen) {
            return Ok(());
        }
        let session = &self.sessions[name];
        if !session.shares {
            // It keeps its order, so the oldest comes first, and the next only where that one was lost.
            due = self.find_own(session, seen, |copy| copy.must);
        }
        let mut wrong = None;
        for place in due.into_iter().chain(self.find_own(session, seen, |copy| copy.lost != Loss::Yes)) {
            match self.check_order(session, place).and_then(|()| self.check_in_time(session, place, seen)) {
                Ok(()) => return self.take_own(name, place, seen),
                Err(broken) => wrong = wrong.or(Some(broken)),
            }
        }
        if self.take_shared(name, seen) {
            return Ok(());
        }
        Err(wrong.unwrap_or_else(|| self.explain(name, seen)))
    }

    /// The session's copies that this can be: likely ones not yet received.
    pub(super) fn find_own(&self, session: &Session, seen: &Seen, likely: impl Fn(&Copy) -> bool) -> Vec<usize> {
        let fits = |copy: &Copy| {
            // The first attempt to send something is not marked as a repetition [MQTT-3.3.1-1].
            let may_repeat = !seen.dup || copy.made < session.connected;
            copy.receipt.is_none() && may_repeat && likely(copy) && self.fits(copy, seen)
        };
        (0..session.owed.len()).filter(|place| fits(&session.owed[*place])).collect()
    }

    /// Whether the message seen is what this copy has to be.
    fn fits(&self, copy: &Copy, seen: &Seen) -> bool {
        self.publications[copy.publication].is_of(seen, copy.expires_at, self.now) && copy.form.fits(seen)
    }

    fn take_own(&mut self, name: Name, place: usize, seen: &Seen) -> Verdict {
        let Some(session) = self.sessions.get_mut(name) else { return Ok(()) };
        let copy = &mut session.owed[place];
        if copy.receipt.is_some() && seen.qos == QoS::ExactlyOnce {
            return Err(format!("m{} was delivered twice at QoS 2 [MQTT-4.3.3-1]", seen.number));
        }
        copy.receipt = Some(Receipt::of(seen));
        Ok(())
    }

    /// What has expired is not sent any more [MQTT-3.3.2-5]; that it was sent before is no reason not to send it again.
    fn check_in_time(&self, session: &Session, place: usize, seen: &Seen) -> Verdict {
        let number = |copy: &Copy| self.publications[copy.publication].number;
        let alone = session.owed.iter().filter(|copy| number(copy) == seen.number).count() == 1 && !session.shares;
        let expires_at = session.owed[place].expires_at;
        let expired = (is_over(expires_at, seen.connected_at) || seen.expiry == Some(0)) && !seen.dup;
        // Before version 5 it cannot be told which of several routings of the same message this one is of.
        if expired && (seen.version == ProtocolVersion::V5 || alone) {
            return Err(format!("m{} was sent after it had expired [MQTT-3.3.2-5]", seen.number));
        }
        Ok(())
    }

    /// Messages of one publisher, topic and QoS are first received in their order [MQTT-4.6.0-6].
    fn check_order(&self, session: &Session, place: usize) -> Verdict {
        let copy = &session.owed[place];
        let this = &self.publications[copy.publication];
        if copy.retained_for.is_some() {
            return self.check_not_stale(session, copy);
        }
        // A message that is also owed because it was retained may have come for that reason, and one of a shared
        // subscription looks like one of its own.
        let otherwise_too = |number: u32| {
            let number_of = |copy: &Copy| self.publications[copy.publication].number;
            session.shares || session.owed.iter().any(|copy| copy.retained_for.is_some() && number_of(copy) == number)
        };
        let overtook = |later: &&Copy| {
            let other = &self.publications[later.publication];
            later.retained_for.is_none()
                && later.receipt.is_some()
                && later.form.qos == copy.form.qos
                && (other.publisher, &other.topic, other.qos) == (this.publisher, &this.topic, this.qos)
                && other.number != this.number
                && !otherwise_too(this.number)
                && !otherwise_too(other.number)
        };
        match session.owed[place + 1..].iter().find(overtook) {
            Some(later) => {
                let later = self.publications[later.publication].number;
                Err(format!("m{} came after m{later}, which was published later", this.number))
            }
            None => Ok(()),
        }
    }

    /// A retained message is not sent any more once the client was sent the one that replaced it: else it would take the
    /// older for the newer.
    fn check_not_stale(&self, session: &Session, copy: &Copy) -> Verdict {
        let this = &self.publications[copy.publication];
        // Which of two that look alike came is not to be known where a message was sent twice.
        let once = |number: u32| self.publications.iter().filter(|other| other.number == number).count() == 1;
        let newer = session.owed.iter().find(|later| {
            let other = &self.publications[later.publication];
            later.publication > copy.publication
                && (other.retain, &other.topic) == (true, &this.topic)
                && other.number != this.number
                && later.form.qos == copy.form.qos
                && later.receipt.is_some()
                && once(other.number)
        });
        match newer.filter(|_| !session.shares && once(this.number)) {
            Some(newer) => {
                let newer = self.publications[newer.publication].number;
                Err(format!("m{} was sent as retained after m{newer}, which replaced it", this.number))
            }
            None => Ok(()),
        }
    }

    fn explain(&self, name: Name, seen: &Seen) -> String {
        let owed = self.sessions[name].owed.iter();
        let similar = owed.filter(|copy| self.publications[copy.publication].number == seen.number);
        let forms: Vec<String> = similar
            .map(|copy| {
                let (received, lost) = (copy.receipt.is_some(), copy.lost);
                let may_repeat = copy.made < self.sessions[name].connected;
                format!("{:?}, received: {received}, lost: {lost:?}, may be a repetition: {may_repeat}", copy.form)
            })
            .collect();
        format!("{name} received what it is not owed: {seen:?}; of this number it is owed {forms:?}")
    }

    /// Everything was sent and acknowledged: has all arrived that had to, but for as many as were dropped?
    pub(crate) fn check_all_received(&self) -> Verdict {
        for (name, session) in &self.sessions {
            let number = |copy: &Copy| self.publications[copy.publication].number;
            let expected = |copy: &&Copy| copy.must && !is_over(copy.expires_at, self.now);
            let mut short = BTreeMap::new();
            for copy in session.owed.iter().filter(expected).filter(|copy| copy.receipt.is_none()) {
                // Copies of a message that was routed twice look alike, to a client that is not told their identifiers: any
                // of them may have come for any other.
                let class = |copy: &Copy| (number(copy), copy.form.qos, copy.form.retain);
                let alike = || session.owed.iter().filter(|other| class(other) == class(copy));
                let received = alike().filter(|other| other.receipt.is_some()).count();
                if alike().filter(expected).filter(|other| other.lost == Loss::No).count() > received
                    && !(session.shares && self.all_came(number(copy)))
                {
                    let retained_for = &copy.retained_for;
                    return Err(format!("{name} never received m{} {:?} ({retained_for:?})", number(copy), copy.form));
                }
                short.insert(class(copy), alike().filter(expected).count().saturating_sub(received));
            }
            let (missing, drops) = (short.values().sum::<usize>(), session.drops);
            if missing as u64 > drops {
                return Err(format!("{name} never received {missing} messages, and only {drops} were dropped"));
            }
        }
        self.check_shared_received()
    }
}

impl Publication {
    /// Whether this is the message that was seen. The same number may have been routed twice, at different times.
    fn is_of(&self, seen: &Seen, expires_at: Option<Time>, now: Time) -> bool {
        let expiry = match (expires_at, seen.expiry) {
            _ if seen.version < ProtocolVersion::V5 => true,
            (None, None) => true,
            // What was left when it was sent: not less than is left now, and not more than at first [MQTT-3.3.2-6].
            (Some(deadline), Some(told)) => told >= now.seconds_until(deadline) && Some(told) <= self.expiry,
            _ => false,
        };
        (self.number, self.padding, &self.topic) == (seen.number, seen.padding, &seen.topic) && expiry
    }
}

impl Receipt {
    pub(super) fn of(seen: &Seen) -> Self {
        Self { wire: seen.wire, qos: seen.qos, packet_id: seen.packet_id }
    }

    /// Whether this is the same delivery, sent again on a later connection [MQTT-4.4.0-1].
    pub(super) fn is_again(self, seen: &Seen) -> bool {
        seen.dup && seen.wire > self.wire && seen.packet_id == self.packet_id
    }
}

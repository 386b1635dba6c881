//! Whether what a client receives is what it is owed (4.3, 4.4, 4.6, 4.8.2).

use midge_core::Time;
use midge_protocol::{ProtocolVersion, QoS};

use super::{Copy, Form, Name, Oracle, Publication, Receipt, Session, Verdict, Wire, is_over};

/// A PUBLISH as a client saw it. A QoS 2 message that the client knows already is not shown to the oracle.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) wire: Wire,
    pub(crate) version: ProtocolVersion,
    /// When the connection was made.
    pub(crate) connected_at: Time,
    pub(crate) number: u32,
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
        // What may have been lost, or has expired, is less likely to be here than what has to come.
        let due = self.find_own(session, seen, |copy| copy.must && !is_over(copy.expires_at, self.now));
        match due.or_else(|| self.find_own(session, seen, |_| true)) {
            Some(place) => self.check_order(session, place).and_then(|()| self.take_own(name, place, seen)),
            None if self.take_shared(name, seen) => Ok(()),
            None => Err(self.explain(name, seen)),
        }
    }

    /// The session's copy that this is: a likely one not yet received.
    fn find_own(&self, session: &Session, seen: &Seen, likely: impl Fn(&Copy) -> bool) -> Option<usize> {
        session.owed.iter().position(|copy| {
            // The first attempt to send something is not marked as a repetition [MQTT-3.3.1-1].
            let may_repeat = !seen.dup || copy.made < session.connected;
            copy.receipt.is_none() && may_repeat && likely(copy) && self.fits(copy, seen)
        })
    }

    /// Whether the message seen is what this copy has to be.
    fn fits(&self, copy: &Copy, seen: &Seen) -> bool {
        self.publications[copy.publication].is_of(seen, copy.expires_at, self.now) && copy.form.fits(seen)
    }

    fn take_own(&mut self, name: Name, place: usize, seen: &Seen) -> Verdict {
        let Self { sessions, publications, .. } = self;
        let Some(session) = sessions.get_mut(name) else { return Ok(()) };
        let same = session.owed.iter().filter(|copy| publications[copy.publication].number == seen.number);
        let alone = same.count() == 1;
        let copy = &mut session.owed[place];
        if copy.receipt.is_some() && seen.qos == QoS::ExactlyOnce {
            return Err(format!("m{} was delivered twice at QoS 2", seen.number));
        }
        // Before version 5 it cannot be told which of several routings of the same message this one is of.
        if seen.version == ProtocolVersion::V5 || alone {
            publications[copy.publication].check_expiry(copy.expires_at, seen)?;
        }
        copy.receipt = Some(Receipt::of(seen));
        Ok(())
    }

    /// Messages of one publisher, topic and QoS are first received in their order [MQTT-4.6.0-6].
    fn check_order(&self, session: &Session, place: usize) -> Verdict {
        let copy = &session.owed[place];
        if copy.receipt.is_some() || copy.retained_for.is_some() {
            return Ok(());
        }
        let this = &self.publications[copy.publication];
        // A message that is also owed because it was retained may have come for that reason.
        let retained_too = |number: u32| {
            let number_of = |copy: &Copy| self.publications[copy.publication].number;
            session.owed.iter().any(|copy| copy.retained_for.is_some() && number_of(copy) == number)
        };
        let overtook = |later: &&Copy| {
            let other = &self.publications[later.publication];
            later.retained_for.is_none()
                && !retained_too(this.number)
                && !retained_too(other.number)
                && other.number != this.number
                && later.receipt.is_some()
                && later.form.qos == copy.form.qos
                && (other.publisher, &other.topic, other.qos) == (this.publisher, &this.topic, this.qos)
        };
        match session.owed[place + 1..].iter().find(overtook) {
            Some(later) => {
                let later = self.publications[later.publication].number;
                Err(format!("m{} came after m{later}, which was published later", this.number))
            }
            None => Ok(()),
        }
    }

    fn explain(&self, name: Name, seen: &Seen) -> String {
        let owed = self.sessions[name].owed.iter();
        let similar = owed.filter(|copy| self.publications[copy.publication].number == seen.number);
        let forms: Vec<String> = similar
            .map(|copy| {
                let received = copy.receipt.is_some();
                let may_repeat = copy.made < self.sessions[name].connected;
                format!("{:?}, received: {received}, may be a repetition: {may_repeat}", copy.form)
            })
            .collect();
        format!("{name} received what it is not owed: {seen:?}; of this number it is owed {forms:?}")
    }

    /// Everything was sent and acknowledged: has all arrived that had to?
    pub(crate) fn check_all_received(&self) -> Verdict {
        for (name, session) in &self.sessions {
            let missing = |copy: &&Copy| copy.must && copy.receipt.is_none() && !is_over(copy.expires_at, self.now);
            if let Some(copy) = session.owed.iter().find(missing) {
                let number = self.publications[copy.publication].number;
                return Err(format!("{name} never received m{number} {:?} ({:?})", copy.form, copy.retained_for));
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
        self.number == seen.number && self.topic == seen.topic && expiry
    }

    fn check_expiry(&self, expires_at: Option<Time>, seen: &Seen) -> Verdict {
        let expired = is_over(expires_at, seen.connected_at) || seen.expiry == Some(0);
        if expired && !seen.dup {
            return Err(format!("m{} was sent after it had expired [MQTT-3.3.2-5]", self.number));
        }
        Ok(())
    }
}

impl Form {
    pub(super) fn fits(&self, seen: &Seen) -> bool {
        let ids = seen.version < ProtocolVersion::V5 || self.ids == seen.ids;
        self.qos == seen.qos && self.retain.is_none_or(|retain| retain == seen.retain) && ids
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

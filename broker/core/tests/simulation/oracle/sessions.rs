//! Sessions come, go and expire (3.1.2.4, 3.1.2.11.2), and Wills are published (3.1.2.5).

use std::collections::{BTreeMap, BTreeSet};

use midge_protocol::{ProtocolVersion, QoS};

use super::{Name, Oracle, Publication, Session, Will, Wire, is_over};

/// A CONNECT, as far as sessions depend on it.
pub(crate) struct Connecting {
    pub(crate) name: Name,
    pub(crate) wire: Wire,
    pub(crate) version: ProtocolVersion,
    pub(crate) clean_start: bool,
    /// Session Expiry Interval in seconds, and the longest a DISCONNECT may ask for.
    pub(crate) expiry: u32,
    pub(crate) expiry_max: u32,
    /// Messages that may wait for the session.
    pub(crate) queue_max: usize,
    /// Maximum Packet Size of the client.
    pub(crate) packet_bytes_max: usize,
    pub(crate) will: Option<Will>,
}

impl Oracle {
    /// A CONNECT was accepted. Returns what Session Present has to be [MQTT-3.2.2-2].
    pub(crate) fn connect(&mut self, connecting: Connecting) -> bool {
        let name = connecting.name;
        self.fall_due(name);
        let moment = self.next_moment();
        let old = self.sessions.get_mut(name);
        self.due.taken_over += u64::from(old.as_ref().is_some_and(|session| session.wire.is_some()));
        if let Some(session) = old.filter(|session| session.expiry > 0 && !connecting.clean_start) {
            // A delayed Will is not published if the client is back in time [MQTT-3.1.3-9]. One without delay was
            // published when the old connection closed, unless that happens only now.
            let old_will = session.will.take().filter(|will| session.wire.is_some() && will.delay == 0);
            session.lose_connection();
            let member = (name, session.made);
            session.attach(connecting, moment);
            session.resumed = true;
            self.due.resumed += 1;
            self.note_away(member);
            self.publish_will(name, old_will);
            return true;
        }
        self.due.created += 1;
        let mut session = Session::new(moment);
        session.attach(connecting, moment);
        let old_session = self.sessions.insert(name, session);
        self.bury(name, old_session);
        false
    }

    /// The connection closed; `expiry` is the Session Expiry Interval of a DISCONNECT.
    pub(crate) fn close(&mut self, name: Name, wire: Wire, with_will: bool, expiry: Option<u32>) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(name).filter(|session| session.wire == Some(wire)) else { return };
        session.lose_connection();
        session.will.take_if(|_| !with_will);
        if session.expiry > 0 {
            session.expiry = expiry.map_or(session.expiry, |expiry| expiry.min(session.expiry_max));
        }
        if session.expiry == 0 {
            // The end of the session publishes the Will, however long its delay [MQTT-3.1.3-9].
            let session = self.sessions.remove(name);
            return self.bury(name, session);
        }
        session.ends_at = (session.expiry < u32::MAX).then(|| now.after_seconds(session.expiry));
        let will = session.will.take_if(|will| will.delay == 0);
        session.will_due = session.will.as_ref().map(|will| now.after_seconds(will.delay));
        let member = (name, session.made);
        self.note_away(member);
        self.publish_will(name, will);
    }

    /// What this member of a group was sent, others may be sent instead.
    fn note_away(&mut self, member: (Name, u64)) {
        for copy in self.shared.iter_mut().filter(|copy| copy.concerns(member)) {
            copy.away = true;
        }
    }

    /// The Session Expiry Interval that the client has to use [MQTT-3.2.2-10].
    pub(crate) fn session_expiry(&self, name: Name) -> Option<u32> {
        self.sessions.get(name).map(|session| session.expiry)
    }

    /// Whatever the clock has brought about for this client's session.
    pub(super) fn fall_due(&mut self, name: Name) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(name).filter(|session| session.wire.is_none()) else { return };
        if is_over(session.ends_at, now) {
            let session = self.sessions.remove(name);
            return self.bury(name, session);
        }
        let will = session.will.take_if(|_| is_over(session.will_due, now));
        self.publish_will(name, will);
    }

    /// A session ended: its Will is published, and its subscriptions are no more.
    fn bury(&mut self, name: Name, session: Option<Session>) {
        let Some(session) = session else { return };
        self.due.ended += 1;
        for filter in session.subscriptions.keys().filter(|filter| filter.starts_with("$share/")) {
            self.note_orphans(filter);
        }
        self.publish_will(name, session.will);
    }

    fn publish_will(&mut self, publisher: Name, will: Option<Will>) {
        let Some(Will { number, padding, topic, qos, retain, expiry, .. }) = will else { return };
        self.due.wills += 1;
        self.publish(Publication { number, padding, topic, publisher, qos, retain, expiry });
    }

    /// A QoS 2 PUBLISH: whether it is one the broker has not routed yet [MQTT-4.3.3-10].
    pub(crate) fn is_new(&mut self, name: Name, packet_id: u16) -> bool {
        self.sessions.get_mut(name).is_some_and(|session| session.received.insert(packet_id))
    }

    /// PUBREL, or a PUBREC that said no: the Packet Identifier stands for nothing any more.
    pub(crate) fn release(&mut self, name: Name, packet_id: u16) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.received.remove(&packet_id);
        }
    }
}

impl Session {
    fn new(made: u64) -> Self {
        Self {
            made,
            wire: None,
            version: ProtocolVersion::V5,
            connected: made,
            resumed: false,
            expiry: 0,
            expiry_max: 0,
            ends_at: None,
            will: None,
            will_due: None,
            subscriptions: BTreeMap::new(),
            received: BTreeSet::new(),
            owed: Vec::new(),
            packet_bytes_max: usize::MAX,
            queue_max: 0,
            queue_most: 0,
            shares: false,
            drops: 0,
            queue_drops: 0,
        }
    }

    /// The session is this connection's now, with what its CONNECT says.
    fn attach(&mut self, connecting: Connecting, moment: u64) {
        self.wire = Some(connecting.wire);
        self.version = connecting.version;
        self.connected = moment;
        self.expiry = connecting.expiry;
        self.expiry_max = connecting.expiry_max;
        self.packet_bytes_max = connecting.packet_bytes_max;
        self.queue_max = connecting.queue_max;
        self.queue_most = self.queue_most.max(connecting.queue_max);
        (self.ends_at, self.will_due, self.will) = (None, None, connecting.will);
    }

    /// What was sent at QoS 0 and has not arrived is lost.
    fn lose_connection(&mut self) {
        self.wire = None;
        for copy in &mut self.owed {
            copy.must &= copy.form.qos > QoS::AtMostOnce;
        }
    }
}

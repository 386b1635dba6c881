//! Sessions come, go and expire (3.1.2.4, 3.1.2.11.2), and Wills are published (3.1.2.5).

use std::collections::{BTreeMap, BTreeSet};

use midge_protocol::{QoS, RetainHandling, SubscribeOptions};

use super::{Copy, Form, Name, Oracle, Publication, Session, Subscription, Will, Wire, is_over, matches};

/// A CONNECT, as far as sessions depend on it.
pub(crate) struct Connecting {
    pub(crate) name: Name,
    pub(crate) wire: Wire,
    pub(crate) clean_start: bool,
    /// Session Expiry Interval in seconds.
    pub(crate) expiry: u32,
    pub(crate) will: Option<Will>,
}

impl Oracle {
    /// A CONNECT was accepted. Returns what Session Present has to be [MQTT-3.2.2-2].
    pub(crate) fn connect(&mut self, connecting: Connecting) -> bool {
        let Connecting { name, wire, clean_start, expiry, will } = connecting;
        self.fall_due(name);
        let moment = self.next_moment();
        let mut resumed = self.sessions.get_mut(name).filter(|session| session.expiry > 0 && !clean_start);
        let old_will = if let Some(session) = &mut resumed {
            // A delayed Will is not published if the client is back in time [MQTT-3.1.3-9]. One without delay was
            // published when the old connection closed, unless that happens only now.
            let old_will = session.will.take().filter(|will| session.wire.is_some() && will.delay == 0);
            session.lose_connection();
            (session.wire, session.connected, session.expiry) = (Some(wire), moment, expiry);
            (session.ends_at, session.will_due, session.will) = (None, None, will);
            old_will
        } else {
            let session = Session {
                made: moment,
                wire: Some(wire),
                connected: moment,
                expiry,
                ends_at: None,
                will,
                will_due: None,
                subscriptions: BTreeMap::new(),
                received: BTreeSet::new(),
                owed: Vec::new(),
            };
            let old_session = self.sessions.insert(name, session);
            self.publish_will(name, old_session.and_then(|session| session.will));
            return false;
        };
        self.publish_will(name, old_will);
        true
    }

    /// The connection closed; `expiry` is the Session Expiry Interval of a DISCONNECT.
    pub(crate) fn close(&mut self, name: Name, wire: Wire, with_will: bool, expiry: Option<u32>) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(name).filter(|session| session.wire == Some(wire)) else { return };
        session.lose_connection();
        session.expiry = expiry.unwrap_or(session.expiry);
        let mut will = session.will.take().filter(|_| with_will);
        if session.expiry == 0 {
            self.sessions.remove(name);
        } else {
            session.ends_at = (session.expiry < u32::MAX).then(|| now.after_seconds(session.expiry));
            if let Some(later) = will.take_if(|will| will.delay > 0) {
                session.will_due = Some(now.after_seconds(later.delay));
                session.will = Some(later);
            }
        }
        self.publish_will(name, will);
    }

    /// Whatever the clock has brought about for this client's session.
    pub(super) fn fall_due(&mut self, name: Name) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(name).filter(|session| session.wire.is_none()) else { return };
        let ends = is_over(session.ends_at, now);
        let will = session.will.take_if(|_| ends || is_over(session.will_due, now));
        if ends {
            self.sessions.remove(name);
        }
        self.publish_will(name, will);
    }

    fn publish_will(&mut self, publisher: Name, will: Option<Will>) {
        let Some(Will { number, topic, qos, retain, expiry, .. }) = will else { return };
        self.publish(Publication { number, topic, publisher, qos, retain, expiry });
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

    /// A SUBSCRIBE was granted.
    pub(crate) fn subscribe(&mut self, name: Name, filter: &str, options: SubscribeOptions, id: Option<u32>) {
        let made = self.next_moment();
        let Some(session) = self.sessions.get_mut(name) else { return };
        let old = session.subscriptions.insert(filter.to_owned(), Subscription { options, id });
        let wanted = match options.retain_handling {
            RetainHandling::OnSubscribe => true,
            RetainHandling::IfNew => old.is_none(),
            RetainHandling::Never => false,
        };
        if filter.starts_with("$share/") {
            let subscription = &session.subscriptions[filter];
            for copy in self.shared.iter_mut().filter(|copy| copy.filter == filter) {
                let form = Form::of_all(&self.publications[copy.publication], &[subscription]);
                copy.joined.extend(form.map(|form| (name, session.made, form)));
            }
            return;
        }
        if !wanted {
            return;
        }
        for (topic, (publication, expires_at)) in &self.retained {
            let (publication, expires_at) = (*publication, *expires_at);
            let message = &self.publications[publication];
            let own = options.no_local && message.publisher == name;
            if matches(filter, topic) && !own && !is_over(expires_at, self.now) {
                let qos = message.qos.min(options.qos);
                let form = Form { qos, retain: Some(true), ids: id.into_iter().collect() };
                let retained_for = Some(filter.to_owned());
                session.owed.push(Copy {
                    publication,
                    made,
                    expires_at,
                    form,
                    retained_for,
                    must: true,
                    receipt: None,
                });
            }
        }
    }

    /// An UNSUBSCRIBE. Says whether there was such a subscription.
    pub(crate) fn unsubscribe(&mut self, name: Name, filter: &str) -> bool {
        let Some(session) = self.sessions.get_mut(name) else { return false };
        for copy in &mut session.owed {
            copy.must &= copy.retained_for.as_deref() != Some(filter);
        }
        session.subscriptions.remove(filter).is_some()
    }
}

impl Session {
    /// What was sent at QoS 0 and has not arrived is lost.
    fn lose_connection(&mut self) {
        self.wire = None;
        for copy in &mut self.owed {
            copy.must &= copy.form.qos > QoS::AtMostOnce;
        }
    }
}

//! Subscriptions, and the retained messages they are owed (3.3.1.3, 3.8.4, 3.10.4).

use midge_protocol::{RetainHandling, SubscribeOptions};

use super::routing::matches;
use super::{Copy, Form, Loss, Name, Oracle, Subscription, is_over};

impl Oracle {
    /// A SUBSCRIBE was granted. A subscription that was there is replaced [MQTT-3.8.4-3].
    pub(crate) fn subscribe(&mut self, name: Name, filter: &str, options: SubscribeOptions, id: Option<u32>) {
        let made = self.next_moment();
        let Some(session) = self.sessions.get_mut(name) else { return };
        let old = session.subscriptions.insert(filter.to_owned(), Subscription { options, id });
        if filter.starts_with("$share/") {
            // Nothing retained is sent for it (4.8.2).
            session.shares = true;
            let subscription = &session.subscriptions[filter];
            for copy in self.shared.iter_mut().filter(|copy| copy.filter == filter) {
                let form = Form::of_all(&self.publications[copy.publication], &[subscription]);
                copy.joined.extend(form.map(|form| (name, session.made, form)));
            }
            return;
        }
        // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
        let wanted = match options.retain_handling {
            RetainHandling::OnSubscribe => true,
            RetainHandling::IfNew => old.is_none(),
            RetainHandling::Never => false,
        };
        for (topic, (publication, expires_at)) in self.retained.iter().filter(|_| wanted) {
            let message = &self.publications[*publication];
            let own = options.no_local && message.publisher == name;
            if matches(filter, topic) && !own && !is_over(*expires_at, self.now) {
                // RETAIN is set, for it is sent because a subscription was made [MQTT-3.3.1-8].
                let qos = message.qos.min(options.qos);
                let form = Form { qos, retain: true, ids: id.into_iter().collect() };
                session.owed.push(Copy {
                    publication: *publication,
                    made,
                    expires_at: *expires_at,
                    form,
                    retained_for: Some(filter.to_owned()),
                    must: true,
                    lost: Loss::No,
                    receipt: None,
                });
            }
        }
    }

    /// An UNSUBSCRIBE. What is on its way may still arrive [MQTT-3.10.4-3].
    pub(crate) fn unsubscribe(&mut self, name: Name, filter: &str) {
        let Some(session) = self.sessions.get_mut(name) else { return };
        for copy in &mut session.owed {
            copy.must &= copy.retained_for.as_deref() != Some(filter);
        }
        let made = session.made;
        if session.subscriptions.remove(filter).is_some() && filter.starts_with("$share/") {
            for copy in self.shared.iter_mut().filter(|copy| copy.filter == filter) {
                copy.left.push((name, made));
            }
            self.note_orphans(filter);
        }
    }

    /// Nobody may be left in a group: nobody has to get its messages then.
    pub(super) fn note_orphans(&mut self, filter: &str) {
        if self.sessions.values().any(|session| session.subscriptions.contains_key(filter)) {
            return;
        }
        for copy in self.shared.iter_mut().filter(|copy| copy.filter == filter) {
            copy.orphaned = true;
        }
    }
}

//! Who is owed a message that was published, and in which form (3.3.1.3, 3.3.4, 4.7, 4.8).

use std::collections::BTreeMap;

use midge_core::Time;
use midge_protocol::{ProtocolVersion, QoS, TopicFilter, TopicName};

use super::{Copy, Form, Loss, Name, Oracle, Publication, Seen, SharedCopy, Subscription, is_over};
use crate::server::payload;

impl Oracle {
    /// A PUBLISH, a Will or an announcement is routed. Returns its place among all publications.
    pub(crate) fn publish(&mut self, publication: Publication) -> usize {
        let index = self.publications.len();
        let made = self.next_moment();
        let expires_at = publication.expiry.map(|seconds| self.now.after_seconds(seconds));
        if publication.retain {
            self.retain(&publication, index, expires_at);
        }
        let mut groups: BTreeMap<String, Vec<(Name, u64, Form)>> = BTreeMap::new();
        for (name, session) in &mut self.sessions {
            let own = publication.publisher == *name;
            let mut matching = Vec::new();
            for (filter, subscription) in &session.subscriptions {
                if !matches(filter, &publication.topic) {
                } else if filter.starts_with("$share/") {
                    let form = Form::of_all(&publication, &[subscription]);
                    let members = groups.entry(filter.clone()).or_default();
                    members.extend(form.map(|form| (*name, session.made, form)));
                } else if !(own && subscription.options.no_local) {
                    matching.push(subscription);
                }
            }
            if let Some(form) = Form::of_all(&publication, &matching) {
                let must = form.qos > QoS::AtMostOnce || session.wire.is_some();
                session.owed.push(Copy {
                    publication: index,
                    made,
                    expires_at,
                    form,
                    retained_for: None,
                    must,
                    lost: Loss::No,
                    receipt: None,
                });
            }
        }
        for (filter, members) in groups {
            let must = members.iter().all(|(_, _, form)| form.qos > QoS::AtMostOnce);
            let away = members.iter().any(|(name, ..)| self.sessions[name].wire.is_none());
            self.shared.push(SharedCopy {
                publication: index,
                expires_at,
                filter,
                members,
                joined: Vec::new(),
                away,
                left: Vec::new(),
                orphaned: false,
                must,
                lost: Loss::No,
                receipts: Vec::new(),
            });
        }
        self.publications.push(publication);
        index
    }

    /// There is another retained message for the topic, or none: the old one is nobody's due any more.
    fn retain(&mut self, publication: &Publication, index: usize, expires_at: Option<Time>) {
        if let Some((old, _)) = self.retained.remove(&publication.topic) {
            for copy in self.sessions.values_mut().flat_map(|session| &mut session.owed) {
                copy.must &= copy.publication != old || copy.retained_for.is_none();
            }
        }
        // An empty payload clears, and is not retained itself [MQTT-3.3.1-6], [MQTT-3.3.1-7].
        if publication.number != 0 {
            self.retained.insert(publication.topic.clone(), (index, expires_at));
        }
    }

    /// What is retained: topic and message number.
    pub(crate) fn retained(&self) -> BTreeMap<String, u32> {
        let current = self.retained.iter().filter(|(_, (_, expires_at))| !is_over(*expires_at, self.now));
        current.map(|(topic, (index, _))| (topic.clone(), self.publications[*index].number)).collect()
    }
}

impl Publication {
    /// Bytes of a PUBLISH with this message in this form, its topic in full (3.3).
    pub(super) fn packet_bytes(&self, form: &Form, version: ProtocolVersion) -> usize {
        let payload = payload(self.number, self.padding).len();
        let identifier = if form.qos > QoS::AtMostOnce { 2 } else { 0 };
        let properties = match version {
            ProtocolVersion::V5 => 1 + if self.expiry.is_some() { 5 } else { 0 } + 2 * form.ids.len(),
            ProtocolVersion::V31 | ProtocolVersion::V311 => 0,
        };
        let remaining = 2 + self.topic.len() + identifier + properties + payload;
        1 + if remaining < 128 { 1 } else { 2 } + remaining
    }
}

impl Form {
    /// One copy for all matching subscriptions of a session: the highest QoS and all identifiers [MQTT-3.3.4-2],
    /// [MQTT-3.3.4-3]. RETAIN is kept if one of them wants it as published [MQTT-3.3.1-12], [MQTT-3.3.1-13].
    pub(super) fn of_all(publication: &Publication, matching: &[&Subscription]) -> Option<Self> {
        let granted = matching.iter().map(|subscription| subscription.options.qos).max()?;
        let as_published = matching.iter().any(|subscription| subscription.options.retain_as_published);
        let mut ids: Vec<u32> = matching.iter().filter_map(|subscription| subscription.id).collect();
        ids.sort_unstable();
        Some(Self { qos: publication.qos.min(granted), retain: publication.retain && as_published, ids })
    }

    pub(super) fn fits(&self, seen: &Seen) -> bool {
        let ids = seen.version < ProtocolVersion::V5 || self.ids == seen.ids;
        self.qos == seen.qos && self.retain == seen.retain && ids
    }
}

/// Whether the filter, without its `$share/NAME/`, matches (4.7).
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let (Ok(filter), Ok(topic)) = (TopicFilter::new(filter), TopicName::new(topic)) else { return false };
    filter.share().map_or(filter, |(_, inner)| inner).matches(topic)
}

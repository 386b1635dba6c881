//! The retained messages that new subscriptions are owed.

use std::collections::VecDeque;
use std::sync::Arc;

use midge_protocol::{QoS, SubscriptionId, TopicFilter};

use super::delivery::{Delivery, Rare};
use crate::retained::{Cursor, Retained};
use crate::{Message, Time};

/// What each new subscription is still owed, sent as the connection takes it and never cut short.
#[derive(Debug, Default)]
pub(crate) struct Replay(VecDeque<Owed>);

/// One subscription's retained messages: a few found, and where to look for more.
#[derive(Debug)]
pub(crate) struct Owed {
    pub(crate) filter: Box<str>,
    pub(crate) qos: QoS,
    pub(crate) subscription_id: Option<SubscriptionId>,
    /// No Local: this client's own messages are left out.
    pub(crate) except: Option<Arc<str>>,
    pub(crate) found: VecDeque<Message>,
    pub(crate) cursor: Cursor,
}

/// What a replay has to send.
pub(crate) enum Next {
    Delivery(Delivery),
    /// The client may not have it.
    Denied(Message),
    /// Whether the client may have the next one is not known.
    Undecided,
    /// Many topics were looked at and none matched: the search goes on when others have had their turn.
    Later,
    /// All is sent, or must wait for quota.
    Nothing,
}

impl Replay {
    pub(crate) fn push(&mut self, owed: Owed) {
        self.0.push_back(owed);
    }

    /// The subscription whose turn it is.
    pub(super) fn first(&self) -> Option<&Owed> {
        self.0.front()
    }

    /// A subscription ended: nothing is owed for it any more.
    pub(crate) fn forget(&mut self, filter: &str) {
        self.0.retain(|owed| *owed.filter != *filter);
    }

    /// Nothing is owed any more.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The next delivery, if there is one that may be sent now: without quota only QoS 0 may. RETAIN is set, for it is sent
    /// because a subscription was made [MQTT-3.3.1-8]. `decide` says of each whether it may be, if that is known.
    pub(crate) fn next(
        &mut self,
        retained: &Retained,
        quota: bool,
        now: Time,
        mut decide: impl FnMut(&Message, QoS) -> Option<bool>,
    ) -> Next {
        loop {
            let Some(owed) = self.0.front_mut() else { return Next::Nothing };
            let Some(message) = owed.peek(retained, now) else {
                if !owed.cursor.is_done() {
                    return Next::Later;
                }
                self.0.pop_front();
                continue;
            };
            let qos = message.qos().min(owed.qos);
            if qos > QoS::AtMostOnce && !quota {
                return Next::Nothing;
            }
            let own = owed.except.is_some() && message.publisher() == owed.except.as_ref();
            // One replaced or cleared since it was found is stale: the client was sent the newer one as it was published.
            let current = retained.get(message.topic(), now).is_some_and(|current| current.is(&message));
            if !current || own {
                owed.found.pop_front();
                continue;
            }
            let Some(may_be_sent) = decide(&message, qos) else { return Next::Undecided };
            owed.found.pop_front();
            if !may_be_sent {
                return Next::Denied(message);
            }
            let rare = Rare { subscription_ids: owed.subscription_id.into_iter().collect(), share: None };
            return Next::Delivery(Delivery::new(message, qos, true, rare));
        }
    }

    /// Whether nothing is owed any more, as far as known.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Owed {
    fn peek(&mut self, retained: &Retained, now: Time) -> Option<Message> {
        if self.found.is_empty() && !self.cursor.is_done() {
            let filter =
                TopicFilter::new(&self.filter).expect("the filter of a subscription was checked when it was made");
            let mut found = Vec::new();
            retained.matching_from(filter, now, &mut self.cursor, FOUND_AT_ONCE, &mut found);
            self.found.extend(found);
        }
        self.found.front().cloned()
    }
}

/// Messages looked up at a time.
const FOUND_AT_ONCE: usize = 32;

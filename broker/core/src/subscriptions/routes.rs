//! What a match hands out: the routes of one topic.

use std::sync::Arc;

use super::group::Group;
use super::{Route, Subscriber};

/// One receiver of a message.
#[derive(Debug)]
pub(crate) enum Match<'a, S> {
    /// All matching Subscriptions of one subscriber, at least one. It is sent one copy, at the highest QoS among them
    /// and with all their Subscription Identifiers [MQTT-3.3.4-2], [MQTT-3.3.4-4].
    Subscriber(&'a [Route<S>]),
    /// A shared Subscription, of which one member is sent a copy.
    Group(&'a Arc<Group<S>>),
}

/// Everything that matches one topic.
pub(super) struct Routes<S> {
    routes: Vec<Route<S>>,
    groups: Vec<Arc<Group<S>>>,
    /// How many filters contributed routes: from two on, one subscriber may stand there more than once.
    filters: usize,
}

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self { routes: Vec::new(), groups: Vec::new(), filters: 0 }
    }
}

impl<S: Subscriber> Routes<S> {
    /// Appends what one filter contributes.
    pub(super) fn extend(&mut self, routes: &[Route<S>], groups: &[Arc<Group<S>>]) {
        self.routes.extend_from_slice(routes);
        self.groups.extend_from_slice(groups);
        self.filters += usize::from(!routes.is_empty());
    }

    /// Brings the routes of one subscriber together, once all are there.
    pub(super) fn arrange(&mut self) {
        if self.filters > 1 {
            self.routes.sort_by_key(|route| route.subscriber.id());
        }
        self.routes.shrink_to_fit();
    }

    /// How many handles to subscribers this keeps.
    pub(super) fn weight(&self) -> usize {
        self.routes.len() + self.groups.len()
    }

    pub(super) fn visit(&self, mut visit: impl FnMut(Match<'_, S>)) {
        if self.filters > 1 {
            for own in self.routes.chunk_by(|a, b| a.subscriber.id() == b.subscriber.id()) {
                visit(Match::Subscriber(own));
            }
        } else {
            for route in &self.routes {
                visit(Match::Subscriber(std::slice::from_ref(route)));
            }
        }
        for group in &self.groups {
            visit(Match::Group(group));
        }
    }
}

//! Everyone who subscribed to one Topic Filter.

use std::sync::Arc;

use super::group::{Group, Share};
use super::members::Members;
use super::routes::Routes;
use super::{Route, Subscriber};

/// The subscribers of one filter, never none: the filter is forgotten with the last of them.
pub(super) enum Subscribers<S> {
    /// By far the most frequent case costs no allocation.
    One(Route<S>),
    Many(Box<Many<S>>),
}

/// Several subscribers, or any shared Subscription.
pub(super) struct Many<S> {
    members: Members<S>,
    /// Ordered by share name.
    groups: Vec<Arc<Group<S>>>,
}

/// What making or ending a Subscription did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Whether the Subscription existed before.
    pub(super) existed: bool,
    /// Whether routes that threads may have cached are out of date.
    pub(super) routes: bool,
}

/// What ending a Subscription left behind.
pub(super) struct Removal {
    pub(super) change: Change,
    /// Whether nobody subscribes to the filter any more.
    pub(super) empty: bool,
}

impl Change {
    /// A filter nobody had, or a Subscription nobody has.
    pub(super) const ADDED: Self = Self { existed: false, routes: true };
    pub(super) const NONE: Self = Self { existed: false, routes: false };
}

impl<S: Subscriber> Subscribers<S> {
    /// The first subscriber of a filter.
    pub(super) fn new(filter: &str, share: Option<Share<'_>>, route: Route<S>) -> Self {
        match share {
            None => Self::One(route),
            Some(share) => {
                let mut many = Many { members: Members::new(), groups: Vec::new() };
                many.subscribe(filter, Some(share), route);
                Self::Many(Box::new(many))
            }
        }
    }

    /// Adds a subscriber, or replaces its options.
    pub(super) fn subscribe(&mut self, filter: &str, share: Option<Share<'_>>, route: Route<S>) -> Change {
        match self {
            Self::One(only) if share.is_none() && only.subscriber.id() == route.subscriber.id() => {
                *only = route;
                Change { existed: true, routes: true }
            }
            Self::One(only) => {
                let mut many = Many { members: Members::new(), groups: Vec::new() };
                many.members.put(only.clone());
                let change = many.subscribe(filter, share, route);
                *self = Self::Many(Box::new(many));
                change
            }
            Self::Many(many) => many.subscribe(filter, share, route),
        }
    }

    /// Ends a subscriber's Subscription.
    pub(super) fn unsubscribe(&mut self, share: Option<&str>, id: u64) -> Removal {
        match self {
            Self::One(only) => {
                let found = share.is_none() && only.subscriber.id() == id;
                Removal { change: Change { existed: found, routes: found }, empty: found }
            }
            Self::Many(many) => {
                let change = many.unsubscribe(share, id);
                let empty = many.groups.is_empty() && many.members.as_slice().is_empty();
                if many.groups.is_empty()
                    && let Some(only) = many.members.take_only()
                {
                    *self = Self::One(only);
                }
                Removal { change, empty }
            }
        }
    }

    /// The group of this share name.
    pub(super) fn group(&self, share: &str) -> Option<&Arc<Group<S>>> {
        match self {
            Self::One(_) => None,
            Self::Many(many) => many.position(share).ok().map(|position| &many.groups[position]),
        }
    }

    /// Appends every route and every group.
    pub(super) fn collect(&self, into: &mut Routes<S>) {
        match self {
            Self::One(route) => into.extend(std::slice::from_ref(route), &[]),
            Self::Many(many) => into.extend(many.members.as_slice(), &many.groups),
        }
    }
}

impl<S: Subscriber> Many<S> {
    fn subscribe(&mut self, filter: &str, share: Option<Share<'_>>, route: Route<S>) -> Change {
        let Some(share) = share else { return Change { existed: self.members.put(route), routes: true } };
        match self.position(share.name) {
            Ok(position) => Change { existed: self.groups[position].join(route), routes: false },
            Err(position) => {
                let group = Group::new(share, filter);
                group.join(route);
                self.groups.insert(position, Arc::new(group));
                Change::ADDED
            }
        }
    }

    fn unsubscribe(&mut self, share: Option<&str>, id: u64) -> Change {
        let Some(share) = share else {
            let existed = self.members.remove(id);
            return Change { existed, routes: existed };
        };
        let Ok(position) = self.position(share) else { return Change::NONE };
        let existed = self.groups[position].leave(id);
        let empty = self.groups[position].is_empty();
        if empty {
            self.groups.remove(position);
        }
        Change { existed, routes: empty }
    }

    fn position(&self, share: &str) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.share().cmp(share))
    }
}

//! Shared Subscriptions: a group of subscribers of which one receives each message (4.8.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use midge_protocol::QoS;
use parking_lot::RwLock;

use super::choice::{Chooser, Occasion, Readiness};
use super::members::Members;
use super::{Options, Route, Subscriber};
use crate::SharedStrategy;

/// `$share/NAME/FILTER`, boxed so that a delivery that knows it is larger by one word only.
pub(crate) type GroupName = Arc<Box<str>>;

/// The subscribers that share one Subscription.
///
/// Groups are handed out by reference: a subscriber that joins or leaves changes the group in place, and cached
/// routes to it stay good.
pub(crate) struct Group<S> {
    name: GroupName,
    share_bytes: usize,
    chooser: Chooser,
    members: RwLock<Members<S>>,
    /// Whether a message may be waiting for a member that is not connected.
    backlog: AtomicBool,
}

/// A share name, and how its members are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share<'a> {
    pub(crate) name: &'a str,
    pub(crate) strategy: SharedStrategy,
    /// For choices by chance.
    pub(crate) seed: u64,
}

/// The member chosen for a message.
#[derive(Debug)]
pub(crate) struct Pick<S> {
    pub(crate) subscriber: S,
    pub(crate) options: Options,
    /// How ready it was; what it says of itself may be out of date.
    pub(crate) readiness: Readiness,
}

impl<S: Subscriber> Group<S> {
    pub(super) fn new(share: Share<'_>, filter: &str) -> Self {
        Self {
            name: Arc::new(format!("{PREFIX}{}/{filter}", share.name).into()),
            share_bytes: share.name.len(),
            chooser: Chooser::new(share.strategy, share.seed),
            members: RwLock::new(Members::new()),
            backlog: AtomicBool::new(false),
        }
    }

    /// The filter as its members wrote it, `$share/NAME/FILTER`.
    pub(crate) fn name(&self) -> &GroupName {
        &self.name
    }

    /// The name the members share, the second level of `$share/NAME/FILTER`.
    pub(crate) fn share(&self) -> &str {
        &self.name[PREFIX.len()..][..self.share_bytes]
    }

    /// The Topic Filter they share.
    #[cfg(test)]
    pub(crate) fn filter(&self) -> &str {
        &self.name[PREFIX.len() + self.share_bytes + 1..]
    }

    /// How many members there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.members.read().as_slice().len()
    }

    /// Whether the last member left. Only a group found before that can be empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.read().as_slice().is_empty()
    }

    /// The member that a message goes to, by the group's strategy; none of those that were `tried`. None if nobody is left.
    ///
    /// The group is locked for as long as it takes to look at its members, who are not: it is for the caller to lock the
    /// one that was picked, and to try again if that one has ended or has no room after all.
    pub(crate) fn pick(&self, occasion: &Occasion<'_>, tried: &[u64]) -> Option<Pick<S>> {
        let members = self.members.read();
        let place = self.chooser.choose(&members, occasion, tried)?;
        let Route { subscriber, options } = members.as_slice()[place].clone();
        let readiness = subscriber.readiness();
        Some(Pick { subscriber, options, readiness })
    }

    /// Whether some member is connected, has room, and was granted more than `QoS` 0.
    pub(crate) fn has_ready_member(&self) -> bool {
        let is_ready =
            |route: &Route<S>| route.options.qos > QoS::AtMostOnce && route.subscriber.readiness() == Readiness::Ready;
        self.members.read().as_slice().iter().any(is_ready)
    }

    /// Whether some member is connected, has room to spare, and was granted more than `QoS` 0.
    pub(crate) fn has_easy_member(&self) -> bool {
        let is_easy = |Route { subscriber, options }: &Route<S>| {
            options.qos > QoS::AtMostOnce && subscriber.readiness() == Readiness::Ready && !subscriber.is_crowded()
        };
        self.members.read().as_slice().iter().any(is_easy)
    }

    /// Whether none of the members that were granted more than `QoS` 0 has room, and there are such members.
    pub(crate) fn is_full(&self) -> bool {
        let members = self.members.read();
        let mut queueing = members.as_slice().iter().filter(|route| route.options.qos > QoS::AtMostOnce).peekable();
        queueing.peek().is_some() && queueing.all(|route| route.subscriber.readiness() >= Readiness::Full)
    }

    /// A message of the group waits, or may wait, for a member that is not connected.
    pub(crate) fn note_backlog(&self) {
        self.backlog.store(true, Ordering::Relaxed);
    }

    /// The members that are not connected and for which something waits; whoever asks sees to it that it waits no more.
    pub(crate) fn take_backlog(&self) -> Vec<S> {
        if !self.backlog.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        let waiting = |subscriber: &&S| {
            subscriber.load() > 0 && matches!(subscriber.readiness(), Readiness::Absent | Readiness::AbsentAndFull)
        };
        self.members.read().as_slice().iter().map(|route| &route.subscriber).filter(waiting).cloned().collect()
    }

    pub(super) fn join(&self, route: Route<S>) -> bool {
        self.members.write().put(route)
    }

    pub(super) fn leave(&self, id: u64) -> bool {
        self.members.write().remove(id)
    }
}

impl<S> std::fmt::Debug for Group<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("name", &self.name).finish_non_exhaustive()
    }
}

const PREFIX: &str = "$share/";

//! Shared Subscriptions: a group of subscribers of which one receives each message (4.8.2).

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::members::Members;
use super::{Options, Route, Subscriber};

/// The subscribers that share one Subscription.
///
/// Groups are handed out by reference: a subscriber that joins or leaves changes the group in place, and cached
/// routes to it stay good.
pub(crate) struct Group<S> {
    share: Box<str>,
    filter: Box<str>,
    members: RwLock<Members<S>>,
    /// Whose turn it is, modulo the number of members.
    cursor: AtomicUsize,
}

impl<S: Subscriber> Group<S> {
    pub(super) fn new(share: &str, filter: &str) -> Self {
        Self {
            share: share.into(),
            filter: filter.into(),
            members: RwLock::new(Members::new()),
            cursor: AtomicUsize::new(0),
        }
    }

    /// The name the members share, the second level of `$share/NAME/FILTER`.
    pub(crate) fn share(&self) -> &str {
        &self.share
    }

    /// The Topic Filter they share.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.members.read().as_slice().len()
    }

    /// Whether the last member left. Only a group found before that can be empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next member in turn that `accepts` the message, or none if nobody does. Every member is tried once, as
    /// long as nobody joins or leaves meanwhile.
    ///
    /// No lock is held while `accepts` runs, so it may take the subscriber's own.
    pub(crate) fn pick(&self, accepts: impl Fn(&S) -> bool) -> Option<(S, Options)> {
        let first = self.cursor.fetch_add(1, Ordering::Relaxed);
        let mut tried = 0;
        loop {
            let Route { subscriber, options } = self.member(first, tried)?;
            if accepts(&subscriber) {
                if tried > 0 {
                    // The turn passes to whoever follows the member found, not to those it was found after.
                    self.cursor.fetch_add(tried, Ordering::Relaxed);
                }
                return Some((subscriber, options));
            }
            tried += 1;
        }
    }

    /// The member `tried` places after the one whose turn is `first`; none when all were tried.
    fn member(&self, first: usize, tried: usize) -> Option<Route<S>> {
        let members = self.members.read();
        let routes = members.as_slice();
        if tried >= routes.len() {
            return None;
        }
        Some(routes[(first % routes.len() + tried) % routes.len()].clone())
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
        f.debug_struct("Group").field("share", &self.share).field("filter", &self.filter).finish_non_exhaustive()
    }
}

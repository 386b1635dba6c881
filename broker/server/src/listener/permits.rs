//! How many Network Connections may be open, on one listener and on all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// All places of the broker.
#[derive(Clone)]
pub(crate) struct Admission {
    total: Arc<Count>,
    /// Of those for whom there is no place, how many are told so at the same time.
    refusals: Arc<Count>,
}

impl Admission {
    /// At most `max` connections, and `refusals_max` more that are only told so.
    pub(crate) fn new(max: u32, refusals_max: u32) -> Self {
        Self { total: Arc::new(Count::new(max)), refusals: Arc::new(Count::new(refusals_max)) }
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> u32 {
        self.total.used.load(Ordering::Acquire)
    }

    /// Waits until no connection is open.
    pub(crate) async fn idle(&self) {
        loop {
            let freed = self.total.idle.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            freed.await;
        }
    }

    /// A place on a listener of its own.
    #[cfg(test)]
    pub(crate) fn one_place(&self) -> Permit {
        match self.places(1).take() {
            Ok(permit) => permit,
            Err(full) => panic!("{} is reached", full.key()),
        }
    }

    /// The places of a listener that may have `max` of them.
    pub(super) fn places(&self, max: u32) -> Arc<Places> {
        let (total, refusals) = (Arc::clone(&self.total), Arc::clone(&self.refusals));
        Arc::new(Places { own: Count::new(max), total, refusals })
    }
}

/// The places of one listener.
pub(super) struct Places {
    own: Count,
    total: Arc<Count>,
    refusals: Arc<Count>,
}

impl Places {
    /// A place for one more connection, if there is one here and in all; if only the broker is full, one for a client that is to
    /// be told so.
    pub(super) fn take(self: &Arc<Self>) -> Result<Permit, Full> {
        if !self.own.take() {
            return Err(Full::Listener);
        }
        if !self.total.take() {
            self.own.give();
            let may_be_told = self.refusals.take();
            return if may_be_told { Ok(Permit::new(self, Purpose::Refusal)) } else { Err(Full::Broker) };
        }
        Ok(Permit::new(self, Purpose::Service))
    }
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// `connections_max` of the listener.
    Listener,
    /// `connections_max` of `[limits]`.
    Broker,
}

impl Full {
    /// The key of the limit, for the log.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Listener => "listener.connections_max",
            Self::Broker => "limits.connections_max",
        }
    }
}

/// One place, given back when dropped.
pub(crate) struct Permit {
    places: Arc<Places>,
    purpose: Purpose,
}

/// What a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A client that is served.
    Service,
    /// A client that is told that the broker is full.
    Refusal,
}

impl Permit {
    fn new(places: &Arc<Places>, purpose: Purpose) -> Self {
        Self { places: Arc::clone(places), purpose }
    }

    /// Whether its client only is to be told that the broker is full.
    pub(crate) fn is_for_refusal(&self) -> bool {
        self.purpose == Purpose::Refusal
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match self.purpose {
            Purpose::Service => {
                self.places.own.give();
                self.places.total.give();
            }
            Purpose::Refusal => self.places.refusals.give(),
        }
    }
}

struct Count {
    max: u32,
    used: AtomicU32,
    /// Told when the last place is given back.
    idle: Notify,
}

impl Count {
    fn new(max: u32) -> Self {
        Self { max, used: AtomicU32::new(0), idle: Notify::new() }
    }

    fn take(&self) -> bool {
        let more = |used: u32| (used < self.max).then_some(used + 1);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_ok()
    }

    fn give(&self) {
        if self.used.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn both_limits_hold_and_a_dropped_permit_is_a_place() {
        let admission = Admission::new(3, 0);
        let (near, far) = (admission.places(2), admission.places(10));
        let first = near.take().ok().unwrap();
        let _second = near.take().ok().unwrap();
        assert_eq!(near.take().err(), Some(Full::Listener));
        let _third = far.take().ok().unwrap();
        assert_eq!(far.take().err(), Some(Full::Broker));
        assert_eq!(admission.open(), 3);
        drop(first);
        assert!(far.take().is_ok(), "a place refused by the total is not kept by the listener");
        assert!(near.take().is_ok());
    }

    #[test]
    fn where_the_broker_is_full_so_many_are_told() {
        let admission = Admission::new(1, 1);
        let places = admission.places(10);
        let served = places.take().ok().unwrap();
        let told = places.take().ok().unwrap();
        assert!(!served.is_for_refusal() && told.is_for_refusal());
        assert_eq!(places.take().err(), Some(Full::Broker));
        assert_eq!(admission.open(), 1);
        drop(told);
        assert!(places.take().is_ok_and(|permit| permit.is_for_refusal()));
        drop(served);
        assert!(places.take().is_ok_and(|permit| !permit.is_for_refusal()));
    }

    #[tokio::test]
    async fn idle_is_when_the_last_place_is_given_back() {
        let admission = Admission::new(3, 0);
        let permit = admission.places(3).take().ok().unwrap();
        let waiting = tokio::spawn({
            let admission = admission.clone();
            async move { admission.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(permit);
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    }
}

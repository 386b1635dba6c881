//! How many Network Connections may be open, on one listener and on all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

/// All places of the broker.
#[derive(Clone)]
pub(crate) struct Admission {
    total: Arc<Count>,
}

impl Admission {
    /// At most `max` connections.
    pub(crate) fn new(max: u32) -> Self {
        Self { total: Arc::new(Count::new(max)) }
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
        Arc::new(Places { own: Count::new(max), total: Arc::clone(&self.total) })
    }
}

/// The places of one listener.
pub(super) struct Places {
    own: Count,
    total: Arc<Count>,
}

impl Places {
    /// A place for one more connection, if there is one here and in all.
    pub(super) fn take(self: &Arc<Self>) -> Result<Permit, Full> {
        if !self.own.take() {
            return Err(Full::Listener);
        }
        if !self.total.take() {
            self.own.give();
            return Err(Full::Broker);
        }
        Ok(Permit(Arc::clone(self)))
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
pub(crate) struct Permit(Arc<Places>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.own.give();
        self.0.total.give();
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
        let admission = Admission::new(3);
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

    #[tokio::test]
    async fn idle_is_when_the_last_place_is_given_back() {
        let admission = Admission::new(3);
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

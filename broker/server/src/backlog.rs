//! Connections whose sockets take no more, and what waits for them.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::driver::Link;

/// Every connection with something in its outbox that its socket did not take. One that takes everything at once never comes
/// here, so that nothing is counted for a message.
#[derive(Default)]
pub(crate) struct Backlog {
    listed: Mutex<Vec<Weak<Link>>>,
    latest: Mutex<Waiting>,
}

/// What waits at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) connections: u64,
    pub(crate) bytes: u64,
}

impl Backlog {
    /// The socket of this connection takes no more.
    pub(crate) fn add(&self, link: &Arc<Link>) {
        if link.enlist() {
            self.listed.lock().push(Arc::downgrade(link));
        }
    }

    /// Sums up what waits, and forgets connections that are gone or have caught up; to be called about once a second.
    pub(crate) fn look(&self) -> Waiting {
        let mut waiting = Waiting::default();
        let mut listed = self.listed.lock();
        listed.retain(|link| {
            let Some(link) = link.upgrade() else { return false };
            let bytes = link.waiting_bytes();
            waiting.connections += u64::from(bytes > 0);
            waiting.bytes += bytes as u64;
            if bytes > 0 {
                return true;
            }
            link.delist();
            // Its socket may have become full between the look and that, and then nobody listed it.
            link.waiting_bytes() > 0 && link.enlist()
        });
        if listed.len() < listed.capacity() / 4 {
            let room = listed.len() * 2;
            listed.shrink_to(room);
        }
        drop(listed);
        *self.latest.lock() = waiting;
        waiting
    }

    /// What the last look found.
    pub(crate) fn latest(&self) -> Waiting {
        *self.latest.lock()
    }
}

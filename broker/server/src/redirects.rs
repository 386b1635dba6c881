//! Where clients are sent that plugins have disconnected: a Server Reference for their DISCONNECT (4.11).
//!
//! The core's reasons to close have no room for it, so it waits here for the client's farewell. What waits belongs to
//! connections that are about to close, each of which takes its own away, whatever it ends for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Server References by Client Identifier.
#[derive(Debug, Default)]
pub(crate) struct Redirects {
    waiting: Mutex<HashMap<String, Arc<str>>>,
    /// How many wait, so that a farewell takes no lock as long as none do, which is nearly always.
    count: AtomicUsize,
}

impl Redirects {
    /// Notes where a client goes whose connection is closed next.
    pub(crate) fn announce(&self, client_id: &str, server_reference: &Arc<str>) {
        let mut waiting = self.waiting.lock();
        waiting.insert(client_id.to_owned(), Arc::clone(server_reference));
        self.count.store(waiting.len(), Ordering::Release);
    }

    /// Where the client goes, if it was sent somewhere.
    pub(crate) fn take(&self, client_id: &str) -> Option<Arc<str>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut waiting = self.waiting.lock();
        let taken = waiting.remove(client_id);
        self.count.store(waiting.len(), Ordering::Release);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_taken_once_and_by_its_client() {
        let redirects = Redirects::default();
        assert_eq!(redirects.take("a"), None);
        redirects.announce("a", &"elsewhere".into());
        assert_eq!(redirects.take("b"), None);
        assert_eq!(redirects.take("a").as_deref(), Some("elsewhere"));
        assert_eq!(redirects.take("a"), None);
    }
}

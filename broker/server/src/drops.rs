//! Messages that did not reach a client, gathered so that the log has a line for each client and reason, not for each
//! message.

use std::collections::HashMap;
use std::sync::Arc;

use midge_core::DropReason;
use parking_lot::Mutex;
use tracing::warn;

/// What was dropped since the last report.
#[derive(Debug, Default)]
pub(crate) struct Drops {
    gathered: Mutex<Gathered>,
}

#[derive(Debug, Default)]
struct Gathered {
    by_client: HashMap<(Arc<str>, DropReason), Dropped>,
    /// Of clients beyond [`CLIENTS_MAX`]; they are in the metrics all the same.
    others: u64,
}

#[derive(Debug)]
struct Dropped {
    count: u64,
    /// The topic of the first of them.
    topic: Box<str>,
}

impl Drops {
    pub(crate) fn add(&self, client_id: &Arc<str>, topic: &str, reason: DropReason, count: u64) {
        let mut gathered = self.gathered.lock();
        let is_full = gathered.by_client.len() >= CLIENTS_MAX;
        match gathered.by_client.get_mut(&(Arc::clone(client_id), reason)) {
            Some(dropped) => dropped.count += count,
            None if is_full => gathered.others += count,
            None => {
                let dropped = Dropped { count, topic: topic.into() };
                gathered.by_client.insert((Arc::clone(client_id), reason), dropped);
            }
        }
    }

    /// Logs what was gathered; called about once a second.
    pub(crate) fn report(&self) {
        let Gathered { by_client, others } = std::mem::take(&mut *self.gathered.lock());
        for ((client_id, reason), Dropped { count, topic }) in by_client {
            warn!(%client_id, reason = reason.name(), count, first_topic = %topic, "messages dropped");
        }
        if others > 0 {
            warn!(count = others, "messages dropped for more clients than are listed");
        }
    }
}

/// So many lines a second are enough for an operator to see what is wrong.
const CLIENTS_MAX: usize = 100;

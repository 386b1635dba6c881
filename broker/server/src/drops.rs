//! Messages that did not reach a client, gathered by client and reason: for the log, which has a line for each, not for each
//! message, and for the metrics.

use std::collections::HashMap;
use std::sync::Arc;

use midge_core::DropReason;
use parking_lot::Mutex;
use tracing::warn;

/// What was dropped for the clients to which that happened last.
#[derive(Debug, Default)]
pub(crate) struct Drops(Mutex<Gathered>);

/// What one client did not get for one reason, since it is on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientDrops {
    pub(crate) client_id: Arc<str>,
    pub(crate) reason: DropReason,
    pub(crate) count: u64,
}

#[derive(Debug, Default)]
struct Gathered {
    by_client: HashMap<(Arc<str>, DropReason), Dropped>,
    /// Not reported, and of clients that are not on the list; they are in the sums of the metrics all the same.
    others: u64,
    /// How often there was a report.
    reports: u64,
    /// When it was last seen to that there is room on the list.
    swept: u64,
}

#[derive(Debug)]
struct Dropped {
    count: u64,
    unreported: u64,
    /// The topic of the first of those.
    topic: Box<str>,
    /// After how many reports the latest was dropped.
    latest: u64,
}

impl Drops {
    pub(crate) fn add(&self, client_id: &Arc<str>, topic: &str, reason: DropReason, count: u64) {
        self.0.lock().add(client_id, topic, reason, count);
    }

    /// Logs what was gathered since the last report; called about once a second.
    pub(crate) fn report(&self) {
        let (lines, others) = self.0.lock().due();
        for (ClientDrops { client_id, reason, count }, topic) in lines {
            warn!(%client_id, reason = reason.name(), count, first_topic = %topic, "messages dropped");
        }
        if others > 0 {
            warn!(count = others, "messages dropped for more clients than are listed");
        }
    }

    /// The list.
    pub(crate) fn by_client(&self) -> Vec<ClientDrops> {
        let gathered = self.0.lock();
        let of = |(key, dropped): (&(Arc<str>, DropReason), &Dropped)| ClientDrops {
            client_id: Arc::clone(&key.0),
            reason: key.1,
            count: dropped.count,
        };
        gathered.by_client.iter().map(of).collect()
    }
}

impl Gathered {
    fn add(&mut self, client_id: &Arc<str>, topic: &str, reason: DropReason, count: u64) {
        let key = (Arc::clone(client_id), reason);
        if !self.by_client.contains_key(&key) && !self.makes_room() {
            self.others += count;
            return;
        }
        let new = || Dropped { count: 0, unreported: 0, topic: Box::default(), latest: 0 };
        let dropped = self.by_client.entry(key).or_insert_with(new);
        if dropped.unreported == 0 {
            dropped.topic = topic.into();
        }
        dropped.count += count;
        dropped.unreported += count;
        dropped.latest = self.reports;
    }

    /// Whether one more can be on the list, after those have left it that lost nothing for a while.
    fn makes_room(&mut self) -> bool {
        if self.by_client.len() >= CLIENTS_MAX && self.swept < self.reports {
            self.swept = self.reports;
            let oldest = self.reports.saturating_sub(KEPT_REPORTS);
            self.by_client.retain(|_, dropped| dropped.latest >= oldest);
        }
        self.by_client.len() < CLIENTS_MAX
    }

    /// What is to be reported.
    fn due(&mut self) -> (Vec<(ClientDrops, Box<str>)>, u64) {
        self.reports += 1;
        let mut lines = Vec::new();
        let mut others = std::mem::take(&mut self.others);
        for ((client_id, reason), dropped) in &mut self.by_client {
            let count = std::mem::take(&mut dropped.unreported);
            if count == 0 {
                continue;
            }
            if lines.len() < LINES_MAX {
                let drops = ClientDrops { client_id: Arc::clone(client_id), reason: *reason, count };
                lines.push((drops, std::mem::take(&mut dropped.topic)));
            } else {
                others += count;
            }
        }
        (lines, others)
    }
}

/// So many clients, for so many reasons, are told apart in the metrics.
const CLIENTS_MAX: usize = 1000;
/// So many lines a second are enough for an operator to see what is wrong.
const LINES_MAX: usize = 100;
/// A client that lost nothing during so many reports, one a second, leaves the list when it is full.
const KEPT_REPORTS: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn add(gathered: &mut Gathered, client: &str, count: u64) {
        gathered.add(&client.into(), "t", DropReason::QueueFull, count);
    }

    #[test]
    fn each_loss_is_reported_once_and_the_sums_stay() {
        let mut gathered = Gathered::default();
        add(&mut gathered, "slow", 2);
        add(&mut gathered, "slow", 3);
        let (lines, others) = gathered.due();
        assert_eq!((lines.len(), lines[0].0.count, &*lines[0].1, others), (1, 5, "t", 0));
        assert!(gathered.due().0.is_empty());
        add(&mut gathered, "slow", 1);
        assert_eq!(gathered.due().0[0].0.count, 1);
        let drops = Drops(Mutex::new(gathered)).by_client();
        assert_eq!(drops, [ClientDrops { client_id: "slow".into(), reason: DropReason::QueueFull, count: 6 }]);
    }

    #[test]
    fn a_full_list_forgets_those_that_lost_nothing_for_a_while() {
        let mut gathered = Gathered::default();
        (0..CLIENTS_MAX).for_each(|number| add(&mut gathered, &number.to_string(), 1));
        add(&mut gathered, "one more", 7);
        let (lines, others) = gathered.due();
        assert_eq!((lines.len(), others), (LINES_MAX, (CLIENTS_MAX - LINES_MAX) as u64 + 7));
        (0..KEPT_REPORTS).for_each(|_| drop(gathered.due()));
        add(&mut gathered, "one more", 7);
        assert_eq!((gathered.by_client.len(), gathered.due().0.len()), (1, 1));
    }
}

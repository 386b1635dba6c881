//! Those who subscribe, and an index full of what they subscribed to.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use midge_protocol::{QoS, TopicFilter};

use crate::Sharing;
use crate::mixes::{Mix, Wanted};
use crate::subscriptions::{Match, Options, Readiness, Subscriber, SubscriptionIndex};

/// A handle like the broker's sessions. It counts how often a thread copies one: that is once for every route it looks
/// up, and never for those it remembers.
#[derive(Debug)]
pub(crate) struct Client(Arc<u64>);

pub(crate) type Index = SubscriptionIndex<Client>;

thread_local! {
    static COPIES: Cell<u64> = const { Cell::new(0) };
}

impl Client {
    pub(crate) fn new(id: u64) -> Self {
        Self(Arc::new(id))
    }

    pub(crate) fn many(count: usize) -> Vec<Self> {
        (0..count as u64).map(Self::new).collect()
    }

    /// How many copies this thread has made.
    pub(crate) fn copies() -> u64 {
        COPIES.get()
    }
}

impl Clone for Client {
    fn clone(&self) -> Self {
        COPIES.set(COPIES.get() + 1);
        Self(Arc::clone(&self.0))
    }
}

impl Subscriber for Client {
    fn id(&self) -> u64 {
        *self.0
    }

    fn name_hash(&self) -> u64 {
        *self.0
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn load(&self) -> u32 {
        0
    }
}

const OPTIONS: Options =
    Options { qos: QoS::AtMostOnce, no_local: false, retain_as_published: false, subscription_id: None };

pub(crate) fn empty() -> Index {
    Index::new(0x5EED, Sharing::default())
}

/// An index with this many subscriptions of a mix.
pub(crate) fn filled(mix: &Mix, count: usize) -> Index {
    let (index, clients) = (empty(), Client::many(mix.clients(count)));
    for number in order(count) {
        subscribe(&index, &clients, &mix.wanted(number));
    }
    index
}

pub(crate) fn subscribe(index: &Index, clients: &[Client], wanted: &Wanted) {
    let Wanted { filter, share, client } = wanted;
    let existed = index.subscribe(TopicFilter::new(filter).unwrap(), share.as_deref(), &clients[*client], OPTIONS);
    assert!(!existed, "{filter} is another's");
}

pub(crate) fn unsubscribe(index: &Index, wanted: &Wanted) {
    let Wanted { filter, share, client } = wanted;
    assert!(index.unsubscribe(TopicFilter::new(filter).unwrap(), share.as_deref(), *client as u64));
}

/// Matches a topic, and says how many were found.
pub(crate) fn matches(index: &Index, topic: &str) -> usize {
    let mut found = 0;
    index.matches(topic, |receiver| {
        found += match receiver {
            Match::Subscriber(routes) => routes.len(),
            Match::Group(_) => 1,
        }
    });
    found
}

/// All numbers below `count`, in an order that is the same every time and looks like none.
pub(crate) fn order(count: usize) -> impl Iterator<Item = usize> {
    const STRIDE: usize = 7_368_787;
    (0..count).map(move |number| number * STRIDE % count)
}

/// CPU time of this thread that the work takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = ThreadTime::now();
    work();
    start.elapsed()
}

/// Nanoseconds for each of `count`.
pub(crate) fn nanoseconds(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

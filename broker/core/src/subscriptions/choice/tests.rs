#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use midge_protocol::QoS;

use super::Readiness::{Absent, AbsentAndFull, Full, Ready};
use super::*;
use crate::subscriptions::Options;

/// A worker that says of itself what a test wants.
#[derive(Clone)]
struct Worker(Rc<Says>);

struct Says {
    id: u64,
    readiness: Cell<Readiness>,
    load: Cell<u32>,
}

impl Subscriber for Worker {
    fn id(&self) -> u64 {
        self.0.id
    }

    fn name_hash(&self) -> u64 {
        stable_hash(&format!("worker-{}", self.0.id))
    }

    fn readiness(&self) -> Readiness {
        self.0.readiness.get()
    }

    fn load(&self) -> u32 {
        self.0.load.get()
    }
}

struct Pool {
    chooser: Chooser,
    members: Members<Worker>,
    workers: Vec<Worker>,
}

impl Pool {
    fn new(strategy: SharedStrategy, count: u64) -> Self {
        let mut pool = Self { chooser: Chooser::new(strategy, 7), members: Members::new(), workers: Vec::new() };
        (0..count).for_each(|_| pool.join());
        pool
    }

    fn join(&mut self) {
        let id = self.workers.len() as u64;
        let worker = Worker(Rc::new(Says { id, readiness: Cell::new(Ready), load: Cell::new(0) }));
        let options =
            Options { qos: QoS::AtLeastOnce, no_local: false, retain_as_published: false, subscription_id: None };
        self.members.put(Route { subscriber: worker.clone(), options });
        self.workers.push(worker);
    }

    fn set(&self, worker: usize, readiness: Readiness) {
        self.workers[worker].0.readiness.set(readiness);
    }

    fn pick(&self) -> Option<u64> {
        self.pick_for("t", None)
    }

    fn pick_for(&self, topic: &str, publisher: Option<&str>) -> Option<u64> {
        self.pick_but(topic, publisher, AbsentAndFull, &[])
    }

    fn pick_but(&self, topic: &str, publisher: Option<&str>, worst: Readiness, tried: &[u64]) -> Option<u64> {
        let occasion = Occasion { topic, publisher, worst, least_qos: QoS::AtMostOnce };
        let place = self.chooser.choose(&self.members, &occasion, tried)?;
        Some(self.members.as_slice()[place].subscriber.id())
    }

    /// How often each was picked in so many picks.
    fn shares(&self, picks: u32) -> BTreeMap<u64, u32> {
        let mut shares = BTreeMap::new();
        (0..picks).for_each(|_| *shares.entry(self.pick().unwrap()).or_default() += 1);
        shares
    }
}

const ALL: [SharedStrategy; 6] = [
    SharedStrategy::RoundRobin,
    SharedStrategy::Random,
    SharedStrategy::Sticky,
    SharedStrategy::HashClientId,
    SharedStrategy::HashTopic,
    SharedStrategy::LeastInFlight,
];

#[test]
fn whatever_the_strategy_the_readiest_comes_first_and_nobody_twice() {
    for strategy in ALL {
        let pool = Pool::new(strategy, 4);
        for (worker, readiness) in [AbsentAndFull, Full, Absent, Ready].into_iter().enumerate() {
            pool.set(worker, readiness);
        }
        for number in 0..20 {
            let topic = format!("t/{number}");
            let mut tried = Vec::new();
            while let Some(id) = pool.pick_but(&topic, None, AbsentAndFull, &tried) {
                tried.push(id);
            }
            assert_eq!(tried, [3, 2, 1, 0], "{strategy:?}");
            assert_eq!(pool.pick_but(&topic, None, Absent, &[3, 2]), None, "{strategy:?}");
        }
        assert_eq!(Pool::new(strategy, 0).pick(), None);
    }
}

#[test]
fn round_robin_takes_turns_and_passes_the_turn_of_an_absent_one_on() {
    let pool = Pool::new(SharedStrategy::RoundRobin, 3);
    assert_eq!([(); 4].map(|()| pool.pick().unwrap()), [0, 1, 2, 0]);
    pool.set(1, Absent);
    assert_eq!([(); 4].map(|()| pool.pick().unwrap()), [2, 0, 2, 0]);
}

#[test]
fn random_is_fair_even_to_those_behind_an_absent_one() {
    let pool = Pool::new(SharedStrategy::Random, 4);
    assert!(pool.shares(4000).values().all(|share| (900..1100).contains(share)), "{:?}", pool.shares(4000));
    pool.set(0, Absent);
    let shares = pool.shares(3000);
    assert!(shares.len() == 3 && shares.values().all(|share| (900..1100).contains(share)), "{shares:?}");
    let again = || {
        let pool = Pool::new(SharedStrategy::Random, 4);
        [(); 20].map(|()| pool.pick())
    };
    assert_eq!(again(), again(), "the same seed, the same choices");
}

#[test]
fn sticky_changes_only_when_it_has_to() {
    let pool = Pool::new(SharedStrategy::Sticky, 3);
    let first = pool.pick().unwrap();
    assert_eq!(pool.shares(50).into_keys().collect::<Vec<_>>(), [first]);
    pool.set(first as usize, Full);
    let second = pool.pick().unwrap();
    assert_ne!(second, first);
    pool.set(first as usize, Ready);
    assert_eq!(pool.shares(50).into_keys().collect::<Vec<_>>(), [second], "who came back waits");
    (0..3).for_each(|worker| pool.set(worker, Absent));
    assert_eq!(pool.shares(50).into_keys().collect::<Vec<_>>(), [second], "nobody is better");
}

#[test]
fn a_hash_keeps_its_member_and_moves_few_when_one_joins_or_leaves() {
    let topics: Vec<String> = (0..1000).map(|number| format!("device/{number}/state")).collect();
    let mut pool = Pool::new(SharedStrategy::HashTopic, 4);
    let picks = |pool: &Pool| topics.iter().map(|topic| pool.pick_for(topic, Some("x")).unwrap()).collect::<Vec<_>>();
    let before = picks(&pool);
    assert_eq!(before, picks(&pool));
    for worker in 0..4 {
        let share = before.iter().filter(|&&id| id == worker).count();
        assert!((200..300).contains(&share), "worker {worker} has {share} of 1000 topics");
    }
    pool.set(2, Absent);
    let without = picks(&pool);
    let moved = before.iter().zip(&without).filter(|(before, now)| before != now);
    assert!(moved.clone().all(|(before, _)| *before == 2), "only its own topics move");
    let to: std::collections::BTreeSet<u64> = moved.map(|(_, now)| *now).collect();
    assert_eq!(to.into_iter().collect::<Vec<_>>(), [0, 1, 3], "and to all the others");
    pool.set(2, Ready);
    assert_eq!(picks(&pool), before, "they come back with it");
    pool.join();
    let with = picks(&pool);
    let moved: Vec<_> = before.iter().zip(&with).filter(|(before, now)| before != now).collect();
    assert!(moved.iter().all(|(_, now)| **now == 4) && (130..270).contains(&moved.len()), "{}", moved.len());
}

#[test]
fn the_hash_of_a_publisher_keeps_all_its_topics_together() {
    let pool = Pool::new(SharedStrategy::HashClientId, 4);
    for publisher in ["a", "b", "c"] {
        let first = pool.pick_for("t", Some(publisher));
        assert!((0..50).all(|number| pool.pick_for(&number.to_string(), Some(publisher)) == first));
    }
    let by_topic = Pool::new(SharedStrategy::HashTopic, 4);
    let same = |topic: &str| pool.pick_for(topic, None) == by_topic.pick_for(topic, None);
    assert!((0..50).all(|number| same(&number.to_string())), "what no client published goes by its topic");
}

#[test]
fn a_hash_is_the_same_in_every_process() {
    assert_eq!(stable_hash("a"), 0xAF63_DC4C_8601_EC8C);
}

#[test]
fn least_in_flight_looks_at_the_load_and_takes_turns_among_equals() {
    let pool = Pool::new(SharedStrategy::LeastInFlight, 3);
    assert_eq!(pool.shares(30), BTreeMap::from([(0, 10), (1, 10), (2, 10)]));
    for (worker, load) in [5, 2, 9].into_iter().enumerate() {
        pool.workers[worker].0.load.set(load);
    }
    assert_eq!(pool.shares(10), BTreeMap::from([(1, 10)]));
    pool.set(1, Absent);
    assert_eq!(pool.pick(), Some(0));
}

//! All clients of a run, and what they were promised together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::PATIENCE;
use crate::clients::flipper::Flipper;
use crate::clients::mourner::{Fate, Mourner};
use crate::clients::newcomer;
use crate::clients::publisher::Publisher;
use crate::clients::subscriber::{ALL, SHARED, Subscriber};
use crate::clients::visitor::Visitor;
use crate::ledger::{Name, Received, Wrong, topic};
use crate::story::{BROKER, Story};

pub(crate) struct World {
    pub(crate) story: Arc<Story>,
    publishers: Vec<Publisher>,
    /// Connected under load.
    awake: Vec<Subscriber>,
    /// Connected only when everything is settled.
    asleep: Vec<Subscriber>,
    visitors: Vec<Visitor>,
    flippers: Vec<Flipper>,
    mourners: Vec<Mourner>,
    /// Whether a kill may undo what nobody was promised.
    loses_power: bool,
    pub(crate) acknowledged: usize,
}

/// What is wrong, and its story.
pub(crate) struct Failure(pub(crate) String);

const PUBLISHERS: u32 = 3;

impl World {
    pub(crate) fn new(seed: u64, loses_power: bool) -> Self {
        let story = &Arc::new(Story::new());
        let subscribers = |numbers: std::ops::Range<u32>, filter| {
            numbers.map(move |number| Subscriber::new(number, filter, seed, story))
        };
        let fates = [Fate::Published { delay: 0 }, Fate::Published { delay: 1 }, Fate::Prevented];
        Self {
            publishers: (0..PUBLISHERS).map(|number| Publisher::new(number, seed, story)).collect(),
            awake: subscribers(0..2, ALL).chain(subscribers(2..4, SHARED)).collect(),
            asleep: subscribers(4..6, ALL).chain(subscribers(6..7, SHARED)).collect(),
            visitors: (0..4).map(|number| Visitor::new(number, seed, story)).collect(),
            flippers: (0..2).map(|number| Flipper::new(number, seed, story)).collect(),
            mourners: (0..).zip(fates).map(|(number, fate)| Mourner::new(number, fate, story)).collect(),
            loses_power,
            acknowledged: 0,
            story: Arc::clone(story),
        }
    }

    /// Everybody talks for a while; then the broker is killed.
    pub(crate) fn load(
        &mut self,
        address: SocketAddr,
        round: u64,
        load: Duration,
        kill: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        let (stop, story, loses_power) = (&AtomicBool::new(false), &self.story, self.loses_power);
        thread::scope(|scope| {
            for publisher in &mut self.publishers {
                scope.spawn(move || publisher.work(address, stop));
            }
            for subscriber in &mut self.awake {
                scope.spawn(move || subscriber.work(address, stop));
            }
            for visitor in &mut self.visitors {
                scope.spawn(move || visitor.work(address, loses_power, stop));
            }
            for flipper in &mut self.flippers {
                scope.spawn(move || flipper.work(address, stop));
            }
            for mourner in &mut self.mourners {
                scope.spawn(move || mourner.work(address, round, stop));
            }
            thread::sleep(load);
            let killed = kill();
            story.tell(BROKER, None, "is killed");
            stop.store(true, Ordering::Relaxed);
            killed
        })
    }

    /// Publishers finish what they began, everybody receives what they are owed, and all of it is checked.
    pub(crate) fn settle(&mut self, address: SocketAddr, round: u64) -> Result<(), Failure> {
        for visitor in &mut self.visitors {
            visitor.come_back(address);
        }
        for mourner in &mut self.mourners {
            mourner.come_back(address);
        }
        let stop = AtomicBool::new(true);
        thread::scope(|scope| {
            for publisher in &mut self.publishers {
                scope.spawn(|| publisher.work(address, &stop));
            }
        });
        for flipper in &mut self.flippers {
            flipper.check(address, round);
        }
        let promised = self.promised();
        let (for_all, shared): (BTreeSet<Name>, BTreeSet<Name>) =
            promised.into_iter().filter(|name| !name.expires()).partition(|name| name.topic != topic::SHARED);
        self.receive(address, &for_all, &shared);
        self.check(&for_all, &shared)?;
        let retained = self.publishers.iter().flat_map(Publisher::retained).collect();
        newcomer::check(address, &retained).map_err(|what| self.failure(&[Wrong::of_broker(what)]))?;
        self.forget();
        Ok(())
    }

    /// What must be received by now or soon.
    fn promised(&self) -> BTreeSet<Name> {
        let published = self.publishers.iter().flat_map(|publisher| publisher.acknowledged.iter().copied());
        published.chain(self.mourners.iter().filter_map(|mourner| mourner.owed)).collect()
    }

    fn receive(&mut self, address: SocketAddr, for_all: &BTreeSet<Name>, shared: &BTreeSet<Name>) {
        let deadline = Instant::now() + PATIENCE;
        // The members of the shared subscription stay until all of it has come to one or another.
        let left: BTreeSet<Name> = {
            let members = self.awake.iter().chain(&self.asleep).filter(|one| one.is_shared());
            let found: BTreeSet<Name> = members.flat_map(|one| one.received.names()).collect();
            shared.difference(&found).copied().collect()
        };
        let left = &std::sync::Mutex::new(left);
        let is_done = |received: &Received, is_shared: bool| {
            if is_shared {
                let mut left = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                left.retain(|name| !received.has(name));
                left.is_empty()
            } else {
                for_all.iter().all(|name| received.has(name))
            }
        };
        thread::scope(|scope| {
            for subscriber in self.awake.iter_mut().chain(&mut self.asleep) {
                let is_shared = subscriber.is_shared();
                scope.spawn(move || subscriber.settle(address, deadline, |received| is_done(received, is_shared)));
            }
        });
    }

    fn check(&self, for_all: &BTreeSet<Name>, shared: &BTreeSet<Name>) -> Result<(), Failure> {
        let mut wrong: Vec<Wrong> = Vec::new();
        wrong.extend(self.publishers.iter().flat_map(|one| &one.wrong).cloned());
        wrong.extend(self.visitors.iter().flat_map(|one| &one.wrong).cloned());
        wrong.extend(self.flippers.iter().flat_map(|one| &one.wrong).cloned());
        wrong.extend(self.mourners.iter().flat_map(|one| &one.wrong).cloned());
        for name in self.publishers.iter().flat_map(Publisher::unfinished) {
            wrong.push(Wrong::of_message(name, "was not acknowledged"));
        }
        let subscribers = || self.awake.iter().chain(&self.asleep);
        for subscriber in subscribers() {
            wrong.extend(subscriber.received.wrong.iter().cloned());
            if subscriber.is_shared() {
                continue;
            }
            for name in for_all.iter().filter(|name| !subscriber.received.has(name)) {
                let client = subscriber.client_id().to_owned();
                wrong.push(Wrong {
                    client,
                    ..Wrong::of_message(*name, &format!("did not come to {}", subscriber.client_id()))
                });
            }
            for name in self.mourners.iter().filter_map(|one| one.prevented) {
                if subscriber.received.has(&name) {
                    wrong.push(Wrong::of_message(name, "is the Will of a client that came back in time"));
                }
            }
        }
        let mut members: BTreeMap<Name, Vec<&str>> = BTreeMap::new();
        for member in subscribers().filter(|one| one.is_shared()) {
            for name in member.received.names() {
                members.entry(name).or_default().push(member.client_id());
            }
        }
        for name in shared.iter().filter(|name| !members.contains_key(name)) {
            wrong.push(Wrong::of_message(*name, "did not come to any member of the shared subscription"));
        }
        for (name, members) in members.iter().filter(|(name, members)| name.qos == 2 && members.len() > 1) {
            wrong.push(Wrong::of_message(*name, &format!("came to {members:?}")));
        }
        if wrong.is_empty() { Ok(()) } else { Err(self.failure(&wrong)) }
    }

    /// All of it in a line each, the first with their stories.
    fn failure(&self, wrong: &[Wrong]) -> Failure {
        let mut text = format!("{} things are wrong:", wrong.len());
        for one in wrong.iter().take(LINES_MAX) {
            text.push_str(&format!("\n  {}", one.what));
        }
        for one in wrong.iter().take(STORIES_MAX) {
            let story = match one.name {
                Some(name) => self.story.of(name, &one.client),
                None => self.story.of_client(&one.client),
            };
            text.push_str(&format!("\n  the story of: {}{story}", one.what));
        }
        Failure(text)
    }

    fn forget(&mut self) {
        let settled = self.publishers.iter().map(|one| (one.number(), one.next - 1)).collect();
        for subscriber in self.awake.iter_mut().chain(&mut self.asleep) {
            subscriber.received.settle(&settled);
        }
        for publisher in &mut self.publishers {
            self.acknowledged += publisher.acknowledged.len();
            publisher.acknowledged.clear();
        }
        for mourner in &mut self.mourners {
            mourner.owed = None;
        }
        self.story.forget();
    }

    pub(crate) fn received(&self) -> usize {
        self.awake.iter().chain(&self.asleep).map(|one| one.received.total()).sum()
    }
}

impl Wrong {
    fn of_message(name: Name, what: &str) -> Self {
        Self { what: format!("{name:?} {what}"), name: Some(name), client: String::new() }
    }

    fn of_broker(what: String) -> Self {
        Self { what, name: None, client: BROKER.to_owned() }
    }
}

const LINES_MAX: usize = 20;
const STORIES_MAX: usize = 3;

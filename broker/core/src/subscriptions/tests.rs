#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use midge_protocol::TopicName;
use proptest::prelude::*;

use super::*;

mod churn;

#[derive(Debug, PartialEq, Eq)]
struct Named(Arc<u64>);

thread_local! {
    /// How often this thread has copied a handle: once for every route it looked up.
    static COPIES: Cell<usize> = const { Cell::new(0) };
}

impl Clone for Named {
    fn clone(&self) -> Self {
        COPIES.set(COPIES.get() + 1);
        Self(Arc::clone(&self.0))
    }
}

impl Subscriber for Named {
    fn id(&self) -> u64 {
        *self.0
    }

    fn name_hash(&self) -> u64 {
        stable_hash(&self.0.to_string())
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn load(&self) -> u32 {
        0
    }
}

const OCCASION: Occasion<'static> =
    Occasion { topic: "t", publisher: None, worst: Readiness::Ready, least_qos: QoS::AtMostOnce };

fn named(id: u64) -> Named {
    Named(Arc::new(id))
}

fn options(number: u32) -> Options {
    Options {
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        subscription_id: SubscriptionId::new(number),
    }
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).unwrap()
}

/// Who receives what, by subscriber the sorted Subscription Identifiers, and by group its members.
#[derive(Debug, Default, PartialEq, Eq)]
struct Receivers {
    subscribers: BTreeMap<u64, Vec<u32>>,
    groups: BTreeMap<(String, String), BTreeSet<u64>>,
}

fn number(options: &Options) -> u32 {
    options.subscription_id.unwrap().get()
}

fn receivers(index: &SubscriptionIndex<Named>, topic: &str) -> Receivers {
    let mut found = Receivers { subscribers: receivers_of_clients(index, topic), ..Receivers::default() };
    index.matches(topic, |receiver| {
        if let Match::Group(group) = receiver {
            let members = (0..group.len()).map(|_| group.pick(&OCCASION, &[]).unwrap().subscriber.id()).collect();
            found.groups.insert((group.share().to_owned(), group.filter().to_owned()), members);
        }
    });
    found
}

fn receivers_of_clients(index: &SubscriptionIndex<Named>, topic: &str) -> BTreeMap<u64, Vec<u32>> {
    let mut found = BTreeMap::new();
    index.matches(topic, |receiver| {
        if let Match::Subscriber(routes) = receiver {
            let mut numbers: Vec<u32> = routes.iter().map(|route| number(&route.options)).collect();
            numbers.sort_unstable();
            let earlier = found.insert(routes[0].subscriber.id(), numbers);
            assert_eq!(earlier, None, "the routes of one subscriber are adjacent");
        }
    });
    found
}

/// The same index as a plain list.
#[derive(Default)]
struct Naive(BTreeMap<(String, Option<String>, u64), u32>);

impl Naive {
    fn receivers(&self, topic: &str) -> Receivers {
        let mut found = Receivers::default();
        for ((text, share, id), number) in &self.0 {
            if !filter(text).matches(TopicName::new(topic).unwrap()) {
                continue;
            }
            match share {
                Some(share) => {
                    found.groups.entry((share.clone(), text.clone())).or_default().insert(*id);
                }
                None => found.subscribers.entry(*id).or_default().push(*number),
            }
        }
        found.subscribers.values_mut().for_each(|numbers| numbers.sort_unstable());
        found
    }
}

const TOPICS: [&str; 14] =
    ["a", "b", "/", "a/", "/a", "a/b", "a/a", "b/a", "a/b/c", "a/b/c/a", "$s", "$s/a", "$s/a/b", "c//a"];

fn any_filter() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "b", "c", "", "+", "+", "$s"]);
    (prop::collection::vec(level, 1..5), prop::bool::ANY).prop_filter_map("is a filter", |(levels, below)| {
        let text = levels.join("/") + if below { "/#" } else { "" };
        let text = if text == "+/+/#" { "#".to_owned() } else { text };
        TopicFilter::new(&text).is_ok().then_some(text)
    })
}

type Step = (bool, String, Option<&'static str>, u64, u32);

fn any_step() -> impl Strategy<Value = Step> {
    let share = prop::sample::select(vec![None, None, Some("x"), Some("y")]);
    (prop::bool::weighted(0.7), any_filter(), share, 0..5_u64, 1..100_u32)
}

proptest! {
    #[test]
    fn matches_exactly_what_the_filters_match(steps in prop::collection::vec(any_step(), 1..60), seed in any::<u64>()) {
        let index = SubscriptionIndex::new(seed, Sharing::default());
        let subscribers: Vec<Named> = (0..5).map(named).collect();
        let mut naive = Naive::default();
        for (subscribe, text, share, id, number) in steps {
            let key = (text.clone(), share.map(str::to_owned), id);
            let existed = if subscribe {
                let existed = index.subscribe(filter(&text), share, &subscribers[id as usize], options(number));
                (existed, naive.0.insert(key, number).is_some())
            } else {
                (index.unsubscribe(filter(&text), share, id), naive.0.remove(&key).is_some())
            };
            prop_assert_eq!(existed.0, existed.1);
            for topic in TOPICS {
                prop_assert_eq!(receivers(&index, topic), naive.receivers(topic), "topic {}", topic);
            }
        }
        prop_assert_eq!(index.len(), naive.0.len());
        prop_assert_eq!(index.shared_len(), naive.0.keys().filter(|key| key.1.is_some()).count());
        for (text, share, id) in naive.0.keys() {
            prop_assert!(index.unsubscribe(filter(text), share.as_deref(), *id));
        }
        prop_assert!(index.is_empty());
        prop_assert_eq!(index.exact.len(), 0);
        let [nodes, edges] = index.wildcard.read().in_use();
        prop_assert_eq!((nodes.0, edges), (1, (0, 0)));
    }
}

#[test]
fn a_subscription_made_again_is_replaced_in_place() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let (first, second) = (named(1), named(2));
    assert!(!index.subscribe(filter("a"), None, &first, options(1)));
    assert!(!index.subscribe(filter("a"), None, &second, options(2)));
    assert!(index.subscribe(filter("a"), None, &first, options(3)));
    let mut seen = Vec::new();
    index.matches("a", |receiver| {
        if let Match::Subscriber(routes) = receiver {
            seen.push((routes[0].subscriber.id(), number(&routes[0].options)));
        }
    });
    assert_eq!(seen, [(1, 3), (2, 2)]);
    assert_eq!(index.len(), 2);
}

#[test]
fn many_subscribers_of_one_filter_come_and_go_in_constant_time() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let count = 20_000;
    for id in 0..count {
        index.subscribe(filter("all/of/them"), None, &named(id), options(1));
    }
    assert_eq!(receivers(&index, "all/of/them").subscribers.len(), 20_000);
    for id in (0..count).step_by(2).chain((1..count).step_by(2)) {
        assert!(index.unsubscribe(filter("all/of/them"), None, id));
    }
    assert!(index.is_empty());
    assert_eq!(index.exact.len(), 0);
}

#[test]
fn places_in_the_tree_are_used_again() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let subscriber = named(1);
    index.subscribe(filter("kept/+"), None, &subscriber, options(1));
    for round in 0..1000 {
        let text = format!("x/{round}/+/y");
        index.subscribe(filter(&text), None, &subscriber, options(1));
        index.unsubscribe(filter(&text), None, 1);
    }
    let [nodes, _] = index.wildcard.read().in_use();
    assert_eq!(nodes, (3, 256));
}

#[test]
fn caches_let_subscribers_go() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let handle = Arc::new(7);
    index.subscribe(filter("a"), None, &Named(Arc::clone(&handle)), options(1));
    receivers(&index, "a");
    index.unsubscribe(filter("a"), None, 7);
    assert!(Arc::strong_count(&handle) > 1, "the cache still holds it");
    for number in 0..100_000 {
        receivers(&index, if number % 2 == 0 { "b" } else { "c" });
    }
    assert_eq!(Arc::strong_count(&handle), 1);
}

#[test]
fn the_cache_is_bounded_by_routes() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let handle = Arc::new(7);
    let subscriber = Named(Arc::clone(&handle));
    for number in 1..=32 {
        let text = "+/".repeat(number) + "#";
        index.subscribe(filter(&text), None, &subscriber, options(1));
    }
    let deep = "/x".repeat(40);
    for number in 0..4096 {
        receivers(&index, &format!("{number}{deep}"));
    }
    let held = Arc::strong_count(&handle);
    assert!((60_000..=65_536 + 100).contains(&held), "{held}");
}

/// A subscription that has returned is seen by every match that starts later, and one that was ended is not.
#[test]
fn changes_show_at_once_on_every_thread() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for worker in 0..2_u64 {
            let index = &index;
            let done = &done;
            scope.spawn(move || {
                let me = named(worker);
                for round in 0..3000_u32 {
                    let (exact, wild) = (format!("t/{}", round % 7), format!("+/{}", round % 7));
                    let text = if round % 2 == 0 { &exact } else { &wild };
                    index.subscribe(filter(text), None, &me, options(1));
                    assert!(receivers(index, &exact).subscribers.contains_key(&worker));
                    index.unsubscribe(filter(text), None, worker);
                    assert!(!receivers(index, &exact).subscribers.contains_key(&worker));
                }
                done.store(true, Ordering::Release);
            });
        }
        // A third thread keeps its cache warm with whatever is true at the moment.
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                for number in 0..7 {
                    receivers(&index, &format!("t/{number}"));
                }
            }
        });
    });
    for number in 0..7 {
        assert_eq!(receivers(&index, &format!("t/{number}")), Receivers::default());
    }
}

#[test]
fn another_thread_sees_a_change_made_after_it_cached_the_topic() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let subscriber = named(1);
    let (ask, questions) = std::sync::mpsc::channel::<()>();
    let (answer, answers) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let index = &index;
        scope.spawn(move || {
            for () in questions {
                answer.send(receivers(index, "a/b").subscribers.len()).unwrap();
            }
        });
        let seen = || {
            ask.send(()).unwrap();
            answers.recv().unwrap()
        };
        for text in ["a/b", "a/+", "#"] {
            assert_eq!(seen(), 0);
            index.subscribe(filter(text), None, &subscriber, options(1));
            assert_eq!(seen(), 1, "{text}");
            index.unsubscribe(filter(text), None, 1);
        }
        assert_eq!(seen(), 0);
        drop(ask);
    });
}

#[test]
fn what_a_filter_costs_is_small() {
    assert_eq!(size_of::<Route<Named>>(), 16);
    assert_eq!(size_of::<subscribers::Subscribers<Named>>(), 16, "one subscriber is kept without an allocation");
}

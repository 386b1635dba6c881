//! What comes and goes leaves nothing behind, and disturbs nobody else.

use super::*;

#[test]
fn memory_goes_back_when_most_subscriptions_end() {
    const COUNT: usize = 40_000;
    let index = SubscriptionIndex::new(1, Sharing::default());
    let subscriber = named(1);
    let filters = || {
        (0..COUNT).map(|number| match number % 4 {
            0 => format!("site/{number}/+/state"),
            1 => format!("+/{number}/#"),
            2 => format!("a level that is too long to be kept in a node/{number}/+"),
            _ => format!("site/{number}/state"),
        })
    };
    for text in filters() {
        index.subscribe(filter(&text), None, &subscriber, options(1));
    }
    let full = index.wildcard.read().in_use();
    // All but some that were made one after the other, and so stand together.
    for text in filters().skip(COUNT / 100) {
        assert!(index.unsubscribe(filter(&text), None, 1));
    }
    let [(nodes, node_room), (edges, edge_room)] = index.wildcard.read().in_use();
    assert!(nodes < full[0].0 / 50 && edges < full[1].0 / 50, "{nodes} nodes, {edges} edges");
    assert!(node_room <= nodes + 2 * 256, "{nodes} nodes have room for {node_room}");
    assert!(edge_room <= edges * 4 + 64 * 7, "{edges} edges have room for {edge_room}");
    assert!(index.exact.capacity() <= index.exact.len() * 4 + 64 * 7, "{} exact filters", index.exact.len());
    for text in filters().take(COUNT / 100) {
        assert!(index.unsubscribe(filter(&text), None, 1));
    }
    assert_eq!(index.wildcard.read().in_use(), [(1, 256), (0, 0)]);
    assert_eq!((index.exact.len(), index.exact.capacity()), (0, 0));
}

/// However the filters are chosen, a topic of `n` levels leads to fewer than 2^(n+1) nodes.
#[test]
fn a_walk_is_bounded_by_the_levels_of_the_topic() {
    const LEVELS: usize = 10;
    let index = SubscriptionIndex::new(1, Sharing::default());
    let subscriber = named(1);
    for number in 0..1 << LEVELS {
        let levels = (0..LEVELS).map(|level| if number >> level & 1 == 0 { "a" } else { "+" });
        let path = levels.collect::<Vec<_>>().join("/");
        for end in ["/zzz", "/+/zzz", "/#"] {
            index.subscribe(filter(&(path.clone() + end)), None, &subscriber, options(1));
        }
    }
    let visited = |topic: &str| {
        let mut walk = Walk::default();
        index.collect(topic, index.hasher.hash_one(topic), &mut walk);
        walk.visited
    };
    let all = "a/".repeat(LEVELS - 1) + "a";
    assert_eq!(visited(&all), (2 << LEVELS) - 1);
    assert_eq!(visited(&(all.clone() + "/x")), (2 << LEVELS) - 1 + (1 << LEVELS), "and those for the last `+`");
    assert_eq!(visited("b/a/a"), 1 + 1 + 2 + 4);
    assert_eq!(visited("a"), 3);
}

/// Others that come and go leave alone what a thread remembers of topics that are not theirs.
#[test]
fn what_is_remembered_outlasts_changes_elsewhere() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let topics: Vec<String> = (0..100).map(|number| format!("site/{number}/state")).collect();
    index.subscribe(filter("site/+/state"), None, &named(1), options(1));
    topics.iter().for_each(|topic| assert_eq!(receivers(&index, topic).subscribers.len(), 1));
    for elsewhere in ["client/{}/+", "client/{}", "site/{}/state"] {
        let other = named(2);
        COPIES.set(0);
        for number in 1000..1100 {
            let text = elsewhere.replace("{}", &number.to_string());
            index.subscribe(filter(&text), None, &other, options(1));
            topics.iter().for_each(|topic| assert_eq!(receivers(&index, topic).subscribers.len(), 1));
            index.unsubscribe(filter(&text), None, 2);
            topics.iter().for_each(|topic| assert_eq!(receivers(&index, topic).subscribers.len(), 1));
        }
        // One for each Subscription; and by chance some topic shares a counter with one of the hundred filters.
        assert!(COPIES.get() <= 100 + 25, "{elsewhere}: {} lookups", COPIES.get() - 100);
    }
}

/// Threads that subscribe, unsubscribe and match at the same time leave what they should.
#[test]
fn the_outcome_of_churn_on_many_threads_is_that_of_a_list() {
    let index = SubscriptionIndex::new(1, Sharing::default());
    let levels = ["a", "b", "+", "c", "", "a long level, by any measure"];
    let kept: Vec<Naive> = std::thread::scope(|scope| {
        let workers = [1_u64, 2, 3].map(|worker| {
            let index = &index;
            scope.spawn(move || {
                let (me, mut naive, mut random) = (named(worker), Naive::default(), worker);
                let mut any = |below: usize| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (random >> 33) as usize % below
                };
                for round in 1..4000_u32 {
                    let mut text = (0..=any(3)).map(|_| levels[any(levels.len())]).collect::<Vec<_>>().join("/");
                    text += ["", "/#"][any(2)];
                    if TopicFilter::new(&text).is_err() {
                        continue;
                    }
                    let share = [None, Some("x")][any(2)];
                    let key = (text.clone(), share.map(str::to_owned), worker);
                    if any(2) == 0 {
                        let existed = index.subscribe(filter(&text), share, &me, options(round));
                        assert_eq!(existed, naive.0.insert(key, round).is_some(), "{text}");
                    } else {
                        let existed = index.unsubscribe(filter(&text), share, worker);
                        assert_eq!(existed, naive.0.remove(&key).is_some(), "{text}");
                    }
                    let topic = TOPICS[any(TOPICS.len())];
                    let own = naive.receivers(topic).subscribers.remove(&worker);
                    assert_eq!(receivers_of_clients(index, topic).remove(&worker), own, "{topic}");
                }
                naive
            })
        });
        workers.map(|worker| worker.join().unwrap()).into()
    });
    let all = Naive(kept.into_iter().flat_map(|naive| naive.0).collect());
    for topic in TOPICS {
        assert_eq!(receivers(&index, topic), all.receivers(topic), "{topic}");
    }
    assert_eq!(index.len(), all.0.len());
}

//! What the index makes of filters and topics that are meant to hurt it.

use std::time::Duration;

use crate::client::{Client, empty, matches, nanoseconds, order, subscribe, timed, unsubscribe};
use crate::elsewhere;
use crate::mixes::Wanted;

/// Filters, a topic, and how many clients hold the filters.
struct Case {
    name: &'static str,
    what: &'static str,
    filters: usize,
    filter: fn(usize) -> String,
    share: Option<&'static str>,
    topic: fn(usize) -> String,
    /// Each subscription is made by another client.
    own_clients: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "deep",
        what: "127 levels, `#` behind them",
        filters: 100_000,
        filter: |number| format!("{number}/{}#", "x/".repeat(126)),
        share: None,
        topic: |number| format!("{number}/{}y", "x/".repeat(126)),
        own_clients: false,
    },
    Case {
        name: "deep fork",
        what: "the same way for 126 levels, then `ID/#`",
        filters: 100_000,
        filter: |number| format!("{}{number}/#", "x/".repeat(126)),
        share: None,
        topic: |number| format!("{}{number}", "x/".repeat(126)),
        own_clients: false,
    },
    Case {
        name: "one prefix",
        what: "`a/b/c/d/ID/+`",
        filters: 1_000_000,
        filter: |number| format!("a/b/c/d/{number}/+"),
        share: None,
        topic: |number| format!("a/b/c/d/{number}/x"),
        own_clients: false,
    },
    Case {
        name: "long levels",
        what: "`clients/UUID/+`",
        filters: 1_000_000,
        filter: |number| format!("clients/7f2c1d04-93ab-4c1e-8f00-{number:012}/+"),
        share: None,
        topic: |number| format!("clients/7f2c1d04-93ab-4c1e-8f00-{number:012}/x"),
        own_clients: false,
    },
    Case {
        name: "fans",
        what: "`a` or `+` at each of 16 levels: all match",
        filters: 1 << 16,
        filter: |number| fan(number, 16),
        share: None,
        topic: |number| if number == 0 { "a/".repeat(15) + "a" } else { "a/".repeat(15) + &number.to_string() },
        own_clients: false,
    },
    Case {
        name: "empty fans",
        what: "the same, then `zzz`: none match, 2^17 nodes are visited",
        filters: 1 << 16,
        filter: |number| fan(number, 16) + "/zzz",
        share: None,
        topic: |number| "a/".repeat(16) + &number.to_string(),
        own_clients: false,
    },
    Case {
        name: "one filter",
        what: "100,000 subscribers of one filter",
        filters: 100_000,
        filter: |_| "news/today".to_owned(),
        share: None,
        topic: |_| "news/today".to_owned(),
        own_clients: true,
    },
    Case {
        name: "one group",
        what: "100,000 members of one shared subscription",
        filters: 100_000,
        filter: |_| "news/+".to_owned(),
        share: Some("all"),
        topic: |_| "news/today".to_owned(),
        own_clients: true,
    },
];

pub(crate) fn table() {
    println!("\n| worst cases | filters | subscribed/s | unsubscribed/s | µs CPU a match, looked up |");
    println!("|---|---|---|---|---|");
    for case in CASES {
        elsewhere("worst", &[case.name]);
    }
}

pub(crate) fn line(arguments: &[&str]) {
    let [name] = *arguments else { panic!("CASE") };
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let clients = Client::many(if case.own_clients { case.filters } else { 1 });
    let wanted = |number| Wanted {
        filter: (case.filter)(number),
        share: case.share.map(str::to_owned),
        client: if case.own_clients { number } else { 0 },
    };
    let wanted: Vec<Wanted> = order(case.filters).map(wanted).collect();
    let (index, other) = (empty(), empty());
    let filling = timed(|| wanted.iter().for_each(|wanted| subscribe(&index, &clients, wanted)));

    let (mut time, mut count) = (Duration::ZERO, 0);
    for number in order(case.filters).take(10_000) {
        let topic = (case.topic)(number);
        // A thread remembers one index: this empties its cache.
        matches(&other, "none");
        matches(&index, "none");
        time += timed(|| {
            matches(&index, &topic);
        });
        count += 1;
        if time > Duration::from_secs(2) {
            break;
        }
    }
    let emptying = timed(|| order(case.filters).for_each(|place| unsubscribe(&index, &wanted[place])));
    println!(
        "| {} | {} | {:.0}k | {:.0}k | {:.1} |",
        case.what,
        case.filters,
        case.filters as f64 / filling.as_secs_f64() / 1000.0,
        case.filters as f64 / emptying.as_secs_f64() / 1000.0,
        nanoseconds(time, count) / 1000.0,
    );
}

/// A filter with `a` or `+` at each level, as the bits of `number` say.
fn fan(number: usize, levels: usize) -> String {
    let levels: Vec<&str> = (0..levels).map(|level| if number >> level & 1 == 0 { "a" } else { "+" }).collect();
    levels.join("/")
}

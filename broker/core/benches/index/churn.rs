//! Matching while others subscribe and unsubscribe.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Index, filled, matches, nanoseconds, order, subscribe, timed, unsubscribe};
use crate::elsewhere;
use crate::mixes::{Mix, Wanted};

const SIZE: usize = 1_000_000;
const TOPICS: usize = 1000;
const LENGTH: Duration = Duration::from_secs(3);

/// The filter of a number.
type Filter = fn(usize) -> String;

/// What the others subscribe to: filters without wildcards, of clients' own corners, with a wildcard as second level, and
/// with one as the first.
const CHURNS: [(&str, Filter); 4] = [
    ("exact", |number| format!("churn/{number}/state")),
    ("client/ID/+", |number| format!("client/x{number}/+")),
    ("site/+/ID", |number| format!("site/+/x{number}")),
    ("+/ID", |number| format!("+/x{number}")),
];

pub(crate) fn table() {
    println!(
        "\n| {SIZE} subscriptions, mixed; others subscribe to | changes/s | remembered | ns CPU a match | longest µs |"
    );
    println!("|---|---|---|---|---|");
    elsewhere("churn", &["exact", "0"]);
    for (name, _) in CHURNS {
        for pace in ["1000", "max"] {
            elsewhere("churn", &[name, pace]);
        }
    }
}

pub(crate) fn line(arguments: &[&str]) {
    let [name, pace] = *arguments else { panic!("FILTERS PACE") };
    let (_, filter) = CHURNS.iter().find(|churn| churn.0 == name).unwrap();
    let mix = Mix::named("mixed");
    let index = filled(mix, SIZE);
    // Those with one subscriber, so that a lookup is a copy.
    let alone = order(SIZE).filter(|number| mix.wanted(*number).share.is_none());
    let topics: Vec<String> = alone.take(TOPICS).map(|number| mix.topic(number)).collect();
    topics.iter().for_each(|topic| assert_eq!(matches(&index, topic), 1, "{topic}"));

    let (done, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut matched, mut longest, mut copies) = (0, Duration::ZERO, 0);
    let mut time = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| churn(&index, *filter, pace, &done, &changes));
        while changes.load(Ordering::Relaxed) < 100 && pace != "0" {
            std::thread::yield_now();
        }
        let (start, before) = (Instant::now(), Client::copies());
        time = timed(|| {
            while start.elapsed() < LENGTH {
                for topics in topics.chunks(10) {
                    let begun = Instant::now();
                    topics.iter().for_each(|topic| assert_eq!(matches(&index, topic), 1));
                    longest = longest.max(begun.elapsed());
                    matched += topics.len();
                }
            }
        });
        copies = Client::copies() - before;
        done.store(true, Ordering::Relaxed);
    });
    println!(
        "| {name} | {} | {:.2} % | {:.0} | {} |",
        changes.load(Ordering::Relaxed) as u64 / LENGTH.as_secs(),
        100.0 - copies as f64 * 100.0 / matched as f64,
        nanoseconds(time, matched),
        longest.as_micros(),
    );
}

fn churn(index: &Index, filter: Filter, pace: &str, done: &AtomicBool, changes: &AtomicUsize) {
    const STANDING: usize = 1000;
    let clients = Client::many(1);
    let wanted: Vec<_> =
        (0..STANDING).map(|number| Wanted { filter: filter(number), share: None, client: 0 }).collect();
    let start = Instant::now();
    let mut made = 0;
    while pace != "0" && !done.load(Ordering::Relaxed) {
        for change in 0..2 * STANDING {
            if done.load(Ordering::Relaxed) {
                break;
            }
            if pace == "1000" {
                let due = start + Duration::from_millis(made as u64);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            if change < STANDING {
                subscribe(index, &clients, &wanted[change]);
            } else {
                unsubscribe(index, &wanted[change - STANDING]);
            }
            made += 1;
            changes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

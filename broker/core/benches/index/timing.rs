//! Single operations, by criterion.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::client::{Client, Index, empty, filled, matches, order, subscribe, timed, unsubscribe};
use crate::mixes::{MIXES, Mix};

const SIZES: [usize; 3] = [1000, 100_000, 1_000_000];

/// Topics in use at the same time: some of what a thread can remember.
const TOPICS: usize = 1000;

pub(crate) fn run() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .without_plots()
        .configure_from_args();
    for mix in MIXES.iter().filter(|mix| !mix.name.starts_with("one ")) {
        for size in SIZES {
            measure(&mut criterion, mix, size);
        }
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, mix: &Mix, size: usize) {
    let mut index = None;
    let mut group = criterion.benchmark_group(mix.name);
    group.throughput(Throughput::Elements(1));
    let topics: Vec<Vec<String>> = (0..size.div_ceil(TOPICS).min(64)).map(|part| topics(mix, size, part)).collect();
    let mut parts = topics.iter().cycle();
    group.bench_function(BenchmarkId::new("match, looked up", size), |bencher| {
        let index = index.get_or_insert_with(|| filled(mix, size));
        let other = empty();
        bencher.iter_custom(|count| {
            let mut time = Duration::ZERO;
            for first in (0..count).step_by(TOPICS) {
                let topics = parts.next().unwrap();
                // A thread remembers one index: this empties its cache.
                matches(&other, "none");
                matches(index, "none");
                time += timed(|| match_all(index, topics, (count - first).min(TOPICS as u64)));
            }
            time
        });
    });
    group.bench_function(BenchmarkId::new("match, remembered", size), |bencher| {
        let index = index.get_or_insert_with(|| filled(mix, size));
        match_all(index, &topics[0], TOPICS as u64);
        bencher.iter_custom(|count| timed(|| match_all(index, &topics[0], count)));
    });
    group.bench_function(BenchmarkId::new("subscribe and unsubscribe", size), |bencher| {
        let index = index.get_or_insert_with(|| filled(mix, size));
        let clients = Client::many(mix.clients(size + TOPICS));
        let more: Vec<_> = (size..size + TOPICS).map(|number| mix.wanted(number)).collect();
        bencher.iter_custom(|count| {
            timed(|| {
                for first in (0..count).step_by(TOPICS) {
                    let more = &more[..(count - first).min(TOPICS as u64) as usize];
                    more.iter().for_each(|wanted| subscribe(index, &clients, wanted));
                    more.iter().for_each(|wanted| unsubscribe(index, wanted));
                }
            })
        });
    });
    group.finish();
}

fn topics(mix: &Mix, size: usize, part: usize) -> Vec<String> {
    order(size).skip(part * TOPICS).take(TOPICS).map(|number| mix.topic(number)).collect()
}

fn match_all(index: &Index, topics: &[String], count: u64) {
    for topic in topics.iter().cycle().take(count as usize) {
        assert!(black_box(matches(index, topic)) > 0, "{topic}");
    }
}

//! How fast an index fills and empties, and what it weighs.

use std::fs;

use crate::client::{Client, empty, order, subscribe, timed, unsubscribe};
use crate::elsewhere;
use crate::mixes::{MIXES, Mix, Wanted};

pub(crate) fn table() {
    println!("\n| subscriptions | | bytes each | left when all are ended | subscribed/s | unsubscribed/s |");
    println!("|---|---|---|---|---|---|");
    for mix in MIXES {
        for size in ["100000", "1000000"] {
            elsewhere("bytes", &[mix.name, size]);
        }
    }
}

pub(crate) fn line(arguments: &[&str]) {
    let [name, size] = *arguments else { panic!("MIX SIZE") };
    let (mix, size) = (Mix::named(name), size.parse().unwrap());
    let clients = Client::many(mix.clients(size));
    let wanted: Vec<Wanted> = order(size).map(|number| mix.wanted(number)).collect();
    let index = empty();
    let before = resident_bytes();
    let filling = timed(|| wanted.iter().for_each(|wanted| subscribe(&index, &clients, wanted)));
    let full = resident_bytes();
    // Not in the order in which they were made.
    let emptying = timed(|| order(size).for_each(|place| unsubscribe(&index, &wanted[place])));
    let each = |now: usize| now.saturating_sub(before) as f64 / size as f64;
    // The allocator gives back what is free when it is next asked for something.
    let left = resident_bytes_settled();
    println!(
        "| {name} | {size} | {:.0} | {:.0} | {:.0}k | {:.0}k |",
        each(full),
        each(left),
        size as f64 / filling.as_secs_f64() / 1000.0,
        size as f64 / emptying.as_secs_f64() / 1000.0,
    );
}

pub(crate) fn resident_bytes() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// What is resident once the allocator has had occasion to give back what it does not need.
fn resident_bytes_settled() -> usize {
    for _ in 0..200 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        for bytes in [64, 4096, 1 << 20] {
            std::hint::black_box(Vec::<u8>::with_capacity(bytes));
        }
    }
    resident_bytes()
}

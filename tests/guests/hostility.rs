//! What the hostile guests do.

use std::hint::black_box;

use midge_plugin_sdk::{kv, log, metrics};

/// Does what `name` says; an unknown name is innocent. Some of it ends in an answer that is too large or of odd content.
pub(crate) fn commit(name: &str) -> Result<Option<String>, String> {
    match name {
        "spin" => spin(),
        "trap" => std::process::abort(),
        "panic" => panic!("the guest panics, as it was asked to"),
        "memory-bomb" => hoard(),
        "recursion" => return Ok(Some(recurse(1).to_string())),
        "slow" => wait_ms(2_000),
        "late" => wait_ms(20),
        "log-flood" => (0..1_000_000).for_each(|line| log::write(log::Level::Error, &format!("flood {line}"), &[])),
        "long-log" => log::write(log::Level::Error, &"x".repeat(8 << 20), &[]),
        "kv-flood" => flood_store(),
        "metric-flood" => {
            (0..100_000).for_each(|n| metrics::add(&format!("flood_{n}"), &[("label", &n.to_string())], 1))
        }
        "huge-answer" => return Ok(Some("x".repeat(48 << 20))),
        "odd-answer" => return Ok(Some("a\0b/+/#\u{feff}".to_owned())),
        "huge-error" => return Err("x".repeat(48 << 20)),
        "err" => return Err("the guest's backend failed".to_owned()),
        _ => {}
    }
    Ok(None)
}

fn spin() {
    loop {
        black_box(());
    }
}

/// Keeps what it takes, so that the limit is met and not a clever allocator.
fn hoard() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 { 0 } else { recurse(depth + 1) + black_box(1) }
}

/// Busy: a guest has no other way to let time pass.
fn wait_ms(ms: u64) {
    let until = midge_plugin_sdk::clock::monotonic_ns() + ms * 1_000_000;
    while midge_plugin_sdk::clock::monotonic_ns() < until {}
}

fn flood_store() {
    let value = vec![7; 64 << 10];
    for n in 0..10_000 {
        // Refused is as good as kept: the broker has to live with either.
        let _ = kv::set("default", &format!("flood-{n}"), &value, 0);
    }
}

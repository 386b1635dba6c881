//! The broker ends at any moment, between any two batches and commits, and another starts from what its store had made safe.
//!
//! Batches of several connections are open at the same time and end in any order, the store commits as many as it likes, and
//! sessions are taken over. The clients remember what MQTT has them remember, and the ledger what they were promised: an
//! acknowledged message reaches every session that was subscribed, QoS 2 exactly once, in order for each publisher, topic and
//! QoS, and a session that was confirmed is there.
//!
//! Every history follows from its seed. `MIDGE_CRASHES_HISTORIES=1000000` runs so many; `MIDGE_CRASHES_SEED=7` runs that one.

mod client;
mod ledger;
#[path = "../simulation/random.rs"]
#[allow(dead_code, reason = "shared with the simulation, which needs all of it")]
mod random;
mod server;
#[path = "../simulation/store.rs"]
#[allow(dead_code, reason = "shared with the simulation, where everything is committed at once")]
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// How many histories the ordinary run tells.
const HISTORIES: u64 = 10_000;

#[test]
fn no_crash_loses_what_was_acknowledged_or_repeats_a_qos_2_message() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("MIDGE_CRASHES_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MIDGE_CRASHES_HISTORIES").unwrap_or(HISTORIES),
    };
    for seed in seeds {
        let steps: Vec<u64> = (0..30 + seed % 250).collect();
        if live(seed, &steps).is_err() {
            report(seed, steps);
        }
    }
}

/// Lives through these steps of a history. An error is what went wrong, and everything that happened before.
fn live(seed: u64, steps: &[u64]) -> Result<(), (String, Vec<String>)> {
    let mut world = World::new(seed);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        steps.iter().try_for_each(|step| world.step(*step))?;
        world.settle()
    }));
    match lived {
        Ok(Ok(())) => Ok(()),
        Ok(Err(wrong)) => Err((wrong, world.story)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err((format!("a panic: {}", text.unwrap_or_default()), world.story))
        }
    }
}

/// Fails, with a story that is wrong and that would be right without any one of its steps.
fn report(seed: u64, mut steps: Vec<u64>) -> ! {
    let mut before = usize::MAX;
    while steps.len() < before {
        before = steps.len();
        for place in (0..before).rev() {
            let mut fewer = steps.clone();
            fewer.remove(place);
            if live(seed, &fewer).is_err() {
                steps = fewer;
            }
        }
    }
    let (wrong, story) = live(seed, &steps).expect_err("it failed before, and histories repeat themselves");
    let story: String = story.iter().enumerate().map(|(number, step)| format!("{number:4}  {step}\n")).collect();
    panic!(
        "history {seed}: {wrong}\nTo repeat: MIDGE_CRASHES_SEED={seed} cargo test -p midge-core --test crashes\n{story}"
    );
}

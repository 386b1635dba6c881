//! Random clients, a bad network, a jumping clock and a slow store against the broker, in virtual time, checked by an
//! oracle that was written from the specification, chapter by chapter (`oracle/`).
//!
//! Clients of all three versions publish, subscribe, share, acknowledge, refuse, repeat themselves, say goodbye, vanish,
//! come back and take each other's sessions over, through sockets that take a few bytes at a time. The oracle hears of
//! every packet in the moment the broker takes it and of every drop the broker owns up to, and judges every packet a
//! client gets: QoS 1 arrives at least once, QoS 2 exactly once, in order for each publisher and topic, with the flags and
//! properties it has to have, nothing arrives that is not owed, nothing is missing but what was dropped, for a reason that
//! holds and is counted, Session Present tells the truth, and what is retained is exactly what was published last.
//!
//! Every history follows from its seed. `MIDGE_SIMULATION_HISTORIES=1000000` runs so many instead of the usual number;
//! `MIDGE_SIMULATION_SEED=7` runs that one. A failure names its seed and tells the fewest steps that still fail.
//!
//! What the broker does is worth checking only if the oracle would notice it doing something else.

mod client;
mod oracle;
mod pipe;
mod random;
mod server;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// How many histories the ordinary run tells.
const HISTORIES: u64 = 20_000;

#[test]
fn every_history_agrees_with_the_specification() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("MIDGE_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MIDGE_SIMULATION_HISTORIES").unwrap_or(HISTORIES),
    };
    for seed in seeds {
        let steps: Vec<u64> = (0..40 + seed % 300).collect();
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
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of unknown cause");
            Err((format!("a panic: {text}"), world.story))
        }
    }
}

/// Fails, with a story that is wrong and that would be right without any one of its steps.
fn report(seed: u64, mut steps: Vec<u64>) -> ! {
    let all = steps.len();
    let shortest = (0..=all).find(|&count| live(seed, &steps[..count]).is_err()).unwrap_or(all);
    steps.truncate(shortest);
    loop {
        let before = steps.len();
        for place in (0..before).rev() {
            let mut fewer = steps.clone();
            fewer.remove(place);
            if live(seed, &fewer).is_err() {
                steps = fewer;
            }
        }
        if steps.len() == before {
            break;
        }
    }
    let (wrong, story) = live(seed, &steps).expect_err("it failed before, and histories repeat themselves");
    let story: String = story.iter().enumerate().map(|(number, step)| format!("{number:4}  {step}\n")).collect();
    panic!(
        "history {seed}: {wrong}\nTo repeat: MIDGE_SIMULATION_SEED={seed} cargo test -p midge-core --test simulation\n{story}"
    );
}

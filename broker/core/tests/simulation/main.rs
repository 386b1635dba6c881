//! Random clients, a bad network, a jumping clock and a slow store against the broker, in virtual time, checked by an
//! oracle that was written from the specification: QoS 1 arrives at least once, QoS 2 exactly once, in order for each
//! publisher and topic, nothing arrives that is not owed, Session Present tells the truth, and what is retained is
//! exactly what was published last.
//!
//! Every history follows from its seed. `MIDGE_SIMULATION_HISTORIES=1000000` runs so many instead of the usual number;
//! `MIDGE_SIMULATION_SEED=7` runs that one. A failure names its seed and tells the shortest beginning that fails.

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
        let steps = 40 + seed % 300;
        if live(seed, steps).is_err() {
            report(seed, steps);
        }
    }
}

/// Lives through the first steps of a history. An error is what went wrong, and everything that happened before.
fn live(seed: u64, steps: u64) -> Result<(), (String, Vec<String>)> {
    let mut world = World::new(seed);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        (0..steps).try_for_each(|_| world.step())?;
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

/// Fails, with the shortest beginning of the history that is wrong.
fn report(seed: u64, steps: u64) -> ! {
    let shortest = (0..=steps).find_map(|steps| live(seed, steps).err());
    let (wrong, story) = shortest.expect("the whole history failed, and histories repeat themselves");
    let story: String = story.iter().enumerate().map(|(number, step)| format!("{number:4}  {step}\n")).collect();
    panic!(
        "history {seed}: {wrong}\nTo repeat: MIDGE_SIMULATION_SEED={seed} cargo test -p midge-core --test simulation\n{story}"
    );
}

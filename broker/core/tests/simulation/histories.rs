//! Histories that follow from their seeds: lived through, and where one goes wrong, told by the fewest steps that still do.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a history happens in.
pub(crate) trait World {
    fn new(seed: u64) -> Self;

    /// One step. What it does follows from the seed and its number, so that others can be left out.
    fn step(&mut self, step: u64) -> Result<(), String>;

    /// The end: everybody finishes what was begun, and all is checked.
    fn settle(&mut self) -> Result<(), String>;

    /// What happened so far.
    fn into_story(self) -> Vec<String>;
}

/// Lives through so many histories, or as `MIDGE_<NAME>_HISTORIES` or `MIDGE_<NAME>_SEED` says; `steps` says how long each is.
/// `name` is the test's own.
pub(crate) fn live_through<W: World>(name: &str, histories: u64, steps: impl Fn(u64) -> u64) {
    let number = |what: &str| {
        let variable = format!("MIDGE_{}_{what}", name.to_uppercase());
        std::env::var(variable).ok().and_then(|value| value.parse::<u64>().ok())
    };
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HISTORIES").unwrap_or(histories),
    };
    for seed in seeds {
        let steps: Vec<u64> = (0..steps(seed)).collect();
        if live::<W>(seed, &steps).is_err() {
            report::<W>(name, seed, steps);
        }
    }
}

/// Lives through these steps of a history. An error is what went wrong, and everything that happened before.
fn live<W: World>(seed: u64, steps: &[u64]) -> Result<(), (String, Vec<String>)> {
    let mut world = W::new(seed);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        steps.iter().try_for_each(|step| world.step(*step))?;
        world.settle()
    }));
    match lived {
        Ok(Ok(())) => Ok(()),
        Ok(Err(wrong)) => Err((wrong, world.into_story())),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of unknown cause");
            Err((format!("a panic: {text}"), world.into_story()))
        }
    }
}

/// Fails, with a story that is wrong and that would be right without any one of its steps.
fn report<W: World>(name: &str, seed: u64, mut steps: Vec<u64>) -> ! {
    let all = steps.len();
    let shortest = (0..=all).find(|&count| live::<W>(seed, &steps[..count]).is_err()).unwrap_or(all);
    steps.truncate(shortest);
    loop {
        let before = steps.len();
        for place in (0..before).rev() {
            let mut fewer = steps.clone();
            fewer.remove(place);
            if live::<W>(seed, &fewer).is_err() {
                steps = fewer;
            }
        }
        if steps.len() == before {
            break;
        }
    }
    let (wrong, story) = live::<W>(seed, &steps).expect_err("it failed before, and histories repeat themselves");
    let story: String = story.iter().enumerate().map(|(number, step)| format!("{number:4}  {step}\n")).collect();
    let variable = format!("MIDGE_{}_SEED", name.to_uppercase());
    panic!("history {seed}: {wrong}\nTo repeat: {variable}={seed} cargo test -p midge-core --test {name}\n{story}");
}

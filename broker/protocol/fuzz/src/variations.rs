//! A fuzzer for any toolchain: it replays seeds and varies them, without looking where that leads.
//!
//! Compiled into the tests beside the fuzzers whose seeds it replays, here and in `broker/core`.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The same numbers in every run (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("it is below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Runs `target` on every seed, which are lines of hexadecimal digits, and on so many variations of them.
///
/// `MIDGE_FUZZ_ITERATIONS` and `MIDGE_FUZZ_SEED` say how many and which.
pub(crate) fn try_all(seeds: &str, iterations: u64, target: impl Fn(&[u8])) {
    let seeds: Vec<Vec<u8>> = seeds.lines().map(bytes).collect();
    seeds.iter().for_each(|seed| try_one(seed, &target));
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let mut chance = Chance(number("MIDGE_FUZZ_SEED").unwrap_or(1));
    for _ in 0..number("MIDGE_FUZZ_ITERATIONS").unwrap_or(iterations) {
        try_one(&vary(&seeds, &mut chance), &target);
    }
}

fn bytes(line: &str) -> Vec<u8> {
    let digits = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("a seed is ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("a seed is hexadecimal")).collect()
}

/// Runs the target, and prints the input if that fails.
fn try_one(input: &[u8], target: impl Fn(&[u8])) {
    if let Err(failure) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let hexadecimal: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("This input fails, and is a line for the seeds once it does not: {hexadecimal}");
        std::panic::resume_unwind(failure);
    }
}

/// A seed with a few changes, or with the end of another one.
fn vary(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut varied = seeds[chance.below(seeds.len())].clone();
    if chance.below(3) == 0 {
        let other = &seeds[chance.below(seeds.len())];
        varied.truncate(chance.below(varied.len() + 1));
        varied.extend_from_slice(&other[chance.below(other.len() + 1)..]);
    }
    for _ in 0..=chance.below(5) {
        let place = chance.below(varied.len());
        match chance.below(5) {
            _ if varied.is_empty() => varied.push(chance.byte()),
            0 => varied[place] = chance.byte(),
            1 => varied[place] ^= 1 << chance.below(8),
            2 => varied.insert(place, chance.byte()),
            3 => drop(varied.remove(place)),
            _ => {
                let end = varied.len().min(place + 1 + chance.below(16));
                let again = varied[place..end].to_vec();
                varied.splice(place..place, again);
            }
        }
    }
    varied
}

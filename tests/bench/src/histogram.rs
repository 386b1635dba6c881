//! Latencies in buckets of about 1.6 %.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts by magnitude: 64 buckets for each power of two, shared by all subscribers.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: (0..64 * 64).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(crate) fn record(&self, value: u64) {
        self.buckets[bucket(value)].fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
    }

    /// The value that this share of all values, 0 to 1, does not exceed; none where there is no value.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let wanted = (total as f64 * share).ceil().max(1.0);
        let mut seen = 0;
        for (place, count) in counts.iter().enumerate() {
            seen += count;
            if total > 0 && seen as f64 >= wanted {
                return Some(upper_bound(place));
            }
        }
        None
    }
}

/// Below 64 each value has its bucket; above, the six bits behind the highest choose among 64.
fn bucket(value: u64) -> usize {
    let shift = (64 - value.leading_zeros()).saturating_sub(7);
    let low = usize::try_from(value >> shift).unwrap_or(usize::MAX);
    shift as usize * 64 + low
}

/// The highest value in a bucket.
fn upper_bound(place: usize) -> u64 {
    let shift = (place / 64).saturating_sub(1);
    let low = (place - shift * 64) as u64;
    ((low + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        for value in (0..200).chain([1000, 12_345, 999_999, 123_456_789, u64::MAX / 2]) {
            let bound = upper_bound(bucket(value));
            assert!(bound >= value && bound - value <= value / 60, "{value} in a bucket up to {bound}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1000).for_each(|value| histogram.record(value));
        for (share, value) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = histogram.quantile(share).expect("there are values");
            assert!(found >= value && found <= value + value / 60, "{share}: {found}");
        }
    }
}

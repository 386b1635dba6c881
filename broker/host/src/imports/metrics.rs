//! `metrics`: a plugin's own counters, gauges and histograms, bounded in number.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use parking_lot::Mutex;

use super::PluginState;
use crate::bindings::midge::plugin::metrics::Host;
use crate::contract::{CustomMetric, CustomMetricKind};

type Labels = Vec<(String, String)>;

/// The metrics of one plugin. They outlive its generations, so that counters do not fall back on a reload.
#[derive(Debug)]
pub(super) struct Registry {
    series_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By name first, so that a snapshot has the series of one metric together.
    series: BTreeMap<(String, Labels), Value>,
    dropped: u64,
}

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram { counts: [u64; BOUNDS.len()], count: u64, sum: f64 },
}

impl Registry {
    pub(super) fn new(series_max: usize) -> Self {
        Self { series_max, inner: Mutex::default() }
    }

    /// Applies `change` to a series, which starts out as `new`. Nothing happens, but a count, when there are too
    /// many series or the name is already of another kind.
    fn update(&self, name: &str, labels: &[(String, String)], new: Value, change: impl FnOnce(&mut Value)) {
        let (name, labels) = (sanitized(name), sanitized_labels(labels));
        let mut inner = self.inner.lock();
        let kind = std::mem::discriminant(&new);
        let of_another_kind = inner
            .series
            .range((name.clone(), Labels::new())..)
            .next()
            .is_some_and(|((other, _), value)| *other == name && std::mem::discriminant(value) != kind);
        let full = inner.series.len() >= self.series_max;
        match inner.series.entry((name, labels)) {
            Entry::Occupied(mut entry) if !of_another_kind => change(entry.get_mut()),
            Entry::Vacant(entry) if !of_another_kind && !full => change(entry.insert(new)),
            Entry::Occupied(_) | Entry::Vacant(_) => inner.dropped += 1,
        }
    }

    fn add(&self, name: &str, labels: &[(String, String)], by: u64) {
        self.update(name, labels, Value::Counter(0), |value| {
            if let Value::Counter(count) = value {
                *count = count.saturating_add(by);
            }
        });
    }

    fn set(&self, name: &str, labels: &[(String, String)], to: f64) {
        self.update(name, labels, Value::Gauge(0.0), |value| {
            if let Value::Gauge(gauge) = value {
                *gauge = to;
            }
        });
    }

    fn observe(&self, name: &str, labels: &[(String, String)], observed: f64) {
        if observed.is_nan() {
            // It would make the sum NaN for ever.
            self.inner.lock().dropped += 1;
            return;
        }
        let empty = Value::Histogram { counts: [0; BOUNDS.len()], count: 0, sum: 0.0 };
        self.update(name, labels, empty, |value| {
            if let Value::Histogram { counts, count, sum } = value {
                *count += 1;
                *sum += observed;
                if let Some(bucket) = BOUNDS.iter().position(|bound| observed <= *bound) {
                    counts[bucket] += 1;
                }
            }
        });
    }

    /// Updates dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.inner.lock().dropped
    }

    /// All series, those of one metric side by side.
    pub(super) fn snapshot(&self) -> Vec<CustomMetric> {
        let inner = self.inner.lock();
        let shown = |((name, labels), value): (&(String, Labels), &Value)| CustomMetric {
            name: name.clone(),
            labels: labels.clone(),
            value: match value {
                Value::Counter(count) => CustomMetricKind::Counter(*count),
                Value::Gauge(gauge) => CustomMetricKind::Gauge(*gauge),
                Value::Histogram { counts, count, sum } => {
                    let mut up_to = 0;
                    let cumulative = BOUNDS.iter().zip(counts).map(|(bound, count)| {
                        up_to += count;
                        (*bound, up_to)
                    });
                    CustomMetricKind::Histogram { count: *count, sum: *sum, buckets: cumulative.collect() }
                }
            },
        };
        inner.series.iter().map(shown).collect()
    }
}

impl Host for PluginState {
    fn add(&mut self, counter: String, labels: Labels, by: u64) -> wasmtime::Result<()> {
        self.shared.metrics().add(&counter, &labels, by);
        Ok(())
    }

    fn set(&mut self, gauge: String, labels: Labels, to: f64) -> wasmtime::Result<()> {
        self.shared.metrics().set(&gauge, &labels, to);
        Ok(())
    }

    fn observe(&mut self, histogram: String, labels: Labels, value: f64) -> wasmtime::Result<()> {
        self.shared.metrics().observe(&histogram, &labels, value);
        Ok(())
    }
}

/// A name Prometheus takes: letters, digits and `_`, no digit in front, at most 64 long.
fn sanitized(name: &str) -> String {
    let mut clean: String =
        name.chars().take(NAME_CHARS_MAX).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if clean.is_empty() || clean.starts_with(|c: char| c.is_ascii_digit()) {
        clean.insert(0, '_');
    }
    clean
}

/// Labels in the order of their names, one per name, none of those the host sets itself.
fn sanitized_labels(labels: &[(String, String)]) -> Labels {
    let mut clean: Labels = labels
        .iter()
        .take(LABELS_MAX)
        .map(|(name, value)| (sanitized(name), value.chars().take(VALUE_CHARS_MAX).collect()))
        .filter(|(name, _): &(String, String)| !RESERVED.contains(&name.as_str()) && !name.starts_with("__"))
        .collect();
    clean.sort();
    clean.dedup_by(|later, first| later.0 == first.0);
    clean
}

/// Prometheus' own bounds for seconds, which serve most other things too.
const BOUNDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
const NAME_CHARS_MAX: usize = 64;
const LABELS_MAX: usize = 8;
const VALUE_CHARS_MAX: usize = 128;
/// `plugin` says whose metric it is, `le` is a histogram's bound.
const RESERVED: [&str; 2] = ["plugin", "le"];

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn metrics_are_kept_by_name_and_labels_in_any_order() {
        let registry = Registry::new(10);
        registry.add("logins", &labels(&[("b", "2"), ("a", "1")]), 2);
        registry.add("logins", &labels(&[("a", "1"), ("b", "2")]), 3);
        registry.set("load", &[], 0.5);
        registry.set("load", &[], 0.25);
        let shown = registry.snapshot();
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0].value, CustomMetricKind::Gauge(0.25));
        assert_eq!(
            (&shown[1].labels, &shown[1].value),
            (&labels(&[("a", "1"), ("b", "2")]), &CustomMetricKind::Counter(5))
        );
    }

    #[test]
    fn a_flood_of_labels_is_bounded_and_counted() {
        let registry = Registry::new(1000);
        for n in 0..5000 {
            registry.add("logins", &labels(&[("client", &n.to_string())]), 1);
        }
        registry.add("logins", &labels(&[("client", "7")]), 1);
        assert_eq!((registry.snapshot().len(), registry.dropped()), (1000, 4000));
    }

    #[test]
    fn one_name_has_one_kind() {
        let registry = Registry::new(10);
        registry.add("n", &labels(&[("a", "1")]), 1);
        registry.set("n", &[], 1.0);
        registry.observe("n", &labels(&[("a", "1")]), 1.0);
        registry.observe("m", &[], f64::NAN);
        assert_eq!((registry.snapshot().len(), registry.dropped()), (1, 3));
    }

    #[test]
    fn histograms_are_cumulative() {
        let registry = Registry::new(10);
        for value in [0.0005, 0.003, 0.003, 1000.0] {
            registry.observe("seconds", &[], value);
        }
        let CustomMetricKind::Histogram { count, sum, buckets } = &registry.snapshot()[0].value else {
            panic!("a histogram")
        };
        assert_eq!(*count, 4);
        assert!((sum - 1000.0065).abs() < 1e-9);
        assert_eq!(buckets[..3], [(0.001, 1), (0.0025, 1), (0.005, 3)]);
        assert_eq!(buckets.last(), Some(&(60.0, 3)));
    }

    #[test]
    fn names_are_made_harmless() {
        assert_eq!(sanitized("jwks.fetch-ms é"), "jwks_fetch_ms__");
        assert_eq!(sanitized("9lives"), "_9lives");
        assert_eq!(sanitized(""), "_");
        assert_eq!(sanitized(&"x".repeat(1000)).len(), NAME_CHARS_MAX);
        let clean =
            sanitized_labels(&labels(&[("le", "1"), ("plugin", "x"), ("__name__", "x"), ("a", "1"), ("a", "2")]));
        assert_eq!(clean, labels(&[("a", "1")]));
    }
}

//! Writing one metric, with and without labels.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// A row of a metric with labels.
pub(super) type Row<'a, V> = (Vec<(&'a str, &'a str)>, V);

/// The page being written.
pub(super) struct Text<'a>(DescriptorEncoder<'a>);

impl<'a> Text<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// Something that only grows; its name gets the suffix `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Something that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    /// A counter with labels; nothing where there is no row.
    pub(super) fn counters(&mut self, name: &str, help: &str, rows: &[Row<'_, u64>]) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(value, None)?;
        }
        Ok(())
    }

    /// A gauge with labels; nothing where there is no row.
    pub(super) fn gauges(&mut self, name: &str, help: &str, rows: &[Row<'_, f64>]) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            metric.encode_family(labels)?.encode_gauge(value)?;
        }
        Ok(())
    }

    /// Observations without labels.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        let Histogram { sum, count, buckets } = histogram;
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
    }

    /// Histograms with labels; nothing where there is no row. Buckets are upper bound and count of that bucket alone.
    pub(super) fn histograms(&mut self, name: &str, help: &str, rows: &[Row<'_, Histogram>]) -> fmt::Result {
        if rows.is_empty() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, Histogram { sum, count, buckets }) in rows {
            metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)?;
        }
        Ok(())
    }
}

/// Observations.
pub(super) struct Histogram {
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bound and number of observations above the bound before; the last bound is infinite, which is
    /// written as `+Inf`.
    pub(super) buckets: Vec<(f64, u64)>,
}

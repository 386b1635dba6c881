//! What the generator says, and what of it is shown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::peers::Broker;
use super::scenarios::{Kind, Scenario};

/// One value of a measurement.
pub(super) struct Figure {
    /// What targets call it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Where the generator puts it.
    pub(super) pointer: &'static str,
    /// What the table is headed with.
    pub(super) heading: &'static str,
    /// One unit of the heading in the generator's units.
    pub(super) unit: f64,
}

/// All that are shown, in their order.
pub(super) const FIGURES: &[Figure] = &[
    figure("cpu", Kind::Run, "/broker_cpu_us_per_delivered", "µs of the broker's CPU a delivered message", 1.0),
    figure("rate", Kind::Run, "/delivered_per_second", "delivered messages a second", 1.0),
    figure("p50", Kind::Run, "/latency_p50_us", "µs until delivered, half of the messages", 1.0),
    figure("p99", Kind::Run, "/latency_p99_us", "µs until delivered, 99 % of the messages", 1.0),
    figure("resident", Kind::Run, "/broker_resident_bytes", "MiB resident under load", MEBIBYTE),
    figure("connect", Kind::Idle, "/broker_cpu_us_per_connect", "µs of the broker's CPU from CONNECT to CONNACK", 1.0),
    figure("subscribe", Kind::Idle, "/broker_cpu_us_per_subscribe", "µs of the broker's CPU a SUBSCRIBE", 1.0),
    figure("memory", Kind::Idle, "/broker_resident_bytes_per_connection", "resident bytes a connection", 1.0),
    figure("connects", Kind::Idle, "/connects_per_second", "connects a second", 1.0),
    figure("subscribe-rate", Kind::Filters, "/subscribed_per_second", "filters subscribed to a second", 1.0),
    figure("filter-memory", Kind::Filters, "/broker_resident_bytes_per_filter", "resident bytes a filter", 1.0),
    figure(
        "cold",
        Kind::Filters,
        "/broker_cpu_us_per_published",
        "µs of the broker's CPU a message to a topic it has not seen",
        1.0,
    ),
    figure(
        "warm",
        Kind::Filters,
        "/broker_cpu_us_per_published_warm",
        "µs of the broker's CPU a message to one of 500 topics",
        1.0,
    ),
    figure("load", Kind::Retained, "/load_seconds", "seconds to load", 1.0),
    figure(
        "message-memory",
        Kind::Retained,
        "/broker_resident_bytes_per_message",
        "resident bytes a retained message",
        1.0,
    ),
    figure("replay", Kind::Retained, "/replay_seconds", "seconds to send all to one subscriber", 1.0),
    figure("replay-cpu", Kind::Retained, "/broker_cpu_us_per_replayed", "µs of the broker's CPU a message sent", 1.0),
    figure(
        "replay-memory",
        Kind::Retained,
        "/broker_resident_bytes_grown_replaying",
        "MiB more while sending",
        MEBIBYTE,
    ),
    figure(
        "deaf-memory",
        Kind::Retained,
        "/broker_resident_bytes_grown_deaf",
        "MiB more for one that does not read",
        MEBIBYTE,
    ),
    figure("p99-quiet", Kind::Retained, "/latency_us_quiet/p99", "µs between two others, 99 %, quiet", 1.0),
    figure(
        "p99-replay",
        Kind::Retained,
        "/latency_us_replaying/p99",
        "µs between two others, 99 %, while sending",
        1.0,
    ),
    figure(
        "p99-deaf",
        Kind::Retained,
        "/latency_us_deaf/p99",
        "µs between two others, 99 %, beside one that does not read",
        1.0,
    ),
    figure("acknowledged", Kind::Durable, "/acknowledged_per_second", "messages acknowledged a second", 1.0),
    figure("ack-p50", Kind::Durable, "/acknowledged_p50_us", "µs until acknowledged, half of the messages", 1.0),
    figure("ack-p99", Kind::Durable, "/acknowledged_p99_us", "µs until acknowledged, 99 % of the messages", 1.0),
    figure("ack-cpu", Kind::Durable, "/broker_cpu_us_per_message", "µs of the broker's CPU a message kept", 1.0),
    figure("written", Kind::Durable, "/broker_written_bytes_per_message", "bytes written a message kept", 1.0),
];

const MEBIBYTE: f64 = 1024.0 * 1024.0;

const fn figure(name: &'static str, kind: Kind, pointer: &'static str, heading: &'static str, unit: f64) -> Figure {
    Figure { name, kind, pointer, heading, unit }
}

/// Scenario and broker to what its rounds brought.
#[derive(Default)]
pub(super) struct Figures(BTreeMap<(String, String), Vec<Result<Value, String>>>);

impl Figures {
    pub(super) fn add(&mut self, scenario: &Scenario, broker: &Broker, measured: Result<Value, String>) {
        self.0.entry((scenario.name.clone(), broker.name.clone())).or_default().push(measured);
    }

    /// The median of the rounds that succeeded.
    pub(super) fn median(&self, scenario: &str, broker: &str, figure: &Figure) -> Option<f64> {
        let value =
            |round: &Value| round.pointer(figure.pointer).and_then(Value::as_f64).map(|value| value / figure.unit);
        let values: Vec<f64> =
            self.measured(scenario, broker).filter_map(value).filter(|value| value.is_finite()).collect();
        median(values)
    }

    /// The most messages that a round lost.
    pub(super) fn lost(&self, scenario: &str, broker: &str) -> u64 {
        self.measured(scenario, broker).filter_map(|round| round["lost"].as_u64()).max().unwrap_or(0)
    }

    /// What every round said, measured or failed.
    pub(super) fn rounds(&self, scenario: &str, broker: &str) -> &[Result<Value, String>] {
        self.0.get(&(scenario.to_owned(), broker.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Scenario, broker and reason of everything that failed.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().filter_map(|((scenario, broker), rounds)| {
            let why = rounds.iter().find_map(|round| round.as_ref().err())?;
            Some((scenario.as_str(), broker.as_str(), why.as_str()))
        })
    }

    fn measured(&self, scenario: &str, broker: &str) -> impl Iterator<Item = &Value> {
        self.rounds(scenario, broker).iter().filter_map(|round| round.as_ref().ok())
    }
}

/// The one in the middle, or the mean of the two.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

/// The first figures of one run, for the progress line.
pub(super) fn in_short(scenario: &Scenario, measured: &Result<Value, String>) -> String {
    let value = match measured {
        Ok(value) => value,
        Err(why) => return format!("failed: {why}"),
    };
    let figures = FIGURES.iter().filter(|figure| figure.kind == scenario.kind).filter_map(|figure| {
        let number = value.pointer(figure.pointer)?.as_f64()? / figure.unit;
        Some(format!("{} {}", figure.name, number_in_short(number)))
    });
    let mut text = figures.take(4).collect::<Vec<_>>().join(", ");
    if let Some(lost) = value["lost"].as_u64().filter(|lost| *lost > 0) {
        text += &format!(", lost {lost}");
    }
    text
}

/// Three digits that count, or all before the point.
pub(super) fn number_in_short(number: f64) -> String {
    match number.abs() {
        size if size >= 1e6 => format!("{:.2}M", number / 1e6),
        size if size >= 1e5 => format!("{:.0}k", number / 1e3),
        size if size >= 1e3 => format!("{},{:03.0}", (number / 1e3).trunc(), (number % 1e3).abs().floor()),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 1.0 => format!("{number:.2}"),
        size if size > 0.0 => format!("{number:.3}"),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_what_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn numbers_are_as_long_as_they_are_true() {
        let written = [0.0, 0.0271, 1.5, 21.04, 104.6, 9_999.4, 35_005.0, 535_455.0, 2_445_926.0].map(number_in_short);
        assert_eq!(written, ["0", "0.027", "1.50", "21.0", "105", "9,999", "35,005", "535k", "2.45M"]);
    }

    #[test]
    fn every_figure_of_a_kind_has_its_own_name() {
        let mut names: Vec<_> = FIGURES.iter().map(|figure| (format!("{:?}", figure.kind), figure.name)).collect();
        names.sort();
        assert!(names.windows(2).all(|two| two[0] != two[1]));
    }
}

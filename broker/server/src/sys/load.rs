//! Rates, smoothed over 1, 5 and 15 minutes.

use std::time::Duration;

use super::{Sample, received, sent};

/// The smoothed rates of everything that has one.
#[derive(Debug, Default)]
pub(super) struct Loads {
    last: Option<Sample>,
    rates: [[f64; WINDOWS.len()]; COUNTERS.len()],
}

type Counter = (&'static str, fn(&Sample) -> u64);

const COUNTERS: [Counter; 8] = [
    ("messages/received", |sample| received(&sample.statistics)),
    ("messages/sent", |sample| sent(&sample.statistics)),
    ("publish/received", |sample| received(&sample.statistics)),
    ("publish/sent", |sample| sent(&sample.statistics)),
    ("publish/dropped", |sample| sample.statistics.messages_dropped()),
    ("bytes/received", |sample| sample.bytes_received),
    ("bytes/sent", |sample| sample.bytes_sent),
    ("connections", |sample| sample.statistics.connections_accepted),
];

/// Minutes, and how a topic names them.
const WINDOWS: [(f64, &str); 3] = [(1.0, "1min"), (5.0, "5min"), (15.0, "15min")];

impl Loads {
    /// Takes in a sample and says every rate, a minute, with its topic below `$SYS/broker/`.
    pub(super) fn update(&mut self, sample: &Sample) -> Vec<(String, String)> {
        if let Some(last) = self.last.replace(*sample) {
            let minutes = sample.uptime.saturating_sub(last.uptime).max(Duration::from_millis(1)).as_secs_f64() / 60.0;
            for ((_, count), rates) in COUNTERS.iter().zip(&mut self.rates) {
                let per_minute = count(sample).saturating_sub(count(&last)) as f64 / minutes;
                for ((window, _), rate) in WINDOWS.iter().zip(rates) {
                    *rate += (1.0 - (-minutes / window).exp()) * (per_minute - *rate);
                }
            }
        }
        let topic = |name: &str, window: &str, rate: f64| (format!("load/{name}/{window}"), format!("{rate:.2}"));
        COUNTERS
            .iter()
            .zip(&self.rates)
            .flat_map(|((name, _), rates)| {
                WINDOWS.iter().zip(rates).map(|((_, window), rate)| topic(name, window, *rate))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_approached_the_sooner_the_shorter_the_window() {
        let mut loads = Loads::default();
        let mut rates = Vec::new();
        for minute in 0..=10 {
            let bytes_received = minute * 600;
            rates =
                loads.update(&Sample { bytes_received, uptime: Duration::from_secs(minute * 60), ..Sample::default() });
        }
        let rate = |window: &str| -> f64 {
            let topic = format!("load/bytes/received/{window}");
            rates.iter().find(|(name, _)| *name == topic).and_then(|(_, rate)| rate.parse().ok()).unwrap_or_default()
        };
        assert!((rate("1min") - 600.0).abs() < 0.1, "{rates:?}");
        assert!(rate("5min") < rate("1min") && rate("15min") < rate("5min"), "{rates:?}");
    }
}

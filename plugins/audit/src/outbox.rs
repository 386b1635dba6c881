//! Lines that wait for an HTTP endpoint.

use std::collections::VecDeque;

use endpoint::{Endpoint, Fate};
use midge_plugin_sdk::{clock, metrics, now, warn};

use crate::config::{Config, TIMEOUT_MS};

pub(crate) struct Outbox {
    endpoint: Endpoint,
    batch_max: usize,
    buffer_max: usize,
    waiting: VecDeque<String>,
    /// Failures in a row: only the first of a row is worth a line in the log.
    failures: u32,
    /// Nothing is sent before this moment.
    not_before_ms: u64,
}

impl Outbox {
    pub(crate) fn new(url: &str, config: &Config) -> Result<Self, String> {
        Ok(Self {
            endpoint: Endpoint::open(url, &config.endpoint, TIMEOUT_MS)?,
            batch_max: config.batch_max,
            buffer_max: config.buffer_max,
            waiting: VecDeque::new(),
            failures: 0,
            not_before_ms: 0,
        })
    }

    pub(crate) fn has_room_for(&self, lines: usize) -> bool {
        self.waiting.len() + lines <= self.buffer_max
    }

    pub(crate) fn push(&mut self, line: String) {
        self.waiting.push_back(line);
    }

    /// Sends what waits, unless the last attempt has just failed. Returns how many events the endpoint refused.
    pub(crate) fn send(&mut self) -> u64 {
        let left_ms = self.not_before_ms.saturating_sub(now());
        // More than any pause is: the clock was set back.
        if (1..=u64::from(self.endpoint.pause_max_ms())).contains(&left_ms) {
            return 0;
        }
        let (began, mut refused) = (clock::monotonic_ns(), 0);
        // Further requests are begun for a moment only: the broker gives a call so much time, and takes everything from
        // a plugin that needs more.
        while !self.waiting.is_empty() && clock::monotonic_ns().saturating_sub(began) < SENDING_NS_MAX {
            let lines = self.waiting.len().min(self.batch_max);
            match self.post(lines) {
                Fate::Delivered => {
                    self.failures = 0;
                    metrics::add("written", &[], lines as u64);
                }
                Fate::Refused(_) => {
                    self.failures = 0;
                    refused += lines as u64;
                }
                Fate::Failed { why, pause_ms } => {
                    if self.failures == 0 {
                        warn!(url = self.endpoint.url(); "events are kept and sent again later: {why}");
                    }
                    metrics::add("failed_requests", &[], 1);
                    let pause_ms = pause_ms.unwrap_or_else(|| self.endpoint.pause_ms(self.failures));
                    self.not_before_ms = now() + u64::from(pause_ms.min(self.endpoint.pause_max_ms()));
                    self.failures = self.failures.saturating_add(1);
                    break;
                }
            }
            self.waiting.drain(..lines);
        }
        metrics::set("waiting", &[], self.waiting.len() as f64);
        refused
    }

    /// Sends what waits while the plugin ends. What is left then is lost, and said to be.
    pub(crate) fn send_at_last(&mut self) {
        self.not_before_ms = 0;
        let lost = self.send() + self.waiting.len() as u64;
        if lost > 0 {
            metrics::add("lost", &[], lost);
            warn!(url = self.endpoint.url(), events = lost; "events are lost: the endpoint did not take them before the end");
        }
    }

    fn post(&self, lines: usize) -> Fate {
        let body: String = self.waiting.iter().take(lines).map(String::as_str).collect();
        self.endpoint.post("application/x-ndjson", body)
    }
}

/// For so long further requests are begun in one call.
const SENDING_NS_MAX: u64 = 1_000_000_000;

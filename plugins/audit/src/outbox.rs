//! Lines that wait for an HTTP endpoint.

use std::collections::VecDeque;

use midge_plugin_sdk::http::{self, Request};
use midge_plugin_sdk::{clock, metrics, now, warn};

use crate::config::Config;
use crate::secret;

pub(crate) struct Outbox {
    url: String,
    headers: Vec<(String, String)>,
    config: Config,
    waiting: VecDeque<String>,
    /// Failures in a row: only the first of a row is worth a line in the log.
    failures: u32,
    /// Nothing is sent before this moment.
    not_before_ms: u64,
}

/// What became of a request.
enum Fate {
    Delivered,
    /// These lines will never be taken.
    Refused,
    /// It may go better later.
    Failed(String),
}

impl Outbox {
    pub(crate) fn new(url: &str, config: &Config) -> Result<Self, String> {
        let mut headers: Vec<_> = config.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(name) = &config.bearer_secret {
            let token = String::from_utf8(secret("bearer_secret", name)?)
                .map_err(|_| format!("config: bearer_secret = \"{name}\": the secret is not text"))?;
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let (config, waiting) = (config.clone(), VecDeque::new());
        Ok(Self { url: url.to_owned(), headers, config, waiting, failures: 0, not_before_ms: 0 })
    }

    pub(crate) fn has_room_for(&self, lines: usize) -> bool {
        self.waiting.len() + lines <= self.config.buffer_max
    }

    pub(crate) fn push(&mut self, line: String) {
        self.waiting.push_back(line);
    }

    /// Sends what waits, unless the last attempt has just failed. Returns how many events the endpoint refused.
    pub(crate) fn send(&mut self) -> u64 {
        if now() < self.not_before_ms {
            return 0;
        }
        let (began, mut refused) = (clock::monotonic_ns(), 0);
        // Further requests are begun for a moment only: the broker gives a call so much time, and takes everything from
        // a plugin that needs more.
        while !self.waiting.is_empty() && clock::monotonic_ns().saturating_sub(began) < SENDING_NS_MAX {
            let lines = self.waiting.len().min(self.config.batch_max);
            match self.post(lines) {
                Fate::Delivered => {
                    self.failures = 0;
                    metrics::add("written", &[], lines as u64);
                }
                Fate::Refused => {
                    self.failures = 0;
                    refused += lines as u64;
                }
                Fate::Failed(why) => {
                    if self.failures == 0 {
                        warn!(url = self.url; "events are kept and sent again later: {why}");
                    }
                    self.failures = self.failures.saturating_add(1);
                    metrics::add("failed_requests", &[], 1);
                    self.not_before_ms = now() + u64::from(self.config.pause_ms(self.failures));
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
            warn!(url = self.url, events = lost; "events are lost: the endpoint did not take them before the end");
        }
    }

    fn post(&self, lines: usize) -> Fate {
        let body: String = self.waiting.iter().take(lines).map(String::as_str).collect();
        let mut request = Request::post(&self.url, "application/x-ndjson", body).timeout_ms(self.config.timeout_ms);
        request.headers.extend(self.headers.iter().cloned());
        match http::send(&request) {
            Ok(response) if response.is_success() => Fate::Delivered,
            // What speaks of the content; others speak of a configuration that somebody can mend.
            Ok(response) if matches!(response.status, 400 | 413 | 415 | 422) => Fate::Refused,
            Ok(response) => Fate::Failed(format!("the endpoint answered {}", response.status)),
            Err(error) => Fate::Failed(http::describe(&error).to_string()),
        }
    }
}

/// For so long further requests are begun in one call.
const SENDING_NS_MAX: u64 = 1_000_000_000;

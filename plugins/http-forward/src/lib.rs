//! Midge's bundled plugin `http-forward`: batches of messages to an HTTP endpoint.
//!
//! The broker keeps the queue and the clock of the retries; this plugin says what became of each message.

mod body;
mod config;

use config::{Config, Payload, TIMEOUT_MS};
use endpoint::{Endpoint, Fate};
use midge_plugin_sdk::{Delivery, Environment, Lifecycle, Outcome, Registration, Sink, metrics, plugin, warn};

struct HttpForward {
    endpoint: Endpoint,
    topics: Vec<String>,
    payload: Payload,
    /// Whether the last request failed: only the first failure of a row is worth a line in the log.
    is_failing: bool,
}

impl Lifecycle for HttpForward {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { url, topics, payload, endpoint } = midge_plugin_sdk::config()?;
        Ok(Self { endpoint: Endpoint::open(&url, &endpoint, TIMEOUT_MS)?, topics, payload, is_failing: false })
    }

    fn registration(&self) -> Registration {
        Registration { topics: self.topics.clone(), wants_payload: true }
    }
}

impl Sink for HttpForward {
    fn deliver(&mut self, batch: Vec<Delivery>) -> Result<Vec<Outcome>, String> {
        let mut outcomes = Vec::with_capacity(batch.len());
        self.forward(&batch, &mut outcomes);
        Ok(outcomes)
    }
}

impl HttpForward {
    /// Sends messages in one request. If the endpoint wants none of them it may be for one of them: the halves are then
    /// sent by themselves, so that only what is refused alone is given up.
    fn forward(&mut self, batch: &[Delivery], outcomes: &mut Vec<Outcome>) {
        match self.endpoint.post("application/json", body::body(batch, self.payload)) {
            Fate::Delivered => {
                self.is_failing = false;
                metrics::add("forwarded", &[], batch.len() as u64);
                outcomes.extend(batch.iter().map(|_| Outcome::Done));
            }
            Fate::Refused(why) if batch.len() == 1 => outcomes.push(Outcome::Reject(why)),
            Fate::Refused(_) => {
                let (first, second) = batch.split_at(batch.len() / 2);
                self.forward(first, outcomes);
                self.forward(second, outcomes);
            }
            Fate::Failed { why, pause_ms } => {
                if !self.is_failing {
                    warn!(url = self.endpoint.url(); "messages are kept and sent again later: {why}");
                }
                self.is_failing = true;
                metrics::add("failed_requests", &[], 1);
                let pause = |one: &Delivery| pause_ms.unwrap_or_else(|| self.endpoint.pause_ms(one.attempt));
                outcomes.extend(batch.iter().map(|one| Outcome::Retry(pause(one))));
            }
        }
    }
}

plugin!(HttpForward: lifecycle, sink);

#[cfg(test)]
mod tests;

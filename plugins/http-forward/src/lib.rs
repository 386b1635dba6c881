//! Midge's bundled plugin `http-forward`: batches of messages to an HTTP endpoint.
//!
//! The broker keeps the queue and the clock of the retries; this plugin says what became of each message.

mod body;
mod config;

use config::Config;
use midge_plugin_sdk::http::{self, Request, Response};
use midge_plugin_sdk::{Delivery, Environment, Lifecycle, Outcome, Registration, Sink, metrics, plugin, secrets, warn};

struct HttpForward {
    config: Config,
    authorization: Option<String>,
    /// Whether the last request failed: only the first failure of a row is worth a line in the log.
    is_failing: bool,
}

impl Lifecycle for HttpForward {
    fn init(_: &Environment) -> Result<Self, String> {
        let config = midge_plugin_sdk::config::<Config>()?.check()?;
        let authorization = config.bearer_secret.as_deref().map(bearer).transpose()?;
        Ok(Self { config, authorization, is_failing: false })
    }

    fn registration(&self) -> Registration {
        Registration { topics: self.config.topics.clone(), wants_payload: true }
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
        match self.post(batch) {
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
                    warn!(url = self.config.url; "messages are kept and sent again later: {why}");
                }
                self.is_failing = true;
                metrics::add("failed_requests", &[], 1);
                let pause = |one: &Delivery| pause_ms.unwrap_or_else(|| self.config.pause_ms(one.attempt));
                outcomes.extend(batch.iter().map(|one| Outcome::Retry(pause(one))));
            }
        }
    }

    fn post(&self, batch: &[Delivery]) -> Fate {
        let body = body::body(batch, self.config.payload);
        let mut request = Request::post(&self.config.url, "application/json", body).timeout_ms(self.config.timeout_ms);
        let headers = self.config.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        request.headers.extend(headers);
        request.headers.extend(self.authorization.iter().map(|value| ("authorization".to_owned(), value.clone())));
        match http::send(&request) {
            Ok(response) => Fate::of(&response),
            Err(error) => Fate::Failed { why: http::describe(&error).to_string(), pause_ms: None },
        }
    }
}

/// What became of a request.
enum Fate {
    Delivered,
    /// These messages will never be taken.
    Refused(String),
    /// It may go better later; `pause_ms` is the endpoint's own wish.
    Failed {
        why: String,
        pause_ms: Option<u32>,
    },
}

impl Fate {
    /// Only a status that speaks of the content refuses it. Others, such as 401 or 404, speak of a configuration that
    /// somebody can mend, and no message should be lost meanwhile.
    fn of(response: &Response) -> Self {
        let why = format!("the endpoint answered {}", response.status);
        match response.status {
            _ if response.is_success() => Self::Delivered,
            400 | 413 | 415 | 422 => Self::Refused(why),
            _ => {
                let seconds: Option<u32> = response.header("retry-after").and_then(|value| value.trim().parse().ok());
                Self::Failed { why, pause_ms: seconds.map(|seconds| seconds.saturating_mul(1000)) }
            }
        }
    }
}

/// The header's value for a granted secret.
fn bearer(name: &str) -> Result<String, String> {
    let secret = secrets::secret(name)
        .map_err(|why| format!("config: bearer_secret = \"{name}\": {why:?}; grant it with allow.secrets"))?;
    let token = String::from_utf8(secret).map_err(|_| format!("the secret {name} is not text"))?;
    Ok(format!("Bearer {}", token.trim_end()))
}

plugin!(HttpForward: lifecycle, sink);

#[cfg(test)]
mod tests;

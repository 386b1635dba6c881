//! A service that decides, asked over HTTP with JSON.

use std::collections::BTreeMap;

use midge_plugin_sdk::http::{self, Error, Request, Response};
use midge_plugin_sdk::{info, metrics, now, secrets, warn};
use serde::Deserialize;

use crate::moment;

/// Which service, and how to ask it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Questions are POSTed here.
    pub url: String,
    /// Sent with every question.
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are granted secrets, by the secrets' names.
    pub secret_headers: BTreeMap<String, String>,
    /// The name of a granted secret, sent as `authorization: Bearer …`.
    pub bearer_secret: Option<String>,
    /// How long one answer may take.
    pub timeout_ms: u32,
    /// How often a question is asked again at once, where no answer came.
    pub retries: u32,
    /// The longest pause that the service may ask for.
    pub pause_max_s: u32,
    /// How long an answer may be used again, unless the service says.
    pub cache_s: u32,
    /// The same for a refusal.
    pub deny_cache_s: u32,
}

/// What counts as an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answers {
    /// 200 with JSON that says what is decided.
    #[default]
    Json,
    /// The status: 2xx allows.
    Status,
}

/// What the service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its answer.
    pub said: Said,
    /// For how long it may be used again, if the service says so (`Cache-Control`).
    max_age_s: Option<u32>,
}

/// The service's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A success, with its body.
    Yes(Vec<u8>),
    /// 401 or 403, with the reason code that stands for it.
    No(u8),
}

/// A service, and how it does.
pub struct Service {
    settings: Settings,
    /// All of them, values of secrets included.
    headers: Vec<(String, String)>,
    /// Until then the service wants to be left alone; milliseconds since the Unix epoch.
    paused_until: u64,
    /// Whether the last question failed: only the first failure of a row is worth a line in the log.
    is_failing: bool,
}

impl Service {
    /// A service that nobody has asked yet.
    ///
    /// # Errors
    /// The key of the config, its value and what would be accepted.
    pub fn open(settings: Settings) -> Result<Self, String> {
        if !settings.url.starts_with("http://") && !settings.url.starts_with("https://") {
            return Err(format!("config: url = \"{}\": must start with http:// or https://", settings.url));
        }
        if settings.timeout_ms == 0 {
            return Err("config: timeout_ms = 0: must be at least 1".to_owned());
        }
        if settings.retries > RETRIES_MAX {
            return Err(format!("config: retries = {}: must be at most {RETRIES_MAX}", settings.retries));
        }
        let mut headers: Vec<(String, String)> = settings.headers.clone().into_iter().collect();
        for (header, name) in &settings.secret_headers {
            headers.push((header.clone(), secret("secret_headers", name)?));
        }
        if let Some(name) = &settings.bearer_secret {
            headers.push(("authorization".to_owned(), format!("Bearer {}", secret("bearer_secret", name)?)));
        }
        Ok(Self { settings, headers, paused_until: 0, is_failing: false })
    }

    /// Asks.
    ///
    /// # Errors
    /// No answer came, or one that is none: a failure of the service. Nothing in it is a credential.
    pub fn ask(&mut self, question: &[u8]) -> Result<Reply, String> {
        let now_ms = now();
        let left_ms = self.paused_until.saturating_sub(now_ms);
        // More than any pause is: the clock was set back.
        if (1..=u64::from(self.settings.pause_max_s) * 1000).contains(&left_ms) {
            return Err(format!("the service wants to be left alone for {} s", left_ms.div_ceil(1000)));
        }
        let response = self.ask_until_answered(question);
        match response.and_then(|response| self.understand(response, now_ms)) {
            Ok(reply) => {
                if self.is_failing {
                    info!("the service answers again");
                }
                self.is_failing = false;
                Ok(reply)
            }
            Err(why) => {
                metrics::add("failed_requests", &[], 1);
                if !self.is_failing {
                    warn!("the service fails: {why}");
                }
                self.is_failing = true;
                Err(why)
            }
        }
    }

    /// A kept connection that the service has closed, or a restart behind a proxy, is over with the next attempt. What
    /// took too long is not asked again: the client has waited enough.
    fn ask_until_answered(&self, question: &[u8]) -> Result<Response, String> {
        let mut left = self.settings.retries;
        loop {
            let mut request = Request::post(&self.settings.url, "application/json", question)
                .header("accept", "application/json")
                .timeout_ms(self.settings.timeout_ms);
            request.headers.extend(self.headers.iter().cloned());
            let answer = http::send(&request);
            let may_pass = match &answer {
                Ok(response) => matches!(response.status, 502..=504) && response.header("retry-after").is_none(),
                Err(error) => matches!(error, Error::Connect(_) | Error::Other(_)),
            };
            if left == 0 || !may_pass {
                return answer.map_err(|error| http::describe(&error).to_string());
            }
            left -= 1;
        }
    }

    fn understand(&mut self, response: Response, now_ms: u64) -> Result<Reply, String> {
        let max_age_s = response.header("cache-control").and_then(max_age);
        let said = match response.status {
            200..=299 => Said::Yes(response.body),
            401 => Said::No(BAD_USER_NAME_OR_PASSWORD),
            403 => Said::No(NOT_AUTHORIZED),
            status => {
                self.pause(&response, now_ms);
                return Err(format!("the service answered {status}"));
            }
        };
        Ok(Reply { said, max_age_s })
    }

    /// For how many milliseconds a reply may be used again: as the service says, else as the operator says.
    #[must_use]
    pub fn reuse_ms(&self, reply: &Reply, is_refusal: bool) -> u32 {
        let ours = if is_refusal { self.settings.deny_cache_s } else { self.settings.cache_s };
        reply.max_age_s.unwrap_or(ours).saturating_mul(1000)
    }

    fn pause(&mut self, response: &Response, now_ms: u64) {
        let Some(wish) = response.header("retry-after") else { return };
        let seconds = match wish.trim().parse::<u64>() {
            Ok(seconds) => Some(seconds),
            Err(_) => moment::parse(wish.trim()).map(|at| at.saturating_sub(now_ms / 1000)),
        };
        if let Some(seconds) = seconds {
            let pause = seconds.min(self.settings.pause_max_s.into());
            self.paused_until = now_ms.saturating_add(pause.saturating_mul(1000));
        }
    }
}

/// `max-age` in seconds, or 0 where nothing may be kept; `None` without a word about it.
fn max_age(header: &str) -> Option<u32> {
    let mut age = None;
    for directive in header.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(0),
            "max-age" => age = Some(value.trim().trim_matches('"').parse().unwrap_or(0)),
            _ => {}
        }
    }
    age
}

fn secret(key: &str, name: &str) -> Result<String, String> {
    let bytes = secrets::secret(name)
        .map_err(|why| format!("config: {key}: \"{name}\": {why:?}; grant it with allow.secrets"))?;
    String::from_utf8(bytes).map_err(|_| format!("the secret {name} is not text"))
}

const RETRIES_MAX: u32 = 3;
const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
const NOT_AUTHORIZED: u8 = 0x87;

#[cfg(test)]
mod tests;

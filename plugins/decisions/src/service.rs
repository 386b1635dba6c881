//! A service that decides, asked over HTTP with JSON.

use std::collections::BTreeMap;

use endpoint::{bearer, check_url, text_secret};
use midge_plugin_sdk::http::{self, Error, Request, Response};
use midge_plugin_sdk::{info, metrics, now, warn};
use serde::Deserialize;

use crate::moment;

/// Which service, and how to ask it, as a part of a plugin's `config` table.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// Questions are POSTed here.
    url: String,
    /// What counts as an answer.
    #[serde(default)]
    answers: Answers,
    /// Sent with every question.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers whose values are granted secrets, by the secrets' names.
    #[serde(default)]
    secret_headers: BTreeMap<String, String>,
    /// The name of a granted secret, sent as `authorization: Bearer …`.
    bearer_secret: Option<String>,
    /// How long one answer may take.
    #[serde(default = "defaults::timeout_ms")]
    timeout_ms: u32,
    /// How often a question is asked again at once, where no answer came.
    #[serde(default = "defaults::retries")]
    retries: u32,
    /// The longest pause that the service may ask for.
    #[serde(default = "defaults::pause_max_s")]
    pause_max_s: u32,
    /// How long an answer may be used again, unless the service says.
    cache_s: Option<u32>,
    /// The same for a refusal.
    deny_cache_s: Option<u32>,
}

/// For how many seconds answers may be used again where neither the service nor the operator says.
#[derive(Debug, Clone, Copy)]
pub struct Reuse {
    /// Those that allow, or leave it to others.
    pub answer_s: u32,
    /// Refusals.
    pub refusal_s: u32,
}

mod defaults {
    pub(super) fn timeout_ms() -> u32 {
        3000
    }

    pub(super) fn retries() -> u32 {
        1
    }

    pub(super) fn pause_max_s() -> u32 {
        60
    }
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
    reuse: Reuse,
    /// Until then the service wants to be left alone; milliseconds since the Unix epoch.
    paused_until: u64,
    /// Whether the last question failed: only the first failure of a row is worth a line in the log.
    is_failing: bool,
}

impl Service {
    /// A service that nobody has asked yet, whose answers are used again for so long unless somebody says otherwise.
    ///
    /// # Errors
    /// The key of the config, its value and what would be accepted.
    pub fn open(settings: Settings, unless_said: Reuse) -> Result<Self, String> {
        check_url("url", &settings.url)?;
        if settings.timeout_ms == 0 {
            return Err("config: timeout_ms = 0: must be at least 1".to_owned());
        }
        if settings.retries > RETRIES_MAX {
            return Err(format!("config: retries = {}: must be at most {RETRIES_MAX}", settings.retries));
        }
        let mut headers: Vec<(String, String)> = settings.headers.clone().into_iter().collect();
        for (header, name) in &settings.secret_headers {
            headers.push((header.clone(), text_secret("secret_headers", name)?));
        }
        if let Some(name) = &settings.bearer_secret {
            headers.push(bearer("bearer_secret", name)?);
        }
        let reuse = Reuse {
            answer_s: settings.cache_s.unwrap_or(unless_said.answer_s),
            refusal_s: settings.deny_cache_s.unwrap_or(unless_said.refusal_s),
        };
        Ok(Self { settings, headers, reuse, paused_until: 0, is_failing: false })
    }

    /// What counts as an answer.
    #[must_use]
    pub fn answers(&self) -> Answers {
        self.settings.answers
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
        let ours = if is_refusal { self.reuse.refusal_s } else { self.reuse.answer_s };
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

const RETRIES_MAX: u32 = 3;
const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
const NOT_AUTHORIZED: u8 = 0x87;

#[cfg(test)]
mod tests;

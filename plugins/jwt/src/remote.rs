//! Keys that are fetched: kept, looked for again, and used for a while where they cannot be fetched.

use midge_plugin_sdk::http::{self, Error, Request};
use midge_plugin_sdk::{info, kv, metrics, warn};

use crate::keys::KeySet;

/// The key set behind a URL.
pub(crate) struct Remote {
    url: String,
    timeout_ms: u32,
    refresh_ms: u64,
    refresh_min_ms: u64,
    stale_max_ms: u64,
    /// Where instances share what they fetched.
    store: Option<String>,
    keys: KeySet,
    /// When the keys were fetched, in milliseconds since the Unix epoch; `None`: never.
    fetched_at: Option<u64>,
    /// When this instance tried last.
    attempted_at: Option<u64>,
    /// Why the last attempt failed; `None` after one that did not.
    failure: Option<String>,
}

/// How often, and for how long.
pub(crate) struct Pace {
    pub(crate) timeout_ms: u32,
    pub(crate) refresh_s: u64,
    pub(crate) refresh_min_s: u64,
    pub(crate) stale_max_s: u64,
}

impl Remote {
    pub(crate) fn new(url: String, pace: &Pace, store: Option<String>) -> Self {
        Self {
            url,
            timeout_ms: pace.timeout_ms,
            refresh_ms: pace.refresh_s * 1000,
            refresh_min_ms: pace.refresh_min_s * 1000,
            stale_max_ms: pace.stale_max_s * 1000,
            store,
            keys: KeySet::default(),
            fetched_at: None,
            attempted_at: None,
            failure: None,
        }
    }

    /// The first attempt. That the endpoint is away is no reason not to start: it may be reached through this broker.
    ///
    /// # Errors
    /// What only the operator can mend: a grant that is missing.
    pub(crate) fn open(&mut self, now_ms: u64) -> Result<(), String> {
        if let Some(store) = &self.store
            && kv::get(store, "").is_err()
        {
            return Err(format!(
                "config: store = \"{store}\": not granted; add allow = {{ kv = {{ {store} = \"1MiB\" }} }}"
            ));
        }
        self.take_shared();
        if self.is_due(now_ms) {
            match self.fetch(now_ms) {
                Err(Failure::Operator(why)) => return Err(format!("config: keys_url: {why}")),
                Err(Failure::Endpoint) | Ok(()) => {}
            }
        }
        Ok(())
    }

    /// The keys, fetched before where they have become old.
    ///
    /// # Errors
    /// There are none, or none that may still be used.
    pub(crate) fn keys(&mut self, now_ms: u64) -> Result<&KeySet, String> {
        if self.is_due(now_ms) {
            self.take_shared();
            if self.is_due(now_ms) && self.may_attempt(now_ms) {
                let _ = self.fetch(now_ms);
            }
        }
        if self.is_usable(now_ms) {
            return Ok(&self.keys);
        }
        let why = self.failure.as_deref().unwrap_or("nobody has fetched them yet");
        Err(match self.fetched_at {
            None => format!("the keys are not there: {why}"),
            Some(_) => format!("the keys are older than stale_max_s: {why}"),
        })
    }

    /// Looks for a key that is not among them; says whether there are other keys now. How often is bounded: whoever can
    /// connect can name keys that do not exist.
    pub(crate) fn look_again(&mut self, now_ms: u64) -> bool {
        let before = self.fetched_at;
        self.take_shared();
        if self.fetched_at == before && self.may_attempt(now_ms) {
            let _ = self.fetch(now_ms);
        }
        self.fetched_at != before
    }

    /// How long it takes, at least, until a key that is not there may be found.
    pub(crate) fn pause_ms(&self) -> u64 {
        self.refresh_min_ms
    }

    fn is_due(&self, now_ms: u64) -> bool {
        self.age(now_ms).is_none_or(|age| age >= self.refresh_ms)
    }

    fn is_usable(&self, now_ms: u64) -> bool {
        self.age(now_ms).is_some_and(|age| age < self.stale_max_ms)
    }

    /// A clock that was set back makes nothing young for long.
    fn age(&self, now_ms: u64) -> Option<u64> {
        self.fetched_at.map(|at| now_ms.abs_diff(at))
    }

    /// One attempt in `refresh_min_s`: of all instances that share a store, while they have keys to go on with, else of
    /// this one.
    fn may_attempt(&self, now_ms: u64) -> bool {
        if self.attempted_at.is_some_and(|at| now_ms.abs_diff(at) < self.refresh_min_ms) {
            return false;
        }
        match &self.store {
            Some(store) if self.is_usable(now_ms) => {
                let turn = kv::increment(store, &self.entry("turn"), 1, self.refresh_min_ms);
                turn.is_ok_and(|turn| turn == 1)
            }
            _ => true,
        }
    }

    fn fetch(&mut self, now_ms: u64) -> Result<(), Failure> {
        self.attempted_at = Some(now_ms);
        let request = Request::get(&self.url)
            .header("accept", "application/jwk-set+json, application/json")
            .timeout_ms(self.timeout_ms);
        let (why, failure) = match http::send(&request) {
            Ok(response) if response.status == 200 => match self.accept(&response.body, now_ms) {
                Ok(()) => return Ok(()),
                Err(why) => (why, Failure::Endpoint),
            },
            Ok(response) => (format!("it answered {}", response.status), Failure::Endpoint),
            Err(error @ Error::NotGranted(_)) => {
                let why = http::describe(&error).to_string();
                (why.clone(), Failure::Operator(why))
            }
            Err(error) => (http::describe(&error).to_string(), Failure::Endpoint),
        };
        metrics::add("key_fetches", &[("outcome", "failed")], 1);
        if self.failure.is_none() {
            let now = if self.is_usable(now_ms) { "those fetched before are used" } else { "nobody is let in" };
            warn!(url = self.url; "the keys could not be fetched, {now}: {why}");
        }
        self.failure = Some(why);
        Err(failure)
    }

    fn accept(&mut self, body: &[u8], now_ms: u64) -> Result<(), String> {
        let text = std::str::from_utf8(body).map_err(|_| "it answered no text".to_owned())?;
        let keys = KeySet::parse(text)?;
        metrics::add("key_fetches", &[("outcome", "ok")], 1);
        metrics::set("keys", &[], keys.len() as f64);
        if keys != self.keys || self.failure.is_some() {
            info!(url = self.url, keys = keys.len(); "the keys were fetched");
            keys.skipped.iter().for_each(|why| warn!(url = self.url; "a key is not used: {why}"));
        }
        if let Some(store) = &self.store {
            // The time last: who finds it finds its keys too. A store that is too small costs the others a fetch.
            let kept = kv::set(store, &self.entry("keys"), body, 0)
                .and_then(|()| kv::set(store, &self.entry("at"), now_ms.to_string().as_bytes(), 0));
            if kept.is_err() {
                warn!(store = store; "the keys do not fit into the store: each instance fetches them");
            }
        }
        (self.keys, self.fetched_at, self.failure) = (keys, Some(now_ms), None);
        Ok(())
    }

    /// Takes what another instance has fetched since.
    fn take_shared(&mut self) {
        let Some(store) = &self.store else { return };
        let text = |entry: &str| {
            let bytes = kv::get(store, &self.entry(entry)).ok().flatten()?;
            String::from_utf8(bytes).ok()
        };
        let at: Option<u64> = text("at").and_then(|at| at.parse().ok());
        if at.is_none() || at <= self.fetched_at {
            return;
        }
        if let Some(Ok(keys)) = text("keys").as_deref().map(KeySet::parse) {
            (self.keys, self.fetched_at, self.failure) = (keys, at, None);
        }
    }

    /// Entries are named after the URL: another one's keys are never taken for these.
    fn entry(&self, name: &str) -> String {
        format!("{name} {}", self.url)
    }
}

/// Why keys were not fetched.
enum Failure {
    /// It may go by itself.
    Endpoint,
    /// Only the operator can mend it.
    Operator(String),
}

//! Claims: what a token says about its bearer, and what it must say.

use std::collections::BTreeMap;

use decisions::Values;
use serde_json::{Map, Value};

/// The claims of one token.
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) fn of(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// A claim by its name, or, where none has it, by a path with dots: `realm_access.roles`.
    pub(crate) fn find(&self, name: &str) -> Option<&Value> {
        if let Some(claim) = self.0.get(name) {
            return Some(claim);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(self.0.get(first)?, |table, key| table.get(key))
    }

    /// A moment in seconds since the Unix epoch.
    ///
    /// # Errors
    /// The claim is there and no such moment.
    pub(crate) fn moment(&self, name: &'static str) -> Result<Option<f64>, Flaw> {
        match self.find(name) {
            None => Ok(None),
            Some(claim) => match claim.as_f64() {
                Some(seconds) if (0.0..LATEST).contains(&seconds) => Ok(Some(seconds)),
                _ => Err(Flaw::NoMoment(name)),
            },
        }
    }

    /// Whether a claim, or one of its values if it is a list, is this text.
    fn says(&self, name: &str, text: &str) -> bool {
        self.values(name).iter().any(|value| value == text)
    }
}

impl Values for Claims {
    fn values(&self, name: &str) -> Vec<String> {
        match self.find(name) {
            Some(Value::Array(list)) => list.iter().filter_map(scalar).collect(),
            Some(claim) => scalar(claim).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What claims must be.
#[derive(Debug, Clone)]
pub(crate) struct Demands {
    /// The issuers whose tokens these are; empty: any.
    pub(crate) issuers: Vec<String>,
    /// Whom a token may be for; empty: anybody.
    pub(crate) audiences: Vec<String>,
    /// How far clocks may differ, seconds.
    pub(crate) leeway_s: u64,
    /// Claims that must be there.
    pub(crate) required: Vec<String>,
    /// Claims that must have this value.
    pub(crate) expected: BTreeMap<String, String>,
}

/// Why claims are not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It is no moment.
    NoMoment(&'static str),
    /// A claim is missing.
    Missing(String),
    /// Its time is over.
    Expired,
    /// Its time comes in so many seconds.
    NotYet(u64),
    /// It is for somebody else.
    Audience,
    /// A claim has another value.
    Differs(String),
}

/// Who asks, for claims that must be theirs.
pub(crate) struct Bearer<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) username: Option<&'a str>,
}

impl Demands {
    /// Whether the token is of one of the issuers. It has no name of its own until its signature is verified.
    pub(crate) fn is_ours(&self, claims: &Claims) -> bool {
        self.issuers.is_empty() || self.issuers.iter().any(|issuer| claims.says("iss", issuer))
    }

    /// Whether the claims are as they must be. Returns when the token is no longer good, in seconds since the Unix epoch,
    /// leeway included.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self, claims: &Claims, bearer: &Bearer<'_>, now_s: u64) -> Result<Option<u64>, Flaw> {
        if let Some(missing) = self.required.iter().find(|name| claims.find(name).is_none_or(Value::is_null)) {
            return Err(Flaw::Missing(missing.clone()));
        }
        // Fractions are cut to the careful side.
        let expires_at = claims.moment("exp")?.map(|exp| (exp.floor() as u64).saturating_add(self.leeway_s));
        if expires_at.is_some_and(|expires_at| expires_at <= now_s) {
            return Err(Flaw::Expired);
        }
        if let Some(nbf) = claims.moment("nbf")? {
            let wait_s = (nbf.ceil() as u64).saturating_sub(now_s.saturating_add(self.leeway_s));
            if wait_s > 0 {
                return Err(Flaw::NotYet(wait_s));
            }
        }
        if !self.audiences.is_empty() && !self.audiences.iter().any(|audience| claims.says("aud", audience)) {
            return Err(Flaw::Audience);
        }
        for (name, expected) in &self.expected {
            let expected = match expected.as_str() {
                "%c" => Some(bearer.client_id),
                "%n" => bearer.username,
                literal => Some(literal),
            };
            if !expected.is_some_and(|expected| claims.says(name, expected)) {
                return Err(Flaw::Differs(name.clone()));
            }
        }
        Ok(expires_at)
    }
}

/// The year 9999: beyond it a moment is a mistake, such as one in milliseconds.
const LATEST: f64 = 253_402_300_800.0;

//! The plugin's `config` table.

use std::collections::BTreeMap;

use decisions::{Others, Profile, profile};
use endpoint::check_url;
use serde::Deserialize;

use crate::algorithm::{Algorithm, Kind};
use crate::claims::Demands;

/// Where keys are, what tokens must say, and what becomes of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// A file with a JSON Web Key Set or public keys in PEM; it must be granted as well.
    pub(crate) keys_file: Option<String>,
    /// Where a JSON Web Key Set is fetched; its origin must be granted as well.
    pub(crate) keys_url: Option<String>,
    /// Names of granted secrets, for HS256 and its kin.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    /// How the secrets are written.
    #[serde(default)]
    pub(crate) secret_encoding: Encoding,
    /// The algorithms that are accepted.
    algorithms: Option<Vec<String>>,
    /// Where the token is.
    #[serde(default)]
    pub(crate) token: Place,
    /// The Authentication Method of clients that show tokens by AUTH.
    #[serde(default = "defaults::method")]
    pub(crate) method: String,
    /// What to say about a client that shows no token, or one of another issuer.
    #[serde(default)]
    pub(crate) others: Others,
    /// Whose tokens these are.
    issuer: Option<OneOrMore>,
    /// Whom a token must be for.
    audience: Option<OneOrMore>,
    /// The kinds of token (`typ`) that are accepted; unless said, any.
    #[serde(default)]
    types: Vec<String>,
    /// How far clocks may differ.
    #[serde(default = "defaults::leeway_s")]
    leeway_s: u64,
    /// Claims that a token must have.
    #[serde(default = "defaults::required_claims")]
    required_claims: Vec<String>,
    /// Claims that must have this value.
    #[serde(default)]
    claims: BTreeMap<String, String>,
    /// What clients become.
    #[serde(flatten)]
    profile: profile::Settings,
    /// The claim that says what a client may do besides.
    #[serde(default = "defaults::access_claim")]
    access_claim: String,
    /// How long an answer may be used again.
    #[serde(default = "defaults::reuse_s")]
    reuse_s: u32,
    /// How old keys become before they are fetched again.
    #[serde(default = "defaults::refresh_s")]
    pub(crate) refresh_s: u64,
    /// The least time between two attempts to fetch them.
    #[serde(default = "defaults::refresh_min_s")]
    pub(crate) refresh_min_s: u64,
    /// How old keys may become where they cannot be fetched.
    #[serde(default = "defaults::stale_max_s")]
    pub(crate) stale_max_s: u64,
    /// How long fetching them may take.
    #[serde(default = "defaults::timeout_ms")]
    pub(crate) timeout_ms: u32,
    /// The granted store in which instances share the keys they fetched.
    pub(crate) store: Option<String>,
}

/// How secrets are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As they are.
    #[default]
    Text,
    /// In base64 or base64url.
    Base64,
}

/// Where the token is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// In the password.
    #[default]
    Password,
    /// In the user name.
    Username,
}

/// One text, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn list(given: Option<Self>) -> Vec<String> {
        match given {
            None => Vec::new(),
            Some(Self::One(text)) => vec![text],
            Some(Self::More(list)) => list,
        }
    }
}

mod defaults {
    pub(super) fn method() -> String {
        "JWT".to_owned()
    }

    pub(super) fn leeway_s() -> u64 {
        30
    }

    pub(super) fn required_claims() -> Vec<String> {
        vec!["exp".to_owned()]
    }

    pub(super) fn access_claim() -> String {
        "mqtt".to_owned()
    }

    pub(super) fn reuse_s() -> u32 {
        60
    }

    pub(super) fn refresh_s() -> u64 {
        300
    }

    pub(super) fn refresh_min_s() -> u64 {
        10
    }

    pub(super) fn stale_max_s() -> u64 {
        86_400
    }

    pub(super) fn timeout_ms() -> u32 {
        3000
    }
}

/// What is left of the config once the keys have been found: how a token is judged.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) algorithms: Vec<&'static Algorithm>,
    pub(crate) types: Vec<String>,
    pub(crate) demands: Demands,
    pub(crate) profile: Profile,
    pub(crate) access_claim: String,
    pub(crate) reuse_ms: u32,
}

impl Config {
    /// What serde cannot see.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub(crate) fn check(self) -> Result<Self, String> {
        let sources = [self.keys_file.is_some(), self.keys_url.is_some(), !self.secrets.is_empty()];
        if sources.iter().filter(|is_there| **is_there).count() != 1 {
            return Err("config: exactly one of keys_file, keys_url and secrets says where the keys are".to_owned());
        }
        self.keys_url.as_deref().map_or(Ok(()), |url| check_url("keys_url", url))?;
        for (key, value, most) in [
            ("leeway_s", self.leeway_s, 3600),
            ("refresh_s", self.refresh_s, 604_800),
            ("refresh_min_s", self.refresh_min_s, 604_800),
            ("stale_max_s", self.stale_max_s, 31_536_000),
        ] {
            if value > most {
                return Err(format!("config: {key} = {value}: must be at most {most}"));
            }
        }
        if self.refresh_min_s == 0 || self.refresh_min_s > self.refresh_s || self.refresh_s > self.stale_max_s {
            let (min, usual, stale) = (self.refresh_min_s, self.refresh_s, self.stale_max_s);
            return Err(format!(
                "config: refresh_min_s = {min}, refresh_s = {usual}, stale_max_s = {stale}: must be at least 1, and \
                 each at least the one before"
            ));
        }
        if self.method.is_empty() {
            return Err("config: method = \"\": an Authentication Method has a name".to_owned());
        }
        if self.timeout_ms == 0 {
            return Err("config: timeout_ms = 0: must be at least 1".to_owned());
        }
        Ok(self)
    }

    /// How tokens are judged.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub(crate) fn policy(self) -> Result<Policy, String> {
        let algorithms = self.algorithms()?;
        Ok(Policy {
            algorithms,
            types: self.types,
            demands: Demands {
                issuers: OneOrMore::list(self.issuer),
                audiences: OneOrMore::list(self.audience),
                leeway_s: self.leeway_s,
                required: self.required_claims,
                expected: self.claims,
            },
            profile: self.profile.profile("%{sub}")?,
            access_claim: self.access_claim,
            reuse_ms: self.reuse_s.saturating_mul(1000),
        })
    }

    /// Those of the config, or all that the keys may be for. Public keys and secrets are never accepted side by side:
    /// who could choose between them would sign with what everybody knows.
    pub(crate) fn algorithms(&self) -> Result<Vec<&'static Algorithm>, String> {
        let with_secrets = !self.secrets.is_empty();
        let Some(names) = &self.algorithms else {
            let secret = Algorithm::named("HS256").into_iter();
            return Ok(if with_secrets { secret.collect() } else { Algorithm::with_public_keys().collect() });
        };
        let named = |name: &String| {
            let known = Algorithm::named(name).ok_or_else(|| {
                format!("config: algorithms: `{name}` is not known; there are {}", Algorithm::names())
            })?;
            match (known.kind == Kind::Secret, with_secrets) {
                (true, false) => Err(format!("config: algorithms: {name} needs `secrets`, and no public keys")),
                (false, true) => Err(format!("config: algorithms: {name} needs public keys, and no `secrets`")),
                _ => Ok(known),
            }
        };
        let algorithms = names.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        if algorithms.is_empty() {
            Err("config: algorithms = []: nothing would be accepted".to_owned())
        } else {
            Ok(algorithms)
        }
    }
}

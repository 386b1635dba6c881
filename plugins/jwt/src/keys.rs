//! Keys: who has signed, and how.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::algorithm::{Algorithm, Kind};
use crate::spki;

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its name, which tokens may say (`kid`).
    pub(crate) id: Option<String>,
    /// What it is.
    pub(crate) kind: Kind,
    /// The only algorithm it is for, if it says so.
    pub(crate) algorithm: Option<&'static Algorithm>,
    /// SubjectPublicKeyInfo in DER; a secret's bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The keys of one source.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    /// What was not understood, in words.
    pub(crate) skipped: Vec<String>,
}

/// One key of a JSON Web Key Set (RFC 7517), as far as it matters here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Keys that are known otherwise.
    pub(crate) fn of(keys: Vec<Key>) -> Self {
        Self { keys, skipped: Vec::new() }
    }

    /// Reads a JSON Web Key Set, a single JSON Web Key, or public keys in PEM.
    ///
    /// # Errors
    /// What it is instead, or that none of its keys can be used.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            return Self::from_json(text);
        }
        let keys = spki::from_pem(text)?;
        if keys.is_empty() {
            return Err("neither a JSON Web Key Set nor public keys in PEM".to_owned());
        }
        let key = |(kind, bytes)| Key { id: None, kind, algorithm: None, bytes };
        Ok(Self::of(keys.into_iter().map(key).collect()))
    }

    fn from_json(text: &str) -> Result<Self, String> {
        let mut document: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        let list = match document.get_mut("keys").map(Value::take) {
            Some(Value::Array(list)) => list,
            None if document.get("kty").is_some() => vec![document],
            _ => return Err("no JSON Web Key Set: the list `keys` is missing".to_owned()),
        };
        if list.len() > KEYS_MAX {
            return Err(format!("{} keys; {KEYS_MAX} are accepted", list.len()));
        }
        let mut set = Self::default();
        for (number, jwk) in (1..).zip(list) {
            let name = jwk.get("kid").and_then(Value::as_str).unwrap_or("without kid").to_owned();
            match serde_json::from_value::<Jwk>(jwk).map_err(|error| error.to_string()).and_then(Jwk::into_key) {
                Ok(key) => set.keys.push(key),
                Err(why) => set.skipped.push(format!("key {number} ({name}): {why}")),
            }
        }
        if set.keys.is_empty() {
            let why = if set.skipped.is_empty() { "it is empty".to_owned() } else { set.skipped.join("; ") };
            return Err(format!("no key that could be used: {why}"));
        }
        Ok(set)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed a token of this algorithm and name: those of that name, else those without any (and
    /// secrets, whose names are the operator's). A token that names none may be of each.
    pub(crate) fn candidates(&self, id: Option<&str>, algorithm: &'static Algorithm) -> Vec<&Key> {
        let fits = |key: &&Key| key.kind == algorithm.kind && key.algorithm.is_none_or(|only| only == algorithm);
        let fitting = || self.keys.iter().filter(fits);
        let of_name = |id: &str| fitting().filter(|key| key.id.as_deref() == Some(id)).collect::<Vec<_>>();
        let found = match id.map(of_name) {
            Some(named) if named.is_empty() => {
                fitting().filter(|key| key.id.is_none() || key.kind == Kind::Secret).collect()
            }
            Some(named) => named,
            None => fitting().collect::<Vec<_>>(),
        };
        found.into_iter().take(TRIED_MAX).collect()
    }
}

impl Jwk {
    fn into_key(self) -> Result<Key, String> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err("it is not for signatures".to_owned());
        }
        if self.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|one| one == "verify")) {
            return Err("it is not for verifying".to_owned());
        }
        let (kind, bytes) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (Kind::Rsa, spki::rsa(&number("n", self.n)?, &number("e", self.e)?)?),
            ("EC", Some("P-256")) => (Kind::P256, point(Kind::P256, &[("x", self.x), ("y", self.y)])?),
            ("EC", Some("P-384")) => (Kind::P384, point(Kind::P384, &[("x", self.x), ("y", self.y)])?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, point(Kind::Ed25519, &[("x", self.x)])?),
            // Whoever can read the set could sign with it.
            ("oct", _) => return Err("a secret; it belongs in `secrets`".to_owned()),
            (kty, crv) => return Err(format!("a key of kind {kty} {} is not known", crv.unwrap_or_default())),
        };
        let algorithm = match self.alg.as_deref() {
            None => None,
            Some(name) => {
                let known = Algorithm::named(name).filter(|algorithm| algorithm.kind == kind);
                Some(known.ok_or_else(|| format!("alg {name} is not known, or not for such a key"))?)
            }
        };
        Ok(Key { id: self.kid, kind, algorithm, bytes })
    }
}

fn point(kind: Kind, coordinates: &[(&str, Option<String>)]) -> Result<Vec<u8>, String> {
    let numbers = coordinates.iter().map(|(name, text)| number(name, text.clone()));
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    spki::point(kind, &numbers.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn number(name: &str, text: Option<String>) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("`{name}` is missing"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("`{name}` is not base64url"))
}

/// Keys in one set.
const KEYS_MAX: usize = 100;
/// Keys that are tried for one token: without `kid` it could cost as many verifications as there are keys.
const TRIED_MAX: usize = 8;

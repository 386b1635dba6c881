#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod bearer;
mod fetching;
mod keys;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use midge_plugin_sdk::crypto::Algorithm as Native;
use midge_plugin_sdk::{Grant, Refusal, Verdict, testing};
use serde_json::{Value, json};

use super::*;

/// When tests begin, in seconds since the Unix epoch.
const NOW: u64 = 1_700_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// JSON Web Keys and the same in DER.
const VECTORS: &str = include_str!("vectors.txt");

/// The key of this number: 0 is RSA, 1 P-256, 2 P-384, 3 Ed25519.
fn vector(number: usize) -> (Value, Vec<u8>) {
    let line = VECTORS.lines().filter(|line| line.starts_with('{')).nth(number).unwrap();
    let (jwk, der) = line.rsplit_once(' ').unwrap();
    (serde_json::from_str(jwk).unwrap(), base64::engine::general_purpose::STANDARD.decode(der).unwrap())
}

/// A key with a name.
fn named(number: usize, id: &str) -> Value {
    let mut jwk = vector(number).0;
    jwk["kid"] = json!(id);
    jwk
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn start(config: Value) -> Result<Jwt, String> {
    testing::set_now(NOW * 1000);
    testing::set_secret("shared", SECRET);
    testing::set_config(config);
    Jwt::init(&testing::environment())
}

/// A plugin that shares a secret with whoever makes tokens.
fn with_secret(more: Value) -> Jwt {
    let mut config = json!({ "secrets": ["shared"], "leeway_s": 0 });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    start(config).unwrap()
}

/// A token signed with this key.
fn token(header: Value, claims: Value, native: Native, key: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    testing::set_signature(native, key, signed.as_bytes(), b"signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode("signature"))
}

/// A token signed with the secret, for alice and an hour unless `claims` say otherwise.
fn of_alice(claims: Value) -> String {
    let mut all = json!({ "sub": "alice", "exp": NOW + 3600 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    token(json!({ "alg": "HS256" }), all, Native::Hs256, SECRET)
}

fn answer(plugin: &mut Jwt, token: &str) -> Result<Answer, String> {
    plugin.authenticate(&Credentials::of("someone", token), &Connect::default())
}

fn granted(plugin: &mut Jwt, token: &str) -> Grant {
    match answer(plugin, token).unwrap().verdict {
        Verdict::Allow(grant) => grant,
        other => panic!("{other:?} instead of a grant"),
    }
}

/// Reason code and words of a refusal.
fn refused(plugin: &mut Jwt, token: &str) -> (u8, String) {
    match answer(plugin, token).unwrap().verdict {
        Verdict::Deny(Refusal { code, reason }) => (code, reason.unwrap()),
        other => panic!("{other:?} instead of a refusal"),
    }
}

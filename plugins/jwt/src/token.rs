//! Tokens: JSON Web Signatures in compact form (RFC 7515) with claims in them (RFC 7519).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::claims::Claims;

/// A token whose signature nobody has looked at yet.
pub(crate) struct Token<'a> {
    /// What it says about itself.
    pub(crate) header: Header,
    /// What it says about its bearer.
    pub(crate) claims: Claims,
    /// What is signed.
    pub(crate) signed: &'a [u8],
    /// The signature over it.
    pub(crate) signature: Vec<u8>,
}

/// The header. Keys in it, or addresses of keys, are not looked at: they would be the bearer's own.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    /// The algorithm.
    pub(crate) alg: String,
    /// The key's name.
    pub(crate) kid: Option<String>,
    /// What kind of token it is.
    pub(crate) typ: Option<String>,
    /// Extensions that must be understood.
    pub(crate) crit: Option<Value>,
}

impl<'a> Token<'a> {
    /// Takes a token apart; `None` if it is none.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let parts: Vec<&[u8]> = text.splitn(4, |byte| *byte == b'.').collect();
        let [header, claims, signature] = parts.as_slice() else { return None };
        let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok();
        let signed = text.get(..header.len() + 1 + claims.len())?;
        let header = serde_json::from_slice(&decode(header)?).ok()?;
        let Ok(Value::Object(claims)) = serde_json::from_slice(&decode(claims)?) else { return None };
        Some(Self { header, claims: Claims::of(claims), signed, signature: decode(signature)? })
    }
}

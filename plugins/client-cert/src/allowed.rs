//! The operator's list of certificates that are wanted.

use decisions::Values;
use serde::Deserialize;

use crate::certificate::Holder;

/// Lists of patterns. A certificate must fit each list that there is, in one of its patterns. `*` stands for anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowed {
    cn: Option<Vec<String>>,
    dn: Option<Vec<String>>,
    issuer: Option<Vec<String>>,
    dns: Option<Vec<String>>,
    uri: Option<Vec<String>>,
    email: Option<Vec<String>>,
    /// SHA-256 in hex, with colons or without.
    fingerprint: Option<Vec<String>>,
}

impl Allowed {
    /// The lists, fingerprints written as ours.
    ///
    /// # Errors
    /// A fingerprint that can be none.
    pub(crate) fn check_patterns(mut self) -> Result<Self, String> {
        for fingerprint in self.fingerprint.iter_mut().flatten() {
            let plain = fingerprint.replace(':', "").to_ascii_lowercase();
            if plain.len() != 64 || !plain.bytes().all(|letter| letter.is_ascii_hexdigit()) {
                return Err(format!(
                    "config: allowed.fingerprint: `{fingerprint}` is no SHA-256 digest in hex; \
                     openssl x509 -fingerprint -sha256 -noout writes one"
                ));
            }
            *fingerprint = plain;
        }
        Ok(self)
    }

    /// Whether the certificate is wanted.
    ///
    /// # Errors
    /// The list that it does not fit.
    pub(crate) fn check(&self, holder: &Holder<'_>) -> Result<(), String> {
        let lists = [
            ("cn", "cn", &self.cn),
            ("dn", "dn", &self.dn),
            ("issuer", "issuer", &self.issuer),
            ("dns", "san.dns", &self.dns),
            ("uri", "san.uri", &self.uri),
            ("email", "san.email", &self.email),
            ("fingerprint", "fingerprint", &self.fingerprint),
        ];
        for (key, name, patterns) in lists {
            let Some(patterns) = patterns else { continue };
            let values = holder.values(name);
            if !values.iter().any(|value| patterns.iter().any(|pattern| fits(pattern, value))) {
                return Err(format!("the certificate is not among those that are allowed ({key})"));
            }
        }
        Ok(())
    }
}

/// Whether text fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        // The earliest place leaves most for what follows.
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("device", "device"),
            ("*", ""),
            ("*", "device"),
            ("device-*", "device-"),
            ("device-*", "device-7"),
            ("*.example.com", "a.b.example.com"),
            ("a*c*e", "abcde"),
            ("a*b*b", "abb"),
            ("*b*", "abc"),
            ("a**b", "ab"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("device", "device7"),
            ("", "a"),
            ("device-*", "device"),
            ("*.example.com", "example.com"),
            ("*.example.com", "a.example.com.evil"),
            ("a*b*b", "ab"),
            ("ab*ba", "aba"),
            ("*b*", "ac"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}

//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), written from the standard and not from the plugin.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// One exchange.
pub(crate) struct Scram<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// `gs2-header`, such as "n,,".
    pub(crate) header: &'a str,
    /// The channel binding data, where the header names a kind.
    pub(crate) binding: &'a [u8],
}

impl Scram<'_> {
    /// `client-first-message`.
    pub(crate) fn first(&self) -> String {
        format!("{}{}", self.header, self.bare())
    }

    fn bare(&self) -> String {
        format!("n={},r=fyko+d2lbbFgONRv9qkxdawL", self.user)
    }

    /// `client-final-message`, and what the server must say to it.
    pub(crate) fn last(&self, challenge: &str) -> (String, String) {
        let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
        let iterations: NonZeroU32 = part("i=").parse().unwrap();
        let salt = STANDARD.decode(part("s=")).unwrap();
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, self.password.as_bytes(), &mut salted);
        let client_key = sign(&salted, "Client Key");
        let bound = STANDARD.encode([self.header.as_bytes(), self.binding].concat());
        let without_proof = format!("c={bound},r={}", part("r="));
        let message = [self.bare().as_str(), challenge, &without_proof].join(",");
        let signature = sign(digest::digest(&digest::SHA256, &client_key).as_ref(), &message);
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, mask)| key ^ mask).collect();
        let server = sign(&sign(&salted, "Server Key"), &message);
        (format!("{without_proof},p={}", STANDARD.encode(proof)), format!("v={}", STANDARD.encode(server)))
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

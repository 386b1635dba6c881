//! The arithmetic of SCRAM (RFC 5802, section 3) with SHA-256 (RFC 7677).

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A digest, a key or a proof.
pub(crate) type Bytes32 = [u8; 32];

/// What is stored instead of a password. Nobody can log in with it, but who has it can guess passwords at leisure and
/// pretend to be the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// `H(ClientKey)`.
    pub(crate) stored: Bytes32,
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub(crate) server: Bytes32,
}

impl Keys {
    /// Whether the proof shows that the client knows `ClientKey`, in a time that tells nothing about the keys.
    pub(crate) fn verify(&self, auth_message: &[u8], proof: &Bytes32) -> bool {
        let mut client_key = hmac(&self.stored, &[auth_message]);
        client_key.iter_mut().zip(proof).for_each(|(byte, mask)| *byte ^= mask);
        let found: Bytes32 = Sha256::digest(client_key).into();
        found.ct_eq(&self.stored).into()
    }

    /// What shows the client that the server knows the keys: `ServerSignature`.
    pub(crate) fn sign(&self, auth_message: &[u8]) -> Bytes32 {
        hmac(&self.server, &[auth_message])
    }
}

/// HMAC-SHA-256 of the parts, one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Bytes32 {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("an HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

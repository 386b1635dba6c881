//! The algorithms of RFC 7518 that the broker can verify, and the kind of key that each needs.

use midge_plugin_sdk::crypto::Algorithm as Native;

/// A signature algorithm.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Algorithm {
    /// Its name in tokens and keys.
    pub(crate) name: &'static str,
    /// Its name in the contract.
    pub(crate) native: Native,
    /// What it needs.
    pub(crate) kind: Kind,
}

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes that both sides know.
    Secret,
    /// An RSA public key.
    Rsa,
    /// A point of P-256.
    P256,
    /// A point of P-384.
    P384,
    /// A point of edwards25519.
    Ed25519,
}

/// A token whose algorithm has another kind of key is refused, whatever else it says: no public key is ever taken for a
/// secret, and there is no "none".
const ALGORITHMS: [Algorithm; 13] = [
    Algorithm { name: "HS256", native: Native::Hs256, kind: Kind::Secret },
    Algorithm { name: "HS384", native: Native::Hs384, kind: Kind::Secret },
    Algorithm { name: "HS512", native: Native::Hs512, kind: Kind::Secret },
    Algorithm { name: "RS256", native: Native::Rs256, kind: Kind::Rsa },
    Algorithm { name: "RS384", native: Native::Rs384, kind: Kind::Rsa },
    Algorithm { name: "RS512", native: Native::Rs512, kind: Kind::Rsa },
    Algorithm { name: "PS256", native: Native::Ps256, kind: Kind::Rsa },
    Algorithm { name: "PS384", native: Native::Ps384, kind: Kind::Rsa },
    Algorithm { name: "PS512", native: Native::Ps512, kind: Kind::Rsa },
    Algorithm { name: "ES256", native: Native::Es256, kind: Kind::P256 },
    Algorithm { name: "ES384", native: Native::Es384, kind: Kind::P384 },
    Algorithm { name: "EdDSA", native: Native::Eddsa, kind: Kind::Ed25519 },
    // RFC 9864.
    Algorithm { name: "Ed25519", native: Native::Eddsa, kind: Kind::Ed25519 },
];

impl Algorithm {
    /// The algorithm of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALGORITHMS.iter().find(|algorithm| algorithm.name == name)
    }

    /// All that need a public key.
    pub(crate) fn with_public_keys() -> impl Iterator<Item = &'static Self> {
        ALGORITHMS.iter().filter(|algorithm| algorithm.kind != Kind::Secret)
    }

    /// The least number of bytes of a secret (RFC 7518, section 3.2).
    pub(crate) fn secret_bytes_min(&self) -> usize {
        match self.native {
            Native::Hs512 => 64,
            Native::Hs384 => 48,
            _ => 32,
        }
    }

    /// Those there are, in words.
    pub(crate) fn names() -> String {
        ALGORITHMS.map(|algorithm| algorithm.name).join(", ")
    }
}

//! The signatures under revocation lists, as `crypto` verifies them.

use midge_plugin_sdk::crypto::{self, Algorithm};
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Reader, SliceReader};

/// Whether `key` has signed `message`.
///
/// # Errors
/// The algorithm, or the key, cannot be used here.
pub(crate) fn verify(
    algorithm: &ObjectIdentifier,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<bool, String> {
    let known = ALGORITHMS.iter().find(|(oid, _)| oid == algorithm);
    let (_, algorithm) = known.ok_or_else(|| {
        format!("the signature algorithm {algorithm} is not known; RSA (PKCS #1 v1.5), ECDSA and Ed25519 are")
    })?;
    let fixed = match algorithm {
        Algorithm::Es256 => bare(signature, 32),
        Algorithm::Es384 => bare(signature, 48),
        _ => Some(signature.to_vec()),
    };
    let Some(signature) = fixed else { return Ok(false) };
    crypto::verify(*algorithm, key, message, &signature)
        .map_err(|why| format!("the key of its issuer cannot be used: {why:?}"))
}

/// The two numbers of an ECDSA signature, one after the other, each as long as the curve's are.
pub(crate) fn bare(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let numbers: der::Result<_> = reader.sequence(|inner| Ok((UintRef::decode(inner)?, UintRef::decode(inner)?)));
    let (r, s) = numbers.ok().filter(|_| reader.is_finished())?;
    let mut bare = Vec::with_capacity(2 * length);
    for number in [r, s] {
        let bytes = number.as_bytes();
        bare.resize(bare.len() + length.checked_sub(bytes.len())?, 0);
        bare.extend_from_slice(bytes);
    }
    Some(bare)
}

const ALGORITHMS: [(ObjectIdentifier, Algorithm); 6] = [
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), Algorithm::Rs256),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), Algorithm::Rs384),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), Algorithm::Rs512),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Algorithm::Es256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Algorithm::Es384),
    (ObjectIdentifier::new_unwrap("1.3.101.112"), Algorithm::Eddsa),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_are_as_long_as_the_curves() {
        // r = 0x80 (with a zero for its sign), s = 1.
        let signature = [0x30, 7, 2, 2, 0, 0x80, 2, 1, 1];
        let expected = [[0; 31].as_slice(), &[0x80], &[0; 31], &[1]].concat();
        assert_eq!(bare(&signature, 32), Some(expected));
        for broken in [&signature[..8], &[&signature[..], &[0]].concat(), &[0x30, 3, 2, 1, 1], &[]] {
            assert_eq!(bare(broken, 32), None);
        }
        let long = [&[0x30, 38, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
        assert_eq!(bare(&long, 32), None);
    }
}

//! SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) to the bare public key that `ring` takes.

/// The kind of key an algorithm needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// The public key inside the SubjectPublicKeyInfo, which must be of the given kind and, for RSA, long enough.
pub(super) fn public_key(spki: &[u8], kind: KeyKind) -> Result<&[u8], &'static str> {
    let (info, rest) = element(SEQUENCE, spki).ok_or(NOT_SPKI)?;
    let (algorithm, bits) = element(SEQUENCE, info).ok_or(NOT_SPKI)?;
    let (bits, after) = element(BIT_STRING, bits).ok_or(NOT_SPKI)?;
    let (&unused, key) = bits.split_first().ok_or(NOT_SPKI)?;
    if !rest.is_empty() || !after.is_empty() || unused != 0 {
        return Err(NOT_SPKI);
    }
    let expected = match kind {
        KeyKind::Rsa => RSA,
        KeyKind::P256 => P256,
        KeyKind::P384 => P384,
        KeyKind::Ed25519 => ED25519,
    };
    if algorithm != expected {
        return Err("the key is of another kind than the algorithm needs");
    }
    if kind == KeyKind::Rsa && modulus_bits(key).ok_or(NOT_SPKI)? < RSA_BITS_MIN {
        return Err("an RSA key needs at least 2048 bits");
    }
    Ok(key)
}

/// The length of the modulus of an RSAPublicKey (RFC 8017, A.1.1).
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let (numbers, _) = element(SEQUENCE, key)?;
    let (modulus, _) = element(INTEGER, numbers)?;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let modulus = &modulus[first..];
    Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
}

/// The content of the DER element in front, and what follows it. Lengths up to 65,535.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, der) = der.split_first()?;
    let (&first, der) = der.split_first()?;
    let (length, der) = match first {
        0..=0x7f => (usize::from(first), der),
        0x81 => (usize::from(*der.first()?), der.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*der.first()?, *der.get(1)?])), der.get(2..)?),
        _ => return None,
    };
    (found == tag && length <= der.len()).then(|| der.split_at(length))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const RSA_BITS_MIN: usize = 2048;
const NOT_SPKI: &str = "not a SubjectPublicKeyInfo in DER";

// AlgorithmIdentifiers with their parameters, without the outer SEQUENCE.
/// rsaEncryption, NULL.
const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
/// id-ecPublicKey, prime256v1.
const P256: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// id-ecPublicKey, secp384r1.
const P384: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 4, 0, 0x22];
/// id-Ed25519.
const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];

//! SubjectPublicKeyInfo in DER, which is how the broker wants keys: made of the numbers of a JWK, or taken from PEM.

use decisions::pem;

use crate::algorithm::Kind;

/// An RSA public key of these numbers, big endian.
///
/// # Errors
/// A number that cannot be one of a good key.
pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, String> {
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(format!("an RSA key of {bits} bits; {RSA_BITS_MIN} to {RSA_BITS_MAX} are accepted"));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !is_odd(modulus) || !is_odd(exponent) || exponent == [1] || exponent.len() > 4 {
        return Err("the numbers are not those of an RSA key".to_owned());
    }
    let numbers = element(SEQUENCE, &[unsigned(modulus), unsigned(exponent)].concat());
    Ok(info(RSA, &numbers))
}

/// A point of a curve, as both coordinates (EC) or its one encoding (OKP).
///
/// # Errors
/// A coordinate of another length than the curve's.
pub(crate) fn point(kind: Kind, coordinates: &[&[u8]]) -> Result<Vec<u8>, String> {
    let (algorithm, prefix, length): (&[u8], &[u8], usize) = match kind {
        Kind::P256 => (P256, UNCOMPRESSED, 32),
        Kind::P384 => (P384, UNCOMPRESSED, 48),
        _ => (ED25519, &[], 32),
    };
    if let Some(wrong) = coordinates.iter().find(|coordinate| coordinate.len() != length) {
        return Err(format!("a coordinate of {} bytes; the curve's have {length}", wrong.len()));
    }
    Ok(info(algorithm, &[prefix, &coordinates.concat()].concat()))
}

/// The kind of a SubjectPublicKeyInfo. Whether it is well made shows when it is used.
pub(crate) fn kind(spki: &[u8]) -> Option<Kind> {
    let (SEQUENCE, info) = front(spki)? else { return None };
    let (SEQUENCE, algorithm) = front(info)? else { return None };
    let known = [(RSA, Kind::Rsa), (P256, Kind::P256), (P384, Kind::P384), (ED25519, Kind::Ed25519)];
    known.into_iter().find(|(known, _)| *known == algorithm).map(|(_, kind)| kind)
}

/// The public keys of a PEM file.
///
/// # Errors
/// A block of another label, or one that is no key of a kind that can be used.
pub(crate) fn from_pem(text: &str) -> Result<Vec<(Kind, Vec<u8>)>, String> {
    let key = |(label, spki): pem::Block| {
        if label != "PUBLIC KEY" {
            return Err(format!(
                "a PEM block {label}; a PUBLIC KEY is wanted: openssl pkey -pubout makes it of a private key, \
                 openssl x509 -pubkey -noout of a certificate"
            ));
        }
        let kind = kind(&spki).ok_or("a key that is neither RSA nor of P-256, P-384 or Ed25519")?;
        Ok((kind, spki))
    };
    pem::blocks(text)?.into_iter().map(key).collect()
}

fn info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let key = element(BIT_STRING, &[&[0], key].concat());
    element(SEQUENCE, &[element(SEQUENCE, algorithm), key].concat())
}

/// A DER element. What is made here is shorter than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let head: &[u8] = match length {
        0..0x80 => &[tag, low],
        0x80..0x100 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, content].concat()
}

/// An INTEGER: with a zero in front where its first bit would make it negative.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, number].concat())
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(first..).unwrap_or_default()
}

/// Tag and content of the element in front.
fn front(der: &[u8]) -> Option<(u8, &[u8])> {
    let (&tag, der) = der.split_first()?;
    let (&first, der) = der.split_first()?;
    let (length, der) = match first {
        0..=0x7f => (usize::from(first), der),
        0x81 => (usize::from(*der.first()?), der.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*der.first()?, *der.get(1)?])), der.get(2..)?),
        _ => return None,
    };
    Some((tag, der.get(..length)?))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// What stands before the coordinates of a point (SEC 1, section 2.3.3).
const UNCOMPRESSED: &[u8] = &[4];
const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;

// AlgorithmIdentifiers with their parameters, without the outer SEQUENCE.
/// rsaEncryption, NULL.
const RSA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];
/// id-ecPublicKey, prime256v1.
const P256: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// id-ecPublicKey, secp384r1.
const P384: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 5, 0x2b, 0x81, 4, 0, 0x22];
/// id-Ed25519.
const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];

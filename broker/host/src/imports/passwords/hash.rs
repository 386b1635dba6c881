//! Password hashes as they are written in password files.

use std::hint::black_box;
use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordVerifier as _};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::{digest, pbkdf2};

/// An encoded hash, taken apart and found affordable, so that the blocking pool only computes.
pub(super) struct Hash(Scheme);

enum Scheme {
    /// PHC text.
    Argon2(String),
    /// Modular crypt text.
    Bcrypt(String),
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        iterations: NonZeroU32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// Mosquitto's `$6$`: SHA-512 of the password followed by the salt.
    SaltedSha512 {
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

/// Why a text is no usable hash.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HashError {
    /// With what is wrong.
    Bad(&'static str),
    /// An unknown scheme, or a cost that is refused.
    Unsupported,
}

impl Hash {
    /// Recognises `$argon2{id,i,d}$`, `$2{a,b,y}$`, `$pbkdf2-sha{256,512}$` (PHC, and passlib's form with bare
    /// iterations and `.` for `+`), and mosquitto's `$7$` (PBKDF2-SHA512) and `$6$` (salted SHA-512).
    pub(super) fn parse(encoded: &str) -> Result<Self, HashError> {
        // bcrypt slices by bytes, and no scheme has other characters.
        if !encoded.is_ascii() || encoded.len() > ENCODED_BYTES_MAX {
            return Err(HashError::Bad("not a password hash"));
        }
        let (scheme, rest) = encoded
            .strip_prefix('$')
            .and_then(|text| text.split_once('$'))
            .ok_or(HashError::Bad("a hash begins with $SCHEME$"))?;
        match scheme {
            "argon2id" | "argon2i" | "argon2d" => argon2(encoded),
            "2a" | "2b" | "2y" => bcrypt(encoded),
            "pbkdf2-sha256" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, rest),
            "pbkdf2-sha512" | "7" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, rest),
            "6" => salted_sha512(rest),
            _ => Err(HashError::Unsupported),
        }
        .map(Self)
    }

    /// Whether the password belongs to the hash. Slow on purpose. Compares in constant time.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match &self.0 {
            Scheme::Argon2(encoded) => {
                PasswordHash::new(encoded).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
            }
            Scheme::Bcrypt(encoded) => bcrypt::verify(password, encoded).unwrap_or(false),
            Scheme::Pbkdf2 { algorithm, iterations, salt, hash } => {
                pbkdf2::verify(*algorithm, *iterations, salt, password, hash).is_ok()
            }
            Scheme::SaltedSha512 { salt, hash } => {
                let mut context = digest::Context::new(&digest::SHA512);
                context.update(password);
                context.update(salt);
                same(context.finish().as_ref(), hash)
            }
        }
    }
}

fn argon2(encoded: &str) -> Result<Scheme, HashError> {
    let hash = PasswordHash::new(encoded).map_err(|_| HashError::Bad("not a PHC string"))?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HashError::Bad("salt or hash is missing"));
    }
    let params = Params::try_from(&hash).map_err(|_| HashError::Bad("argon2 parameters out of range"))?;
    let affordable = params.m_cost() <= ARGON2_KIB_MAX
        && params.t_cost() <= ARGON2_PASSES_MAX
        && params.p_cost() <= ARGON2_LANES_MAX;
    if affordable { Ok(Scheme::Argon2(encoded.to_owned())) } else { Err(HashError::Unsupported) }
}

fn bcrypt(encoded: &str) -> Result<Scheme, HashError> {
    let parts: bcrypt::HashParts = encoded.parse().map_err(|_| HashError::Bad("not a bcrypt hash"))?;
    match parts.get_cost() {
        4..=BCRYPT_COST_MAX => Ok(Scheme::Bcrypt(encoded.to_owned())),
        0..=3 => Err(HashError::Bad("a bcrypt cost is at least 4")),
        _ => Err(HashError::Unsupported),
    }
}

/// `[i=]ITERATIONS[,l=LENGTH]$SALT$HASH`.
fn pbkdf2(algorithm: pbkdf2::Algorithm, rest: &str) -> Result<Scheme, HashError> {
    let [params, salt, hash] = three(rest).ok_or(HashError::Bad("expected $ITERATIONS$SALT$HASH"))?;
    let (salt, hash) = (base64(salt)?, base64(hash)?);
    let mut iterations = None;
    for param in params.split(',') {
        match param.split_once('=').unwrap_or(("i", param)) {
            ("i", value) if iterations.is_none() => {
                iterations = Some(value.parse().map_err(|_| HashError::Bad("iterations are not a number"))?);
            }
            ("l", value) if value.parse() == Ok(hash.len()) => {}
            _ => return Err(HashError::Bad("unknown or wrong parameter")),
        }
    }
    let iterations = iterations.and_then(NonZeroU32::new).ok_or(HashError::Bad("iterations are not a number"))?;
    if iterations.get() > PBKDF2_ITERATIONS_MAX {
        return Err(HashError::Unsupported);
    }
    if hash.len() < HASH_BYTES_MIN {
        return Err(HashError::Bad("the hash is too short to mean anything"));
    }
    Ok(Scheme::Pbkdf2 { algorithm, iterations, salt, hash })
}

/// `SALT$HASH`.
fn salted_sha512(rest: &str) -> Result<Scheme, HashError> {
    let (salt, hash) = rest.split_once('$').ok_or(HashError::Bad("expected $SALT$HASH"))?;
    let (salt, hash) = (base64(salt)?, base64(hash)?);
    if hash.len() != digest::SHA512_OUTPUT_LEN {
        return Err(HashError::Bad("a mosquitto $6$ hash has 64 bytes; crypt's $6$ is another scheme"));
    }
    Ok(Scheme::SaltedSha512 { salt, hash })
}

fn three(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('$');
    let found = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(found)
}

/// Base64 as PHC strings (unpadded), mosquitto (padded) and passlib (`.` for `+`) write it.
fn base64(text: &str) -> Result<Vec<u8>, HashError> {
    BASE64.decode(text.replace('.', "+")).map_err(|_| HashError::Bad("salt or hash is not base64"))
}

/// Compares without telling by its duration how much is equal.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
const ENCODED_BYTES_MAX: usize = 1024;
/// 256 MiB: a plugin must not be able to exhaust the machine with a hash of its own making.
const ARGON2_KIB_MAX: u32 = 256 << 10;
const ARGON2_PASSES_MAX: u32 = 32;
const ARGON2_LANES_MAX: u32 = 16;
/// About two seconds.
const BCRYPT_COST_MAX: u32 = 15;
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;
const HASH_BYTES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Hashes of "correct horse", made by other programs: mosquitto_passwd 2.0, Python's hashlib, the argon2 and
    /// bcrypt reference implementations' formats.
    const KNOWN: [&str; 5] = [
        "$7$101$Y4Z6+tBfmI8T9CWJ$/NnHMUsq32NFKtO9NUHW7pR9ra0/jQbULE9QT3dF9/1lB0Oo6CSA5tVygjg7mGrNMd3tThMoA1j1Azc72sgC2g==",
        "$6$WgVHyF75cJ5GavUs$lG/ZGjgmgypP4Y86g0WBEmEYu9ztnpHMdQtQMxxovoUTeoD1lDyufqOk6Od+C/7iF/bH1BemORCAIa70PnbIGg==",
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
        "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
        "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$OM0FAoIqCVK1sWtxDiffVlBejtLa+ks4TP71JiecwuSZCG8iLbnlIEPOMoVX+i2B2wkSxjQ8CRGR9OkNGuIPMQ",
    ];

    fn verify(encoded: &str, password: &str) -> bool {
        Hash::parse(encoded).unwrap().verify(password.as_bytes())
    }

    #[test]
    fn hashes_made_by_other_programs_verify() {
        for encoded in KNOWN {
            assert!(verify(encoded, "correct horse"), "{encoded}");
            for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
                assert!(!verify(encoded, wrong), "{encoded} {wrong:?}");
            }
        }
    }

    #[test]
    fn argon2_hashes_are_those_of_the_reference_implementation() {
        // From the test suite of P-H-C/phc-winner-argon2: password "password", salt "somesalt".
        let known = [
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        ];
        for encoded in known {
            assert!(verify(encoded, "password"), "{encoded}");
            assert!(!verify(encoded, "Password"), "{encoded}");
        }
    }

    #[test]
    fn bcrypt_hashes_are_those_of_crypt_blowfish() {
        // From the test vectors of Openwall's crypt_blowfish.
        for encoded in [
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ] {
            assert!(verify(encoded, "U*U"), "{encoded}");
            assert!(!verify(encoded, "U*"), "{encoded}");
        }
    }

    #[test]
    fn unknown_schemes_and_unaffordable_costs_are_refused() {
        let salt_and_hash = "MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";
        for encoded in [
            "$1$salt$hash".to_owned(),
            format!("$pbkdf2-sha256$i=4000000000${salt_and_hash}"),
            format!("$argon2id$v=19$m=1048576,t=2,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=1024,t=1000000,p=1${salt_and_hash}"),
            "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW".to_owned(),
        ] {
            assert_eq!(Hash::parse(&encoded).err(), Some(HashError::Unsupported), "{encoded}");
        }
    }

    #[test]
    fn malformed_hashes_are_errors_never_panics() {
        for encoded in [
            "",
            "secret",
            "$",
            "$2b$",
            "$2b$10$",
            "$2b$10$é",
            "$7$",
            "$7$101$$",
            "$7$0$AAAA$AAAA",
            "$7$x$AAAA$AAAA",
            "$6$AAAA$AAAA",
            "$6$!$!",
            "$argon2id$",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ$nf65EOgLrQMR",
            "$pbkdf2-sha256$i=1,i=2$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA",
            "$pbkdf2-sha256$i=1,l=1$AAAA$AAAAAAAAAAAAAAAAAAAAAAAA",
            "$7$1$AAAA$",
        ] {
            assert!(matches!(Hash::parse(encoded), Err(HashError::Bad(_))), "{encoded}");
        }
        for known in KNOWN {
            for cut in 0..known.len() {
                let _ = Hash::parse(&known[..cut]);
            }
        }
        assert!(Hash::parse(&format!("$7$1$AAAA${}", "A".repeat(10_000))).is_err());
    }
}

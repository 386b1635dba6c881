//! What the bundled plugin `scram` keeps of a password (RFC 5802, section 3, with SHA-256): keys that nobody can log in
//! with, as `SCRAM-SHA-256$ITERATIONS:SALT$StoredKey:ServerKey`, the form in which PostgreSQL keeps them too.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use super::PasswdError;

/// The keys of a password, with a random salt.
pub(super) fn keys(password: &str, iterations: NonZeroU32) -> Result<String, PasswdError> {
    let password = stringprep::saslprep(password).map_err(|_| PasswdError::Unprepared("password"))?;
    Ok(encode(&password, &random::<16>()?, iterations))
}

/// A user name as clients have to write it.
pub(super) fn check_user(user: &str) -> Result<(), PasswdError> {
    stringprep::saslprep(user).map(drop).map_err(|_| PasswdError::Unprepared("user name"))
}

/// The file with the key from which the plugin makes salts for users who do not exist; a file that has one keeps it.
pub(super) fn with_decoy_key(text: String) -> Result<String, PasswdError> {
    if text.lines().any(|line| line.starts_with(':')) {
        return Ok(text);
    }
    let key = STANDARD.encode(random::<32>()?);
    Ok(format!(
        "# The line without a user name is the key to what strangers are told; keep it as it is.\n:{key}\n{text}"
    ))
}

fn random<const N: usize>() -> Result<[u8; N], PasswdError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PasswdError::Random)?;
    Ok(bytes)
}

fn encode(password: &str, salt: &[u8], iterations: NonZeroU32) -> String {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
    let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let stored = digest::digest(&digest::SHA256, hmac::sign(&salted, b"Client Key").as_ref());
    let server = hmac::sign(&salted, b"Server Key");
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${iterations}:{}${}:{}", encode(salt), encode(stored.as_ref()), encode(server.as_ref()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    /// The server's signature in the exchange of RFC 7677, section 3, needs the right server key and nothing else.
    #[test]
    fn the_keys_are_those_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = encode("pencil", &salt, NonZeroU32::new(4096).unwrap());
        let (salting, keys) = keys.rsplit_once('$').unwrap();
        assert_eq!(salting, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
        let (stored, server) = keys.split_once(':').unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign = |key: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
            hmac::sign(&key, message.as_bytes())
        };
        assert_eq!(STANDARD.encode(sign(server)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let client_key: Vec<u8> = proof.iter().zip(sign(stored).as_ref()).map(|(proof, mask)| proof ^ mask).collect();
        assert_eq!(STANDARD.encode(digest::digest(&digest::SHA256, &client_key)), stored);
    }

    #[test]
    fn passwords_are_prepared_and_salts_are_random() {
        let iterations = NonZeroU32::new(4096).unwrap();
        assert_ne!(keys("secret", iterations).unwrap(), keys("secret", iterations).unwrap());
        assert!(matches!(keys("a\u{7}", iterations), Err(PasswdError::Unprepared("password"))));
        assert!(matches!(check_user("a\u{7}"), Err(PasswdError::Unprepared("user name"))));
    }

    #[test]
    fn the_key_for_strangers_is_made_once() {
        let first = with_decoy_key("alice:1\n".to_owned()).unwrap();
        assert!(first.ends_with("\nalice:1\n") && first.lines().nth(1).unwrap().len() == 45, "{first}");
        assert_eq!(with_decoy_key(first.clone()).unwrap(), first);
    }
}

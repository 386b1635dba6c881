//! The password file: one `user:hash` a line, in the formats people have.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use midge_plugin_sdk::files::lines;

/// How a password is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hash {
    /// A PHC string, for the broker.
    Phc(String),
    /// mosquitto before 2.0: SHA-512 of password and salt. Fast, hence weak; accepted so that nobody is locked out.
    Sha512 {
        /// Appended to the password.
        salt: Vec<u8>,
        /// What must come out.
        digest: Vec<u8>,
    },
}

/// The users of a file with their hashes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    users: BTreeMap<String, Hash>,
    /// What unknown users are checked against, so that they take as long as known ones.
    decoy: Option<Hash>,
}

impl Table {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Every line that is not understood, with its number; never with what it says, which may be a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        lines(text, |line| table.add(line))?;
        Ok(table)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let (user, hash) = line.split_once(':').ok_or("no `:` between user name and hash")?;
        if user.is_empty() {
            return Err("the user name is empty".to_owned());
        }
        let hash = Hash::parse(hash)?;
        if self.decoy.is_none() {
            self.decoy = Some(hash.clone());
        }
        match self.users.insert(user.to_owned(), hash) {
            None => Ok(()),
            Some(_) => Err(format!("{user} has a line already")),
        }
    }

    /// The hash of a user, if it is known.
    pub(crate) fn hash(&self, user: &str) -> Option<&Hash> {
        self.users.get(user)
    }

    /// A hash as costly as those of known users.
    pub(crate) fn decoy(&self) -> Option<&Hash> {
        self.decoy.as_ref()
    }
}

/// The beginnings of PHC strings that the broker verifies.
const PHC: [&str; 8] =
    ["$argon2id$", "$argon2i$", "$argon2d$", "$2a$", "$2b$", "$2y$", "$pbkdf2-sha256$", "$pbkdf2-sha512$"];

impl Hash {
    fn parse(text: &str) -> Result<Self, String> {
        if PHC.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Phc(text.to_owned()));
        }
        let broken = || "the mosquitto hash is damaged".to_owned();
        if let Some(parts) = text.strip_prefix("$7$") {
            let [rounds, salt, digest] = split(parts).ok_or_else(broken)?;
            let rounds: u32 = rounds.parse().map_err(|_| broken())?;
            let bare = |part: &str| STANDARD.decode(part).ok().map(|bytes| STANDARD_NO_PAD.encode(bytes));
            let (salt, digest) = bare(salt).zip(bare(digest)).ok_or_else(broken)?;
            return Ok(Self::Phc(format!("$pbkdf2-sha512$i={rounds}${salt}${digest}")));
        }
        if let Some(parts) = text.strip_prefix("$6$") {
            let [salt, digest] = split(parts).ok_or_else(broken)?;
            let (salt, digest) = STANDARD.decode(salt).ok().zip(STANDARD.decode(digest).ok()).ok_or_else(broken)?;
            return if digest.len() == 64 { Ok(Self::Sha512 { salt, digest }) } else { Err(broken()) };
        }
        Err("no known hash after the user name; make one with `midge passwd` or mosquitto_passwd".to_owned())
    }
}

/// Exactly `N` parts between `$` signs.
fn split<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn phc_strings_are_kept_as_they_are() {
        let table =
            Table::parse("# users\n\nalice:$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA\r\nbob:$2b$12$abc\n").unwrap();
        assert_eq!(table.hash("alice"), Some(&Hash::Phc("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA".to_owned())));
        assert_eq!(table.hash("bob"), Some(&Hash::Phc("$2b$12$abc".to_owned())));
        assert_eq!(table.hash("carol"), None);
        assert_eq!(table.decoy(), table.hash("alice"));
    }

    #[test]
    fn mosquitto_2_hashes_become_phc_strings() {
        let table = Table::parse("alice:$7$101$c2FsdA==$aGFzaCE=").unwrap();
        assert_eq!(table.hash("alice"), Some(&Hash::Phc("$pbkdf2-sha512$i=101$c2FsdA$aGFzaCE".to_owned())));
    }

    #[test]
    fn mosquitto_1_hashes_are_understood() {
        let digest = STANDARD.encode([7; 64]);
        let table = Table::parse(&format!("alice:$6$c2FsdA==${digest}")).unwrap();
        assert_eq!(table.hash("alice"), Some(&Hash::Sha512 { salt: b"salt".to_vec(), digest: vec![7; 64] }));
    }

    #[test]
    fn every_wrong_line_is_named_and_no_password_is_repeated() {
        let said = Table::parse("alice\n:$2b$x\nbob:hunter2\ncarol:$7$x$y$z\ndave:$2b$1\ndave:$2b$2").unwrap_err();
        for part in [
            "line 1: no `:`",
            "line 2: the user name",
            "line 3: no known hash",
            "line 4: the mosquitto",
            "line 6: dave has",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
        assert!(!said.contains("hunter2") && !said.contains("line 5"), "{said}");
    }
}

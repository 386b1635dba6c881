//! The user file: one `user:SCRAM-SHA-256$…` a line, as `midge passwd --scram` writes it and PostgreSQL keeps it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use midge_plugin_sdk::files::lines;

use crate::keys::{Bytes32, Keys, hmac};

/// What is stored of a user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) keys: Keys,
}

/// The users of a file.
#[derive(Default)]
pub(crate) struct Table {
    users: BTreeMap<String, Entry>,
    /// The key of the line without a user name.
    decoy_key: Option<Vec<u8>>,
    /// Salt length and iterations of the first user: what a stranger is told about anybody.
    usual: Option<(usize, u32)>,
}

impl Table {
    /// Reads a whole file.
    ///
    /// # Errors
    /// Every line that is not understood, with its number; never with what it says.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        lines(text, |line| table.add(line))?;
        Ok(table)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let (user, rest) = line.split_once(':').ok_or("no `:` between user name and keys")?;
        if user.is_empty() {
            let key = STANDARD.decode(rest).ok().filter(|key| key.len() >= 16);
            self.decoy_key = Some(key.ok_or("the key for unknown users is damaged")?);
            return Ok(());
        }
        let name = prepare(user).ok_or("a user name that SASLprep (RFC 4013) forbids")?;
        let entry = Entry::parse(rest)?;
        self.usual.get_or_insert((entry.salt.len(), entry.iterations));
        match self.users.insert(name, entry) {
            None => Ok(()),
            Some(_) => Err(format!("{user} has a line already")),
        }
    }

    /// What is stored of a user, if there is one of that name.
    pub(crate) fn find(&self, user: &str) -> Option<&Entry> {
        self.users.get(user)
    }

    /// What a user who does not exist is asked with: always the same for a name, and nothing that could not be a real
    /// user's. Nobody has a password for it.
    pub(crate) fn decoy(&self, user: &str) -> Entry {
        let (salt_bytes, iterations) = self.usual.unwrap_or((16, 4096));
        let derive = |use_: &[u8]| self.derive(use_, user);
        let salt = derive(b"salt").iter().copied().cycle().take(salt_bytes).collect();
        Entry { salt, iterations, keys: Keys { stored: derive(b"stored"), server: derive(b"server") } }
    }

    fn derive(&self, use_: &[u8], user: &str) -> Bytes32 {
        // A file that was not made by `midge passwd` may have no key of its own: then a user's must do.
        let first = self.users.values().next().map(|entry| entry.keys.server);
        let key = self.decoy_key.as_deref().or(first.as_ref().map(<[u8; 32]>::as_slice)).unwrap_or_default();
        hmac(key, &[b"unknown ", use_, b" ", user.as_bytes()])
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or(
            "no SCRAM-SHA-256 keys after the user name; make them with `midge passwd --scram`, which needs the password",
        )?;
        let (salting, keys) = rest.split_once('$').ok_or("the keys are damaged")?;
        let (iterations, salt) = salting.split_once(':').ok_or("the keys are damaged")?;
        let (stored, server) = keys.split_once(':').ok_or("the keys are damaged")?;
        let iterations: u32 = iterations.parse().map_err(|_| "the number of iterations is damaged")?;
        if iterations < ITERATIONS_MIN {
            return Err(format!("{iterations} iterations, and RFC 7677 asks for {ITERATIONS_MIN} or more"));
        }
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty()).ok_or("the salt is damaged")?;
        let key = |text| STANDARD.decode(text).ok().and_then(|key| Bytes32::try_from(key).ok());
        let (stored, server) = key(stored).zip(key(server)).ok_or("the keys are damaged")?;
        Ok(Self { salt, iterations, keys: Keys { stored, server } })
    }
}

/// A user name as SCRAM compares it (SASLprep, RFC 4013); none if it may not be one.
pub(crate) fn prepare(user: &str) -> Option<String> {
    stringprep::saslprep(user).ok().filter(|name| !name.is_empty()).map(Into::into)
}

/// RFC 7677, section 4.
const ITERATIONS_MIN: u32 = 4096;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn keys() -> String {
        format!("SCRAM-SHA-256$4096:c2FsdA==${}:{}", STANDARD.encode([1; 32]), STANDARD.encode([2; 32]))
    }

    #[test]
    fn users_are_found_by_their_prepared_name() {
        let table = Table::parse(&format!("# users\n\nalice:{0}\r\nI\u{ad}X:{0}\n", keys())).unwrap();
        let alice = table.find("alice").unwrap();
        assert_eq!((alice.salt.as_slice(), alice.iterations), (&b"salt"[..], 4096));
        assert_eq!((alice.keys.stored, alice.keys.server), ([1; 32], [2; 32]));
        assert!(table.find("IX").is_some(), "RFC 4013: SOFT HYPHEN is mapped to nothing");
        assert!(table.find("bob").is_none());
    }

    #[test]
    fn a_stranger_cannot_tell_a_decoy_from_a_user() {
        let text = format!(":{}\nalice:{}", STANDARD.encode([3; 32]), keys());
        let table = Table::parse(&text).unwrap();
        let bob = table.decoy("bob");
        assert_eq!((bob.salt.len(), bob.iterations), (4, 4096), "as alice's");
        assert!(table.decoy("bob") == bob && table.decoy("bot").salt != bob.salt);
        let grown = Table::parse(&format!("{text}\ncarol:{}", keys())).unwrap();
        assert!(grown.decoy("bob") == bob, "a new user changes nothing");
        assert!(Table::parse(&keys().replace("SCRAM", "alice:SCRAM")).unwrap().decoy("bob").salt != bob.salt);
        assert_eq!(Table::default().decoy("bob").salt.len(), 16);
    }

    #[test]
    fn every_wrong_line_is_named_and_no_key_is_repeated() {
        let text = format!(
            "alice\n:AAAA\nbob:hunter2\ncarol:SCRAM-SHA-256$4096:!$x:y\ndave:{0}\ndave:{0}\n\u{7}:{0}\nerin:{1}",
            keys(),
            keys().replace("4096", "4095")
        );
        let Err(said) = Table::parse(&text) else { panic!("understood") };
        for part in [
            "line 1: no `:`",
            "line 2: the key for unknown users",
            "line 3: no SCRAM",
            "line 4: the salt",
            "line 6: dave has",
            "line 7: a user name that SASLprep",
            "line 8: 4095 iterations",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
        assert!(!said.contains("hunter2") && !said.contains("line 5"), "{said}");
    }
}

//! Midge's bundled plugin `password-file`: users and password hashes from a file.

mod table;

use midge_plugin_sdk::files::Watched;
use midge_plugin_sdk::passwords::{self, Error};
use midge_plugin_sdk::{Answer, Authenticator, Connect, Credentials, Environment, Lifecycle, config, crypto, plugin};
use serde::Deserialize;
use table::{Hash, Table};

/// The plugin's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The password file; it must be granted as well.
    file: String,
    /// What to say about a client whose user name is not in the file, or who gives none.
    #[serde(default)]
    unknown_user: Unknown,
}

/// What to say about somebody who is not in the file.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unknown {
    /// Ask the next authenticator.
    #[default]
    Next,
    /// Refuse.
    Deny,
}

struct PasswordFile {
    table: Watched<Table>,
    unknown: Unknown,
}

/// What unknown users are checked against while the file is empty: nobody's password, at `midge passwd`'s cost.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The same words whether the name or the password is wrong.
const REFUSED: &str = "wrong user name or password";

impl Lifecycle for PasswordFile {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { file, unknown_user } = config()?;
        Ok(Self { table: Watched::open(file, Table::parse)?, unknown: unknown_user })
    }
}

impl Authenticator for PasswordFile {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        let unknown = match self.unknown {
            Unknown::Next => Answer::next,
            Unknown::Deny => || Answer::deny(REFUSED),
        };
        let Some(user) = credentials.username.as_deref() else {
            return Ok(unknown());
        };
        let password = credentials.password.as_deref();
        let table = self.table.get();
        let known = table.hash(user);
        // Verified even if the outcome is certain: how long an answer takes must not tell who is in the file.
        let belongs = match known.or(table.decoy()) {
            Some(hash) => hash.is_of(password.unwrap_or_default()),
            None => passwords::verify(DECOY, password.unwrap_or_default()),
        };
        match (known, belongs) {
            (None, _) => Ok(unknown()),
            (Some(_), Ok(true)) if password.is_some() => Ok(Answer::allow(user)),
            (Some(_), Ok(_)) => Ok(Answer::deny(REFUSED)),
            (Some(_), Err(why)) => Err(describe(user, &why)),
        }
    }
}

impl Hash {
    /// Whether `password` is the one this hash was made of.
    fn is_of(&self, password: &[u8]) -> Result<bool, Error> {
        match self {
            Self::Phc(encoded) => passwords::verify(encoded, password),
            Self::Sha512 { salt, digest } => Ok(same(&crypto::sha512(&[password, salt].concat()), digest)),
        }
    }
}

/// Compares in a time that does not depend on where two digests differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

fn describe(user: &str, why: &Error) -> String {
    match why {
        Error::BadHash(why) => format!("the hash of {user} is damaged: {why}"),
        Error::Unsupported => {
            format!("the hash of {user} is of a kind or cost that this broker does not verify")
        }
        Error::Overloaded => "too many passwords are waiting to be verified".to_owned(),
    }
}

plugin!(PasswordFile: lifecycle, authn);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use midge_plugin_sdk::{Verdict, testing};
    use serde_json::json;

    use super::*;

    fn start(text: &str) -> PasswordFile {
        start_with(json!({ "file": "users" }), text).unwrap()
    }

    fn start_with(config: serde_json::Value, text: &str) -> Result<PasswordFile, String> {
        testing::set_config(config);
        testing::set_file("users", text);
        testing::set_password("$2b$alice", "secret");
        PasswordFile::init(&testing::environment())
    }

    fn ask(plugin: &mut PasswordFile, credentials: &Credentials) -> Verdict {
        plugin.authenticate(credentials, &Connect::default()).unwrap().verdict
    }

    #[test]
    fn the_right_password_lets_in_as_the_user() {
        let mut plugin = start("alice:$2b$alice");
        assert_eq!(ask(&mut plugin, &Credentials::of("alice", "secret")), Answer::allow("alice").verdict);
        assert_eq!(ask(&mut plugin, &Credentials::of("alice", "guess")), Answer::deny(REFUSED).verdict);
    }

    #[test]
    fn no_password_is_a_wrong_password() {
        let mut plugin = start("alice:$2b$alice");
        testing::set_password("$2b$alice", "");
        let credentials = Credentials { password: None, ..Credentials::of("alice", "") };
        assert_eq!(ask(&mut plugin, &credentials), Answer::deny(REFUSED).verdict);
    }

    #[test]
    fn unknown_users_are_someone_elses_unless_the_operator_says_otherwise() {
        let mut plugin = start("alice:$2b$alice");
        assert_eq!(ask(&mut plugin, &Credentials::of("bob", "secret")), Verdict::Next);
        assert_eq!(ask(&mut plugin, &Credentials::anonymous()), Verdict::Next);
        let mut plugin = start_with(json!({ "file": "users", "unknown_user": "deny" }), "alice:$2b$alice").unwrap();
        assert_eq!(ask(&mut plugin, &Credentials::of("bob", "secret")), Answer::deny(REFUSED).verdict);
        assert_eq!(ask(&mut plugin, &Credentials::anonymous()), Answer::deny(REFUSED).verdict);
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_a_known_one() {
        let mut plugin = start("alice:$2b$alice");
        ask(&mut plugin, &Credentials::of("alice", "guess"));
        ask(&mut plugin, &Credentials::of("bob", "guess"));
        assert_eq!(testing::verified(), ["$2b$alice", "$2b$alice"]);
        let mut plugin = start("# nobody yet");
        ask(&mut plugin, &Credentials::of("bob", "guess"));
        assert_eq!(testing::verified().last().unwrap(), DECOY);
    }

    #[test]
    fn what_an_unknown_user_is_checked_against_lets_nobody_in() {
        let mut plugin = start("alice:$2b$alice");
        assert_eq!(ask(&mut plugin, &Credentials::of("bob", "secret")), Verdict::Next);
    }

    #[test]
    fn old_mosquitto_hashes_are_verified() {
        let digest = STANDARD.encode(crypto::sha512(b"secretsalt"));
        let mut plugin = start(&format!("alice:$6$c2FsdA==${digest}"));
        assert!(matches!(ask(&mut plugin, &Credentials::of("alice", "secret")), Verdict::Allow(_)));
        assert!(matches!(ask(&mut plugin, &Credentials::of("alice", "guess")), Verdict::Deny(_)));
    }

    #[test]
    fn a_changed_file_goes_for_the_next_client_and_a_bad_one_changes_nothing() {
        let mut plugin = start("bob:$2b$bob");
        testing::set_file("users", "alice:$2b$alice");
        assert!(matches!(ask(&mut plugin, &Credentials::of("alice", "secret")), Verdict::Allow(_)));
        testing::set_file("users", "alice:secret");
        assert!(matches!(ask(&mut plugin, &Credentials::of("alice", "secret")), Verdict::Allow(_)));
        assert!(testing::logs().last().unwrap().message.contains("users: line 1: no known hash"));
    }

    #[test]
    fn it_does_not_start_with_a_bad_file_or_config() {
        assert!(start_with(json!({ "file": "users" }), "alice").is_err_and(|why| why.starts_with("users: line 1: ")));
        let refused = start_with(json!({ "file": "users", "unknown_user": "maybe" }), "");
        assert!(refused.is_err_and(|why| why.contains("expected `next` or `deny`")));
    }
}

//! `midge passwd`: a line `USER:HASH` for each user, as the bundled plugins `password-file` and `scram` read them.
//!
//! The hash is argon2id in PHC form with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane) and a random
//! salt. Lines of other users, comments and their order stay as they are. The file is replaced in one step, so that a
//! broker never reads half of it; a new one is readable by its owner only.

mod scram;

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;

/// Make, change or delete a user of a password file.
#[derive(Debug, clap::Args)]
pub(crate) struct Passwd {
    /// The password file; it is made if there is none
    file: PathBuf,
    /// The user
    user: String,
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long, conflicts_with = "delete")]
    password_stdin: bool,
    /// Write the keys of SCRAM-SHA-256, for the plugin scram, instead of a hash for password-file
    #[arg(long, conflicts_with = "delete")]
    scram: bool,
    /// How often the password is hashed, which every client does at every connect; 4096 at least
    #[arg(long, value_name = "N", default_value = "15000", requires = "scram", value_parser = iterations)]
    iterations: NonZeroU32,
    /// Delete the user
    #[arg(long, short = 'D')]
    delete: bool,
}

/// Why the password file was not changed.
#[derive(Debug)]
pub(crate) enum PasswdError {
    /// The user name cannot stand in the file.
    UserName(String),
    /// There is no such user to delete.
    NoSuchUser { user: String, file: PathBuf },
    /// The password is empty.
    EmptyPassword,
    /// The two passwords were not the same.
    Mistyped,
    /// The password cannot be read.
    Input(io::Error),
    /// The name or the password is none that SCRAM could compare.
    Unprepared(&'static str),
    /// The operating system gives no random bytes.
    Random,
    /// The password cannot be hashed.
    Hash(argon2::password_hash::Error),
    /// The file cannot be read or written.
    File { file: PathBuf, error: io::Error },
}

impl Passwd {
    pub(crate) fn perform(&self) -> Result<(), PasswdError> {
        if self.user.is_empty() || self.user.starts_with('#') || self.user.contains([':', '\n', '\r', '\0']) {
            return Err(PasswdError::UserName(self.user.clone()));
        }
        let before = read(&self.file)?;
        let line = if self.delete { None } else { Some(format!("{}:{}", self.user, self.hash()?)) };
        let (mut after, replaced) = with_user(&before, &self.user, line.as_deref());
        if self.scram {
            after = scram::with_decoy_key(after)?;
        }
        if self.delete && !replaced {
            return Err(PasswdError::NoSuchUser { user: self.user.clone(), file: self.file.clone() });
        }
        replace(&self.file, &after).map_err(|error| PasswdError::File { file: self.file.clone(), error })
    }

    fn hash(&self) -> Result<String, PasswdError> {
        if !self.scram {
            return hash(&self.password()?);
        }
        scram::check_user(&self.user)?;
        scram::keys(&self.password()?, self.iterations)
    }

    fn password(&self) -> Result<String, PasswdError> {
        let password = if self.password_stdin {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map_err(PasswdError::Input)?;
            line.trim_end_matches(['\n', '\r']).to_owned()
        } else {
            let first = rpassword::prompt_password("Password: ").map_err(PasswdError::Input)?;
            let again = rpassword::prompt_password("Once more: ").map_err(PasswdError::Input)?;
            if first != again {
                return Err(PasswdError::Mistyped);
            }
            first
        };
        if password.is_empty() { Err(PasswdError::EmptyPassword) } else { Ok(password) }
    }
}

/// RFC 7677 asks for 4096 or more.
fn iterations(text: &str) -> Result<NonZeroU32, String> {
    let number: NonZeroU32 = text.parse().map_err(|error| format!("{error}"))?;
    if number.get() < 4096 { Err("RFC 7677 asks for 4096 or more".to_owned()) } else { Ok(number) }
}

/// The default parameters of [`Argon2`] are those that OWASP recommends; a test holds them to it.
fn hash(password: &str) -> Result<String, PasswdError> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(PasswdError::Hash)?;
    Ok(hash.to_string())
}

fn read(file: &Path) -> Result<String, PasswdError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(PasswdError::File { file: file.into(), error }),
    }
}

/// The file with the user's line replaced, added or (`None`) left out, and whether there was one.
fn with_user(before: &str, user: &str, line: Option<&str>) -> (String, bool) {
    let mut after = String::with_capacity(before.len() + 128);
    let (mut found, mut pending) = (false, line);
    for old in before.lines() {
        let is_users = old.split_once(':').is_some_and(|(name, _)| name == user);
        found |= is_users;
        // A user who stands there twice stands there once from now on.
        if let Some(kept) = if is_users { pending.take() } else { Some(old) } {
            after.push_str(kept);
            after.push('\n');
        }
    }
    if let Some(line) = pending {
        after.push_str(line);
        after.push('\n');
    }
    (after, found)
}

/// Writes beside the file and moves the result over it, with the mode and the owner that it had.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = file.with_file_name(name);
    let result = write(&beside, &file, text).and_then(|()| fs::rename(&beside, &file));
    if result.is_err() {
        // The error is what matters; a leftover at most looks untidy.
        let _ = fs::remove_file(&beside);
    }
    result
}

fn write(beside: &Path, file: &Path, text: &str) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(file) {
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            chown(beside, Some(old.uid()), Some(old.gid()))?;
        }
        fs::set_permissions(beside, Permissions::from_mode(old.mode() & 0o777))?;
    }
    new.sync_all()
}

impl std::fmt::Display for PasswdError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UserName(user) => {
                write!(
                    f,
                    "{user:?} cannot be a user name here: it is empty, begins with \"#\", or has a \":\" or a line break in it"
                )
            }
            Self::NoSuchUser { user, file } => write!(f, "{} has no user {user:?}", file.display()),
            Self::EmptyPassword => f.write_str("the password is empty; nothing was changed"),
            Self::Mistyped => f.write_str("the two passwords are not the same; nothing was changed"),
            Self::Input(error) => {
                write!(f, "the password cannot be read: {error}; scripts give it with --password-stdin")
            }
            Self::Unprepared(what) => write!(f, "the {what} has characters that SASLprep (RFC 4013) forbids"),
            Self::Random => f.write_str("the operating system gives no random bytes"),
            Self::Hash(error) => write!(f, "the password cannot be hashed: {error}"),
            Self::File { file, error } => write!(f, "{}: {error}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use argon2::password_hash::PasswordVerifier;
    use argon2::password_hash::phc::PasswordHash;

    use super::*;

    #[test]
    fn a_hash_has_the_recommended_parameters_and_verifies() {
        let first = hash("secret").unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, hash("secret").unwrap(), "the salt is random");
        let parsed = PasswordHash::new(&first).unwrap();
        assert!(Argon2::default().verify_password(b"secret", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"Secret", &parsed).is_err());
    }

    #[test]
    fn only_the_line_of_the_user_changes() {
        let before = "# people\nalice:1\nbob:2\nalice:old";
        for (user, line, after, found) in [
            ("alice", Some("alice:9"), "# people\nalice:9\nbob:2\n", true),
            ("carol", Some("carol:3"), "# people\nalice:1\nbob:2\nalice:old\ncarol:3\n", false),
            ("bob", None, "# people\nalice:1\nalice:old\n", true),
            ("ali", None, "# people\nalice:1\nbob:2\nalice:old\n", false),
        ] {
            assert_eq!(with_user(before, user, line), (after.to_owned(), found), "{user}");
        }
        assert_eq!(with_user("", "a", Some("a:1")), ("a:1\n".to_owned(), false));
    }

    #[test]
    fn a_new_file_is_its_owners_and_an_old_one_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("passwords");
        replace(&file, "a:1\n").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        replace(&file, "a:2\n").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_to_string(&file).unwrap(), "a:2\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn names_that_would_break_the_file_are_refused() {
        for user in ["", "a:b", "#a", "a\nb"] {
            let passwd = Passwd {
                file: "/nowhere/x".into(),
                user: user.into(),
                password_stdin: true,
                scram: false,
                iterations: NonZeroU32::MIN,
                delete: false,
            };
            assert!(matches!(passwd.perform(), Err(PasswdError::UserName(_))), "{user:?}");
        }
    }
}

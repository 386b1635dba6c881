//! The plugin's `config` table.

use decisions::{Others, Profile, profile};
use serde::Deserialize;

use crate::allowed::Allowed;
use crate::certificate;
use crate::revocation::{Settings, Strictness};

/// What certificates become, which are wanted, and where revocation lists are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What clients become.
    #[serde(flatten)]
    profile: profile::Settings,
    /// What to say about a client without certificate.
    #[serde(default)]
    pub(crate) without_certificate: Others,
    /// Which certificates are wanted, of those that the listener accepts.
    #[serde(default)]
    allowed: Allowed,
    /// Whether the connection ends when the certificate does.
    #[serde(default = "defaults::yes")]
    ends_with_certificate: bool,
    /// Files with revocation lists; they must be granted as well.
    #[serde(default)]
    crl_files: Vec<String>,
    /// A file with the certificates of those who sign them; it must be granted as well.
    authorities: Option<String>,
    /// What to say about a certificate whose issuer has no list.
    #[serde(default)]
    unlisted: Strictness,
    /// What to say about a certificate whose issuer's list is too old.
    #[serde(default)]
    stale: Strictness,
}

mod defaults {
    pub(super) fn yes() -> bool {
        true
    }
}

/// How certificates are judged.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) profile: Profile,
    pub(crate) allowed: Allowed,
    pub(crate) ends_with_certificate: bool,
}

impl Config {
    /// How certificates are judged.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub(crate) fn policy(self) -> Result<Policy, String> {
        let profile = self.profile.profile("%{cn}")?;
        if let Some(unknown) = profile.names().find(|name| !certificate::NAMES.contains(name)) {
            let known = certificate::NAMES.join(", ");
            return Err(format!("config: %{{{unknown}}} is nothing that certificates have; there are {known}"));
        }
        Ok(Policy {
            profile,
            allowed: self.allowed.check_patterns()?,
            ends_with_certificate: self.ends_with_certificate,
        })
    }

    /// Where revocation lists are, if there are any.
    ///
    /// # Errors
    /// The key that is missing.
    pub(crate) fn revocation(&self) -> Result<Option<Settings>, String> {
        match (&self.authorities, self.crl_files.is_empty()) {
            (None, true) => Ok(None),
            (Some(authorities), false) => Ok(Some(Settings {
                lists: self.crl_files.clone(),
                authorities: authorities.clone(),
                unlisted: self.unlisted,
                stale: self.stale,
            })),
            (None, false) => {
                Err("config: authorities is missing: the certificates of those who sign crl_files".to_owned())
            }
            (Some(_), true) => Err("config: authorities says who signs crl_files, which are missing".to_owned()),
        }
    }
}

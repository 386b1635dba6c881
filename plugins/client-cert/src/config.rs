//! The plugin's `config` table.

use std::collections::BTreeMap;

use decisions::{Access, Limits, Template, Topics};
use serde::Deserialize;

use crate::allowed::Allowed;
use crate::certificate;
use crate::revocation::{Settings, Strictness};

/// What certificates become, which are wanted, and where revocation lists are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What the client is called.
    #[serde(default = "defaults::principal")]
    principal: Template,
    /// Its tenant.
    tenant: Option<Template>,
    /// Its Client Identifier, whatever it says itself.
    client_id: Option<Template>,
    /// Facts for other plugins.
    #[serde(default)]
    attributes: BTreeMap<String, Template>,
    /// What every client may do, and how much.
    #[serde(default)]
    access: Access,
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

/// What to say about a client without certificate.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Others {
    /// Ask the next authenticator.
    #[default]
    Next,
    /// Refuse.
    Deny,
}

mod defaults {
    use decisions::Template;

    pub(super) fn principal() -> Template {
        Template::parse("%{cn}").expect("it ends and has a name")
    }

    pub(super) fn yes() -> bool {
        true
    }
}

/// How certificates are judged.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) principal: Template,
    pub(crate) tenant: Option<Template>,
    pub(crate) client_id: Option<Template>,
    pub(crate) attributes: BTreeMap<String, Template>,
    pub(crate) topics: Topics,
    pub(crate) limits: Limits,
    pub(crate) allowed: Allowed,
    pub(crate) ends_with_certificate: bool,
}

impl Config {
    /// How certificates are judged.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub(crate) fn policy(self) -> Result<Policy, String> {
        let topics = self.access.topics().map_err(|why| format!("config: access: {why}"))?;
        self.check_names(&topics)?;
        Ok(Policy {
            principal: self.principal,
            tenant: self.tenant,
            client_id: self.client_id,
            attributes: self.attributes,
            topics,
            limits: self.access.limits,
            allowed: self.allowed.check_patterns()?,
            ends_with_certificate: self.ends_with_certificate,
        })
    }

    fn check_names(&self, topics: &Topics) -> Result<(), String> {
        let templates = [Some(&self.principal), self.tenant.as_ref(), self.client_id.as_ref()];
        let templates = templates.into_iter().flatten().chain(self.attributes.values());
        let mut names = templates.flat_map(Template::names).chain(topics.names());
        if let Some(unknown) = names.find(|name| !certificate::NAMES.contains(name)) {
            let known = certificate::NAMES.join(", ");
            return Err(format!("config: %{{{unknown}}} is nothing that certificates have; there are {known}"));
        }
        if self.principal.names().next().is_none() {
            return Err("config: principal: a text without %{NAME} would be everybody's name".to_owned());
        }
        Ok(())
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

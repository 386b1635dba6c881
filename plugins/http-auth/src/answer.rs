//! What the service answers.

use std::collections::BTreeMap;

use decisions::{Access, Limits, Rule};
use midge_plugin_sdk::{Credentials, Grant, Refusal, UserProperty};
use serde::Deserialize;

/// What was decided.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    Allow(Box<Grant>),
    Deny(Refusal),
    Next,
}

/// The body. A word that is not known is a mistake: it might have been meant to narrow what the client may do.
#[derive(Debug, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase", deny_unknown_fields)]
enum Body {
    Allow(Box<Allowed>),
    Deny {
        #[serde(default = "bad_user_name_or_password")]
        code: u8,
        reason: Option<String>,
    },
    Next {},
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    principal: Option<String>,
    tenant: Option<String>,
    client_id: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    permissions: Option<Vec<Rule>>,
    publish: Option<Vec<String>>,
    subscribe: Option<Vec<String>>,
    #[serde(default)]
    limits: Limits,
    expires_at: Option<u64>,
    expires_in_s: Option<u64>,
    #[serde(default)]
    user_properties: Vec<UserProperty>,
}

fn bad_user_name_or_password() -> u8 {
    Refusal::BAD_USER_NAME_OR_PASSWORD
}

impl Decision {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is none. Nothing of the answer is repeated but names of fields and values that make no sense.
    pub(crate) fn read(body: &[u8], credentials: &Credentials, now_s: u64) -> Result<Self, String> {
        let body: Body = serde_json::from_slice(body).map_err(|error| format!("the service's answer: {error}"))?;
        match body {
            Body::Next {} => Ok(Self::Next),
            Body::Deny { code, .. } if code < 0x80 => Err(format!("the service's answer: code {code} is no refusal")),
            Body::Deny { code, reason } => Ok(Self::Deny(Refusal { code, reason })),
            Body::Allow(allowed) => allowed.into_grant(credentials, now_s).map(Box::new).map(Self::Allow),
        }
    }

    /// The answer of a service that says no more than yes: the client is who it says.
    ///
    /// # Errors
    /// It says nothing.
    pub(crate) fn of_name(credentials: &Credentials) -> Result<Self, String> {
        own_name(credentials).map(|name| Self::Allow(Box::new(Grant::new(name))))
    }
}

impl Allowed {
    fn into_grant(self, credentials: &Credentials, now_s: u64) -> Result<Grant, String> {
        let access = Access {
            permissions: self.permissions,
            publish: self.publish,
            subscribe: self.subscribe,
            limits: self.limits,
        };
        let principal = match self.principal {
            Some(principal) if principal.is_empty() => {
                return Err("the service's answer: principal is empty".to_owned());
            }
            Some(principal) => principal,
            None => own_name(credentials)?,
        };
        let mut grant = Grant::new(principal);
        grant.tenant = self.tenant;
        grant.client_id = self.client_id;
        grant.attributes = self.attributes.into_iter().collect();
        grant.permissions = access.permissions().map_err(|why| format!("the service's answer: {why}"))?;
        grant.limits = access.limits.granted();
        let in_s = self.expires_in_s.map(|seconds| now_s.saturating_add(seconds));
        grant.expires_at = match (self.expires_at, in_s) {
            (Some(at), Some(in_s)) => Some(at.min(in_s)),
            (at, in_s) => at.or(in_s),
        };
        grant.user_properties = self.user_properties;
        Ok(grant)
    }
}

fn own_name(credentials: &Credentials) -> Result<String, String> {
    let name = credentials.username.as_deref().or(credentials.certificate_cn.as_deref());
    let name = name.filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| "the service allows a client that has no name, and gives it none".to_owned())
}

//! What a token's claims make of its bearer.

use decisions::{Access, Template};
use midge_plugin_sdk::Grant;

use crate::claims::Claims;
use crate::config::Policy;

/// The grant for these claims.
///
/// # Errors
/// What is missing or makes no sense, in words for the client too.
pub(crate) fn grant(policy: &Policy, claims: &Claims, expires_at: Option<u64>) -> Result<Grant, String> {
    let needed = |template: &Template| template.text(claims).map_err(|name| format!("the claim {name} is missing"));
    let mut grant = Grant::new(needed(&policy.principal)?);
    grant.client_id = policy.client_id.as_ref().map(needed).transpose()?;
    grant.tenant = policy.tenant.as_ref().and_then(|template| template.text(claims).ok());
    for (name, template) in &policy.attributes {
        if let Ok(value) = template.text(claims) {
            grant = grant.attribute(name, value);
        }
    }
    let own = own_access(&policy.access_claim, claims)?;
    let own_rules = own.permissions().map_err(|why| format!("the claim {}: {why}", policy.access_claim))?;
    let rules = policy.topics.fill(claims)?;
    // The operator's first: no token undoes what the operator forbids.
    grant.permissions = match (rules, own_rules) {
        (None, None) => None,
        (rules, own_rules) => Some(rules.into_iter().chain(own_rules).flatten().collect()),
    };
    grant.limits = policy.limits.and(own.limits).granted();
    grant.expires_at = expires_at;
    Ok(grant)
}

fn own_access(claim: &str, claims: &Claims) -> Result<Access, String> {
    match claims.find(claim) {
        None => Ok(Access::default()),
        Some(value) => serde_json::from_value(value.clone()).map_err(|error| format!("the claim {claim}: {error}")),
    }
}

//! What a token's claims make of its bearer.

use decisions::Access;
use midge_plugin_sdk::Grant;

use crate::claims::Claims;
use crate::config::Policy;

/// The grant for these claims.
///
/// # Errors
/// What is missing or makes no sense, in words for the client too.
pub(crate) fn grant(policy: &Policy, claims: &Claims, expires_at: Option<u64>) -> Result<Grant, String> {
    let mut grant = policy.profile.grant(claims, |name| format!("the claim {name} is missing"))?;
    let own = own_access(&policy.access_claim, claims)?;
    let own_rules = own.permissions().map_err(|why| format!("the claim {}: {why}", policy.access_claim))?;
    // The operator's first: no token undoes what the operator forbids.
    grant.permissions = match (grant.permissions, own_rules) {
        (None, None) => None,
        (rules, own_rules) => Some(rules.into_iter().chain(own_rules).flatten().collect()),
    };
    grant.limits = policy.profile.limits.and(own.limits).granted();
    grant.expires_at = expires_at;
    Ok(grant)
}

fn own_access(claim: &str, claims: &Claims) -> Result<Access, String> {
    match claims.find(claim) {
        None => Ok(Access::default()),
        Some(value) => serde_json::from_value(value.clone()).map_err(|error| format!("the claim {claim}: {error}")),
    }
}

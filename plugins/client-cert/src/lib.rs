//! Midge's bundled plugin `client-cert`: client certificates as names.
//!
//! The broker has verified the chain when the plugin is asked. What the leaf says becomes principal, tenant and
//! attributes; who is not on the operator's list, or on a revocation list, stays out.

mod allowed;
mod certificate;
mod config;
mod revocation;
mod signature;

use decisions::Others;
use midge_plugin_sdk::{
    Answer, Authenticator, Connect, Credentials, Environment, Grant, Lifecycle, Refusal, now, plugin,
};

use certificate::{Certificate, Holder};
use config::{Config, Policy};
use revocation::Revocation;

struct ClientCert {
    policy: Policy,
    others: Others,
    revocation: Option<Revocation>,
}

impl Lifecycle for ClientCert {
    fn init(_: &Environment) -> Result<Self, String> {
        let config: Config = midge_plugin_sdk::config()?;
        let revocation = config.revocation()?.map(|settings| Revocation::open(settings, now() / 1000)).transpose()?;
        let (others, policy) = (config.without_certificate, config.policy()?);
        Ok(Self { policy, others, revocation })
    }

    fn health(&mut self) -> Result<(), String> {
        self.revocation.as_mut().map_or(Ok(()), |revocation| revocation.health(now() / 1000))
    }
}

impl Authenticator for ClientCert {
    fn authenticate(&mut self, credentials: &Credentials, connect: &Connect) -> Result<Answer, String> {
        // Without TLS there is none, and an answer that has not looked may be used again.
        let chain = if credentials.tls { connect.certificates() } else { Vec::new() };
        if chain.is_empty() {
            return Ok(match self.others {
                Others::Next => Answer::next().for_ms(u32::MAX),
                Others::Deny => refused("a client certificate is needed"),
            });
        }
        // Those of the issuers matter only where they may have been revoked.
        let count = if self.revocation.is_some() { chain.len() } else { 1 };
        let parsed: Result<Vec<Certificate>, String> =
            chain.iter().take(count).map(|der| Certificate::parse(der)).collect();
        Ok(match parsed.and_then(|chain| self.judge(&chain, connect)) {
            Ok(grant) => grant.into(),
            Err(why) => refused(&why),
        })
    }
}

impl ClientCert {
    fn judge(&mut self, chain: &[Certificate], connect: &Connect) -> Result<Grant, String> {
        let now_s = now() / 1000;
        let leaf = chain.first().ok_or("there is no certificate")?;
        // A TLS session that is resumed was verified when it began.
        if !(leaf.not_before..leaf.not_after).contains(&now_s) {
            return Err("the certificate has expired, or is not valid yet".to_owned());
        }
        let holder = Holder { certificate: leaf, alternative_names: connect.alternative_names() };
        self.policy.allowed.check(&holder)?;
        if let Some(revocation) = &mut self.revocation {
            revocation.check(chain, now_s)?;
        }
        self.grant(&holder)
    }

    fn grant(&self, holder: &Holder<'_>) -> Result<Grant, String> {
        let Policy { profile, ends_with_certificate, .. } = &self.policy;
        let mut grant = profile.grant(holder, |name| format!("the certificate has no {name}"))?;
        grant.expires_at = ends_with_certificate.then_some(holder.certificate.not_after);
        Ok(grant)
    }
}

/// Who shows the wrong certificate is known, and not wanted: Not authorized.
fn refused(reason: &str) -> Answer {
    Answer::refuse(Refusal { code: Refusal::NOT_AUTHORIZED, reason: Some(reason.to_owned()) })
}

plugin!(ClientCert: lifecycle, authn);

#[cfg(test)]
mod tests;

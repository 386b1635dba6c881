//! Midge's bundled plugin `jwt`: JSON Web Tokens instead of passwords.
//!
//! A token is verified with the broker's own cryptography, and what it says of its bearer becomes principal, permissions
//! and limits. When it expires the connection ends, unless the client has shown a newer one by AUTH.

mod algorithm;
mod claims;
mod config;
mod grant;
mod keys;
mod remote;
mod source;
mod spki;
mod token;

use decisions::Others;
use midge_plugin_sdk::{
    Answer, Authenticator, Candidate, Connect, Credentials, EnhancedAuthenticator, Environment, Grant, Lifecycle,
    Refusal, Step, crypto, now, plugin, warn,
};

use algorithm::Algorithm;
use claims::{Bearer, Flaw};
use config::{Config, Place, Policy};
use grant::grant;
use keys::Key;
use source::Source;
use token::Token;

struct Jwt {
    source: Source,
    policy: Policy,
    place: Place,
    others: Others,
    method: String,
}

/// Why a token lets nobody in.
enum Trouble {
    /// The token is not good. It may be told so again for so many milliseconds.
    Refused { code: u8, reason: String, for_ms: u64 },
    /// Nobody knows whether it is.
    Failed(String),
}

impl Lifecycle for Jwt {
    fn init(environment: &Environment) -> Result<Self, String> {
        let config = midge_plugin_sdk::config::<Config>()?.check()?;
        let policy = config.clone().policy()?;
        if environment.instance == 0 && config.secrets.is_empty() && policy.demands.audiences.is_empty() {
            warn!("no `audience` is configured: tokens that were made for other services are accepted too");
        }
        let source = Source::open(&config, now())?;
        Ok(Self { source, policy, place: config.token, others: config.others, method: config.method })
    }

    fn health(&mut self) -> Result<(), String> {
        self.source.keys(now()).map(drop)
    }
}

impl Authenticator for Jwt {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        let text = match self.place {
            Place::Password => credentials.password.as_deref(),
            Place::Username => credentials.username.as_deref().map(str::as_bytes),
        };
        let token = text.and_then(Token::parse).filter(|token| self.policy.demands.is_ours(&token.claims));
        let Some(token) = token else {
            // Nothing but the credentials was looked at, so this holds for ever.
            return Ok(match self.others {
                Others::Next => Answer::next().for_ms(u32::MAX),
                Others::Deny => Answer::deny(NO_TOKEN).for_ms(self.policy.reuse_ms),
            });
        };
        let now_ms = now();
        match self.judge(&token, credentials, now_ms) {
            Ok(grant) => Ok(Answer::from(grant).for_ms(self.policy.reuse_ms)),
            Err(Trouble::Failed(why)) => Err(why),
            Err(Trouble::Refused { code, reason, for_ms }) => {
                let for_ms = u32::try_from(for_ms).unwrap_or(u32::MAX).min(self.policy.reuse_ms);
                Ok(Answer::refuse(Refusal { code, reason: Some(reason) }).for_ms(for_ms))
            }
        }
    }
}

/// One step: the token is the Authentication Data. A client that came in so may show a newer one before the old expires.
impl EnhancedAuthenticator for Jwt {
    fn methods(&self) -> Vec<String> {
        vec![self.method.clone()]
    }

    fn start(&mut self, client: &Candidate, data: Option<&[u8]>, _: &Connect) -> Result<Step, String> {
        let token = data.and_then(Token::parse).filter(|token| self.policy.demands.is_ours(&token.claims));
        // There is nobody behind who could be asked.
        let token = token.ok_or_else(|| not_good(NO_TOKEN));
        match token.and_then(|token| self.judge(&token, &client.credentials, now())) {
            Ok(grant) => Ok(Step::allow(grant)),
            Err(Trouble::Failed(why)) => Err(why),
            Err(Trouble::Refused { code, reason, .. }) => Ok(Step::refuse(Refusal { code, reason: Some(reason) })),
        }
    }

    fn proceed(&mut self, _: &Candidate, _: &[u8], _: Option<&[u8]>, _: &Connect) -> Result<Step, String> {
        Err("no exchange of this plugin has a second step".to_owned())
    }
}

impl Jwt {
    /// What costs nothing is looked at first: a swarm that comes back with expired tokens is quickly sent away.
    fn judge(&mut self, token: &Token<'_>, credentials: &Credentials, now_ms: u64) -> Result<Grant, Trouble> {
        let algorithm = self.check_header(token)?;
        let bearer = Bearer { client_id: &credentials.client_id, username: credentials.username.as_deref() };
        let expires_at = self.policy.demands.check(&token.claims, &bearer, now_ms / 1000)?;
        self.verify(token, algorithm, now_ms)?;
        grant(&self.policy, &token.claims, expires_at).map_err(|why| not_allowed(&why))
    }

    fn check_header(&self, token: &Token<'_>) -> Result<&'static Algorithm, Trouble> {
        let header = &token.header;
        if header.crit.is_some() {
            return Err(not_good("the token needs an extension (crit) that is not known here"));
        }
        let is_accepted = |typ: &String| header.typ.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(typ));
        if !self.policy.types.is_empty() && !self.policy.types.iter().any(is_accepted) {
            return Err(not_good("the token is of another type"));
        }
        let accepted = self.policy.algorithms.iter().find(|algorithm| algorithm.name == header.alg);
        accepted.copied().ok_or_else(|| not_good("the token's algorithm is not accepted"))
    }

    /// A key that is not known is an answer, and no failure: else whoever invents names of keys could open the breaker,
    /// and nobody would be let in.
    fn verify(&mut self, token: &Token<'_>, algorithm: &'static Algorithm, now_ms: u64) -> Result<(), Trouble> {
        let id = token.header.kid.as_deref();
        let mut looked_again = false;
        loop {
            let found = self.source.keys(now_ms).map_err(Trouble::Failed)?.candidates(id, algorithm);
            if found.iter().any(|key| is_right(token, algorithm, key)) {
                return Ok(());
            }
            let is_known = !found.is_empty();
            // A key may be new, and a token that names none may be of it.
            let may_be_new = !is_known || id.is_none();
            if looked_again || !may_be_new || !self.source.look_again(now_ms) {
                let what = if is_known { "the token's signature is wrong" } else { "the token's key is not known" };
                let (code, reason) = (Refusal::BAD_USER_NAME_OR_PASSWORD, what.to_owned());
                return Err(Trouble::Refused { code, reason, for_ms: self.source.pause_ms() });
            }
            looked_again = true;
        }
    }
}

fn is_right(token: &Token<'_>, algorithm: &Algorithm, key: &Key) -> bool {
    crypto::verify(algorithm.native, &key.bytes, token.signed, &token.signature).unwrap_or_else(|why| {
        warn!(kid = key.id.as_deref().unwrap_or_default(); "a key cannot be used: {why:?}");
        false
    })
}

/// The token is not what it should be: Bad User Name or Password.
fn not_good(reason: &str) -> Trouble {
    Trouble::Refused { code: Refusal::BAD_USER_NAME_OR_PASSWORD, reason: reason.to_owned(), for_ms: u64::MAX }
}

/// The token is good, but not for this: Not authorized.
fn not_allowed(reason: &str) -> Trouble {
    Trouble::Refused { code: Refusal::NOT_AUTHORIZED, reason: reason.to_owned(), for_ms: u64::MAX }
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Expired => not_good("the token has expired"),
            Flaw::NotYet(wait_s) => Self::Refused {
                code: Refusal::BAD_USER_NAME_OR_PASSWORD,
                reason: "the token is not valid yet".to_owned(),
                for_ms: wait_s.saturating_mul(1000),
            },
            Flaw::NoMoment(name) => not_good(&format!("the claim {name} is no time in seconds")),
            Flaw::Missing(name) => not_allowed(&format!("the claim {name} is missing")),
            Flaw::Audience => not_allowed("the token is for somebody else (aud)"),
            Flaw::Differs(name) => not_allowed(&format!("the claim {name} has another value")),
        }
    }
}

const NO_TOKEN: &str = "no token of an issuer that is known here";

plugin!(Jwt: lifecycle, authn, enhanced_authn);

#[cfg(test)]
mod tests;

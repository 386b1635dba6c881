//! Midge's bundled plugin `http-auth`: your service says who may connect.
//!
//! One POST per CONNECT, JSON in and out. That the service could not be asked is a failure and never a yes: the broker's
//! `on_error` and its circuit breaker are for that.

mod answer;
mod config;
mod question;

use decisions::service::{Answers, Said, Service};
use midge_plugin_sdk::{Answer, Authenticator, Connect, Credentials, Environment, Lifecycle, Refusal, now, plugin};

use answer::Decision;
use config::{Config, Fact, REUSE};

struct HttpAuth {
    service: Service,
    facts: Vec<Fact>,
}

impl Lifecycle for HttpAuth {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { facts, service } = midge_plugin_sdk::config()?;
        Ok(Self { service: Service::open(service, REUSE)?, facts })
    }
}

impl Authenticator for HttpAuth {
    fn authenticate(&mut self, credentials: &Credentials, connect: &Connect) -> Result<Answer, String> {
        let question = question::of(credentials, connect, &self.facts);
        let reply = self.service.ask(&question)?;
        let decision = match &reply.said {
            Said::No(code) => Decision::Deny(Refusal { code: *code, reason: None }),
            Said::Yes(_) if self.service.answers() == Answers::Status => Decision::of_name(credentials)?,
            Said::Yes(body) => Decision::read(body, credentials, now() / 1000)?,
        };
        let is_refusal = matches!(decision, Decision::Deny(_));
        let answer = match decision {
            Decision::Allow(grant) => Answer::from(*grant),
            Decision::Deny(refusal) => Answer::refuse(refusal),
            Decision::Next => Answer::next(),
        };
        Ok(answer.for_ms(self.service.reuse_ms(&reply, is_refusal)))
    }
}

plugin!(HttpAuth: lifecycle, authn);

#[cfg(test)]
mod tests;

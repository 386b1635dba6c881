//! Midge's bundled plugin `http-acl`: your service says who may publish and subscribe to what.
//!
//! It is asked once per client, for rules that the broker then evaluates itself, or per action. That it could not be asked
//! is a failure and never a yes.

mod answer;
mod config;
mod question;

use decisions::service::{Answers, Reply, Said, Service};
use midge_plugin_sdk::{
    Authorizer, Environment, Identity, IdentityId, Lifecycle, Permission, QoS, Refusal, Ruling, RulingVerdict,
    Subscription, identity, plugin,
};

use answer::{Decision, Rules};
use config::{Ask, Config, REUSE};
use question::Action;

struct HttpAcl {
    service: Service,
    ask: Ask,
}

impl Lifecycle for HttpAcl {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { ask, service } = midge_plugin_sdk::config()?;
        let service = Service::open(service, REUSE)?;
        if (service.answers(), ask) == (Answers::Status, Ask::Once) {
            return Err(
                "config: answers = \"status\": a status says no rules; it goes with ask = \"actions\"".to_owned()
            );
        }
        Ok(Self { service, ask })
    }
}

impl Authorizer for HttpAcl {
    fn permissions(&mut self, _: IdentityId, who: &Identity) -> Result<Option<Vec<Permission>>, String> {
        if self.ask == Ask::Actions {
            return Ok(None);
        }
        match self.service.ask(&question::of(who, &Action::Permissions))?.said {
            Said::Yes(body) => match Rules::read(&body)? {
                Rules::These(rules) => Ok(Some(rules)),
                Rules::NotMine => Ok(None),
            },
            Said::No(_) => Ok(Some(Vec::new())),
        }
    }

    fn authorize_publish(&mut self, who: IdentityId, topic: &str, qos: QoS, retain: bool) -> Result<Ruling, String> {
        self.rule(who, &Action::Publish { topic, qos: number(qos), retain })
    }

    fn authorize_subscribe(&mut self, who: IdentityId, subscription: &Subscription) -> Result<Ruling, String> {
        let Subscription { filter, qos, no_local, share } = subscription;
        let action = Action::Subscribe { filter, qos: number(*qos), no_local: *no_local, share: share.as_deref() };
        self.rule(who, &action)
    }
}

impl HttpAcl {
    fn rule(&mut self, who: IdentityId, action: &Action<'_>) -> Result<Ruling, String> {
        if self.ask == Ask::Once {
            // It was asked for rules, and said that this client is not its own.
            return Ok(Ruling::next());
        }
        let who = identity(who).ok_or("the client is gone")?;
        let reply = self.service.ask(&question::of(&who, action))?;
        let Decision { verdict, max_qos, refusal, covers } = self.decide(&reply)?;
        let ttl_ms = self.service.reuse_ms(&reply, verdict == RulingVerdict::Deny);
        let ruling = Ruling { verdict, refusal, ..Ruling::allow().at_most(max_qos).for_ms(ttl_ms) };
        Ok(match covers {
            Some(covers) => ruling.covering(covers),
            None => ruling,
        })
    }

    fn decide(&self, reply: &Reply) -> Result<Decision, String> {
        match &reply.said {
            Said::No(_) => Ok(Decision::refused(Refusal { code: Refusal::NOT_AUTHORIZED, reason: None })),
            Said::Yes(_) if self.service.answers() == Answers::Status => Ok(Decision::allowed()),
            Said::Yes(body) => Decision::read(body),
        }
    }
}

fn number(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}

plugin!(HttpAcl: lifecycle, authz);

#[cfg(test)]
mod tests;

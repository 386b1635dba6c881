//! `authn` and `authz`: the hooks that decide.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Resource, TypedFunc};

use super::kept::{KeptQuestion, refusal};
use super::lowered::{LoweredCredentials, LoweredIdentity, LoweredSubscription, qos};
use super::notices::{lift_qos, one_each, refusal_code};
use super::{HookCall, Lent};
use crate::bindings::exports::midge::plugin::{authn as wit_authn, authz as wit_authz};
use crate::bindings::midge::plugin::types as wit;
use crate::contract::{
    ConnectFacts, Credentials, Effect, Grant, GrantLimits, Hook, Permission, QoS, Redirection, SubscriptionQuestion,
};
use crate::error::HookFailure;
use crate::identities::Identity;
use crate::imports::{self, Connect, PluginState};
use crate::plugin::Generation;
use crate::plugin::functions::Functions;

/// How long and for what an answer may be reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reuse {
    pub(crate) ttl: Duration,
    pub(crate) covers: Option<String>,
}

/// An authenticator's answer.
pub(crate) struct AuthnAnswer {
    pub(crate) vote: AuthnVote,
    /// How long it holds for the same credentials.
    pub(crate) reuse_for: Duration,
}

/// Who it is, that it is nobody, or not mine.
pub(crate) enum AuthnVote {
    Allow(Box<Grant>),
    Deny(Refused),
    Next,
}

/// How a client is turned away.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) code: u8,
    pub(crate) reason: Option<Arc<str>>,
    /// Where it is sent instead.
    pub(crate) elsewhere: Option<Arc<str>>,
}

impl Refused {
    pub(super) fn words(&self) -> String {
        let refusal = refusal(self.code, self.reason.as_deref());
        match &self.elsewhere {
            Some(elsewhere) => format!("{refusal} (use {elsewhere})"),
            None => refusal,
        }
    }
}

impl From<wit::Refusal> for Refused {
    fn from(refusal: wit::Refusal) -> Self {
        Self { code: refusal_code(refusal.code), reason: refusal.reason.map(Into::into), elsewhere: None }
    }
}

impl From<Redirection> for Refused {
    fn from(redirect: Redirection) -> Self {
        let code = redirect.code();
        Self { code, reason: redirect.reason, elsewhere: Some(redirect.server_reference) }
    }
}

/// One authorizer's answer to one question.
#[derive(Clone, Debug)]
pub(crate) struct AuthzAnswer {
    pub(crate) vote: Vote,
    pub(crate) reuse: Reuse,
}

/// Yes, no, or not mine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    Allow { max_qos: QoS },
    Deny { code: u8, reason: Option<Arc<str>> },
    Next,
}

impl Vote {
    fn words(&self) -> String {
        match self {
            Self::Allow { max_qos } => format!("allow up to QoS {}", *max_qos as u8),
            Self::Deny { code, reason } => refusal(*code, reason.as_deref()),
            Self::Next => "next".to_owned(),
        }
    }
}

/// `authn.authenticate`.
pub(crate) struct Authenticate {
    credentials: Arc<Credentials>,
    connect: Connect,
    with_password: bool,
}

impl Authenticate {
    pub(crate) fn new(credentials: Arc<Credentials>, facts: Arc<ConnectFacts>, with_password: bool) -> Self {
        Self { credentials, connect: Connect::new(facts), with_password }
    }
}

impl HookCall for Authenticate {
    type Params = (LoweredCredentials, Resource<Connect>);
    type Results = (Result<wit_authn::Answer, String>,);
    type Answer = AuthnAnswer;

    const HOOK: Hook = Hook::Authn;
    const FUNCTION: &'static str = "authenticate";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.authenticate.as_ref()
    }

    fn lower(&self, state: &mut PluginState, lent: &mut Lent) -> wasmtime::Result<Self::Params> {
        let connect = lent.insert(state.push_connect(self.connect.clone())?);
        let lowered = LoweredCredentials::new(&self.credentials, self.with_password);
        Ok((lowered, Resource::new_borrow(connect.rep())))
    }

    fn lift(&self, (answer,): Self::Results) -> Result<AuthnAnswer, HookFailure> {
        let answer = answer.map_err(HookFailure::Backend)?;
        let vote = match answer.verdict {
            wit_authn::Verdict::Allow(grant) => AuthnVote::Allow(Box::new(lift_grant(grant)?)),
            wit_authn::Verdict::Deny(refusal) => AuthnVote::Deny(refusal.into()),
            wit_authn::Verdict::Redirect(redirect) => AuthnVote::Deny(lift_redirect(redirect)?.into()),
            wit_authn::Verdict::Next => AuthnVote::Next,
        };
        // What was looked at is no part of the credentials, and may be another time.
        let ttl_ms = if self.connect.was_looked_at() { 0 } else { answer.reuse.ttl_ms };
        Ok(AuthnAnswer { vote, reuse_for: Duration::from_millis(ttl_ms.into()) })
    }

    fn client(&self) -> Option<&str> {
        Some(&self.credentials.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.is_on(&self.credentials.listener)
    }

    fn kept(&self) -> Option<KeptQuestion> {
        let (credentials, facts) = (Arc::clone(&self.credentials), self.connect.facts());
        Some(KeptQuestion::Authenticate { credentials, facts })
    }

    fn words(answer: &AuthnAnswer) -> String {
        match &answer.vote {
            AuthnVote::Allow(grant) => format!("allow {grant:?}"),
            AuthnVote::Deny(refused) => refused.words(),
            AuthnVote::Next => "next".to_owned(),
        }
    }
}

/// `authz.permissions`.
pub(crate) struct Permissions<'a> {
    pub(crate) who: &'a Identity,
}

impl HookCall for Permissions<'_> {
    type Params = (u64, LoweredIdentity);
    type Results = (Result<Option<Vec<wit::Permission>>, String>,);
    type Answer = Option<Vec<Permission>>;

    const HOOK: Hook = Hook::Authz;
    const FUNCTION: &'static str = "permissions";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.permissions.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.who.id(), self.who.into()))
    }

    fn lift(&self, (permissions,): Self::Results) -> Result<Self::Answer, HookFailure> {
        permissions.map_err(HookFailure::Backend)?.map(lift_permissions).transpose()
    }

    fn client(&self) -> Option<&str> {
        Some(&self.who.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.concerns(Some(self.who))
    }

    fn kept(&self) -> Option<KeptQuestion> {
        Some(KeptQuestion::Permissions { who: self.who.id() })
    }

    fn words(answer: &Self::Answer) -> String {
        answer.as_ref().map_or_else(|| "ask".to_owned(), |permissions| format!("permissions {permissions:?}"))
    }
}

/// `authz.authorize-publish`.
pub(crate) struct AuthorizePublish<'a> {
    pub(crate) who: &'a Identity,
    pub(crate) topic: &'a str,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl HookCall for AuthorizePublish<'_> {
    type Params = (u64, String, wit::Qos, bool);
    type Results = (Result<wit_authz::Ruling, String>,);
    type Answer = AuthzAnswer;

    const HOOK: Hook = Hook::Authz;
    const FUNCTION: &'static str = "authorize-publish";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.authorize_publish.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.who.id(), self.topic.to_owned(), qos(self.qos), self.retain))
    }

    fn lift(&self, (ruling,): Self::Results) -> Result<AuthzAnswer, HookFailure> {
        Ok(lift_ruling(ruling.map_err(HookFailure::Backend)?))
    }

    fn client(&self) -> Option<&str> {
        Some(&self.who.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.concerns(Some(self.who))
    }

    fn kept(&self) -> Option<KeptQuestion> {
        let (who, topic) = (self.who.id(), self.topic.to_owned());
        Some(KeptQuestion::Publish { who, topic, qos: self.qos, retain: self.retain })
    }

    fn words(answer: &AuthzAnswer) -> String {
        answer.vote.words()
    }
}

/// `authz.authorize-subscribe`.
pub(crate) struct AuthorizeSubscribe<'a> {
    pub(crate) who: &'a Identity,
    pub(crate) subscriptions: &'a [&'a SubscriptionQuestion],
}

impl HookCall for AuthorizeSubscribe<'_> {
    type Params = (u64, Vec<LoweredSubscription>);
    type Results = (Result<Vec<wit_authz::Ruling>, String>,);
    type Answer = Vec<AuthzAnswer>;

    const HOOK: Hook = Hook::Authz;
    const FUNCTION: &'static str = "authorize-subscribe";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.authorize_subscribe.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        let subscriptions = self.subscriptions.iter().map(|&question| question.into());
        Ok((self.who.id(), subscriptions.collect()))
    }

    fn lift(&self, (rulings,): Self::Results) -> Result<Vec<AuthzAnswer>, HookFailure> {
        let rulings = rulings.map_err(HookFailure::Backend)?;
        one_each("rulings", rulings.len(), self.subscriptions.len())?;
        Ok(rulings.into_iter().map(lift_ruling).collect())
    }

    fn client(&self) -> Option<&str> {
        Some(&self.who.client_id)
    }

    fn is_for(&self, of: &Generation) -> bool {
        of.concerns(Some(self.who))
    }

    fn kept(&self) -> Option<KeptQuestion> {
        let questions = self.subscriptions.iter().map(|&question| question.clone()).collect();
        Some(KeptQuestion::Subscribe { who: self.who.id(), questions })
    }

    fn words(answers: &Vec<AuthzAnswer>) -> String {
        answers.iter().map(|answer| answer.vote.words()).collect::<Vec<_>>().join("; ")
    }
}

/// `authz.identity-gone`.
pub(crate) struct IdentityGone {
    pub(crate) id: u64,
}

impl HookCall for IdentityGone {
    type Params = (u64,);
    type Results = ();
    type Answer = ();

    const HOOK: Hook = Hook::Authz;
    const FUNCTION: &'static str = "identity-gone";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.identity_gone.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        Ok((self.id,))
    }

    fn lift(&self, (): Self::Results) -> Result<(), HookFailure> {
        Ok(())
    }
}

fn lift_ruling(ruling: wit_authz::Ruling) -> AuthzAnswer {
    let vote = match ruling.verdict {
        wit_authz::Verdict::Allow => Vote::Allow { max_qos: lift_qos(ruling.max_qos) },
        wit_authz::Verdict::Deny => Vote::Deny {
            code: ruling.refusal.as_ref().map_or(0x87, |refusal| refusal_code(refusal.code)),
            reason: ruling.refusal.and_then(|refusal| refusal.reason).map(Into::into),
        },
        wit_authz::Verdict::Next => Vote::Next,
    };
    let reuse = Reuse { ttl: Duration::from_millis(ruling.reuse.ttl_ms.into()), covers: ruling.reuse.covers };
    AuthzAnswer { vote, reuse }
}

pub(super) fn lift_redirect(redirect: wit::Redirection) -> Result<Redirection, HookFailure> {
    imports::redirect(redirect).map_err(|reason| HookFailure::BadAnswer(reason.to_owned()))
}

pub(super) fn lift_grant(grant: wit_authn::Grant) -> Result<Grant, HookFailure> {
    if grant.client_id.as_deref().is_some_and(|id| id.is_empty() || id.contains('\0')) {
        return Err(HookFailure::BadAnswer("a client id that is empty or has U+0000".into()));
    }
    Ok(Grant {
        principal: grant.principal,
        tenant: grant.tenant,
        client_id: grant.client_id,
        attributes: grant.attributes,
        permissions: grant.permissions.map(lift_permissions).transpose()?,
        limits: grant.limits.map(|limits| GrantLimits {
            publish_per_second: limits.publish_per_second,
            bytes_per_second: limits.bytes_per_second,
            inflight: limits.inflight,
            queued_messages: limits.queued_messages,
            session_expiry: limits.session_expiry,
            packet_size: limits.packet_size,
            keep_alive: limits.keep_alive,
            maximum_qos: limits.maximum_qos.map(lift_qos),
            retain_available: limits.retain_available,
            receive_maximum: limits.receive_maximum,
            topic_alias_maximum: limits.topic_alias_maximum,
        }),
        expires_at: grant.expires_at,
        user_properties: grant.user_properties,
    })
}

fn lift_permissions(permissions: Vec<wit::Permission>) -> Result<Vec<Permission>, HookFailure> {
    permissions
        .into_iter()
        .map(|permission| {
            if !crate::topics::is_filter(&permission.topic_filter) {
                let text = format!("a permission for {:?}, which is no topic filter", permission.topic_filter);
                return Err(HookFailure::BadAnswer(text));
            }
            Ok(Permission {
                effect: match permission.effect {
                    wit::Effect::Allow => Effect::Allow,
                    wit::Effect::Deny => Effect::Deny,
                },
                publish: permission.actions.contains(wit::Actions::PUBLISH),
                subscribe: permission.actions.contains(wit::Actions::SUBSCRIBE),
                topic_filter: permission.topic_filter,
                max_qos: lift_qos(permission.max_qos),
                retain: permission.retain,
            })
        })
        .collect()
}
